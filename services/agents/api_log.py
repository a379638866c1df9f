"""The log of agents' calls (`agent_api_logs`): enrolments, tickets, and what failed after its token was verified."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog

from core.clock import now_ms
from core.database import Database
from core.errors import InternalError, UnavailableError
from core.ids import new_id
from core.limits import AGENT_LOGS_GATHER_S, AGENT_LOGS_WAITING_MAX
from core.transactions import Transaction, carry_out
from services.agents.gathering import Gathering, Room

_log = structlog.get_logger(__name__)

_ROOM: Final = Room(AGENT_LOGS_WAITING_MAX, 500, AGENT_LOGS_GATHER_S)

# What the caller's token names may be gone for good: then it is not named, and without its tenant nothing is kept.
_INSERT: Final = """
INSERT INTO public.agent_api_logs (
    id, tenant_id, site_id, agent_id, endpoint, method, status_code, req_metadata, res_metadata, time_elapsed_ms,
    error_message, created_at
)
SELECT e.id, t.id, s.id, a.id, e.endpoint, e.method, e.status_code, e.req_metadata, e.res_metadata, e.time_elapsed_ms,
       e.error_message, e.created_at
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::jsonb[], $9::jsonb[],
    $10::integer[], $11::text[], $12::bigint[]
) AS e (
    id, tenant_id, site_id, agent_id, endpoint, method, status_code, req_metadata, res_metadata, time_elapsed_ms,
    error_message, created_at
)
JOIN public.tenants t ON t.id = e.tenant_id
LEFT JOIN public.sites s ON s.id = e.site_id AND s.tenant_id = e.tenant_id
LEFT JOIN public.agents a ON a.id = e.agent_id AND a.tenant_id = e.tenant_id
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call; without secrets. `created_at` in ms since the epoch, when it came."""

    tenant_id: str
    site_id: str | None
    agent_id: str | None
    endpoint: str
    method: str
    status: int
    asked: dict[str, Any]
    answered: dict[str, Any]
    elapsed_ms: int
    error: str | None = None
    created_at: int = field(default_factory=now_ms)


class ApiLog:
    """The log of one server's calls, written some milliseconds later."""

    def __init__(self, database: Database) -> None:
        """`run` is what writes."""
        self._database = database
        self._gathering: Gathering[Entry, None] = Gathering(self._write, _ROOM)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        await self._gathering.run()

    def note(self, entry: Entry) -> None:
        """Log a call soon, if the database is there; nobody waits for it."""
        try:
            future = self._gathering.add(entry)
        except UnavailableError:
            _lost(entry)
        else:
            future.add_done_callback(
                lambda done: _lost(entry) if done.cancelled() or done.exception() else None
            )

    async def write(self, entry: Entry) -> None:
        """Log a call before it is answered; where that fails, the server's log has it."""
        try:
            await self._gathering.add(entry)
        except InternalError:
            _lost(entry)

    async def settle(self) -> None:
        """Wait until all is written that was noted so far."""
        await self._gathering.settle()

    async def _write(self, entries: Sequence[Entry]) -> Sequence[None]:
        rows = tuple(zip(*map(_row, entries), strict=True))

        async def work(transaction: Transaction) -> None:
            await transaction.fetch(_INSERT, rows)

        await carry_out(self._database, work, platform=True)
        return [None] * len(entries)


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        new_id(),
        entry.tenant_id,
        entry.site_id,
        entry.agent_id,
        entry.endpoint,
        entry.method,
        entry.status,
        orjson.dumps(entry.asked).decode(),
        orjson.dumps(entry.answered).decode(),
        entry.elapsed_ms,
        entry.error,
        entry.created_at,
    )


def _lost(entry: Entry) -> None:
    _log.warning(
        "agent call not logged", endpoint=entry.endpoint, status=entry.status, tenant_id=entry.tenant_id
    )
