"""New ids: UUIDv7 (RFC 9562), so that a primary key's index grows at its end."""

import os
import uuid

from core.clock import now_ms


def generate_id() -> str:
    """A UUIDv7: 48 bits of milliseconds, the version and variant, 74 random bits."""
    value = now_ms() << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
