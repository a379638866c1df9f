"""graphql-transport-ws as a state machine: what a client may say when. Pure: it neither sends nor knows the time."""

from enum import Enum, auto

from subscriptions.socket.messages import (
    Close,
    CloseCode,
    Init,
    Message,
    Ping,
    Pong,
    Stop,
    Subscribe,
    close,
    read,
)


class Phase(Enum):
    """How far a connection has come."""

    NEW = auto()
    """Nothing was said that matters; pings may have been."""
    INITIALISING = auto()
    """`connection_init` was heard and is being looked into."""
    READY = auto()
    """It was acknowledged."""
    CLOSED = auto()
    """Whatever comes now is not heard."""


class Connection:
    """One connection's side of the server; the ids of its open operations are those that may not be used anew."""

    __slots__ = ("_open", "phase")

    def __init__(self) -> None:
        self.phase = Phase.NEW
        self._open: set[str] = set()

    def hear(self, frame: str | bytes) -> Message | Close | None:
        """What is to be done about a frame: a message to act on, the end of the socket, or nothing.

        A `Subscribe` opens its id; `end` closes it again. A `Stop` has closed its id already.
        """
        if self.phase is Phase.CLOSED:
            return None
        heard = self._in_turn(read(frame))
        if isinstance(heard, Close):
            self.phase = Phase.CLOSED
        return heard

    def acknowledge(self) -> None:
        """The client may subscribe from now on."""
        if self.phase is Phase.INITIALISING:
            self.phase = Phase.READY

    def overdue(self) -> Close | None:
        """The end of a socket whose time for `connection_init` is over, where none has come."""
        if self.phase is not Phase.NEW:
            return None
        self.phase = Phase.CLOSED
        return close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")

    def close(self) -> None:
        """Hear nothing any more."""
        self.phase = Phase.CLOSED

    def end(self, id_: str) -> None:
        """The operation has ended: its id is free."""
        self._open.discard(id_)

    @property
    def operations(self) -> int:
        """How many operations are open."""
        return len(self._open)

    def _in_turn(self, message: Message | Close) -> Message | Close | None:
        match message:
            case Init():
                return self._init(message)
            case Subscribe():
                return self._subscribe(message)
            case Stop(id_):
                self.end(id_)
                return message
            case Pong():
                return None
            case Ping() | Close():
                return message

    def _init(self, message: Init) -> Init | Close:
        if self.phase is not Phase.NEW:
            return close(CloseCode.TOO_MANY_INITS, "Too many initialisation requests")
        self.phase = Phase.INITIALISING
        return message

    def _subscribe(self, message: Subscribe) -> Subscribe | Close:
        if self.phase is not Phase.READY:
            return close(CloseCode.UNAUTHORIZED, "Unauthorized")
        if message.id in self._open:
            return close(CloseCode.SUBSCRIBER_EXISTS, f"Subscriber for {message.id} already exists")
        self._open.add(message.id)
        return message
