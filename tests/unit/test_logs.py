"""Logs: one form for all, and no secrets in it."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from core.logs import HIDDEN, configure_logs


@dataclass
class _Key:
    secret: str = field(repr=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _refuse(password: str) -> None:
    raise ValueError("postgresql://msp:" + password + "@db/msp refused")


def _logged(*, fail: bool = False, logger: str = "a", **values: Any) -> dict[str, Any]:
    stream = io.StringIO()
    configure_logs(stream)
    log = structlog.get_logger(logger)
    try:
        if fail:
            _refuse("hunter" + str(2))
    except ValueError:
        log.exception("failed", **values)
    else:
        log.warning("happened", **values)
    line: dict[str, Any] = json.loads(stream.getvalue())
    return line


def test_an_event_is_one_line_of_json() -> None:
    line = _logged(rows=3)
    assert line["event"] == "happened"
    assert line["rows"] == 3
    assert line["level"] == "warning"
    assert line["logger"] == "a"
    assert line["timestamp"].endswith("Z")


def test_records_of_the_standard_library_take_the_same_form() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    logging.getLogger("some.library").warning("%s went away", "somebody")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["logger"]) == (
        "somebody went away",
        "warning",
        "some.library",
    )


def test_warnings_take_it_too() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    assert "old ways" in json.loads(stream.getvalue())["event"]


def test_everyday_news_of_libraries_are_left_out() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    logging.getLogger("httpx").info("HTTP Request: GET https://issuer.example/jwks")
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "name", ["authorization", "Authorization", "access_token", "db_password", "dsn", "apiKey"]
)
def test_a_value_with_a_secrets_name_is_hidden(name: str) -> None:
    assert _logged(**{name: "hunter2"})[name] == HIDDEN


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot reach postgresql://msp:hunter2@db/msp", "postgresql://[hidden]@db/msp"),
        ("got Bearer hunter2 there", "got Bearer [hidden] there"),
        ("token eyJhbGciOi.eyJzdWIi.hunter2 refused", "token [hidden] refused"),
    ],
)
def test_a_secret_inside_a_text_is_hidden(text: str, kept: str) -> None:
    line = _logged(detail=text)
    assert "hunter2" not in json.dumps(line)
    assert line["detail"].endswith(kept)


def test_a_traceback_shows_no_local_variables_and_no_password() -> None:
    line = _logged(fail=True)
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


@pytest.mark.parametrize("value", ["Zürich", "lone \udc80 surrogate", 2**70, ["a", {"b": None}]])
def test_any_value_comes_back_from_its_line(value: object) -> None:
    assert _logged(value=value)["value"] == value


def test_a_value_without_a_form_in_json_is_told_by_its_repr() -> None:
    assert _logged(key=_Key("hunter2"))["key"] == "_Key()"
    assert "_logged" in _logged(value=_logged)["value"]


def test_a_line_is_ascii() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    structlog.get_logger("a").info("Zürich")
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1


def test_what_is_for_developers_is_left_out() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    structlog.get_logger("a").debug("detail")
    assert stream.getvalue() == ""


def test_a_stream_that_takes_nothing_does_no_harm() -> None:
    stream = io.StringIO()
    configure_logs(stream)
    stream.close()
    structlog.get_logger("a").info("happened")


def test_a_terminal_gets_a_readable_form() -> None:
    stream = Terminal()
    configure_logs(stream)
    structlog.get_logger("a").warning("happened", password="hunter2")
    assert "happened" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert "hunter2" not in stream.getvalue()
