"""How fast a client may speak: a burst after a silence, a steady rate in the long run. Pure: it is told the time."""

from core.limits import SOCKET_MESSAGES_A_SECOND, SOCKET_MESSAGES_AT_ONCE

_EACH_S = 1 / SOCKET_MESSAGES_A_SECOND
_BURST_S = SOCKET_MESSAGES_AT_ONCE * _EACH_S


class Pace:
    """One client's pace; it is made to wait, and nothing is refused."""

    __slots__ = ("_paid_until",)

    def __init__(self) -> None:
        self._paid_until = 0.0

    def wait(self, now: float) -> float:
        """How many seconds to wait before the next message is heard, after one that was heard at `now` seconds."""
        self._paid_until = max(self._paid_until, now - _BURST_S) + _EACH_S
        return max(0.0, self._paid_until - now)
