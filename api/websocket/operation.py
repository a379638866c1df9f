"""One operation on a socket: a query or mutation with one result, or a subscription with any number of them.

Every kind of operation goes through `api.graphql_service`, as over HTTP: the same limits, snapshot, log and metrics.
"""

import asyncio
from typing import Any, Final, Protocol

import orjson
from graphql import OperationType

from api.caller import Caller
from api.graphql_service import GraphQLService
from api.observability.access_log import RequestRecord
from api.websocket.send_queue import MessageParts
from api.websocket.services import LiveSession
from core.errors import RateLimitedError
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.documents.validation import RefusedOperationError
from resolvers.graphql_errors import render_errors, render_refusal
from resolvers.request import GraphQLRequest
from subscriptions.protocol.messages import NEXT_MESSAGE_END, build_complete, build_error, build_next_prefix
from subscriptions.subscriber import Payload

_TOO_SLOW_ERROR: Final = (
    "The client reads more slowly than events arrive: subscribe again with the cursor of the last message as "
    "`since`"
)


class OperationSocket(Protocol):
    """The interface of a socket to its operations."""

    caller: Caller

    @property
    def session(self) -> LiveSession:
        """The session of the socket's viewer."""

    def send(self, operation: str, message: MessageParts) -> None:
        """Send a message of an operation, after the queued ones."""

    def send_state(self, operation: str, message: MessageParts) -> None:
        """Send an operation's newest state; it replaces a queued one."""

    def send_event(self, operation: str, message: MessageParts) -> bool:
        """Send a stream's next message; false if the queue is too long already."""

    def remove_operation(self, operation: "SocketOperation") -> None:
        """Remove a finished operation."""


class SocketOperation:
    """The operation that a client started under one id; the `Subscriber` of a subscription."""

    __slots__ = ("_is_over", "_next_prefix", "_socket", "_task", "id", "record")

    def __init__(self, socket: OperationSocket, id_: str, record: RequestRecord) -> None:
        self.id = id_
        self.record = record
        self._socket = socket
        self._next_prefix = build_next_prefix(id_)
        self._task: asyncio.Task[None] | Any = None
        self._is_over = False

    @property
    def is_executing(self) -> bool:
        """Whether it is a query or mutation whose result is not there yet."""
        return self._task is not None and self.record.messages is None

    async def start(self, request: GraphQLRequest, service: GraphQLService) -> None:
        """Run the operation, or send the reason for refusing it. Waits while a new document is validated."""
        try:
            operation = await service.validate(request, self._socket.caller, self.record)
            if not self._is_over:
                self._start(operation, service)
        except RefusedOperationError as refusal:
            self._finish_with(render_errors(refusal.errors))
        except Exception as error:  # noqa: BLE001 - any error: the client gets an id, the log the traceback
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """End the operation with the client's version of this error."""
        self._finish_with(render_refusal(self.record.report_error(error)))

    def send_state(self, payload: Payload) -> None:
        """Send the present result."""
        if self._is_over:
            return
        self._count_message()
        self._socket.send_state(self.id, (self._next_prefix, payload.data, NEXT_MESSAGE_END))

    def send_event(self, payload: Payload) -> None:
        """Send an event. The stream ends if the client has left too much unread."""
        if self._is_over:
            return
        if self._socket.send_event(self.id, (self._next_prefix, payload.data, NEXT_MESSAGE_END)):
            self._count_message()
        else:
            self.fail(RateLimitedError(_TOO_SLOW_ERROR))

    def send_error(self, errors: list[dict[str, Any]]) -> None:
        """The operation has failed, and ends."""
        self._finish_with({"errors": errors})

    def send_complete(self) -> None:
        """The operation is complete."""
        self._finish({}, build_complete(self.id))

    def cancel(self) -> None:
        """The client ends the operation."""
        self._finish({} if self.record.messages is not None else None)

    def abandon(self) -> None:
        """The socket has ended."""
        self._finish(None)

    def _start(self, operation: ExecutableOperation, service: GraphQLService) -> None:
        if operation.type is OperationType.SUBSCRIPTION:
            self._subscribe(operation)
        else:
            self._task = asyncio.get_running_loop().create_task(self._execute(operation, service))

    def _subscribe(self, operation: ExecutableOperation) -> None:
        self.record.messages = 0
        session = self._socket.session
        self.record.viewer = session.viewer
        subscription = session.subscribe(operation, self)
        if self._is_over:
            subscription.cancel()
        else:
            self._task = subscription

    async def _execute(self, operation: ExecutableOperation, service: GraphQLService) -> None:
        try:
            response = await service.execute(operation, self._socket.caller, self.record)
        except Exception as error:  # noqa: BLE001 - as in `start`
            response = render_refusal(self.record.report_error(error))
        self._task = None
        if "data" not in response:
            self._finish_with(response)
            return
        self._socket.send(self.id, (self._next_prefix, orjson.dumps(response), NEXT_MESSAGE_END))
        self._finish(response, build_complete(self.id))

    def _count_message(self) -> None:
        self.record.messages = (self.record.messages or 0) + 1

    def _finish_with(self, response: dict[str, Any]) -> None:
        if self.record.messages:  # there was data before
            response = {"data": {}, **response}
        self._finish(response, build_error(self.id, response["errors"]))

    def _finish(self, response: dict[str, Any] | None, last: bytes | None = None) -> None:
        """End the operation, once; `response` is for the record, `last` for the client."""
        if self._is_over:
            return
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if last is not None:
            self._socket.send(self.id, (last,))
        self.record.finish(response, None)
        self._socket.remove_operation(self)
