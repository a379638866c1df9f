"""The demo's own identity provider: a key, its key set over HTTP, and tokens for demo users.

The server fetches this key set from itself over HTTP and verifies demo tokens by the very code that
verifies a real provider's; nothing in `core` knows of the demo.
"""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core import limits
from core.issuer import IssuerConfig
from core.signing import ALGORITHM, SigningKey

ISSUER: Final = "https://demo-issuer.invalid"
"""A name that can belong to nobody (RFC 2606); the same in each run, so that older tokens work on."""

JWKS_PATH: Final = "/demo-issuer/.well-known/jwks.json"
_KEY_FILE: Final = "demo-issuer-key.pem"
_LOOPBACK_OF: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class DemoIssuer:
    """Issues tokens that say no more than who the user is; served only with `--demo`."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    @classmethod
    def load(cls, data_dir: Path) -> "DemoIssuer":
        """The issuer with the key that the data directory holds, made there in the first run.

        Raises:
            StartupError: if the key file cannot be made or read.
        """
        return cls(SigningKey.create(data_dir / _KEY_FILE))

    @staticmethod
    def is_in(data_dir: Path) -> bool:
        """Whether a demo was ever started with that data directory."""
        return (data_dir / _KEY_FILE).exists()

    def issue(self, user_id: str, lifetime_s: int = limits.ISSUED_TOKEN_LIFETIME_S) -> str:
        """A bearer token for that user, for so many seconds."""
        return self._key.sign({"iss": ISSUER, "sub": user_id}, "JWT", lifetime_s)

    def config(self, host: str, port: int) -> IssuerConfig:
        """How the verifier reaches this issuer, given the address that the server is bound to."""
        reached = _LOOPBACK_OF.get(host, host)
        authority = f"[{reached}]" if ":" in reached else reached
        return IssuerConfig(
            issuer=ISSUER, jwks_url=f"http://{authority}:{port}{JWKS_PATH}", algorithms=(ALGORITHM,)
        )

    def route(self) -> Route:
        """The key set's route."""
        return Route(JWKS_PATH, self._key_set, methods=["GET"])

    async def _key_set(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self._key.public_jwk]})
