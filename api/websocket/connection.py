"""One socket: reads, processes and answers its client's messages until either side ends it.

The rules are those of `subscriptions.protocol.connection_state`, and `api.websocket.send_queue` has the queued
messages.
This module combines them with the connection (`api.websocket.transport`), the caller's token and the operations.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import Receive

from api.caller import Caller
from api.credentials import AUTHORIZATION, Credentials, read_socket_credentials, remove_credentials
from api.observability.access_log import RequestRecord
from api.websocket.connection_log import ConnectionRecord
from api.websocket.message_rate_limit import MessageRateLimit
from api.websocket.operation import SocketOperation
from api.websocket.send_queue import MessageParts, SendQueue
from api.websocket.services import LiveSession, WebSocketServices
from api.websocket.transport import WebSocketTransport
from core.errors import (
    BadUserInputError,
    ForbiddenError,
    InternalError,
    LimitExceededError,
    ProductError,
    UnauthenticatedError,
    UnavailableError,
)
from core.limits import SOCKET_INIT_S, SOCKET_OPERATIONS_MAX, SOCKET_WAITING_PING_BYTES_MAX
from resolvers.graphql_errors import render_refusal
from resolvers.request import GraphQLRequest
from subscriptions.protocol.connection_state import ConnectionPhase, ProtocolState
from subscriptions.protocol.messages import (
    ACK,
    Close,
    CloseCode,
    CompleteMessage,
    ConnectionInit,
    Ping,
    RefusedSubscribe,
    Subscribe,
    build_close,
    build_pong,
    build_refusal_close,
)
from subscriptions.subscriber import Disconnect

TRANSACTION_KEY: Final = "transaction"
"""A key of a ping's payload: the `extensions.transaction` of a mutation. The pong waits until the socket shows it."""

SEEN_KEY: Final = "seen"
"""A key of that pong's payload: whether every answer of the socket shows the transaction."""

_NO_OPERATION: Final = ""
"""No operation has this id. A message under it keeps its place in the queue, and no other replaces it."""


