"""All sockets of this server: their limits, their backlog, and their counts."""

from collections import Counter
from math import ceil
from typing import Final, Protocol

from api.caller import Caller
from api.websocket.send_queue import Backlog, SendQueue
from core.limits import SOCKETS_ANONYMOUS_MAX, SOCKETS_SILENT_SHARE, SOCKETS_UNSENT_BYTES_MAX
from core.settings import Settings
from subscriptions.protocol.messages import Close, CloseCode, build_close

_KNOWN_CODES: Final = frozenset({1000, 1001, 1002, 1005, 1007, 1008, 1009, *CloseCode})
"""Clients also close with codes of their own. Those are counted together, as `other`."""


class RegisteredSocket(Protocol):
    """The interface of a socket to this register."""

    send_queue: SendQueue

    def close(self, end: Close) -> None:
        """Close the socket with this close frame."""

    def abort(self, reason: str) -> None:
        """Cut the connection without a close frame."""


class SocketRegistry:
    """The register of open sockets; one for the life of the server.

    Attributes:
        backlog: Bytes that wait on all sockets together.
        messages: How many messages were sent since the start.
        closed: How many sockets ended with each close code.
    """

    def __init__(self, settings: Settings) -> None:
        self.backlog = Backlog()
        self.messages = 0
        self.closed: Counter[str] = Counter()
        self._max = ceil(settings.sockets_max / settings.workers)
        self._per_viewer = settings.sockets_per_viewer
        self._silent_max = ceil(self._max * SOCKETS_SILENT_SHARE)
        self._members: set[RegisteredSocket] = set()
        self._silent: dict[RegisteredSocket, None] = {}
        self._signed_in: Counter[str | None] = Counter()

    def __len__(self) -> int:
        return len(self._members)

    @property
    def anonymous_count(self) -> int:
        """How many acknowledged sockets are anonymous."""
        return self._signed_in[None]

    @property
    def is_full(self) -> bool:
        """Whether the maximum of open sockets is reached."""
        return len(self._members) >= self._max

    def add(self, member: RegisteredSocket) -> None:
        """Add an open socket. If too many have not sent `connection_init`, close the oldest of them."""
        self._members.add(member)
        self._silent[member] = None
        if len(self._silent) > self._silent_max:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            oldest.close(
                build_close(CloseCode.TRY_AGAIN_LATER, "Too many sockets are waiting for connection_init")
            )

    def mark_initialized(self, member: RegisteredSocket) -> None:
        """The socket's client has sent `connection_init`."""
        self._silent.pop(member, None)

    def remove(self, member: RegisteredSocket, code: int) -> None:
        """Remove a socket that has ended."""
        self._members.discard(member)
        self._silent.pop(member, None)
        self.closed[str(int(code)) if code in _KNOWN_CODES else "other"] += 1

    def sign_in(self, caller: Caller) -> Close | None:
        """Count a socket as this caller's until `sign_out`; refused, and not counted, if the caller has too many."""
        limit, allowed = (
            ("socketsPerViewer", self._per_viewer)
            if caller.identity
            else ("anonymousSockets", SOCKETS_ANONYMOUS_MAX)
        )
        if self._signed_in[_build_caller_key(caller)] >= allowed:
            return build_close(
                CloseCode.TRY_AGAIN_LATER, f"The limit {limit} allows {allowed} sockets at once"
            )
        self._signed_in[_build_caller_key(caller)] += 1
        return None

    def sign_out(self, caller: Caller) -> None:
        """Stop counting a socket as this caller's."""
        self._signed_in[_build_caller_key(caller)] -= 1
        if not self._signed_in[_build_caller_key(caller)]:
            del self._signed_in[_build_caller_key(caller)]

    def abort_slowest(self) -> None:
        """Cut the sockets with the largest backlog while all backlogs together are too large."""
        while self.backlog.bytes > SOCKETS_UNSENT_BYTES_MAX:
            fullest = max(self._members, key=lambda member: member.send_queue.unsent_bytes)
            fullest.send_queue.clear()
            fullest.abort("The server has reached its limit of unsent bytes")


def _build_caller_key(caller: Caller) -> str | None:
    """The common name of one caller's sockets; None for anonymous callers, who share one count."""
    return caller.name if caller.identity else None
