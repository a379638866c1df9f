"""Time as the product counts it: milliseconds since the epoch."""

import time
from typing import Final

NEVER: Final = 9_007_199_254_740_991
"""The largest integer that JSON numbers hold exactly (2^53 - 1); stands for "never expires"."""


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
