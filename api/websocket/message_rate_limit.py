"""The rate limit of a client's messages: a burst after a pause, then a steady rate."""

from typing import Final

from core.limits import SOCKET_CPU_SHARE, SOCKET_MESSAGES_A_SECOND, SOCKET_MESSAGES_BURST
from core.token_bucket import TokenBucket

_TOKEN_S: Final = 1 / SOCKET_MESSAGES_A_SECOND


class MessageRateLimit(TokenBucket):
    """The rate limit of one client. Its messages are delayed, and never refused."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_TOKEN_S, SOCKET_MESSAGES_BURST)

    def charge_cpu_time(self, cpu_s: float, now: float) -> None:
        """Count the CPU time of the last message as if there had been more messages."""
        self.charge(cpu_s / (SOCKET_CPU_SHARE * _TOKEN_S), now)

    def acquire(self, now: float) -> float:
        """Seconds to wait before the next message is read. The last one was read at `now` seconds."""
        return self.charge(1, now)
