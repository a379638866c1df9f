"""What is known of one request in the end, and the one line that the log has of it."""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import Any, Final

import structlog
from starlette.datastructures import Headers

from core.database import Snapshot
from core.errors import InternalError, ProductError
from core.limits import OPERATION_NAME_LOGGED_MAX
from core.single_reads import SingleRead
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from resolvers.faults import Faults

REQUEST_ID: Final = "X-Request-Id"
TRACEPARENT: Final = "traceparent"

_SANE_ID: Final = re.compile(r"[\w.:+/=-]{1,128}", re.ASCII)
_log: Final = structlog.get_logger("graphql")


class Outcome(StrEnum):
    """How a request ended, in one word, for those who count."""

    OK = "ok"
    PARTIAL = "partial"
    """Data and errors."""
    REFUSED = "refused"
    """No data, by the client's doing."""
    FAILED = "failed"
    """By our own doing, with data or without."""
    GONE = "gone"
    """The client left before the answer."""


def request_id(headers: Headers) -> str:
    """The caller's X-Request-Id, where it is one that a log can take; else a new one."""
    given = headers.getlist(REQUEST_ID)
    return given[0] if len(given) == 1 and _SANE_ID.fullmatch(given[0]) else str(uuid.uuid4())


@dataclass(slots=True)
class RequestRecord:
    """Filled in while the request goes on.

    Attributes:
        request_id: Names the request here and at the caller's.
        traceparent: Where the caller's trace is, as W3C Trace Context writes it; unchecked.
        identity: Who asked, by their token; None for an anonymous caller.
        viewer: Who asked, signed in; None also where sign-in failed or was not come to.
        operation: The name of the operation in its document; None before it is known, and without a name.
        snapshot: Where it read.
        way: How it was run: `compiled`, `loaders` or `mixed`; None where nothing ran.
        codes: The codes of the answer's errors, each once, in order.
        faults: What went wrong by our own fault.
        status: The HTTP status; None where the client left, and on sockets.
        messages: How many times a subscription was told something; None for other operations.
    """

    request_id: str
    traceparent: str | None = None
    identity: Identity | None = None
    viewer: Viewer | None = None
    operation: str | None = None
    snapshot: Snapshot | SingleRead | None = None
    way: str | None = None
    codes: list[str] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    status: int | None = None
    messages: int | None = None
    outcome: Outcome = Outcome.GONE
    duration_s: float = 0
    _began: float = field(default_factory=perf_counter)

    @property
    def statements(self) -> int:
        """How many statements it took, beside its sign-in."""
        return self.snapshot.statements if self.snapshot else 0

    @property
    def rows(self) -> int:
        """How many rows they returned."""
        return self.snapshot.rows if self.snapshot else 0

    def told(self, error: Exception) -> ProductError:
        """What the caller is told of an error that ended the request; a fault of ours is taken down."""
        if isinstance(error, ProductError) and not isinstance(error, InternalError):
            return error
        return self.faults.note(error)

    def end(self, response: Mapping[str, Any] | None, status: int | None) -> None:
        """The answer's map, and its HTTP status; None and None for a client that left."""
        self.duration_s = perf_counter() - self._began
        self.status = status
        if response is not None:
            self.codes = list(dict.fromkeys(_codes(response.get("errors", ()))))
            self.outcome = self._outcome(has_data=response.get("data") is not None)

    def _outcome(self, *, has_data: bool) -> Outcome:
        if InternalError.code in self.codes:
            return Outcome.FAILED
        if not self.codes:
            return Outcome.OK
        return Outcome.PARTIAL if has_data else Outcome.REFUSED

    def write(self) -> None:
        """The line: an error with the whole story where the fault was ours, a piece of information else."""
        story = self.faults.story()
        if story is None:
            _log.info(self._event, **self._facts())
            return
        told = self.faults.told
        error_id = told.error_id if told else None
        _log.error(self._event, **self._facts(), error_id=error_id, paths=self.faults.paths, exc_info=story)

    @property
    def _event(self) -> str:
        return "request" if self.messages is None else "subscription"

    def _facts(self) -> dict[str, object]:
        viewer, identity = self.viewer, self.identity
        return {
            "request_id": self.request_id,
            "viewer": identity.kind.value if identity else "anonymous",
            "user_id": identity.subject if identity and identity.kind is ViewerKind.USER else None,
            "tenant_id": viewer.tenant_id if viewer else None,
            "operation": self.operation and self.operation[:OPERATION_NAME_LOGGED_MAX],
            "outcome": self.outcome.value,
            "status": self.status,
            "duration_ms": round(self.duration_s * 1000, 2),
            "way": self.way,
            "statements": self.statements,
            "rows": self.rows,
            "codes": self.codes,
            **({} if self.messages is None else {"messages": self.messages}),
        }


def _codes(errors: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (error["extensions"]["code"] for error in errors)
