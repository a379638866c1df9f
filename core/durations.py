"""Counts of durations in buckets, as cheap as a counter, for Prometheus' histograms."""

from bisect import bisect_left
from collections.abc import Sequence


class Durations:
    """Durations in seconds, counted by buckets.

    Attributes:
        bounds: The upper bounds of the buckets; a last bucket holds what is longer.
        counts: The number of durations in each bucket.
        sum_s: The sum of all durations.
    """

    __slots__ = ("bounds", "counts", "sum_s")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum_s = 0.0

    def record(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds
