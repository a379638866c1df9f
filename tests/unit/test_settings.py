"""Settings as an operator writes them."""

import pytest
from pydantic import ValidationError

from core.settings import Settings


def test_settings_cors_origins_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://app.example, http://localhost:3000")
    assert Settings().cors_origins == ("https://app.example", "http://localhost:3000")


@pytest.mark.parametrize("origins", [(), ("*",), ("https://[::1]:8000",)])
def test_settings_cors_origins_none_any_or_some_are_accepted(origins: tuple[str, ...]) -> None:
    assert Settings(cors_origins=origins).cors_origins == origins


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example/",
        "app.example",
        "https://*.example",
        "https://a@b",
        "https://app.example/x",
        "null",
    ],
)
def test_settings_cors_origin_that_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings(cors_origins=(origin,))
