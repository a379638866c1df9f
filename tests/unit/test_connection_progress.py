"""Slow requests: the time that a phase may last, and the bytes that it must transfer."""

from api.connection_limits import ConnectionLimits
from api.http_connections import Progress

LIMITS = ConnectionLimits(request_s=100.0, stalled_s=10.0, bytes_a_second=50)


def is_slow_after(bytes_a_second: int, seconds: int) -> bool:
    """Whether a phase with so many bytes a second is slow in one of its sweeps."""
    progress = Progress()
    for now in range(seconds + 1):
        progress.measure_phase("body", now, now * bytes_a_second)
        if progress.is_slow(now, now * bytes_a_second, LIMITS):
            return True
    return False


def test_progress_below_least_rate_is_slow_after_one_window() -> None:
    assert not is_slow_after(49, 9)
    assert is_slow_after(49, 10)


def test_progress_at_least_rate_is_slow_only_after_the_whole_time() -> None:
    assert not is_slow_after(50, 99)
    assert is_slow_after(50, 100)


def test_progress_of_next_phase_begins_anew() -> None:
    progress = Progress()
    progress.measure_phase("head", 0.0)
    assert progress.measure_phase("head", 99.0) == 99.0
    assert progress.measure_phase("body", 100.0) == 0.0
    assert not progress.is_slow(109.0, 0, LIMITS)
    assert progress.is_slow(110.0, 0, LIMITS)
