"""The demo's own identity provider: a key, its key set over HTTP, and tokens for demo users.

The server fetches this key set from itself over HTTP. It verifies demo tokens by the same code as a real
provider's. `core` has no code for the demo.
"""

from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core import limits
from core.auth.issuer import IssuerConfig
from core.auth.signing import ALGORITHM, SigningKey

ISSUER: Final = "https://demo-issuer.invalid"
"""A reserved name without an owner (RFC 2606). It is the same in each run, so older tokens stay valid."""

JWKS_PATH: Final = "/demo-issuer/.well-known/jwks.json"
_KEY_FILE: Final = "demo-issuer-key.pem"
_LOOPBACK_OF: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


class DemoIssuer:
    """Issues tokens that contain only the user's id; served only with `--demo`."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key

    @classmethod
    def load(cls, data_dir: Path) -> "DemoIssuer":
        """The issuer with the key of the data directory, which the first run creates there.

        Raises:
            StartupError: The key file cannot be created or read.
        """
        return cls(SigningKey.create(data_dir / _KEY_FILE))

    @staticmethod
    def exists_in(data_dir: Path) -> bool:
        """Whether a demo was ever started with that data directory."""
        return (data_dir / _KEY_FILE).exists()

    def issue(self, user_id: str, lifetime_s: int = limits.ISSUED_TOKEN_LIFETIME_S) -> str:
        """Issue a bearer token for that user, valid for this many seconds."""
        return self._key.sign({"iss": ISSUER, "sub": user_id}, "JWT", lifetime_s)

    def build_config(self, host: str, port: int) -> IssuerConfig:
        """The verifier's configuration for this issuer, given the address that the server is bound to."""
        reached = _LOOPBACK_OF.get(host, host)
        authority = f"[{reached}]" if ":" in reached else reached
        return IssuerConfig(
            issuer=ISSUER, jwks_url=f"http://{authority}:{port}{JWKS_PATH}", algorithms=(ALGORITHM,)
        )

    def build_route(self) -> Route:
        """The route of the key set."""
        return Route(JWKS_PATH, self._serve_key_set, methods=["GET"])

    async def _serve_key_set(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self._key.public_jwk]})
