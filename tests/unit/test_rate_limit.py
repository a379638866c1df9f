"""Rate limits: a burst, a rate a minute, one limit for each caller, and no memory of callers at rest."""

import random

from hypothesis import given
from hypothesis import strategies as st

from core.rate_limit import RateLimiter
from tests.manual_clock import ManualClock


def test_rate_limiter_after_burst_allows_the_rate() -> None:
    clock = ManualClock(1_000.0)
    rates = RateLimiter(per_minute=6, burst=3, clock=clock)
    assert [rates.acquire("a") for _ in range(4)] == [0, 0, 0, 10]
    assert rates.acquire("b") == 0
    clock.now += 9.5
    assert rates.acquire("a") == 0.5
    clock.now += 0.5
    assert [rates.acquire("a") for _ in range(2)] == [0, 10]
    clock.now += 3_600
    assert [rates.acquire("a") for _ in range(4)] == [0, 0, 0, 10]


def test_rate_limiter_after_the_given_wait_allows_the_call() -> None:
    clock = ManualClock(1_000.0)
    rates = RateLimiter(per_minute=7, burst=2, clock=clock)
    for _ in range(50):
        wait_s = rates.acquire("a")
        if wait_s:
            clock.now += wait_s + 1e-9
            assert rates.acquire("a") == 0


@given(st.lists(st.floats(0, 40), max_size=60))
def test_rate_limiter_in_any_interval_allows_no_more_than_rate_and_burst(pauses: list[float]) -> None:
    """In no interval are there more calls than the rate and the burst allow, whoever is evicted."""
    clock = ManualClock(1_000.0)
    rates = RateLimiter(per_minute=6, burst=3, clock=clock)
    allowed: list[float] = []
    for number, pause in enumerate(pauses):
        clock.now += pause
        rates.acquire(f"other {number}")
        if rates.acquire("a") == 0:
            allowed.append(clock.now)
    for first in range(len(allowed)):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= 3 + (allowed[last] - allowed[first]) / 10 + 1e-6


def test_rate_limiter_forgets_callers_without_debt() -> None:
    clock = ManualClock(1_000.0)
    rates = RateLimiter(per_minute=60, burst=10, clock=clock)
    dice = random.Random(1)  # noqa: S311 - the same each time
    for number in range(20_000):
        clock.now += dice.random() / 50
        rates.acquire(str(number))
    assert len(rates) < 3_000
