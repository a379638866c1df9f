"""Reads what a message of a stream takes beside its events: the rows that hang on them, and their sites."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from graphql import GraphQLSchema

from core.database import Database, Snapshot
from core.errors import UnavailableError
from core.limits import STREAM_RUNS_AT_ONCE
from core.viewer import Viewer, ViewerKind
from resolvers.execution import render
from resolvers.operation import Operation
from resolvers.rows import Rows
from subscriptions.streams.events import Event
from subscriptions.streams.stream import Stream

_log: Final = structlog.get_logger(__name__)

_SITES: Final = """
SELECT 'agent' AS kind, id, site_id FROM agents WHERE tenant_id = $1 AND id = ANY($2::text[])
UNION ALL
SELECT 'data_source', id, site_id FROM data_sources WHERE tenant_id = $1 AND id = ANY($3::text[])
"""


class StreamRuns:
    """Reads for streams, some at once; each in a snapshot of its own, so that a slow one holds up itself alone."""

    def __init__(self, database: Database, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._database = database
        self._turns = asyncio.Semaphore(STREAM_RUNS_AT_ONCE)

    async def of_site(self, stream: Stream, events: Sequence[Event]) -> list[Event]:
        """Those of its events whose resource is at its site; each is looked up once for all streams.

        Raises:
            UnavailableError: The database is away.
        """
        unknown = [event for event in events if event.site is None]
        sites = [_site(event) for event in events]  # before any wait: one that fails is taken from its event
        if unknown:
            await self._look_up(stream.viewer, unknown)
        found = [await site for site in sites]
        return [event for event, site in zip(events, found, strict=True) if site == stream.wanted.site_id]

    async def response(self, stream: Stream, cursor: str, events: Sequence[Event]) -> dict[str, Any]:
        """A message with the rows that hang on its events, as the viewer may see them.

        Raises:
            UnavailableError: The database is away.
        """
        async with self._snapshot(stream.viewer) as snapshot:
            operation = Operation(stream.viewer, Rows(stream.viewer, snapshot))
            values = [event.values for event in events]
            result = await stream.document.execute(cursor, values, operation)
        errors = result.errors or []
        for error in errors:
            if isinstance(error.original_error, UnavailableError):
                raise error.original_error
        rendered = [render(error, operation.faults) for error in errors]
        if operation.faults.told is not None:
            story = operation.faults.story()
            _log.error("a stream failed", error_id=operation.faults.told.error_id, exc_info=story)
        return {**({"errors": rendered} if rendered else {}), "data": result.data}

    @asynccontextmanager
    async def _snapshot(self, viewer: Viewer) -> AsyncIterator[Snapshot]:
        platform = viewer.kind is ViewerKind.PLATFORM
        async with self._turns, self._database.snapshot(platform=platform) as snapshot:
            await snapshot.fetch("SELECT set_config('app.tenant_id', $1, true)", (viewer.tenant_id,))
            yield snapshot

    async def _look_up(self, viewer: Viewer, events: Sequence[Event]) -> None:
        """Tell each event the site of its resource; jobs and integrations have none."""
        try:
            async with self._snapshot(viewer) as snapshot:
                wanted = (_ids(events, kind) for kind in ("agent", "data_source"))
                found = await snapshot.fetch(_SITES, (viewer.tenant_id, *wanted))
        except BaseException:
            for event in events:
                _forget(event)
            raise
        sites = {(record["kind"], record["id"]): record["site_id"] for record in found}
        for event in events:
            kind, row_id = event.values["resourceType"], event.values["resourceId"]
            _site(event).set_result(row_id if kind == "site" else sites.get((kind, row_id)))


def _site(event: Event) -> "asyncio.Future[str | None]":
    """Where the site of an event is to be waited for."""
    if event.site is None:
        event.site = asyncio.get_running_loop().create_future()
    return event.site


def _ids(events: Sequence[Event], kind: str) -> list[str]:
    return [event.values["resourceId"] for event in events if event.values["resourceType"] == kind]


def _forget(event: Event) -> None:
    """Have it looked up again, by those who wait for it, too."""
    if event.site is not None:
        event.site.set_exception(UnavailableError("The site could not be looked up"))
        event.site.exception()  # nobody need wait for it
    event.site = None
