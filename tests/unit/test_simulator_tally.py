"""What the fleet simulator counts."""

from random import Random

import pytest

from simulator.tally import Latencies


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 1.0])
def test_a_percentile_is_at_most_two_percent_above_the_exact_one(share: float) -> None:
    dice, latencies = Random(7), Latencies()  # noqa: S311 - a sample
    times = sorted(dice.lognormvariate(-4, 1) for _ in range(10_000))
    for seconds in times:
        latencies.add(seconds)
    exact = times[max(0, round(share * len(times)) - 1)]
    assert exact <= latencies.at(share) <= exact * 1.02 + 1e-9


def test_nothing_counted_is_nothing() -> None:
    assert Latencies().at(0.99) == 0.0


def test_no_percentile_is_above_the_longest() -> None:
    latencies = Latencies()
    latencies.add(0.1)
    assert latencies.at(0.999) == latencies.largest_s == 0.1


def test_what_others_have_counted_counts() -> None:
    latencies, others = Latencies(), Latencies()
    latencies.add(0.1)
    others.add(0.3)
    latencies.add_all(others)
    assert latencies.at(0.5) == pytest.approx(0.1, rel=0.02)
    assert latencies.at(1.0) == latencies.largest_s == 0.3
