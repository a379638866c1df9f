"""The page of error codes has every code of the product, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import api.agents.http_messages
import api.http_errors
import commands.command_line  # noqa: F401 - it imports every module that has errors
import core.errors
from api.websocket import transport
from core.errors import AccessRefusal, CursorExpiredError, ProductError
from subscriptions.protocol.messages import CloseCode

_PAGE: Final = Path(__file__).parents[2] / "docs" / "errors.md"
_TIMEOUT: Final = 408
"""The connection answers this itself, before any error is raised."""
_TOO_BIG: Final = 1009
"""The library closes with this itself."""


def _list_codes(where: str) -> list[str]:
    return re.findall(rf"^\| `(\w+)` \| {where} \|", _PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def _iter_errors(of: type[ProductError] = ProductError) -> Iterator[type[ProductError]]:
    for each in of.__subclasses__():
        yield each
        yield from _iter_errors(each)


def _require_equal(where: str, expected: set[str]) -> None:
    codes = _list_codes(where)
    assert len(codes) == len(set(codes))
    assert set(codes) == expected


def test_error_page_has_every_graphql_code() -> None:
    _require_equal("GraphQL", {error.code for error in _iter_errors()})


def test_error_page_has_every_reason_of_a_refusal() -> None:
    _require_equal("reason", {reason.value for reason in AccessRefusal})


def test_error_page_has_every_code_of_the_agent_api() -> None:
    modules = (core.errors.__name__, api.http_errors.__name__, api.agents.http_messages.__name__)
    errors = [error for error in _iter_errors() if error.__module__ in modules]
    statuses = {error.status for error in errors if error is not CursorExpiredError}
    _require_equal("agents", {str(status) for status in (*statuses, _TIMEOUT)})


def test_error_page_has_every_close_code() -> None:
    others = (transport._INVALID_TEXT, transport._POLICY, _TOO_BIG)
    _require_equal("socket", {str(int(code)) for code in (*CloseCode, *others)})
