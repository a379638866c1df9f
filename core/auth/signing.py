"""The private keys for signing: the server's, and the demo issuer's."""

import hashlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jose import jwk, jws
from jose.backends.base import Key

from core import limits
from core.auth.issuer import SERVER_ISSUER
from core.base64url import encode_base64url
from core.errors import StartupError
from core.ids import generate_id
from core.key_file import load_or_create_key
from core.settings import Settings

ALGORITHM: Final = "ES256"
PLATFORM_TYPE: Final = "platform+jwt"
"""The header's `typ` (RFC 8725, 3.11): no other token of the same key is accepted as a platform token."""
PLATFORM_SUBJECT: Final = "platform"
_PEM: Final = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?", re.DOTALL)
_SERVER_KEY_FILE: Final = "signing-key.pem"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An EC P-256 private key; two are equal if their `kid` is.

    Attributes:
        kid: The key's RFC 7638 thumbprint.
        public: The public key that verifies its signatures.
        public_jwk: The same for a published key set.
    """

    kid: str
    public: Key = field(repr=False, compare=False)
    public_jwk: dict[str, str] = field(repr=False, compare=False)
    _private: Key = field(repr=False, compare=False)
    _seed: bytes = field(repr=False, compare=False)

    @classmethod
    def load(cls, settings: Settings) -> "SigningKey | None":
        """The server's key, from the settings, or in the demo from the data directory; else None.

        Raises:
            StartupError: The setting or the file is not a PEM of an EC P-256 private key.
        """
        if settings.signing_key is not None:
            return cls.from_pem(_unfold_pem(settings.signing_key.get_secret_value()), "SIGNING_KEY")
        return cls.create(settings.data_dir / _SERVER_KEY_FILE) if settings.demo else None

    @classmethod
    def load_former(cls, settings: Settings) -> "tuple[SigningKey, ...]":
        """Former keys, which sign nothing any more.

        Raises:
            StartupError: As for `load`.
        """
        if settings.former_signing_keys is None:
            return ()
        text = _unfold_pem(settings.former_signing_keys.get_secret_value())
        pems = _PEM.findall(text)
        if not pems or _PEM.sub(b"", text).strip():
            raise StartupError("FORMER_SIGNING_KEYS must be a list of PEMs, one after the other.")
        return tuple(cls.from_pem(pem, "FORMER_SIGNING_KEYS") for pem in pems)

    @classmethod
    def create(cls, path: Path) -> "SigningKey":
        """The key in that file, created first if the file is missing; safe for two processes at once.

        Raises:
            StartupError: The file cannot be read or written, or contains something else.
        """
        return cls.from_pem(load_or_create_key(path, generate_signing_pem), str(path))

    @classmethod
    def from_pem(cls, pem: bytes, where: str) -> "SigningKey":
        """The key of a PEM; `where` names its source in the error, which never shows the text.

        Raises:
            StartupError: It is not an unencrypted EC P-256 private key.
        """
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise StartupError(f"{where} must be the PEM of an unencrypted EC P-256 private key.") from None
        return cls._from_private_key(private)

    @classmethod
    def _from_private_key(cls, private: ec.EllipticCurvePrivateKey) -> "SigningKey":
        numbers = private.public_key().public_numbers()
        x, y = (encode_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        members = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        kid = encode_base64url(hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest())
        return cls(
            kid=kid,
            public=_parse_private_key(private.public_key()),
            public_jwk={**members, "kid": kid, "alg": ALGORITHM, "use": "sig"},
            _private=_parse_private_key(private),
            _seed=private.private_numbers().private_value.to_bytes(32, "big"),
        )

    def sign(
        self, claims: dict[str, Any], token_type: str, lifetime_s: int, token_id: str | None = None
    ) -> str:
        """Sign a token with these claims and `iat`, `exp` and `jti`, by ES256, in compact form.

        `token_id` is its `jti`, by default a new id.
        """
        now_s = int(time.time())
        times = {"iat": now_s, "exp": now_s + lifetime_s, "jti": token_id or generate_id()}
        header = {"kid": self.kid, "typ": token_type}
        return jws.sign({**claims, **times}, self._private, headers=header, algorithm=ALGORITHM)

    def derive_key(self, info: bytes, length: int) -> bytes:
        """A symmetric key of so many bytes, by HKDF (RFC 5869). It is the same for equal `info` and signing key."""
        return HKDF(hashes.SHA256(), length, salt=None, info=info).derive(self._seed)


def issue_platform_token(
    key: SigningKey, lifetime_s: int = limits.ISSUED_TOKEN_LIFETIME_S, token_id: str | None = None
) -> str:
    """A bearer token with which an operator acts as the platform for so many seconds.

    `token_id` is its `jti`, a new id unless given.
    """
    return key.sign({"iss": SERVER_ISSUER, "sub": PLATFORM_SUBJECT}, PLATFORM_TYPE, lifetime_s, token_id)


def _parse_private_key(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> Key:
    return jwk.construct(key, ALGORITHM)  # type: ignore[arg-type]  # the stubs lack cryptography keys


def _unfold_pem(pem: str) -> bytes:
    r"""Restore the line ends of a PEM. Environment files have one line per value, with line ends written as `\n`."""
    return pem.replace("\\n", "\n").encode()


def generate_signing_pem() -> bytes:
    """A new EC P-256 private key as an unencrypted PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
