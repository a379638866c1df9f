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
from core.auth.signing import SigningKey
from core.auth.tokens import TokenVerifier
from core.auth.viewer import ViewerKind
from core.errors import UnauthenticatedError


@contextlib.asynccontextmanager
async def serve_issuer(issuer: DemoIssuer) -> AsyncIterator[int]:
    """The issuer's route in a real server; gives the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=[issuer.build_route()]), log_level="error", lifespan="off")
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


async def test_demo_issuer_token_is_verified_over_http(tmp_path: Path) -> None:
    issuer = DemoIssuer.load(tmp_path)
    async with serve_issuer(issuer) as port:
        verifier = TokenVerifier(issuer.build_config("127.0.0.1", port), None)
        identity = await verifier.verify(issuer.issue("user_1"))
    assert (identity.kind, identity.subject) == (ViewerKind.USER, "user_1")


async def test_demo_issuer_token_of_earlier_run_is_valid_on_another_port(tmp_path: Path) -> None:
    earlier = DemoIssuer.load(tmp_path).issue("user_1")
    later = DemoIssuer.load(tmp_path)
    async with serve_issuer(later) as port:
        assert await TokenVerifier(later.build_config("0.0.0.0", port), None).verify(earlier)  # noqa: S104 - not bound


async def test_demo_issuer_of_another_data_dir_is_refused(tmp_path: Path) -> None:
    ours, theirs = DemoIssuer.load(tmp_path / "a"), DemoIssuer.load(tmp_path / "b")
    async with serve_issuer(ours) as port:
        with pytest.raises(UnauthenticatedError):
            await TokenVerifier(ours.build_config("127.0.0.1", port), None).verify(theirs.issue("user_1"))


async def test_demo_issuer_token_for_platform_subject_is_a_users(tmp_path: Path) -> None:
    issuer, server_key = DemoIssuer.load(tmp_path), SigningKey.create(tmp_path / "server.pem")
    async with serve_issuer(issuer) as port:
        verifier = TokenVerifier(issuer.build_config("127.0.0.1", port), server_key)
        assert (await verifier.verify(issuer.issue("platform"))).kind is ViewerKind.USER


async def test_demo_issuer_key_set_has_only_the_public_key(tmp_path: Path) -> None:
    async with serve_issuer(DemoIssuer.load(tmp_path)) as port, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{JWKS_PATH}")
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}


def test_demo_issuer_key_file_is_private(tmp_path: Path) -> None:
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
def test_demo_issuer_config_for_any_host_has_a_local_jwks_url(
    tmp_path: Path, host: str, authority: str
) -> None:
    config = DemoIssuer.load(tmp_path).build_config(host, 8000)
    assert config.jwks_url == f"http://{authority}:8000{JWKS_PATH}"
    assert config.issuer == ISSUER
