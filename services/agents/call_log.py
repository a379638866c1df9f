"""The log of agents' API calls (`agent_api_logs`): enrollments, tickets, and failures after authentication."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog

from core.clock import now_ms
from core.database.database import Database
from core.database.transactions import WriteTransaction, run_in_transaction
from core.errors import InternalError, UnavailableError
from core.ids import generate_id
from core.limits import AGENT_LOGS_BATCH_DELAY_S, AGENT_LOGS_QUEUED_MAX
from services.agents.micro_batcher import BatchSettings, MicroBatcher

_log = structlog.get_logger(__name__)

_BATCH_SETTINGS: Final = BatchSettings(AGENT_LOGS_QUEUED_MAX, 500, AGENT_LOGS_BATCH_DELAY_S)

# The rows that the caller's token names may have been deleted. Then the entry leaves them out. Without a
# tenant no entry is written.
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
class CallLogEntry:
    """One API call, without secrets. `created_at` is its arrival, in ms since the epoch."""

    tenant_id: str
    site_id: str | None
    agent_id: str | None
    endpoint: str
    method: str
    status: int
    request: dict[str, Any]
    response: dict[str, Any]
    elapsed_ms: int
    error: str | None = None
    created_at: int = field(default_factory=now_ms)


class CallLog:
    """The call log of one server. Entries are written some milliseconds after their calls."""

    def __init__(self, database: Database) -> None:
        """The log over a database. `run` writes the entries."""
        self._database = database
        self._batcher: MicroBatcher[CallLogEntry, None] = MicroBatcher(self._write_batch, _BATCH_SETTINGS)

    async def run(self) -> None:
        """Write entries as they arrive, until cancelled."""
        await self._batcher.run()

    def enqueue(self, entry: CallLogEntry) -> None:
        """Queue an entry and return at once. If it cannot be written, the server's own log gets it."""
        try:
            future = self._batcher.add(entry)
        except UnavailableError:
            _log_lost_entry(entry)
        else:
            future.add_done_callback(
                lambda done: _log_lost_entry(entry) if done.cancelled() or done.exception() else None
            )

    async def write(self, entry: CallLogEntry) -> None:
        """Write an entry before the call is answered. If that fails, the server's own log gets it."""
        try:
            await self._batcher.add(entry)
        except InternalError:
            _log_lost_entry(entry)

    async def flush(self) -> None:
        """Wait until all entries queued so far are written."""
        await self._batcher.flush()

    async def _write_batch(self, entries: Sequence[CallLogEntry]) -> Sequence[None]:
        rows = tuple(zip(*map(_build_row, entries), strict=True))

        async def insert_calls(transaction: WriteTransaction) -> None:
            await transaction.fetch(_INSERT, rows)

        await run_in_transaction(self._database, insert_calls, platform=True)
        return [None] * len(entries)


def _build_row(entry: CallLogEntry) -> tuple[object, ...]:
    return (
        generate_id(),
        entry.tenant_id,
        entry.site_id,
        entry.agent_id,
        entry.endpoint,
        entry.method,
        entry.status,
        orjson.dumps(entry.request).decode(),
        orjson.dumps(entry.response).decode(),
        entry.elapsed_ms,
        entry.error,
        entry.created_at,
    )


def _log_lost_entry(entry: CallLogEntry) -> None:
    _log.warning(
        "agent call not logged", endpoint=entry.endpoint, status=entry.status, tenant_id=entry.tenant_id
    )
