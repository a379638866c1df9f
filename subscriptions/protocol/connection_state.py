"""graphql-transport-ws as a state machine: which message a client may send when. It does no I/O and has no clock.

The states of a connection. A client may subscribe in READY only:

    NEW -- connection_init --> INITIALISING -- `acknowledge` --> READY
     |                              |                              |
     +------------------------------+------------------------------+--> CLOSED, by `build_close` or a frame that
     |                                                                  breaks the protocol
     +--> CLOSED, by `overdue`: no connection_init in time
"""

from enum import Enum, auto

from subscriptions.protocol.messages import (
    Close,
    CloseCode,
    CompleteMessage,
    ConnectionInit,
    Message,
    Ping,
    Pong,
    RefusedSubscribe,
    Subscribe,
    build_close,
    parse_message,
)


class ConnectionPhase(Enum):
    """The state of a connection."""

    NEW = auto()
    """No message but pings has come."""
    INITIALIZING = auto()
    """`connection_init` has come and is being checked."""
    READY = auto()
    """`connection_init` was acknowledged."""
    CLOSED = auto()
    """Further frames are ignored."""


class ProtocolState:
    """The server's side of one connection. The ids of its open operations may not be used again meanwhile."""

    __slots__ = ("_open", "phase")

    def __init__(self) -> None:
        self.phase = ConnectionPhase.NEW
        self._open: set[str] = set()

    def receive(self, frame: str | bytes) -> Message | Close | None:
        """Handle a frame. Returns a message to act on, the end of the socket, or None if there is nothing to do.

        A `Subscribe`, refused or not, opens its id, and `complete_operation` frees it. A `CompleteMessage` has freed
        its id already.
        """
        if self.phase is ConnectionPhase.CLOSED:
            return None
        message = self._check_phase(parse_message(frame))
        if isinstance(message, Close):
            self.phase = ConnectionPhase.CLOSED
        return message

    def acknowledge(self) -> None:
        """Allow the client to subscribe from now on."""
        if self.phase is ConnectionPhase.INITIALIZING:
            self.phase = ConnectionPhase.READY

    def check_init_timeout(self) -> Close | None:
        """Close the connection if no `connection_init` has come in time. Else None."""
        if self.phase is not ConnectionPhase.NEW:
            return None
        self.phase = ConnectionPhase.CLOSED
        return build_close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")

    def close(self) -> None:
        """Ignore all further frames."""
        self.phase = ConnectionPhase.CLOSED

    def complete_operation(self, id_: str) -> None:
        """Free the id of an operation that has ended."""
        self._open.discard(id_)

    @property
    def operations(self) -> int:
        """The number of open operations."""
        return len(self._open)

    def _check_phase(self, message: Message | Close) -> Message | Close | None:
        match message:
            case ConnectionInit():
                return self._receive_init(message)
            case Subscribe() | RefusedSubscribe():
                return self._receive_subscribe(message)
            case CompleteMessage(id_):
                self.complete_operation(id_)
                return message
            case Pong():
                return None
            case Ping() | Close():
                return message

    def _receive_init(self, message: ConnectionInit) -> ConnectionInit | Close:
        if self.phase is not ConnectionPhase.NEW:
            return build_close(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")
        self.phase = ConnectionPhase.INITIALIZING
        return message

    def _receive_subscribe(
        self, message: Subscribe | RefusedSubscribe
    ) -> Subscribe | RefusedSubscribe | Close:
        if self.phase is not ConnectionPhase.READY:
            return build_close(CloseCode.UNAUTHORIZED, "Unauthorized")
        if message.id in self._open:
            return build_close(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {message.id} already exists")
        self._open.add(message.id)
        return message
