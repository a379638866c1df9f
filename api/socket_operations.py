"""One operation on a socket: a query or mutation with its one result, or a subscription with as many as there are.

Whatever its kind, it goes through `api.operations` as over HTTP does: the same limits, snapshot, log and metrics.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson
from graphql import OperationType

from api.operations import Operations
from api.request_record import RequestRecord
from core.errors import RateLimitedError
from resolvers.documents import Document
from resolvers.execution import Request, refusal
from subscriptions.sinks import Payload
from subscriptions.socket.messages import TAIL, complete_message, error_message, next_head

if TYPE_CHECKING:
    from api.socket import Socket

_BEHIND: Final = (
    "The client reads more slowly than events come: subscribe again, `since` the cursor of the last message"
)


class SocketOperation:
    """What a client has subscribed to under one id; it is the `Sink` of a subscription."""

    __slots__ = ("_head", "_is_over", "_socket", "_work", "id", "record")

    def __init__(self, socket: "Socket", id_: str, record: RequestRecord) -> None:
        self.id = id_
        self.record = record
        self._socket = socket
        self._head = next_head(id_)
        self._work: asyncio.Task[None] | Any = None
        self._is_over = False

    def begin(self, request: Request, operations: Operations) -> None:
        """Run it, or tell the client why not."""
        try:
            self._begin(request, operations)
        except Exception as error:  # noqa: BLE001 - whatever it is: the client gets an id, the log the story
            self.refuse(error)

    def refuse(self, error: Exception) -> None:
        """End it with what the client is told of this error."""
        self._end_with(refusal(self.record.told(error)))

    def state(self, payload: Payload) -> None:
        """The answer now."""
        if self._is_over:
            return
        self._count()
        self._socket.tell_state(self.id, (self._head, payload.data, TAIL))

    def event(self, payload: Payload) -> None:
        """What happened; the stream ends where the client has left too much unread."""
        if self._is_over:
            return
        if self._socket.tell_event(self.id, (self._head, payload.data, TAIL)):
            self._count()
        else:
            self.refuse(RateLimitedError(_BEHIND))

    def error(self, errors: list[dict[str, Any]]) -> None:
        """It has failed, and is over."""
        self._end_with({"errors": errors})

    def complete(self) -> None:
        """It is over."""
        self._end({}, complete_message(self.id))

    def stop(self) -> None:
        """The client wants no more of it."""
        self._end({} if self.record.messages is not None else None)

    def abandon(self) -> None:
        """The socket has ended."""
        self._end(None)

    def _begin(self, request: Request, operations: Operations) -> None:
        caller = self._socket.caller
        document, operation = operations.look_up(request, caller, self.record)
        refused = operations.refused(request, caller, document, operation)
        if refused or operation is None:
            self._end_with(refused or {})
        elif operation.operation is OperationType.SUBSCRIPTION:
            self._subscribe(document, request)
        else:
            work = self._run(document, request, operations)
            self._work = asyncio.get_running_loop().create_task(work)

    def _subscribe(self, document: Document, request: Request) -> None:
        self.record.messages = 0
        session = self._socket.session
        self.record.viewer = session.viewer
        subscription = session.subscribe(document, request, self)
        if self._is_over:
            subscription.cancel()
        else:
            self._work = subscription

    async def _run(self, document: Document, request: Request, operations: Operations) -> None:
        try:
            response = await operations.run(document, request, self._socket.caller, self.record)
        except Exception as error:  # noqa: BLE001 - as in `begin`
            response = refusal(self.record.told(error))
        self._work = None
        if "data" not in response:
            self._end_with(response)
            return
        self._socket.tell(self.id, (self._head, orjson.dumps(response), TAIL))
        self._end(response, complete_message(self.id))

    def _count(self) -> None:
        self.record.messages = (self.record.messages or 0) + 1

    def _end_with(self, response: dict[str, Any]) -> None:
        if self.record.messages:  # it had data before
            response = {"data": {}, **response}
        self._end(response, error_message(self.id, response["errors"]))

    def _end(self, response: dict[str, Any] | None, last: bytes | None = None) -> None:
        """Be over, once; `response` is for the record, `last` for the client."""
        if self._is_over:
            return
        self._is_over = True
        if self._work is not None:
            self._work.cancel()
            self._work = None
        if last is not None:
            self._socket.tell(self.id, (last,))
        self.record.end(response, None)
        self._socket.ended(self)
