"""What the fleet simulator counts."""

from random import Random

import pytest

from simulator.fleet.statistics import Latencies


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 1.0])
def test_latencies_percentile_is_at_most_two_percent_too_high(share: float) -> None:
    dice, latencies = Random(7), Latencies()  # noqa: S311 - a sample
    times = sorted(dice.lognormvariate(-4, 1) for _ in range(10_000))
    for seconds in times:
        latencies.add(seconds)
    exact = times[max(0, round(share * len(times)) - 1)]
    assert exact <= latencies.compute_percentile(share) <= exact * 1.02 + 1e-9


def test_latencies_percentile_without_values_is_zero() -> None:
    assert Latencies().compute_percentile(0.99) == 0.0


def test_latencies_percentile_is_not_above_the_largest() -> None:
    latencies = Latencies()
    latencies.add(0.1)
    assert latencies.compute_percentile(0.999) == latencies.largest_s == 0.1


def test_latencies_add_all_includes_the_values_of_others() -> None:
    latencies, others = Latencies(), Latencies()
    latencies.add(0.1)
    others.add(0.3)
    latencies.add_all(others)
    assert latencies.compute_percentile(0.5) == pytest.approx(0.1, rel=0.02)
    assert latencies.compute_percentile(1.0) == latencies.largest_s == 0.3
