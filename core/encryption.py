"""Encryption of stored secrets: AES-256-GCM under the operator's keys. Each envelope is valid in one place only.

An envelope is `enc:v1:<key id>:<nonce, ciphertext and tag in base64url>`. It authenticates the secret and the place
where it is stored. A copy in another row or property cannot be decrypted.
"""

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.base64url import decode_base64url, decode_either_base64, encode_base64url
from core.errors import StartupError
from core.key_file import load_or_create_key
from core.settings import Settings

ENVELOPE: Final = "enc:v1:"
"""The prefix of each envelope; `app.redact` in the database uses it, too."""

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_KEY_ID_BYTES: Final = 6
_KEY_FILE: Final = "secret-key"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One AES-256 key; two keys are equal if their `id` is.

    Attributes:
        id: The beginning of a hash of the key, which reveals nothing about the key.
    """

    id: str
    _cipher: AESGCM = field(repr=False, compare=False)

    @classmethod
    def from_bytes(cls, key: bytes) -> "SecretKey":
        """The key of these 32 bytes."""
        digest = hashlib.sha256(b"id of a secret key\0" + key).digest()
        return cls(encode_base64url(digest[:_KEY_ID_BYTES]), AESGCM(key))

    def seal(self, secret: bytes, context: bytes) -> str:
        """Encrypt the secret for that place; the envelope is different each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return f"{ENVELOPE}{self.id}:{encode_base64url(nonce + self._cipher.encrypt(nonce, secret, self._build_associated_data(context)))}"  # noqa: E501

    def open(self, sealed: bytes, context: bytes) -> bytes | None:
        """Decrypt the secret; None if this key did not encrypt it for that place."""
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._build_associated_data(context)
            )
        except (InvalidTag, ValueError):
            return None

    def _build_associated_data(self, context: bytes) -> bytes:
        return f"{ENVELOPE}{self.id}:".encode() + context


class SecretKeys:
    """The operator's keys: the first encrypts, all decrypt. The list may be empty."""

    def __init__(self, keys: Sequence[SecretKey] = ()) -> None:
        self._primary = keys[0] if keys else None
        self._by_id = {key.id: key for key in keys}

    @classmethod
    def load(cls, settings: Settings) -> "SecretKeys":
        """The keys of the settings. In the demo, one of the demo's own follows them, stored in the data directory.

        Raises:
            StartupError: One is not base64 of 32 bytes; the message does not show it.
        """
        keys = [
            SecretKey.from_bytes(_parse_key(key.get_secret_value(), f"Key {number} of SECRET_KEYS"))
            for number, key in enumerate(settings.secret_keys, 1)
        ]
        if settings.demo:
            path = settings.data_dir / _KEY_FILE
            keys.append(
                SecretKey.from_bytes(
                    _parse_key(load_or_create_key(path, _generate_key).decode("latin-1"), str(path))
                )
            )
        return cls(keys)

    def __bool__(self) -> bool:
        return self._primary is not None

    def seal(self, secret: bytes, context: bytes) -> str:
        """Encrypt the secret with the first key, for that place.

        Raises:
            ValueError: There is no key. Callers check this before (`bool`), and raise their own error.
        """
        if self._primary is None:
            raise ValueError("there is no key to encrypt with")
        return self._primary.seal(secret, context)

    def open(self, envelope: str, context: bytes) -> bytes | None:
        """Decrypt the secret; None if none of the keys encrypted it for that place."""
        key_id, _, sealed = envelope.removeprefix(ENVELOPE).partition(":")
        key = self._by_id.get(key_id)
        try:
            return key.open(decode_base64url(sealed), context) if key else None
        except ValueError:
            return None

    def is_current(self, envelope: str) -> bool:
        """Whether the envelope names the first key."""
        return self._primary is not None and envelope.startswith(f"{ENVELOPE}{self._primary.id}:")


def _generate_key() -> bytes:
    return base64.b64encode(os.urandom(KEY_BYTES)) + b"\n"


def _parse_key(text: str, source: str) -> bytes:
    try:
        key = decode_either_base64(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StartupError(
            f"{source} must be {KEY_BYTES} bytes in base64: openssl rand -base64 {KEY_BYTES}"
        ) from None
    return key
