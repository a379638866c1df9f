"""The streams of one server: heard from the feed of changes, resumed from the log, told to those who listen.

Nothing runs where no event matches. Of each subscriber it is known behind which events they stand (`StreamCursor`),
and an event is told to those who do not have it: so each is told once, whichever way it came.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import orjson
import structlog
from graphql import GraphQLSchema

from core.database import Database
from core.errors import CursorExpiredError, ForbiddenError, InternalError, ProductError, UnavailableError
from core.limits import STREAM_CURSOR_S, STREAM_RETRY_S
from core.viewer import Viewer
from resolvers.documents import Document
from resolvers.execution import Request, refusal
from subscriptions.changes.change import Delta
from subscriptions.changes.feed import Feed
from subscriptions.changes.moment import Moment
from subscriptions.sinks import Payload, Sink
from subscriptions.streams.cursors import StreamCursor
from subscriptions.streams.events import Event, events_of, gaps_of
from subscriptions.streams.index import StreamIndex
from subscriptions.streams.requests import require_stream, stream_for
from subscriptions.streams.runs import StreamRuns
from subscriptions.streams.stream import Listener, Stream

_log: Final = structlog.get_logger(__name__)

_EXPIRED: Final = (
    "What happened since then is no longer known in full: read the rows anew, and subscribe without `since`"
)


class Streams:
    """All streams of one server. It listens to the feed only while somebody listens to a stream."""

    def __init__(
        self,
        feed: Feed,
        database: Database,
        schema: GraphQLSchema,
        published: Callable[[], Moment],
        told: Callable[[], None],
    ) -> None:
        """Begin.

        Args:
            feed: Where changes are heard.
            database: Where the rows on events are read.
            schema: What documents are of.
            published: Tells the moment from which the next delta of the feed will go on.
            told: Called when a stream that had to read has told what waited.
        """
        self._feed = feed
        self._published = published
        self._told = told
        self._runs = StreamRuns(database, schema)
        self._index = StreamIndex()
        self._reached = published()
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(1)
        self._stop: Callable[[], None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Tell nothing more."""
        self._listen(to_any=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._index)

    def validate(self) -> None:
        """Make sure that what is held is in order.

        Raises:
            AssertionError: It is not.
        """
        self._index.validate()

    def subscribe(self, document: Document, request: Request, viewer: Viewer, sink: Sink) -> Listener:
        """Tell a stream, from the request's `since` on or from now; the first message comes at once.

        Raises:
            BadUserInputError: The variables, arguments or the cursor cannot be, or the viewer has no tenant.
            ForbiddenError: The viewer may not read what the stream tells.
            LimitExceededError: A message costs too much.
        """
        now = self._reached if self._stop else self._published()
        asked = stream_for(self._runs.schema, document, request, viewer, now)
        self._listen(to_any=True)
        listener = Listener(sink)
        shared = None if asked.behind else self._index.shared(asked.key)
        if shared is None:
            self._open(asked, listener)
        else:
            shared.add(listener)
            sink.event(_plain(shared, shared.stands_at(self._reached), ()))
        return listener

    def leave(self, listener: Listener) -> None:
        """Tell a listener nothing more; one that is gone is no error."""
        stream, listener.stream = listener.stream, None
        if stream is not None:
            self._part(stream, listener)
            self._listen(to_any=len(self._index) > 0)

    def revise(self, listener: Listener, viewer: Viewer) -> None:
        """Go on for a viewer whose rights have changed; an error ends what they may not be told any more."""
        stream = listener.stream
        if stream is None or stream.told_to(viewer):
            return
        try:
            if require_stream(viewer, stream.document.stream) != stream.wanted.tenant_id:
                raise ForbiddenError("The tenant has changed: subscribe again")
        except ProductError as error:
            self._fail([listener], error)
            return
        self._open(stream.continued(viewer, self._reached), listener)
        self._part(stream, listener)

    def _part(self, stream: Stream, listener: Listener) -> None:
        stream.listeners.pop(listener, None)
        if not stream.listeners:
            self._index.discard(stream)

    def _listen(self, *, to_any: bool) -> None:
        """Listen to the feed, or no longer."""
        if to_any and self._stop is None:
            self._stop = self._feed.listen(self._hear)
            self._reached = self._published()
            self._renewing = self._start(self._renew())
        elif not to_any and self._stop is not None:
            self._stop()
            self._stop = None
            if self._renewing:
                self._renewing.cancel()

    def _reach(self, moment: Moment) -> None:
        """Remember the moment up to which everything has been heard."""
        if moment.covers(self._reached):
            self._reached = moment

    def _open(self, stream: Stream, listener: Listener) -> None:
        stream.add(listener)
        self._index.add(stream, apart=stream.behind)
        self._go(stream)

    def _hear(self, delta: Delta) -> None:
        """Take what a tick saw; within the tick, and so without waiting for anything."""
        before = self._reached
        if not delta.complete:
            self._reached = delta.moment
            self._expire(list(self._index))
            return
        self._reach(delta.moment)
        self._expire(self._index.missing(gaps_of(delta.changes)))
        for stream, events in self._index.asked(events_of(delta.changes)).items():
            stream.hear(events, before, self._reached)
            self._go(stream)
        self._index.put_together(self._reached)

    def _expire(self, streams: Sequence[Stream]) -> None:
        for stream in streams:
            self._fail(list(stream.listeners), CursorExpiredError(_EXPIRED))

    def _fail(self, listeners: Sequence[Listener], error: ProductError) -> None:
        for listener in listeners:
            self.leave(listener)
            listener.sink.error(refusal(error)["errors"])

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _go(self, stream: Stream) -> None:
        """Tell what waits: at once where that takes nothing from the database."""
        if stream.busy or not stream.pending:
            return
        if stream.needs_reading:
            stream.busy = True
            self._start(self._tell(stream))
        else:
            self._tell_at_once(stream)

    def _tell_at_once(self, stream: Stream) -> None:
        while stream.pending:
            events, cursor = stream.take()
            self._send(stream, cursor, _plain(stream, cursor, events))

    async def _tell(self, stream: Stream) -> None:
        try:
            while stream.pending and stream.listeners:
                await self._tell_some(stream)
        except Exception as failure:  # noqa: BLE001 - our own fault, of this stream alone: told to its listeners
            error = InternalError()
            _log.error("a stream failed", error_id=error.error_id, exc_info=failure)
            self._fail(list(stream.listeners), error)
        finally:
            stream.busy = False
        self._index.put_together(self._reached)
        self._told()

    async def _tell_some(self, stream: Stream) -> None:
        """Read what one message takes, and tell it; where the database is away, wait a while."""
        taken: Sequence[Event] = ()
        try:
            if stream.behind and not stream.waits:
                await self._catch_up(stream)
            taken, cursor = stream.take()
            events = await self._runs.of_site(stream, taken) if stream.wanted.looks_up_sites else taken
            if events and not stream.document.plain:
                text = cursor.text(stream.binding)
                self._send(stream, cursor, _payload(await self._runs.response(stream, text, events)))
            elif events or stream.greets:
                self._send(stream, cursor, _plain(stream, cursor, events))
            else:
                stream.cursor = cursor
        except UnavailableError:
            stream.put_back(taken)
            await asyncio.sleep(STREAM_RETRY_S)

    async def _catch_up(self, stream: Stream) -> None:
        """Read from the log what followed the stream's cursor; one at a time, as minutes of a fleet are large."""
        async with self._turn:
            stream.behind = False
            try:
                delta = await self._feed.since(stream.cursor.told)
            except UnavailableError:
                stream.behind = True
                raise
            gap = any(map(stream.wanted.misses, gaps_of(delta.changes)))
            if gap or not (delta.complete and stream.reaches(delta.moment)):
                self._expire([stream])
            stream.catch_up(list(filter(stream.wanted.has, events_of(delta.changes))), delta.moment)

    def _send(self, stream: Stream, cursor: StreamCursor, payload: Payload) -> None:
        stream.cursor = cursor
        stream.greets = False
        stream.told_s = asyncio.get_running_loop().time()
        for listener in list(stream.listeners):
            listener.sink.event(payload)

    async def _renew(self) -> None:
        """Tell a fresh cursor where nothing was told for long, so that it can be resumed from later, too."""
        while True:
            await asyncio.sleep(STREAM_CURSOR_S / 4)
            now = asyncio.get_running_loop().time()
            quiet = [s for s in self._index if now - s.told_s > STREAM_CURSOR_S and not (s.busy or s.pending)]
            if quiet:
                await self._look_ahead()
                self._refresh(quiet)

    def _refresh(self, quiet: Sequence[Stream]) -> None:
        for stream in quiet:
            if not (stream.busy or stream.pending):
                cursor = stream.stands_at(self._reached)
                self._send(stream, cursor, _plain(stream, cursor, ()))

    async def _look_ahead(self) -> None:
        """Where nothing has happened since what was heard last, stand at the present moment."""
        before = self._reached
        try:
            delta = await self._feed.since(before)
        except UnavailableError:
            return
        except Exception:  # noqa: BLE001 - in the log; the cursors of what was heard are as good
            _log.exception("the log cannot be looked into for fresh cursors")
            return
        if delta.complete and not delta.changes:
            self._reach(delta.moment)


def _plain(stream: Stream, cursor: StreamCursor, events: Sequence[Event]) -> Payload:
    values = [event.values for event in events]
    return _payload(stream.document.text(cursor.text(stream.binding), values))


def _payload(response: Mapping[str, Any]) -> Payload:
    return Payload(orjson.dumps(response).decode())
