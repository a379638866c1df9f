"""Sealed tokens: positions that clients keep and compare, and that servers alone can read.

A snapshot counts the transactions of all tenants, so its text must not reach a client. AES-SIV (RFC 5297) encrypts
and authenticates it without a nonce. So equal values give equal texts, and a live query's message can be shared.

    "800:800:@aa56"  -- pad, encrypt for the purpose "snapshot" -->  one text of base64url

The length of a text shows no number either: values are padded to 64 bytes, or to a power of two above that.
"""

import os
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from core.auth.signing import SigningKey
from core.base64url import decode_base64url, encode_base64url
from core.errors import BadUserInputError
from core.settings import Settings

_KEY_BYTES: Final = 64
_PADDED_BYTES_MIN: Final = 64
_KEY_INFO: Final = b"msp-graphql: sealed tokens, AES-SIV, version 1"
_XID_MAX: Final = 2**64


class Purpose(Enum):
    """What a token is for. A token of one purpose is invalid for every other."""

    TRANSACTION = b"transaction"
    SNAPSHOT = b"snapshot"
    STREAM_CURSOR = b"stream cursor"


class TokenSealer:
    """Seals values for clients. The first key seals, and all keys open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Each key has 64 bytes."""
        self._ciphers = [AESSIV(key) for key in keys]

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """The sealer of the settings' signing keys.

        Without a key it has a random one, and the tokens are worth nothing to another process.

        Raises:
            StartupError: As for `SigningKey.load`.
        """
        key = SigningKey.load(settings)
        keys = [key.derive_key(_KEY_INFO, _KEY_BYTES)] if key else [os.urandom(_KEY_BYTES)]
        former = SigningKey.load_former(settings)
        return cls([*keys, *(each.derive_key(_KEY_INFO, _KEY_BYTES) for each in former)])

    def seal(self, purpose: Purpose, value: str) -> str:
        """Seal a value. Equal values of one purpose give equal texts."""
        plain = value.encode()
        padded = plain.ljust(max(_PADDED_BYTES_MIN, 1 << (len(plain) - 1).bit_length()), b"\0")
        return encode_base64url(self._ciphers[0].encrypt(padded, [purpose.value]))

    def open(self, purpose: Purpose, text: str) -> str | None:
        """The sealed value. None if the text was not sealed for this purpose by one of the keys."""
        try:
            sealed = decode_base64url(text)
        except ValueError:
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(sealed, [purpose.value]).rstrip(b"\0").decode()
            except (InvalidTag, ValueError):
                continue
        return None


class TransactionId(NamedTuple):
    """A committed transaction.

    Attributes:
        xid: Its id in PostgreSQL.
        timeline: The life of the cluster in which the id counts. Empty if it is unknown.
    """

    xid: int
    timeline: str


class TransactionTokens:
    """Names committed transactions to clients, by sealed tokens."""

    def __init__(self, sealer: TokenSealer, timeline: Callable[[], str]) -> None:
        """`timeline` returns the latest known timeline of the cluster."""
        self._sealer = sealer
        self._timeline = timeline

    def seal(self, xid: str) -> str:
        """The token of a transaction, which has this id in the present timeline.

        Call this before the commit: a connection does not outlive its timeline, so the known one is this one or an
        older one.
        """
        return self._sealer.seal(Purpose.TRANSACTION, f"{xid}@{self._timeline()}")

    def open(self, text: str) -> TransactionId:
        """The transaction of a token.

        Raises:
            BadUserInputError: The text is no such token, or it was sealed by a key that this server does not have.
        """
        value = self._sealer.open(Purpose.TRANSACTION, text)
        xid, _, timeline = (value or "").partition("@")
        if not xid.isdecimal() or int(xid) >= _XID_MAX:
            raise BadUserInputError(
                "Invalid transaction: it must be the `extensions.transaction` of a mutation of this server, unchanged"
            )
        return TransactionId(int(xid), timeline)
