"""The demo's issuer, served over real HTTP and verified like any other."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from api.demo_issuer import ISSUER, JWKS_PATH, DemoIssuer
from core.errors import UnauthenticatedError
from core.signing import SigningKey
from core.tokens import TokenVerifier
from core.viewer import ViewerKind


@contextlib.asynccontextmanager
async def served(issuer: DemoIssuer) -> AsyncIterator[int]:
    """The issuer's route in a real server; gives the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=[issuer.route()]), log_level="error", lifespan="off")
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def test_a_demo_user_is_verified_over_http(tmp_path: Path) -> None:
    issuer = DemoIssuer.load(tmp_path)
    async with served(issuer) as port:
        verifier = TokenVerifier(issuer.config("127.0.0.1", port), None)
        identity = await verifier.verify(issuer.issue("user_1"))
    assert (identity.kind, identity.subject) == (ViewerKind.USER, "user_1")


async def test_a_token_of_an_earlier_run_still_works_on_another_port(tmp_path: Path) -> None:
    earlier = DemoIssuer.load(tmp_path).issue("user_1")
    later = DemoIssuer.load(tmp_path)
    async with served(later) as port:
        assert await TokenVerifier(later.config("0.0.0.0", port), None).verify(earlier)  # noqa: S104 - not bound


async def test_another_data_directory_is_another_issuer(tmp_path: Path) -> None:
    ours, theirs = DemoIssuer.load(tmp_path / "a"), DemoIssuer.load(tmp_path / "b")
    async with served(ours) as port:
        with pytest.raises(UnauthenticatedError):
            await TokenVerifier(ours.config("127.0.0.1", port), None).verify(theirs.issue("user_1"))


async def test_the_issuer_cannot_make_platform_tokens(tmp_path: Path) -> None:
    issuer, server_key = DemoIssuer.load(tmp_path), SigningKey.create(tmp_path / "server.pem")
    async with served(issuer) as port:
        verifier = TokenVerifier(issuer.config("127.0.0.1", port), server_key)
        assert (await verifier.verify(issuer.issue("platform"))).kind is ViewerKind.USER


async def test_what_is_served_is_the_public_half_alone(tmp_path: Path) -> None:
    async with served(DemoIssuer.load(tmp_path)) as port, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{JWKS_PATH}")
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_the_key_is_a_file_of_its_own(tmp_path: Path) -> None:
    DemoIssuer.load(tmp_path)
    assert stat.S_IMODE((tmp_path / "demo-issuer-key.pem").stat().st_mode) == 0o600
    assert DemoIssuer.load(tmp_path).issue("u") != ""


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - not bound
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("localhost",) * 2,
    ],
)
def test_the_server_reaches_itself(tmp_path: Path, host: str, authority: str) -> None:
    config = DemoIssuer.load(tmp_path).config(host, 8000)
    assert config.jwks_url == f"http://{authority}:8000{JWKS_PATH}"
    assert config.issuer == ISSUER
