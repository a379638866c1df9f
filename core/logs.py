"""Logging, set up once: structlog's events and the standard library's records, in one form, to stderr."""

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

HIDDEN: Final = "[hidden]"
SECRET_NAME: Final = re.compile(
    r"authorization|cookie|token|secret|password|passwd|api[-_]?key|signing[-_]?key|dsn", re.I
)
"""Names of what is secret; PostgreSQL reads it, too."""
SECRET_TEXT: Final = re.compile(
    r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user:password@ of an address
    r"|\beyJ[\w-]{1,2000}+\.[\w-]++\.[\w-]*"  # a JWT; bounded, or a text of many beginnings takes its square
    r"|(?<=\bbearer )\S+",
    re.I,
)
_QUIET: Final = ("uvicorn", "httpx", "httpcore", "tortoise", "aerich", "opentelemetry")
"""Libraries whose everyday news are not ours to tell; their warnings are."""


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blanks values whose name says that they are secret, and secrets that stand in a text."""
    for name, value in event.items():
        if is_secret_name(name):
            event[name] = HIDDEN
        elif isinstance(value, str) and ("@" in value or "." in value or " " in value):  # so has each secret
            event[name] = SECRET_TEXT.sub(HIDDEN, value)
    return event


@lru_cache(256)
def is_secret_name(name: str) -> bool:
    """Whether a name says that its value is secret."""
    return SECRET_NAME.search(name) is not None


def configure_logs(stream: TextIO = sys.stderr) -> None:
    """Writes JSON lines to `stream`, or a readable form where that is a terminal."""
    shared, last = _shared_processors(), _last_processors(stream.isatty())
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=lambda *name: _Lines(stream, *name),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
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
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Lines:
    """Where structlog's events go, past the standard library: its way takes as long as all the rest."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line; where the stream cannot take it, it is lost, and no request with it."""
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # as when the disk is full, or stderr closed
            return

    info = warning = error = critical = msg


def _shared_processors() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last_processors(for_terminal: bool) -> list[Processor]:  # noqa: FBT001 - the one thing it depends on
    """Tracebacks as plain text: structlog's richer forms print local variables, and secrets with them."""
    traceback = structlog.processors.format_exc_info
    if for_terminal:
        return [traceback, hide_secrets, structlog.dev.ConsoleRenderer()]
    return [traceback, hide_secrets, structlog.processors.JSONRenderer(serializer=_json)]


def _json(event: EventDict, default: Callable[[Any], Any]) -> str:
    """A line in ASCII, whatever the stream's encoding; lone surrogates and large integers are beyond orjson."""
    try:
        line = orjson.dumps(event, default, orjson.OPT_PASSTHROUGH_DATACLASS)  # a repr may leave secrets out
    except orjson.JSONEncodeError:
        return json.dumps(event, default=default)
    return line.decode() if line.isascii() else json.dumps(event, default=default)
