"""Logging, configured once: structlog's events and the standard library's records, in one format, to stderr."""

import json
import logging
import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from core.error_text import remove_values

REDACTED: Final = "[hidden]"
SECRET_NAME: Final = re.compile(
    r"authorization|cookie|token|secret|password|passwd|api[-_]?key|signing[-_]?key|dsn", re.I
)
"""The names of secret values; PostgreSQL uses the same pattern."""
SECRET_TEXT: Final = re.compile(
    r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user:password@ of an address
    r"|\beyJ[\w-]{1,2000}+\.[\w-]++\.[\w-]*"  # a JWT; bounded: a text of many beginnings would take quadratic time
    r"|(?<=\bbearer )\S+",
    re.I,
)
_QUIET_LOGGERS: Final = ("uvicorn", "httpx", "httpcore", "tortoise", "aerich", "opentelemetry")
"""Libraries with routine messages that are left out of the log. Their warnings are logged."""


def hide_row_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove the values of rows in PostgreSQL's messages from the exception of an event."""
    info = event.get("exc_info")
    error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else None
    if error is None and info:
        error = sys.exc_info()[1]
    if error is not None:
        remove_values(error)
    return event


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values with a secret name, and secrets within texts."""
    for name, value in event.items():
        if is_secret_name(name):
            event[name] = REDACTED
        elif isinstance(value, str) and ("@" in value or "." in value or " " in value):  # as each secret has
            event[name] = SECRET_TEXT.sub(REDACTED, value)
    return event


@lru_cache(256)
def is_secret_name(name: str) -> bool:
    """Whether a value of this name is secret."""
    return SECRET_NAME.search(name) is not None


def configure_logging(stream: TextIO = sys.stderr, level: str = "info") -> None:
    """Write JSON lines to `stream`, or a readable format if it is a terminal.

    Lines below `level` (`debug`, `info`, `warning`, `error`) are left out.
    """
    least = logging.getLevelNamesMapping()[level.upper()]
    shared, last = _build_shared_processors(), _build_last_processors(stream.isatty())
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=lambda *name: _LineLogger(stream, *name),
        wrapper_class=structlog.make_filtering_bound_logger(least),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[handler], level=max(least, logging.INFO), force=True)
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))


class _LineLogger:
    """The output of structlog's events.

    It bypasses the standard library, which would double the time of a log line.
    """

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line. If the stream cannot accept it, the line is lost, but no request fails."""
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # such as a full disk or a closed stderr
            return

    info = warning = error = critical = msg


def _build_shared_processors() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _build_last_processors(for_terminal: bool) -> list[Processor]:  # noqa: FBT001 - its only parameter
    """Render tracebacks as plain text. structlog's richer formats print local variables, and secrets with them."""
    traceback = structlog.processors.format_exc_info
    if for_terminal:
        return [hide_row_values, traceback, redact_secrets, structlog.dev.ConsoleRenderer()]
    return [
        hide_row_values,
        traceback,
        redact_secrets,
        structlog.processors.JSONRenderer(serializer=_render_json),
    ]


def _render_json(event: EventDict, default: Callable[[Any], Any]) -> str:
    """A line in ASCII, for any encoding of the stream.

    orjson cannot write half surrogate pairs and large integers.
    """
    try:
        line = orjson.dumps(event, default, orjson.OPT_PASSTHROUGH_DATACLASS)  # a repr may leave secrets out
    except orjson.JSONEncodeError:
        return json.dumps(event, default=default)
    return line.decode() if line.isascii() else json.dumps(event, default=default)
