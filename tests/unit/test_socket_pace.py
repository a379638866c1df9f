"""How fast a client may speak."""

from core.limits import SOCKET_MESSAGES_A_SECOND, SOCKET_MESSAGES_AT_ONCE
from subscriptions.socket.pace import Pace


def test_a_burst_is_heard_at_once_and_then_a_steady_rate() -> None:
    pace, now = Pace(), 1_000.0
    assert [pace.wait(now) for _ in range(SOCKET_MESSAGES_AT_ONCE)] == [0.0] * SOCKET_MESSAGES_AT_ONCE
    heard = 0
    while now < 1_010:
        now += pace.wait(now)
        heard += 1
    assert abs(heard - 10 * SOCKET_MESSAGES_A_SECOND) <= 1


def test_a_silence_earns_no_more_than_a_burst() -> None:
    pace = Pace()
    pace.wait(0.0)
    waits = [pace.wait(1_000.0) for _ in range(SOCKET_MESSAGES_AT_ONCE + 1)]
    assert sum(wait > 0 for wait in waits) == 1
