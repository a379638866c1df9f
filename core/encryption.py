"""Secrets at rest: AES-256-GCM under the operator's keys, each envelope good in one place only.

An envelope is `enc:v1:<key id>:<nonce, ciphertext and tag in base64url>`. What it authenticates beside the secret is
the place where it stands: copied to another row or property it does not open.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.base64url import decoded, encoded
from core.errors import StartupError
from core.key_file import kept_key
from core.settings import Settings

ENVELOPE: Final = "enc:v1:"
"""What each envelope begins with; `app.redact` in the database knows it, too."""

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_ID_BYTES: Final = 6
_KEY_FILE: Final = "secret-key"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One AES-256 key; two are equal if their `id` is.

    Attributes:
        id: the beginning of a hash of the key, which tells nothing of it.
    """

    id: str
    _cipher: AESGCM = field(repr=False, compare=False)

    @classmethod
    def of(cls, key: bytes) -> "SecretKey":
        """The key of these 32 bytes."""
        digest = hashlib.sha256(b"id of a secret key\0" + key).digest()
        return cls(encoded(digest[:_KEY_ID_BYTES]), AESGCM(key))

    def seal(self, secret: bytes, place: bytes) -> str:
        """The envelope of the secret, good in that place; another each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return (
            f"{ENVELOPE}{self.id}:{encoded(nonce + self._cipher.encrypt(nonce, secret, self._bound(place)))}"
        )

    def open(self, sealed: bytes, place: bytes) -> bytes | None:
        """The secret; None where this key did not seal it for that place."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound(place))
        except (InvalidTag, ValueError):
            return None

    def _bound(self, place: bytes) -> bytes:
        return f"{ENVELOPE}{self.id}:".encode() + place


class SecretKeys:
    """The operator's keys: the first seals, all open. There may be none."""

    def __init__(self, keys: Sequence[SecretKey] = ()) -> None:
        self._first = keys[0] if keys else None
        self._by_id = {key.id: key for key in keys}

    @classmethod
    def load(cls, settings: Settings) -> "SecretKeys":
        """The keys of the settings, and in the demo one of its own behind them, kept in the data directory.

        Raises:
            StartupError: if one is not base64 of 32 bytes; the message does not show it.
        """
        keys = [
            SecretKey.of(_read(key.get_secret_value(), f"Key {number} of SECRET_KEYS"))
            for number, key in enumerate(settings.secret_keys, 1)
        ]
        if settings.demo:
            path = settings.data_dir / _KEY_FILE
            keys.append(SecretKey.of(_read(kept_key(path, _new_key).decode("latin-1"), str(path))))
        return cls(keys)

    def __bool__(self) -> bool:
        return self._first is not None

    def seal(self, secret: bytes, place: bytes) -> str:
        """The envelope of the secret under the first key, good in that place.

        Raises:
            ValueError: there is no key; callers ask before (`bool`), and say so in their own words.
        """
        if self._first is None:
            raise ValueError("there is no key to seal with")
        return self._first.seal(secret, place)

    def open(self, envelope: str, place: bytes) -> bytes | None:
        """The secret; None where none of the keys sealed it for that place."""
        key_id, _, sealed = envelope.removeprefix(ENVELOPE).partition(":")
        key = self._by_id.get(key_id)
        try:
            return key.open(decoded(sealed), place) if key else None
        except ValueError:
            return None

    def is_current(self, envelope: str) -> bool:
        """Whether it names the first key."""
        return self._first is not None and envelope.startswith(f"{ENVELOPE}{self._first.id}:")


def _new_key() -> bytes:
    return base64.b64encode(os.urandom(KEY_BYTES)) + b"\n"


def _read(text: str, where: str) -> bytes:
    """The key of its base64, in either alphabet, padded or not."""
    bare = text.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise StartupError(
            f"{where} is not base64 of {KEY_BYTES} bytes: openssl rand -base64 {KEY_BYTES}"
        ) from None
    return key
