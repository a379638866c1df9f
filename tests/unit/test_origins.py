"""Which pages may open a WebSocket."""

import pytest
from starlette.datastructures import Headers

from api.origins import allowed_origins
from core.settings import Settings

OWN = "app.example"


def _allows(origin: str | None, host: str = OWN, **settings: object) -> bool:
    headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
    return allowed_origins(Settings(**settings))(Headers(headers))


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
def test_no_browser_and_pages_of_our_own_host_may(origin: str | None, host: str) -> None:
    assert _allows(origin, host)
    assert _allows(origin, host, websocket_origins=())


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
def test_other_pages_may_not(origin: str, host: str) -> None:
    assert not _allows(origin, host)


def test_those_of_cors_may_unless_others_are_named() -> None:
    cors, named = "https://a.example", "https://b.example"
    assert _allows(cors, cors_origins=[cors])
    assert not _allows(cors, cors_origins=[cors], websocket_origins=[named])
    assert _allows(named, cors_origins=[cors], websocket_origins=[named])
    assert _allows(named.upper(), websocket_origins=[named])


def test_a_star_is_for_any() -> None:
    assert _allows("null", websocket_origins=["*"])
    assert _allows("https://evil.example", cors_origins=["*"])
    assert not _allows("https://evil.example", cors_origins=["*"], websocket_origins=[])


def test_of_two_origins_both_must_be_allowed() -> None:
    headers = Headers(
        raw=[
            (b"host", b"app.example"),
            (b"origin", b"https://app.example"),
            (b"origin", b"https://evil.example"),
        ]
    )
    assert not allowed_origins(Settings())(headers)
