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
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jose import jwk, jws
from jose.backends.base import Key

from core import limits
from core.auth.issuer import SERVER_ISSUER
from core.base64url import decode_either_base64, encode_base64url
from core.errors import StartupError
from core.ids import generate_id
from core.key_file import load_or_create_key
from core.settings import Settings

ALGORITHM: Final = "ES256"
PLATFORM_TYPE: Final = "platform+jwt"
"""The header's `typ` (RFC 8725, 3.11): no other token of the same key is accepted as a platform token."""
PLATFORM_SUBJECT: Final = "platform"
_LISTED_KEY: Final = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----|[^\s,]+", re.DOTALL)
"""One key of a list: a PEM, or a word between white space and commas."""
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
            StartupError: The setting or the file is not an EC P-256 private key.
        """
        if settings.signing_key is not None:
            return cls.parse(settings.signing_key.get_secret_value(), "SIGNING_KEY")
        return cls.create(settings.data_dir / _SERVER_KEY_FILE) if settings.demo else None

    @classmethod
    def load_former(cls, settings: Settings) -> "tuple[SigningKey, ...]":
        """Former keys, which sign nothing any more.

        Raises:
            StartupError: As for `load`.
        """
        if settings.former_signing_keys is None:
            return ()
        keys = _LISTED_KEY.findall(_unfold_pem(settings.former_signing_keys.get_secret_value()))
        if not keys:
            raise StartupError("FORMER_SIGNING_KEYS must have at least one key.")
        return tuple(
            cls.parse(key, f"Key {number} of FORMER_SIGNING_KEYS") for number, key in enumerate(keys, 1)
        )

    @classmethod
    def create(cls, path: Path) -> "SigningKey":
        """The key in that file, created first if the file is missing; safe for two processes at once.

        Raises:
            StartupError: The file cannot be read or written, or contains something else.
        """
        return cls.parse(load_or_create_key(path, generate_signing_pem).decode("latin-1"), str(path))

    @classmethod
    def parse(cls, text: str, source: str) -> "SigningKey":
        """The key in a PEM or in base64 of its DER; `source` names it in the error, which never shows the text.

        Raises:
            StartupError: It is not an unencrypted EC P-256 private key.
        """
        try:
            private = _load_private_key(text)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise StartupError(
                f"{source} must be an unencrypted EC P-256 private key, as a PEM or as the base64 that "
                "`python server.py key --signing` prints."
            ) from None
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


def _load_private_key(text: str) -> PrivateKeyTypes:
    if "-----BEGIN" in text:
        return serialization.load_pem_private_key(_unfold_pem(text).encode(), password=None)
    return serialization.load_der_private_key(decode_either_base64(text), password=None)


def _unfold_pem(pem: str) -> str:
    r"""Restore the line ends of a PEM that a quoted value of an environment file has as `\n`."""
    return pem.replace("\\n", "\n")


def generate_signing_pem() -> bytes:
    """A new EC P-256 private key as an unencrypted PEM."""
    return _generate_private_key(serialization.Encoding.PEM)


def generate_signing_der() -> bytes:
    """A new EC P-256 private key as the DER of an unencrypted PKCS #8 structure."""
    return _generate_private_key(serialization.Encoding.DER)


def _generate_private_key(encoding: serialization.Encoding) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
