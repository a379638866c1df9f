"""Keys that we sign with ourselves: the server's, and the demo issuer's."""

import hashlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwk, jws
from jose.backends.base import Key

from core import limits
from core.base64url import encoded
from core.errors import StartupError
from core.ids import new_id
from core.issuer import SERVER_ISSUER
from core.key_file import kept_key
from core.settings import Settings

ALGORITHM: Final = "ES256"
PLATFORM_TYPE: Final = "platform+jwt"
"""The header's `typ` (RFC 8725, 3.11): no other token of the same key is taken for a platform's."""
PLATFORM_SUBJECT: Final = "platform"
_PEM: Final = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?", re.DOTALL)
_SERVER_KEY_FILE: Final = "signing-key.pem"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An EC P-256 private key; two are equal if their `kid` is.

    Attributes:
        kid: the key's RFC 7638 thumbprint.
        public: what verifies its signatures.
        public_jwk: the same for a published key set.
    """

    kid: str
    public: Key = field(repr=False, compare=False)
    public_jwk: dict[str, str] = field(repr=False, compare=False)
    _private: Key = field(repr=False, compare=False)

    @classmethod
    def load(cls, settings: Settings) -> "SigningKey | None":
        """The server's key: from the settings, or in the demo from the data directory; else none.

        Raises:
            StartupError: if the setting or the file is not a PEM of an EC P-256 private key.
        """
        if settings.signing_key is not None:
            return cls.from_pem(_unfolded(settings.signing_key.get_secret_value()), "SIGNING_KEY")
        return cls.create(settings.data_dir / _SERVER_KEY_FILE) if settings.demo else None

    @classmethod
    def load_former(cls, settings: Settings) -> "tuple[SigningKey, ...]":
        """The keys of former times, by which nothing is signed any more.

        Raises:
            StartupError: as `load`.
        """
        if settings.former_signing_keys is None:
            return ()
        text = _unfolded(settings.former_signing_keys.get_secret_value())
        pems = _PEM.findall(text)
        if not pems or _PEM.sub(b"", text).strip():
            raise StartupError("FORMER_SIGNING_KEYS is not a list of PEMs, one after the other.")
        return tuple(cls.from_pem(pem, "FORMER_SIGNING_KEYS") for pem in pems)

    @classmethod
    def create(cls, path: Path) -> "SigningKey":
        """The key in that file, made there first if there is none; safe for two processes at once.

        Raises:
            StartupError: if the file cannot be read or written, or holds something else.
        """
        return cls.from_pem(kept_key(path, _new_pem), str(path))

    @classmethod
    def from_pem(cls, pem: bytes, where: str) -> "SigningKey":
        """The key of a PEM; `where` names its source in the error, which never shows the text.

        Raises:
            StartupError: if it is not an unencrypted EC P-256 private key.
        """
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            private = None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise StartupError(f"{where} is not the PEM of an unencrypted EC P-256 private key.") from None
        return cls._of(private)

    @classmethod
    def _of(cls, private: ec.EllipticCurvePrivateKey) -> "SigningKey":
        numbers = private.public_key().public_numbers()
        x, y = (encoded(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        members = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        kid = encoded(hashlib.sha256(orjson.dumps(members, option=orjson.OPT_SORT_KEYS)).digest())
        return cls(
            kid=kid,
            public=_key(private.public_key()),
            public_jwk={**members, "kid": kid, "alg": ALGORITHM, "use": "sig"},
            _private=_key(private),
        )

    def sign(self, claims: dict[str, Any], token_type: str, lifetime_s: int) -> str:
        """A token of these claims and of `iat`, `exp` and `jti`, ES256, in compact form."""
        now_s = int(time.time())
        times = {"iat": now_s, "exp": now_s + lifetime_s, "jti": new_id()}
        header = {"kid": self.kid, "typ": token_type}
        return jws.sign({**claims, **times}, self._private, headers=header, algorithm=ALGORITHM)


def issue_platform_token(key: SigningKey, lifetime_s: int = limits.ISSUED_TOKEN_LIFETIME_S) -> str:
    """A bearer token with which an operator acts as the platform for so many seconds."""
    return key.sign({"iss": SERVER_ISSUER, "sub": PLATFORM_SUBJECT}, PLATFORM_TYPE, lifetime_s)


def _key(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> Key:
    return jwk.construct(key, ALGORITHM)  # type: ignore[arg-type]  # the stubs know no cryptography keys


def _unfolded(pem: str) -> bytes:
    r"""Environment files hold one line a value: a PEM's line ends come as `\n` then."""
    return pem.replace("\\n", "\n").encode()


def _new_pem() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
