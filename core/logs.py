"""Logging, set up once: structlog's events and the standard library's records, in one form, to stderr."""

import logging
import re
import sys
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN: Final = "[hidden]"
_SECRET_NAME: Final = re.compile(
    r"authorization|cookie|token|secret|password|passwd|api_?key|signing_key|dsn", re.I
)
_SECRET_TEXT: Final = re.compile(
    r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user:password@ of an address
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|(?<=\bbearer )\S+",
    re.I,
)
_QUIET: Final = ("uvicorn", "httpx", "httpcore", "tortoise", "aerich")
"""Libraries whose everyday news are not ours to tell; their warnings are."""


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blanks values whose name says that they are secret, and secrets that stand in a text."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = HIDDEN
        elif isinstance(value, str):
            event[name] = _SECRET_TEXT.sub(HIDDEN, value)
    return event


def configure_logs(stream: TextIO = sys.stderr) -> None:
    """Writes JSON lines to `stream`, or a readable form where that is a terminal."""
    shared = _shared_processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_last_processors(stream.isatty()),
            ],
        )
    )
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _last_processors(for_terminal: bool) -> list[Processor]:  # noqa: FBT001 - the one thing it depends on
    """Tracebacks as plain text: structlog's richer forms print local variables, and secrets with them."""
    traceback = structlog.processors.format_exc_info
    if for_terminal:
        return [traceback, hide_secrets, structlog.dev.ConsoleRenderer()]
    return [traceback, hide_secrets, structlog.processors.JSONRenderer()]
