"""Rates: so many at once, so many a minute, each caller for itself, and no memory of those who have paid."""

import random

from hypothesis import given
from hypothesis import strategies as st

from core.rates import Rates


class Now:
    """A clock that is set by hand."""

    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_so_many_at_once_then_so_many_a_minute() -> None:
    now = Now()
    rates = Rates(per_minute=6, at_once=3, clock=now)
    assert [rates.wait_s("a") for _ in range(4)] == [0, 0, 0, 10]
    assert rates.wait_s("b") == 0
    now.seconds += 9.5
    assert rates.wait_s("a") == 0.5
    now.seconds += 0.5
    assert [rates.wait_s("a") for _ in range(2)] == [0, 10]
    now.seconds += 3_600
    assert [rates.wait_s("a") for _ in range(4)] == [0, 0, 0, 10]


def test_who_waits_as_told_is_let_through() -> None:
    now = Now()
    rates = Rates(per_minute=7, at_once=2, clock=now)
    for _ in range(50):
        wait_s = rates.wait_s("a")
        if wait_s:
            now.seconds += wait_s + 1e-9
            assert rates.wait_s("a") == 0


@given(st.lists(st.floats(0, 40), max_size=60))
def test_never_more_than_allowed(pauses: list[float]) -> None:
    """In no stretch of time are there more than the rate and what may come at once, whoever is forgotten."""
    now = Now()
    rates = Rates(per_minute=6, at_once=3, clock=now)
    allowed: list[float] = []
    for number, pause in enumerate(pauses):
        now.seconds += pause
        rates.wait_s(f"other {number}")
        if rates.wait_s("a") == 0:
            allowed.append(now.seconds)
    for first in range(len(allowed)):
        for last in range(first, len(allowed)):
            assert last - first + 1 <= 3 + (allowed[last] - allowed[first]) / 10 + 1e-6


def test_those_who_have_paid_are_forgotten() -> None:
    now = Now()
    rates = Rates(per_minute=60, at_once=10, clock=now)
    dice = random.Random(1)  # noqa: S311 - the same each time
    for number in range(20_000):
        now.seconds += dice.random() / 50
        rates.wait_s(str(number))
    assert len(rates) < 3_000
