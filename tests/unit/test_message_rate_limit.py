"""The rate limit of a client's messages."""

from api.websocket.message_rate_limit import MessageRateLimit
from core.limits import SOCKET_MESSAGES_A_SECOND, SOCKET_MESSAGES_BURST


def test_message_rate_limit_after_burst_allows_the_rate() -> None:
    pace, now = MessageRateLimit(), 1_000.0
    assert [pace.acquire(now) for _ in range(SOCKET_MESSAGES_BURST)] == [0.0] * SOCKET_MESSAGES_BURST
    heard = 0
    while now < 1_010:
        now += pace.acquire(now)
        heard += 1
    assert abs(heard - 10 * SOCKET_MESSAGES_A_SECOND) <= 1


def test_message_rate_limit_after_idle_time_allows_only_a_burst() -> None:
    pace = MessageRateLimit()
    pace.acquire(0.0)
    waits = [pace.acquire(1_000.0) for _ in range(SOCKET_MESSAGES_BURST + 1)]
    assert sum(wait > 0 for wait in waits) == 1


def test_message_rate_limit_after_slow_messages_is_slower() -> None:
    pace, now = MessageRateLimit(), 1_000.0
    waits = []
    for _ in range(10):
        pace.spend(0.1)
        waits.append(pace.acquire(now))
    assert sum(wait > 0 for wait in waits) == 6  # 0.1 s counts as 2 s of the 10 s that messages have at once
    assert waits[-1] > 8
