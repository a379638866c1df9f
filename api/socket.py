"""One socket: what its client says is heard, looked into and answered, until either side ends it.

The rules are those of `subscriptions.socket.protocol`, the waiting messages those of `subscriptions.socket.outbox`;
here they meet the connection (`api.wire`), the caller's token and the operations.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Receive

from api.bearer import AUTHORIZATION, Credentials, socket_credentials, without_credentials
from api.operations import Caller
from api.request_record import RequestRecord
from api.socket_host import Host, LiveSession
from api.socket_operations import SocketOperation
from api.socket_record import SocketRecord
from api.wire import Wire
from core.errors import (
    ForbiddenError,
    InternalError,
    LimitExceededError,
    ProductError,
    UnauthenticatedError,
    UnavailableError,
)
from core.limits import SOCKET_INIT_S, SOCKET_OPERATIONS_MAX
from resolvers.execution import Request
from subscriptions.changes.moment import Moment
from subscriptions.sinks import Gone
from subscriptions.socket.messages import (
    ACK,
    Close,
    CloseCode,
    Init,
    Ping,
    Stop,
    Subscribe,
    close,
    pong_message,
)
from subscriptions.socket.outbox import Outbox, Parts
from subscriptions.socket.pace import Pace
from subscriptions.socket.protocol import Connection, Phase

SNAPSHOT: Final = "snapshot"
"""Of a ping's payload: true asks for the snapshot that the socket has reached; the pong's has it."""

_NO_OPERATION: Final = ""
"""No operation has this id. What is told under it stays behind what waited before, and cannot be replaced."""


class Socket:
    """One socket, from its handshake to its end."""

    __slots__ = (
        "_connection",
        "_headers",
        "_host",
        "_operations",
        "_pace",
        "_record",
        "_session",
        "_signed_in",
        "_wire",
        "caller",
        "outbox",
    )

    def __init__(self, wire: Wire, host: Host, headers: Headers, record: SocketRecord) -> None:
        """Takes an accepted connection; `headers` are its handshake's."""
        self.caller = Caller()
        self.outbox = Outbox(host.sockets.backlog)
        self._wire = wire
        self._host = host
        self._headers: Headers | None = headers
        self._record = record
        self._connection = Connection()
        self._pace = Pace()
        self._operations: dict[str, SocketOperation] = {}
        self._session: LiveSession | None = None
        self._signed_in = False
        wire.on_room = self._room

    @property
    def session(self) -> LiveSession:
        """The session behind an acknowledged connection."""
        assert self._session is not None  # noqa: S101 - nothing is subscribed to before
        return self._session

    async def listen(self, receive: Receive) -> None:
        """Hear the client until the connection has ended; then end all that it had asked for."""
        overdue = asyncio.get_running_loop().call_later(SOCKET_INIT_S, self._overdue)
        self._host.sockets.enter(self)
        try:
            while (event := await receive())["type"] == "websocket.receive":
                await self._hear(event["text"] if "text" in event else event["bytes"])
                await self._take_time()
        except Exception as error:  # noqa: BLE001 - whatever it is: the client gets an id, the log the story
            self.close(_end_for(self._record.told(error)))
        finally:
            overdue.cancel()
            self._end()

    def tell(self, operation: str, parts: Parts) -> None:
        """Send a message of an operation, after those that wait."""
        if self._wire.is_full:
            self.outbox.ordered(operation, parts)
            self._waits()
        else:
            self._write(parts)

    def tell_state(self, operation: str, parts: Parts) -> None:
        """Send an operation's newest state, in the place of one that waits."""
        if self._wire.is_full:
            self.outbox.state(operation, parts)
            self._waits()
        else:
            self._write(parts)

    def tell_event(self, operation: str, parts: Parts) -> bool:
        """Send a stream's next message; false where too much waits already."""
        if self._wire.is_full:
            return self.outbox.event(operation, parts)
        self._write(parts)
        return True

    def ended(self, operation: SocketOperation) -> None:
        """An operation is over."""
        self._connection.end(operation.id)
        self._operations.pop(operation.id, None)
        self._host.observe(operation.record)

    def close(self, end: Close) -> None:
        """End it, and tell the client why, at once."""
        self._connection.close()
        self.outbox.clear()
        self._wire.close(end)

    def cut(self, reason: str) -> None:
        """End it without a word."""
        self._connection.close()
        self.outbox.clear()
        self._wire.cut(reason)

    async def _hear(self, frame: str | bytes) -> None:
        match self._connection.hear(frame):
            case Close() as end:
                self.close(end)
            case Init(payload):
                await self._init(payload)
            case Ping(payload):
                await self._ping(payload)
            case Subscribe(id_, request):
                self._subscribe(id_, request)
            case Stop(id_):
                self._stop(id_)

    async def _take_time(self) -> None:
        """Hear no more for a while from a client that says much, or leaves much unread."""
        wait = self._pace.wait(asyncio.get_running_loop().time())
        if wait:
            await asyncio.sleep(wait)
        while self.outbox.is_crowded and self._wire.ended is None:
            await self._wire.writable.wait()

    def _overdue(self) -> None:
        end = self._connection.overdue()
        if end:
            self.close(end)

    async def _init(self, payload: Mapping[str, Any]) -> None:
        with self._or_closed():
            await self._sign_in(socket_credentials(payload, self._headers))
            self._headers = None
            self._connection.acknowledge()
            if self._connection.phase is Phase.READY:
                self._tell_control(ACK)

    async def _sign_in(self, shown: Credentials | None) -> None:
        self.caller = await self._host.operations.caller(shown)
        self._record.identity = self.caller.identity
        refused = self._host.sockets.sign_in(self.caller)
        if refused:
            self.close(refused)
            return
        self._signed_in = True
        try:
            self._session = await self._host.live.sign_in(*self.caller, self._gone)
        except UnauthenticatedError:
            if not await self._host.operations.take_up(self.caller.identity):
                raise
            self._session = await self._host.live.sign_in(*self.caller, self._gone)
        self._record.viewer = self._session.viewer

    async def _ping(self, payload: Mapping[str, Any] | None) -> None:
        with self._or_closed():
            if payload and (shown := socket_credentials(payload)):
                await self._renew(shown)
                payload = without_credentials(payload)
            if payload and payload.get(SNAPSHOT) is True:
                self._catch_up(payload)
            else:
                self._tell_control(pong_message(payload))

    def _catch_up(self, payload: Mapping[str, Any]) -> None:
        """Answer a ping when all that is open here has come to a new moment; at once where that is not to be."""

        def reached(moment: Moment | None) -> None:
            told = str(moment) if moment else None
            self.tell(_NO_OPERATION, (pong_message({**payload, SNAPSHOT: told}),))

        if self._session is None or not self._session.catch_up(reached):
            reached(None)

    async def _renew(self, shown: Credentials) -> None:
        identity, former = (await self._host.operations.caller(shown)).identity, self.caller.identity
        if self._session is None or identity is None or former is None:
            raise ForbiddenError(f"{AUTHORIZATION} in a ping needs one in connection_init")
        if (identity.kind, identity.subject) != (former.kind, former.subject):
            raise ForbiddenError("The fresh token is another viewer's")
        await self._session.renew(identity)
        self.caller = Caller(identity, self.caller.tenant)

    def _subscribe(self, id_: str, request: Request) -> None:
        self._record.operations += 1
        record = RequestRecord(f"{self._record.request_id}/{self._record.operations}")
        self._operations[id_] = operation = SocketOperation(self, id_, record)
        open_now = self._connection.operations
        if open_now > SOCKET_OPERATIONS_MAX:
            operation.refuse(_too_many(open_now))
        else:
            operation.begin(request, self._host.operations)

    def _stop(self, id_: str) -> None:
        operation = self._operations.get(id_)
        if operation:
            operation.stop()
        self.outbox.forget(id_)

    def _gone(self, gone: Gone) -> None:
        self.close(close(CloseCode.FORBIDDEN, gone.message))

    @contextmanager
    def _or_closed(self) -> Iterator[None]:
        """Closes the socket of a client that is refused."""
        try:
            yield
        except ProductError as error:
            self.close(_end_for(self._record.told(error)))

    def _tell_control(self, message: bytes) -> None:
        if self._wire.is_full:
            self.outbox.control(message)
            self._waits()
        else:
            self._write((message,))

    def _write(self, parts: Parts) -> None:
        self._host.sockets.messages += 1
        self._wire.write(*parts)

    def _waits(self) -> None:
        if self.outbox.is_overfull:
            self.cut("Too much waited for the client to read")
        else:
            self._host.sockets.relieve()

    def _room(self) -> None:
        while not self._wire.is_full and (parts := self.outbox.take()):
            self._write(parts)

    def _end(self) -> None:
        self._connection.close()
        self.outbox.clear()
        if self._session:
            self._session.close()
        for operation in list(self._operations.values()):
            operation.abandon()
        if self._signed_in:
            self._host.sockets.sign_out(self.caller)
        end = self._wire.ended or Close(CloseCode.GOING_AWAY, "")
        self._host.sockets.leave(self, end.code)
        self._record.end(end)


def _end_for(error: ProductError) -> Close:
    """How a client hears of what speaks against its socket."""
    if isinstance(error, UnavailableError):
        return close(CloseCode.TRY_AGAIN_LATER, error.message)
    if isinstance(error, InternalError):
        return close(CloseCode.INTERNAL, f"{error.message} errorId: {error.error_id}")
    return close(CloseCode.FORBIDDEN, error.message)


def _too_many(operations: int) -> LimitExceededError:
    of = "operations open on its socket"
    return LimitExceededError("socketOperations", SOCKET_OPERATIONS_MAX, operations, of)
