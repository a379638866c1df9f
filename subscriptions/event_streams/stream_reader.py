"""Reads for streams: the rows that a message selects on its events, and the sites of events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from core.auth.viewer import Viewer, ViewerKind
from core.database.database import Database, ReadTransaction
from core.errors import UnavailableError
from core.fair_queue import PLATFORM
from core.limits import STREAM_READS_CONCURRENT_MAX
from resolvers.context import RequestContext
from resolvers.graphql_errors import render_error
from resolvers.sql.data_access import DataAccess
from subscriptions.event_streams.events import StreamEvent
from subscriptions.event_streams.stream import EventStream

_log: Final = structlog.get_logger(__name__)

_SITES: Final = """
SELECT 'agent' AS kind, id, site_id FROM agents WHERE tenant_id = $1 AND id = ANY($2::text[])
UNION ALL
SELECT 'data_source', id, site_id FROM data_sources WHERE tenant_id = $1 AND id = ANY($3::text[])
"""


class StreamReader:
    """Runs the reads of streams, up to `STREAM_READS_CONCURRENT_MAX` at once.

    Each has its own snapshot, so a slow one delays no other.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._semaphore = asyncio.Semaphore(STREAM_READS_CONCURRENT_MAX)

    async def filter_by_site(self, stream: EventStream, events: Sequence[StreamEvent]) -> list[StreamEvent]:
        """The events with a resource at the stream's site. Each event is looked up once for all streams.

        Raises:
            UnavailableError: The database is unavailable.
        """
        unknown = [event for event in events if event.site is None]
        sites = [
            _site_future(event) for event in events
        ]  # before the first await: a failed future leaves its event
        if unknown:
            await self._load_sites(stream.viewer, unknown)
        found = [await site for site in sites]
        return [
            event
            for event, site in zip(events, found, strict=True)
            if site == stream.definition.event_filter.site_id
        ]

    async def build_response(
        self, stream: EventStream, cursor: str, events: Sequence[StreamEvent]
    ) -> dict[str, Any]:
        """Build a message, with the rows of its events that the viewer may read.

        Raises:
            UnavailableError: The database is unavailable.
        """
        async with self._snapshot(stream.viewer) as snapshot:
            operation = RequestContext(stream.viewer, DataAccess(stream.viewer, snapshot))
            values = [event.values for event in events]
            result = await stream.definition.document.execute(cursor, values, operation)
        errors = result.errors or []
        for error in errors:
            if isinstance(error.original_error, UnavailableError):
                raise error.original_error
        rendered = [render_error(error, operation.errors) for error in errors]
        if operation.errors.reported is not None:
            traceback = operation.errors.build_traceback()
            _log.error("stream failed", error_id=operation.errors.reported.error_id, exc_info=traceback)
        return {**({"errors": rendered} if rendered else {}), "data": result.data}

    @asynccontextmanager
    async def _snapshot(self, viewer: Viewer) -> AsyncIterator[ReadTransaction]:
        platform = viewer.kind is ViewerKind.PLATFORM
        share = viewer.tenant_id or PLATFORM
        async with (
            self._semaphore,
            self._database.read_transaction(platform=platform, share=share) as snapshot,
        ):
            await snapshot.fetch("SELECT set_config('app.tenant_id', $1, true)", (viewer.tenant_id,))
            yield snapshot

    async def _load_sites(self, viewer: Viewer, events: Sequence[StreamEvent]) -> None:
        """Set the site of each event's resource. Jobs and integrations have no site."""
        try:
            async with self._snapshot(viewer) as snapshot:
                wanted = (_resource_ids(events, kind) for kind in ("agent", "data_source"))
                found = await snapshot.fetch(_SITES, (viewer.tenant_id, *wanted))
        except BaseException:
            for event in events:
                _reset_site(event)
            raise
        sites = {(record["kind"], record["id"]): record["site_id"] for record in found}
        for event in events:
            kind, row_id = event.values["resourceType"], event.values["resourceId"]
            _site_future(event).set_result(row_id if kind == "site" else sites.get((kind, row_id)))


def _site_future(event: StreamEvent) -> "asyncio.Future[str | None]":
    """The future that will have the site of an event. It is shared by all streams."""
    if event.site is None:
        event.site = asyncio.get_running_loop().create_future()
    return event.site


def _resource_ids(events: Sequence[StreamEvent], kind: str) -> list[str]:
    return [event.values["resourceId"] for event in events if event.values["resourceType"] == kind]


def _reset_site(event: StreamEvent) -> None:
    """Fail all streams that wait for this event's site, and let the next one read it again."""
    if event.site is not None:
        event.site.set_exception(UnavailableError("The site could not be loaded"))
        event.site.exception()  # marks the error as seen: there may be no waiter
    event.site = None