class SocketConnection:
    """One socket, from its handshake to its end."""

    __slots__ = (
        "_headers",
        "_operations",
        "_protocol",
        "_rate_limit",
        "_record",
        "_services",
        "_session",
        "_signed_in",
        "_transport",
        "caller",
        "send_queue",
    )

    def __init__(
        self,
        transport: WebSocketTransport,
        services: WebSocketServices,
        headers: Headers,
        record: ConnectionRecord,
        address: str = "",
    ) -> None:
        """Takes an accepted connection; `headers` are its handshake's, `address` is the client's."""
        self.caller = Caller(address=address)
        self.send_queue = SendQueue(services.registry.backlog)
        self._transport = transport
        self._services = services
        self._headers: Headers | None = headers
        self._record = record
        self._protocol = ProtocolState()
        self._rate_limit = MessageRateLimit()
        self._operations: dict[str, SocketOperation] = {}
        self._session: LiveSession | None = None
        self._signed_in = False

    @property
    def session(self) -> LiveSession:
        """The session of an acknowledged connection."""
        assert self._session is not None  # noqa: S101 - set before any subscription
        return self._session

    @property
    def is_busy(self) -> bool:
        """Whether an operation with one result is running."""
        return any(operation.is_executing for operation in self._operations.values())

    def flush_queue(self) -> None:
        """Write queued messages until the transport is full again."""
        self.send_queue.set_in_flight(())
        while not self._transport.is_full and (message := self.send_queue.take()):
            self._write_or_queue(message)

    async def receive_until_closed(self, receive: Receive) -> None:
        """Read the client's messages until the connection has ended; then end all its operations."""
        overdue = asyncio.get_running_loop().call_later(SOCKET_INIT_S, self._close_uninitialized)
        self._services.registry.add(self)
        try:
            while (event := await receive())["type"] == "websocket.receive":
                await self._handle_frame(event["text"] if "text" in event else event["bytes"])
                await self._apply_backpressure()
        except Exception as error:  # noqa: BLE001 - any error: the client gets an id, the log the traceback
            self.close(_close_for_error(self._record.report_error(error)))
        finally:
            overdue.cancel()
            self._clean_up()

    def send(self, operation: str, message: MessageParts) -> None:
        """Send a message of an operation, after the queued ones."""
        if self._transport.is_full:
            self.send_queue.put_ordered(operation, message)
            self._has_backlog()
        else:
            self._write_or_queue(message)

    def send_state(self, operation: str, message: MessageParts) -> None:
        """Send an operation's newest state; it replaces a queued one."""
        if self._transport.is_full:
            self.send_queue.put_state(operation, message)
            self._has_backlog()
        else:
            self._write_or_queue(message)

    def send_event(self, operation: str, message: MessageParts) -> bool:
        """Send a stream's next message; false if the queue is too long already."""
        if self._transport.is_full:
            return self.send_queue.put_event(operation, message)
        self._write_or_queue(message)
        return True

    def remove_operation(self, operation: SocketOperation) -> None:
        """Remove a finished operation."""
        self._protocol.complete_operation(operation.id)
        self._operations.pop(operation.id, None)
        self._services.observe(operation.record)

    def close(self, end: Close) -> None:
        """Close the socket at once, with this close frame."""
        self._protocol.close()
        self.send_queue.clear()
        self._transport.close(end)

    def abort(self, reason: str) -> None:
        """Cut the connection without a close frame."""
        self._protocol.close()
        self.send_queue.clear()
        self._transport.abort(reason)

    async def _handle_frame(self, frame: str | bytes) -> None:
        match self._protocol.receive(frame):
            case Close() as end:
                self.close(end)
            case ConnectionInit(payload):
                self._services.registry.mark_initialized(self)
                await self._handle_init(payload)
            case Ping(payload):
                await self._handle_ping(payload)
            case Subscribe(id_, request):
                await self._handle_subscribe(id_, request)
            case RefusedSubscribe(id_, error):
                self._open_operation(id_).fail(error)
            case CompleteMessage(id_):
                self._handle_complete(id_)

    async def _apply_backpressure(self) -> None:
        """Pause reading from a client that sends too fast, or leaves too much unread."""
        wait = self._rate_limit.acquire(asyncio.get_running_loop().time())
        if wait and self._transport.sent_close is None:
            await asyncio.sleep(wait)
        while self.send_queue.needs_backpressure and self._transport.sent_close is None:
            await self._transport.writable.wait()

    def _close_uninitialized(self) -> None:
        end = self._protocol.check_init_timeout()
        if end:
            self.close(end)

    async def _handle_init(self, payload: Mapping[str, Any]) -> None:
        with self._close_on_error():
            await self._sign_in(read_socket_credentials(payload, self._headers))
            self._headers = None
            self._transport.acknowledge(signed_in=self.caller.identity is not None)
            self._protocol.acknowledge()
            if self._protocol.phase is ConnectionPhase.READY:
                self._send_control(ACK)

    async def _sign_in(self, credentials: Credentials | None) -> None:
        self.caller = await self._services.graphql.authenticate(credentials, self.caller.address)
        self._record.identity = self.caller.identity
        refused = self._services.registry.sign_in(self.caller)
        if refused:
            self.close(refused)
            return
        self._signed_in = True
        try:
            self._session = await self._services.live.sign_in(
                self.caller.identity, self.caller.tenant, self._close_for_viewer
            )
        except UnauthenticatedError:
            if not await self._services.graphql.redeem(self.caller.identity):
                raise
            self._session = await self._services.live.sign_in(
                self.caller.identity, self.caller.tenant, self._close_for_viewer
            )
        self._record.viewer = self._session.viewer

    async def _handle_ping(self, payload: Mapping[str, Any] | None) -> None:
        with self._close_on_error():
            if payload and (credentials := read_socket_credentials(payload)):
                await self._renew_token(credentials)
                payload = remove_credentials(payload)
            if payload and TRANSACTION_KEY in payload:
                self._answer_ping_when_seen(payload)
            else:
                self._send_control(build_pong(payload))

    def _answer_ping_when_seen(self, payload: Mapping[str, Any]) -> None:
        """Answer a ping when all subscriptions of the socket show its transaction; at once if it cannot wait."""

        def answer(seen: bool, **errors: Any) -> None:  # noqa: FBT001 - required by the callback's type
            self.send(_NO_OPERATION, (build_pong({**payload, SEEN_KEY: seen, **errors}),))

        try:
            if len(build_pong(payload)) > SOCKET_WAITING_PING_BYTES_MAX:
                raise BadUserInputError(
                    f"A ping with {TRANSACTION_KEY} may have {SOCKET_WAITING_PING_BYTES_MAX} bytes"
                )
            self._wait_for_transaction(payload[TRANSACTION_KEY], answer)
        except ProductError as error:
            answer(False, **render_refusal(error))

    def _wait_for_transaction(self, transaction: object, on_answered: Callable[[bool], None]) -> None:
        if self._session is None:
            raise UnauthenticatedError("Authentication required: send connection_init first")
        if not isinstance(transaction, str):
            raise BadUserInputError(f"{TRANSACTION_KEY} must be the `extensions.transaction` of a mutation")
        self._session.wait_for_transaction(transaction, on_answered)

    async def _renew_token(self, credentials: Credentials) -> None:
        identity, former = (
            (await self._services.graphql.authenticate(credentials)).identity,
            self.caller.identity,
        )
        if self._session is None or identity is None or former is None:
            raise ForbiddenError(f"{AUTHORIZATION} in a ping requires {AUTHORIZATION} in connection_init")
        if (identity.kind, identity.subject) != (former.kind, former.subject):
            raise ForbiddenError("The new token belongs to another viewer")
        await self._session.renew(identity)
        self.caller = self.caller._replace(identity=identity)

    async def _handle_subscribe(self, id_: str, request: GraphQLRequest) -> None:
        operation = self._open_operation(id_)
        open_now = self._protocol.operations
        if open_now > SOCKET_OPERATIONS_MAX:
            operation.fail(_build_operations_error(open_now))
        else:
            await operation.start(request, self._services.graphql)
            self._rate_limit.charge_cpu_time(operation.record.validation_s, asyncio.get_running_loop().time())

    def _open_operation(self, id_: str) -> SocketOperation:
        self._record.operations += 1
        record = RequestRecord(
            f"{self._record.request_id}/{self._record.operations}", identity=self.caller.identity
        )
        self._operations[id_] = operation = SocketOperation(self, id_, record)
        return operation

    def _handle_complete(self, id_: str) -> None:
        operation = self._operations.get(id_)
        if operation:
            operation.cancel()
        self.send_queue.discard_operation(id_)

    def _close_for_viewer(self, disconnect: Disconnect) -> None:
        self.close(build_refusal_close(disconnect.reason, disconnect.message))

    @contextmanager
    def _close_on_error(self) -> Iterator[None]:
        """Close the socket if the block refuses its client."""
        try:
            yield
        except ProductError as error:
            self.close(_close_for_error(self._record.report_error(error)))

    def _send_control(self, message: bytes) -> None:
        if self._transport.is_full:
            self.send_queue.put_control(message)
            self._has_backlog()
        else:
            self._write_or_queue((message,))

    def _write_or_queue(self, message: MessageParts) -> None:
        self._services.registry.messages += 1
        self._transport.write_text(*message)
        if self._transport.is_full:
            self.send_queue.set_in_flight(message)
            self._services.registry.abort_slowest()

    def _has_backlog(self) -> None:
        if self.send_queue.exceeds_limit:
            self.abort("The client reads too slowly: too many unsent bytes")
        else:
            self._services.registry.abort_slowest()

    def _clean_up(self) -> None:
        self._protocol.close()
        self.send_queue.clear()
        if self._session:
            self._session.close()
        for operation in list(self._operations.values()):
            operation.abandon()
        if self._signed_in:
            self._services.registry.sign_out(self.caller)
        end = self._transport.sent_close or Close(CloseCode.GOING_AWAY, "")
        self._services.registry.remove(self, end.code)
        self._record.finish(end)


def _close_for_error(error: ProductError) -> Close:
    """The close frame for an error that ends the socket."""
    if isinstance(error, UnavailableError):
        return build_close(CloseCode.TRY_AGAIN_LATER, error.message)
    if isinstance(error, InternalError):
        return build_close(CloseCode.INTERNAL, f"{error.message} errorId: {error.error_id}")
    word = error.reason if isinstance(error, UnauthenticatedError) else error.code
    return build_refusal_close(word, error.message)


def _build_operations_error(operations: int) -> LimitExceededError:
    of = "open operations on its socket"
    return LimitExceededError("socketOperations", SOCKET_OPERATIONS_MAX, operations, of)
