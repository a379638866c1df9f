"""The rate limit of a client's messages: a burst after a pause, then a steady rate. The caller passes in the time."""

from core.limits import SOCKET_CPU_SHARE, SOCKET_MESSAGES_A_SECOND, SOCKET_MESSAGES_BURST

_INTERVAL_S = 1 / SOCKET_MESSAGES_A_SECOND
_BURST_S = SOCKET_MESSAGES_BURST * _INTERVAL_S


class MessageRateLimit:
    """The rate limit of one client. Its messages are delayed, and never refused."""

    __slots__ = ("_paid_until", "_unpaid_s")

    def __init__(self) -> None:
        self._paid_until = 0.0
        self._unpaid_s = 0.0

    def spend(self, cpu_s: float) -> None:
        """Count the CPU time of the last message as if there had been more messages."""
        self._unpaid_s += cpu_s / SOCKET_CPU_SHARE

    def acquire(self, now: float) -> float:
        """Seconds to wait before the next message is read. The last one was read at `now` seconds."""
        self._paid_until = max(self._paid_until, now - _BURST_S) + _INTERVAL_S + self._unpaid_s
        self._unpaid_s = 0.0
        return max(0.0, self._paid_until - now)
