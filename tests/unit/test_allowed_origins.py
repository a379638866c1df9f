"""Which pages may open a WebSocket."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from api.allowed_origins import build_origin_check
from api.cors import RefusedOrigins
from api.middleware import build_middleware
from core.limits import REFUSED_ORIGINS_LOGGED_MAX
from core.settings import Settings

OWN = "app.example"


def _is_allowed(origin: str | None, host: str = OWN, **settings: Any) -> bool:
    headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
    return build_origin_check(Settings(**settings))(Headers(headers))


LOCAL_ORIGINS = ("http://localhost:5173", "https://localhost", "http://127.0.0.1:3000", "http://[::1]:80")
OTHER_ORIGINS = (
    "http://localhost.evil.example", "http://evil-localhost:80", "http://127.0.0.1.evil.example",
    "http://localhost:80@evil.example", "http://localhost:80/x", "null", "ftp://localhost", "https://app.example",
)  # fmt: skip


@pytest.mark.parametrize("origin", LOCAL_ORIGINS)
def test_origin_check_of_a_demo_allows_pages_of_this_machine(origin: str) -> None:
    assert _is_allowed(origin, "server.example", demo=True)
    assert not _is_allowed(origin, "server.example", demo=False)
    assert not _is_allowed(origin, "server.example", demo=True, websocket_origins=())


@pytest.mark.parametrize("origin", OTHER_ORIGINS)
def test_origin_check_of_a_demo_refuses_other_pages(origin: str) -> None:
    assert not _is_allowed(origin, "server.example", demo=True)


@pytest.mark.parametrize("origin", [*LOCAL_ORIGINS, *OTHER_ORIGINS])
async def test_cors_of_a_demo_allows_pages_of_this_machine_and_logs_others_once(origin: str) -> None:
    app = Starlette(
        routes=[Route("/", lambda _: Response())], middleware=build_middleware(Settings(demo=True))
    )
    transport = httpx.ASGITransport(app)
    with capture_logs() as logs:
        async with httpx.AsyncClient(transport=transport, base_url="http://server.example") as client:
            for _ in range(2):
                response = await client.get("/", headers={"Origin": origin})
    allowed = response.headers.get("Access-Control-Allow-Origin")
    refused = {"event": "origin refused", "origin": origin, "setting": "CORS_ORIGINS", "log_level": "warning"}
    assert (allowed, logs) == ((origin, []) if origin in LOCAL_ORIGINS else (None, [refused]))


def test_refused_origins_logs_a_limited_number() -> None:
    refused = RefusedOrigins("CORS_ORIGINS")
    with capture_logs() as logs:
        for number in range(2 * REFUSED_ORIGINS_LOGGED_MAX):
            refused.report(f"http://{number}.example")
    assert len(logs) == REFUSED_ORIGINS_LOGGED_MAX


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, OWN),
        ("https://app.example", OWN),
        ("http://app.example", OWN),
        ("https://APP.example", "app.EXAMPLE"),
        ("https://app.example:443", OWN),
        ("https://app.example", "app.example:443"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_origin_check_without_origin_or_same_origin_is_allowed(origin: str | None, host: str) -> None:
    assert _is_allowed(origin, host)
    assert _is_allowed(origin, host, websocket_origins=())


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", OWN),
        ("https://app.example.evil", OWN),
        ("https://evil-app.example", OWN),
        ("https://app.example:8443", OWN),
        ("http://127.0.0.1:3000", "127.0.0.1:8000"),
        ("null", OWN),
        ("", OWN),
        ("app.example", OWN),
        ("file://app.example", OWN),
        ("https://app.example:99999", OWN),
        ("https://[::1", OWN),
        ("https://app.example", "app.example:port"),
        ("https://", ""),
    ],
)
def test_origin_check_of_other_origin_is_refused(origin: str, host: str) -> None:
    assert not _is_allowed(origin, host)


def test_origin_check_uses_cors_origins_unless_websocket_origins_are_set() -> None:
    cors, named = "https://a.example", "https://b.example"
    assert _is_allowed(cors, cors_origins=[cors])
    assert not _is_allowed(cors, cors_origins=[cors], websocket_origins=[named])
    assert _is_allowed(named, cors_origins=[cors], websocket_origins=[named])
    assert _is_allowed(named.upper(), websocket_origins=[named])


def test_origin_check_with_star_allows_any() -> None:
    assert _is_allowed("null", websocket_origins=["*"])
    assert _is_allowed("https://evil.example", cors_origins=["*"])
    assert not _is_allowed("https://evil.example", cors_origins=["*"], websocket_origins=[])


def test_origin_check_of_two_origins_needs_both_allowed() -> None:
    headers = Headers(
        raw=[
            (b"host", b"app.example"),
            (b"origin", b"https://app.example"),
            (b"origin", b"https://evil.example"),
        ]
    )
    assert not build_origin_check(Settings())(headers)
