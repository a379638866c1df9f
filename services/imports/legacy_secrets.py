"""Reads secrets that the older systems sealed: AES-256-GCM, `iv:tag:data` in hexadecimal."""

import re
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from core.encryption import KEY_BYTES
from core.errors import StartupError

_SEALED: Final = re.compile(r"([0-9a-f]{24}):([0-9a-f]{32}):((?:[0-9a-f]{2})*)", re.IGNORECASE)
_HEX: Final = re.compile(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}")


def is_sealed(value: Any) -> bool:
    """Whether a value has the form of such a sealed secret."""
    return isinstance(value, str) and _SEALED.fullmatch(value) is not None


class LegacyKey:
    """The key with which they were sealed."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def from_setting(cls, setting: SecretStr | None) -> "LegacyKey | None":
        """The key of the setting IMPORT_SECRET_KEY: 64 hexadecimal digits, or 32 bytes as they are.

        Raises:
            StartupError: It is neither; the message does not show it.
        """
        if setting is None:
            return None
        text = setting.get_secret_value()
        key = bytes.fromhex(text) if _HEX.fullmatch(text) else text.encode(errors="surrogateescape")
        if len(key) != KEY_BYTES:
            raise StartupError(
                f"IMPORT_SECRET_KEY: must be {2 * KEY_BYTES} hexadecimal digits, or {KEY_BYTES} bytes."
            )
        return cls(key)

    def decrypt(self, sealed: str) -> str | None:
        """The secret; None if this key did not seal it, or if it is not text."""
        found = _SEALED.fullmatch(sealed)
        if found is None:
            return None
        nonce, tag, data = map(bytes.fromhex, found.groups())
        try:
            return self._cipher.decrypt(nonce, data + tag, None).decode()
        except (InvalidTag, UnicodeDecodeError):
            return None
