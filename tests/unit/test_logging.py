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

from core.logging import REDACTED, configure_logging


@dataclass
class _Key:
    secret: str = field(repr=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _raise_with_password(password: str) -> None:
    raise ValueError("postgresql://msp:" + password + "@db/msp refused")


def _logged(*, fail: bool = False, logger: str = "a", **values: Any) -> dict[str, Any]:
    stream = io.StringIO()
    configure_logging(stream)
    log = structlog.get_logger(logger)
    try:
        if fail:
            _raise_with_password("hunter" + str(2))
    except ValueError:
        log.exception("failed", **values)
    else:
        log.warning("happened", **values)
    line: dict[str, Any] = json.loads(stream.getvalue())
    return line


def test_log_event_is_one_line_of_json() -> None:
    line = _logged(rows=3)
    assert line["event"] == "happened"
    assert line["rows"] == 3
    assert line["level"] == "warning"
    assert line["logger"] == "a"
    assert line["timestamp"].endswith("Z")


def test_log_record_of_standard_library_has_the_same_form() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    logging.getLogger("some.library").warning("%s went away", "somebody")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["logger"]) == (
        "somebody went away",
        "warning",
        "some.library",
    )


def test_log_of_python_warning_has_the_same_form() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    assert "old ways" in json.loads(stream.getvalue())["event"]


def test_log_info_of_quiet_libraries_is_left_out() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    logging.getLogger("httpx").info("HTTP Request: GET https://issuer.example/jwks")
    logging.getLogger("uvicorn.error").info("Started server process")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "name", ["authorization", "Authorization", "access_token", "db_password", "dsn", "apiKey"]
)
def test_log_value_with_secret_name_is_redacted(name: str) -> None:
    values: dict[str, Any] = {name: "hunter2"}
    assert _logged(**values)[name] == REDACTED


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot reach postgresql://msp:hunter2@db/msp", "postgresql://[hidden]@db/msp"),
        ("got Bearer hunter2 there", "got Bearer [hidden] there"),
        ("token eyJhbGciOi.eyJzdWIi.hunter2 refused", "token [hidden] refused"),
    ],
)
def test_log_secret_within_text_is_redacted(text: str, kept: str) -> None:
    line = _logged(detail=text)
    assert "hunter2" not in json.dumps(line)
    assert line["detail"].endswith(kept)


def test_log_traceback_has_no_locals_and_no_password() -> None:
    line = _logged(fail=True)
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


@pytest.mark.parametrize("value", ["Zürich", "lone \udc80 surrogate", 2**70, ["a", {"b": None}]])
def test_log_value_of_any_kind_round_trips(value: object) -> None:
    assert _logged(value=value)["value"] == value


def test_log_value_without_json_form_is_its_repr() -> None:
    assert _logged(key=_Key("hunter2"))["key"] == "_Key()"
    assert "_logged" in _logged(value=_logged)["value"]


def test_log_line_is_ascii() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    structlog.get_logger("a").info("Zürich")
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1


def test_log_debug_event_is_left_out() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    structlog.get_logger("a").debug("detail")
    assert stream.getvalue() == ""


def test_log_to_closed_stream_raises_nothing() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    stream.close()
    structlog.get_logger("a").info("happened")


def test_log_to_terminal_is_readable_and_redacted() -> None:
    stream = Terminal()
    configure_logging(stream)
    structlog.get_logger("a").warning("happened", password="hunter2")
    assert "happened" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(("level", "expected"), [("info", 3), ("warning", 2), ("error", 1)])
def test_configure_logging_leaves_out_lines_below_the_level(level: str, expected: int) -> None:
    stream = io.StringIO()
    configure_logging(stream, level)
    try:
        log = structlog.get_logger("levels")
        log.info("one")
        log.warning("two")
        logging.getLogger("levels.standard").error("three")
        assert len(stream.getvalue().splitlines()) == expected
    finally:
        configure_logging()
