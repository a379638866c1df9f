"""All sockets of this server: how many there may be, what waits on them, and what they have done."""

from collections import Counter
from typing import Final, Protocol

from api.operations import Caller
from core.limits import SOCKETS_ANONYMOUS_MAX, SOCKETS_WAITING_BYTES_MAX
from core.settings import Settings
from core.viewer import ViewerKind
from subscriptions.socket.messages import Close, CloseCode, close
from subscriptions.socket.outbox import Backlog, Outbox

_KNOWN_CODES: Final = frozenset({1000, 1001, 1002, 1005, 1007, 1009, *CloseCode})
"""Clients close with codes of their own choice, too; those are counted together, as `other`."""


class Member(Protocol):
    """What is to be known of a socket here."""

    outbox: Outbox

    def cut(self, reason: str) -> None:
        """End it without a word to the client."""


class Sockets:
    """The register of open sockets; one for the life of the server.

    Attributes:
        backlog: What waits on all of them.
        messages: How many messages were sent, since the start.
        closed: How many ended with each close code.
    """

    def __init__(self, settings: Settings) -> None:
        self.backlog = Backlog()
        self.messages = 0
        self.closed: Counter[str] = Counter()
        self._max = settings.sockets_max
        self._per_viewer = settings.sockets_per_viewer
        self._open: set[Member] = set()
        self._signed_in: Counter[str | None] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    @property
    def anonymous(self) -> int:
        """How many of them nobody has signed in to, though they were acknowledged."""
        return self._signed_in[None]

    @property
    def is_full(self) -> bool:
        """Whether there may be no more of them."""
        return len(self._open) >= self._max

    def enter(self, member: Member) -> None:
        """It is open from now on."""
        self._open.add(member)

    def leave(self, member: Member, code: int) -> None:
        """It has ended."""
        self._open.discard(member)
        self.closed[str(int(code)) if code in _KNOWN_CODES else "other"] += 1

    def sign_in(self, caller: Caller) -> Close | None:
        """Count a socket as this caller's until `sign_out`; refused, and not counted, where it has too many."""
        limit, allowed = (
            ("socketsPerViewer", self._per_viewer)
            if caller.identity
            else ("anonymousSockets", SOCKETS_ANONYMOUS_MAX)
        )
        if self._signed_in[_name(caller)] >= allowed:
            return close(CloseCode.TRY_AGAIN_LATER, f"The limit {limit} allows {allowed} sockets at once")
        self._signed_in[_name(caller)] += 1
        return None

    def sign_out(self, caller: Caller) -> None:
        """It is this caller's no more."""
        self._signed_in[_name(caller)] -= 1
        if not self._signed_in[_name(caller)]:
            del self._signed_in[_name(caller)]

    def relieve(self) -> None:
        """Cut off those on which most waits, while too much waits on all together."""
        while self.backlog.bytes > SOCKETS_WAITING_BYTES_MAX:
            fullest = max(self._open, key=lambda member: member.outbox.bytes)
            fullest.outbox.clear()
            fullest.cut("The server had no more room for what the client had not read")


def _name(caller: Caller) -> str | None:
    """What the sockets of one caller have in common; None for anonymous ones, who have all in common."""
    if caller.identity is None:
        return None
    kind = caller.identity.kind
    return f"{kind}:{caller.tenant if kind is ViewerKind.PLATFORM else caller.identity.subject}"
