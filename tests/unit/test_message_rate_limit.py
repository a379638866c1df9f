"""The rate limit of a client's messages."""

from api.websocket.message_rate_limit import MessageRateLimit
from core.limits import SOCKET_MESSAGES_A_SECOND, SOCKET_MESSAGES_BURST


def test_message_rate_limit_after_burst_allows_the_rate() -> None:
    rate_limit, now = MessageRateLimit(), 1_000.0
    assert [rate_limit.acquire(now) for _ in range(SOCKET_MESSAGES_BURST)] == [0.0] * SOCKET_MESSAGES_BURST
    received = 0
    while now < 1_010:
        now += rate_limit.acquire(now)
        received += 1
    assert abs(received - 10 * SOCKET_MESSAGES_A_SECOND) <= 1


def test_message_rate_limit_after_idle_time_allows_only_a_burst() -> None:
    rate_limit = MessageRateLimit()
    rate_limit.acquire(0.0)
    waits = [rate_limit.acquire(1_000.0) for _ in range(SOCKET_MESSAGES_BURST + 1)]
    assert sum(wait > 0 for wait in waits) == 1


def test_message_rate_limit_after_slow_messages_is_slower() -> None:
    rate_limit, now = MessageRateLimit(), 1_000.0
    waits = []
    for _ in range(10):
        rate_limit.charge_cpu_time(0.1, now)
        waits.append(rate_limit.acquire(now))
    assert sum(wait > 0 for wait in waits) == 6  # 0.1 s counts as 2 s of the 10 s that messages have at once
    assert waits[-1] > 8
