"""The streams of one server.

They receive the feed of changes, resume from the log, and send events to their listeners. The server queries nothing
while no event matches. Each subscriber has a position in the events (`StreamCursor`). An event goes to the streams
that have not passed it. So each event is sent once, from the feed or from the log.

    `subscribe` without `since`                `subscribe` with `since`
         |                                          |
         v                                          v
    +--------+   event matches, rows needed   +-----------+
    |  IDLE  | -----------------------------> |   BUSY    |  a task: read the log if behind, read rows, send
    +--------+ <----------------------------- +-----------+
      |    ^            queue is empty          |   ^   |
      +----+                                   +---+   +--> EXPIRED, from either state: events are missing
      event matches: sent at once              queue too long, or database unavailable: read the log

The log is read when `EventStream.is_behind` is set: on `since`, after a queue that was too long, and after an outage.

    cycle      | `_route_delta`: new events |   the queue is older than the log's next events
    task       | take queue | read rows | send | (queue empty) read log | take queue | ... | idle
    order      1. what is queued           2. what the log has after the cursor   3. what the feed queued meanwhile

`stream.py` has the example of a catch-up: no event is lost or sent twice between the log and the feed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import orjson
import structlog
from graphql import FieldNode

from core.auth.sealing import TokenSealer
from core.auth.viewer import Viewer
from core.database.database import Database
from core.errors import CursorExpiredError, ForbiddenError, InternalError, ProductError, UnavailableError
from core.limits import STREAM_CURSOR_INTERVAL_S, STREAM_RETRY_S
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.graphql_errors import render_refusal
from subscriptions.change_log.change import Delta
from subscriptions.change_log.feed import ChangeFeed
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.event_streams.cursors import StreamCursor
from subscriptions.event_streams.events import StreamEvent, extract_events, extract_gaps
from subscriptions.event_streams.stream import EventStream, Listener
from subscriptions.event_streams.stream_index import StreamIndex
from subscriptions.event_streams.stream_reader import StreamReader
from subscriptions.event_streams.stream_request import build_stream, require_stream_access
from subscriptions.subscriber import Payload, Subscriber

_log: Final = structlog.get_logger(__name__)

_CURSOR_EXPIRED: Final = (
    "The events after this cursor are no longer complete: read the rows again, and subscribe without `since`"
)


class StreamRegistry:
    """All streams of one server. It listens to the feed only while there is a stream."""

    def __init__(
        self,
        feed: ChangeFeed,
        database: Database,
        sealer: TokenSealer,
        on_sent: Callable[[], None],
    ) -> None:
        """Create the registry.

        Args:
            feed: The source of changes.
            database: Reads the rows of events.
            sealer: Seals the cursors.
            on_sent: Called when a stream that had to read has sent its queue.
        """
        self._feed = feed
        self._sealer = sealer
        self._on_sent = on_sent
        self._reader = StreamReader(database)
        self._index = StreamIndex()
        self._reached = feed.snapshot
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Semaphore(1)
        self._unsubscribe: Callable[[], None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop: no message follows."""
        self._follow_feed(to_any=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._index)

    def validate(self) -> None:
        """Check that the registry is consistent.

        Raises:
            AssertionError: It is not.
        """
        self._index.validate()

    def subscribe(
        self,
        operation: ExecutableOperation,
        nodes: Sequence[FieldNode],
        viewer: Viewer,
        subscriber: Subscriber,
    ) -> Listener:
        """Subscribe to a stream, from the request's `since` on or from now. The first message comes at once.

        `nodes` are those of the stream in the operation.

        Raises:
            BadUserInputError: The variables, arguments or the cursor are invalid, or the viewer has no tenant.
            ForbiddenError: The viewer may not read the stream's events.
        """
        now = self._reached if self._unsubscribe else self._feed.snapshot
        stream = build_stream(operation, nodes, viewer, now, self._sealer)
        self._follow_feed(to_any=True)
        listener = Listener(subscriber)
        shared = None if stream.is_behind else self._index.find_shared(stream.key)
        if shared is None:
            self._add_listener(stream, listener)
        else:
            shared.add_listener(listener)
            subscriber.send_event(
                self._render_plain_payload(shared, shared.build_cursor_at(self._reached), ())
            )
        return listener

    def remove_listener(self, listener: Listener) -> None:
        """Remove a listener. It is no error if it is gone already."""
        stream, listener.stream = listener.stream, None
        if stream is not None:
            self._detach_listener(stream, listener)
            self._follow_feed(to_any=len(self._index) > 0)

    def change_viewer(self, listener: Listener, viewer: Viewer) -> None:
        """Continue for a viewer with changed rights. An error ends a stream that the viewer may no longer read."""
        stream = listener.stream
        if stream is None or stream.is_equal_for(viewer):
            return
        try:
            if (
                require_stream_access(viewer, stream.definition.document.stream)
                != stream.definition.event_filter.tenant_id
            ):
                raise ForbiddenError("The tenant has changed: subscribe again")
        except ProductError as error:
            self._fail_listeners([listener], error)
            return
        self._add_listener(stream.for_viewer(viewer, self._reached), listener)
        self._detach_listener(stream, listener)

    def _detach_listener(self, stream: EventStream, listener: Listener) -> None:
        stream.listeners.pop(listener, None)
        if not stream.listeners:
            self._index.discard(stream)

    def _follow_feed(self, *, to_any: bool) -> None:
        """Start or stop listening to the feed."""
        if to_any and self._unsubscribe is None:
            self._unsubscribe = self._feed.subscribe(self._route_delta)
            self._reached = self._feed.snapshot
            self._renewing = self._start_task(self._renew_cursors())
        elif not to_any and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            if self._renewing:
                self._renewing.cancel()

    def _set_reached(self, snapshot: Snapshot) -> None:
        """Record the snapshot up to which all changes were received."""
        if snapshot.includes(self._reached):
            self._reached = snapshot

    def _add_listener(self, stream: EventStream, listener: Listener) -> None:
        stream.add_listener(listener)
        self._index.add(stream, unshared=stream.is_behind)
        self._send_pending(stream)

    def _route_delta(self, delta: Delta) -> None:
        """Take the changes of a refresh cycle. This runs within the cycle, so it must not wait for anything."""
        before = self._reached
        if not delta.is_complete:
            self._reached = delta.snapshot
            self._expire_streams(list(self._index))
            return
        self._set_reached(delta.snapshot)
        self._expire_streams(self._index.find_affected(extract_gaps(delta.changes)))
        # Only streams with a matching event do any work. The others are at `_reached` without being
        # visited.
        for stream, events in self._index.route_events(extract_events(delta.changes)).items():
            stream.add_events(events, before, self._reached)
            self._send_pending(stream)
        self._index.merge_listeners(self._reached)

    def _expire_streams(self, streams: Sequence[EventStream]) -> None:
        for stream in streams:
            self._fail_listeners(list(stream.listeners), CursorExpiredError(_CURSOR_EXPIRED))

    def _fail_listeners(self, listeners: Sequence[Listener], error: ProductError) -> None:
        for listener in listeners:
            self.remove_listener(listener)
            listener.subscriber.send_error(render_refusal(error)["errors"])

    def _start_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _send_pending(self, stream: EventStream) -> None:
        """Send the queue: at once if no database read is needed, else in a task."""
        if stream.is_busy or not stream.has_pending:
            return
        if stream.needs_reading:
            stream.is_busy = True
            self._start_task(self._send_until_idle(stream))
        else:
            self._send_immediately(stream)

    def _send_immediately(self, stream: EventStream) -> None:
        while stream.has_pending:
            events, cursor = stream.take_message()
            self._send_payload(stream, cursor, self._render_plain_payload(stream, cursor, events))

    async def _send_until_idle(self, stream: EventStream) -> None:
        try:
            while stream.has_pending and stream.listeners:
                await self._send_message(stream)
        except Exception as failure:  # noqa: BLE001 - an internal error of this stream alone; its listeners get it
            error = InternalError()
            _log.error("stream failed", error_id=error.error_id, exc_info=failure)
            self._fail_listeners(list(stream.listeners), error)
        finally:
            stream.is_busy = False
        self._index.merge_listeners(self._reached)
        self._on_sent()

    async def _send_message(self, stream: EventStream) -> None:
        """Read what one message needs, and send it. If the database is unavailable, wait and try again later."""
        taken: Sequence[StreamEvent] = ()
        try:
            # The queue is older than the log's next events. So it is sent before the log is read.
            if stream.is_behind and not stream.has_waiting:
                await self._read_from_log(stream)
            taken, cursor = stream.take_message()
            events = (
                await self._reader.filter_by_site(stream, taken)
                if stream.definition.event_filter.needs_sites
                else taken
            )
            if events and not stream.definition.document.plain:
                text = cursor.seal(stream.definition.binding, self._sealer)
                self._send_payload(
                    stream, cursor, _render_payload(await self._reader.build_response(stream, text, events))
                )
            elif events or stream.sends_first_message:
                self._send_payload(stream, cursor, self._render_plain_payload(stream, cursor, events))
            else:
                # All events were of other sites. There is no message, and only the cursor moves on.
                stream.cursor = cursor
        except UnavailableError:
            stream.requeue(taken)
            await asyncio.sleep(STREAM_RETRY_S)

    async def _read_from_log(self, stream: EventStream) -> None:
        """Read the log from the stream's cursor on.

        One stream at a time does this, as minutes of a large fleet are much data.
        """
        async with self._lock:
            # Before the read: events that the feed brings during the read have to be queued
            # (`EventStream.catch_up`).
            stream.is_behind = False
            try:
                delta = await self._feed.read_since(stream.cursor.snapshot)
            except UnavailableError:
                stream.is_behind = True
                raise
            # A coarse change lists no rows, so events may be missing. The client gets an error and reads the
            # rows again.
            gap = any(map(stream.definition.event_filter.is_affected_by, extract_gaps(delta.changes)))
            if gap or not (delta.is_complete and stream.is_reachable(delta.snapshot)):
                self._expire_streams([stream])
            stream.catch_up(
                list(filter(stream.definition.event_filter.matches, extract_events(delta.changes))),
                delta.snapshot,
            )

    def _send_payload(self, stream: EventStream, cursor: StreamCursor, payload: Payload) -> None:
        stream.cursor = cursor
        stream.sends_first_message = False
        stream.sent_at_s = asyncio.get_running_loop().time()
        for listener in list(stream.listeners):
            listener.subscriber.send_event(payload)

    async def _renew_cursors(self) -> None:
        """Send a new cursor on streams that sent nothing for long.

        Otherwise the log might no longer reach back to the client's last cursor.
        """
        while True:
            await asyncio.sleep(STREAM_CURSOR_INTERVAL_S / 4)
            now = asyncio.get_running_loop().time()
            quiet = [
                s
                for s in self._index
                if now - s.sent_at_s > STREAM_CURSOR_INTERVAL_S and not (s.is_busy or s.has_pending)
            ]
            if quiet:
                await self._advance_quiet()
                self._refresh_cursors(quiet)

    def _refresh_cursors(self, quiet: Sequence[EventStream]) -> None:
        for stream in quiet:
            if not (stream.is_busy or stream.has_pending):
                cursor = stream.build_cursor_at(self._reached)
                self._send_payload(stream, cursor, self._render_plain_payload(stream, cursor, ()))

    async def _advance_quiet(self) -> None:
        """Move to the present snapshot, if nothing has changed since the latest received one."""
        before = self._reached
        try:
            delta = await self._feed.read_since(before)
        except UnavailableError:
            return
        except Exception:  # noqa: BLE001 - logged; the latest received snapshot is a good cursor, too
            _log.exception("stream cursors cannot be renewed")
            return
        if delta.is_complete and not delta.changes:
            self._set_reached(delta.snapshot)

    def _render_plain_payload(
        self, stream: EventStream, cursor: StreamCursor, events: Sequence[StreamEvent]
    ) -> Payload:
        definition = stream.definition
        values = [event.values for event in events]
        text = cursor.seal(definition.binding, self._sealer)
        return _render_payload(definition.document.render_plain(text, values))


def _render_payload(response: Mapping[str, Any]) -> Payload:
    return Payload(orjson.dumps(response).decode())
