"""Prometheus metrics of the live layer: open subscriptions, runs, and the delay from a change to its message."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from subscriptions.engine.stats import LAG_BUCKETS_S, EngineStats
from subscriptions.live_layer import LiveLayer

_Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class LiveMetrics(Collector):
    """The state of the live layer at a scrape."""

    def __init__(self, live: LiveLayer) -> None:
        self._live = live

    def collect(self) -> Iterator[_Family]:
        """Open subscriptions, runs, and delays."""
        live = self._live
        yield GaugeMetricFamily(
            "msp_live_subscriptions", "Subscriptions of live queries", value=live.registry.subscriptions
        )
        yield GaugeMetricFamily(
            "msp_live_shared_queries",
            "Distinct live queries, each shared by its subscribers",
            value=len(live.registry),
        )
        yield GaugeMetricFamily("msp_live_streams", "Open event streams", value=len(live.streams))
        yield GaugeMetricFamily(
            "msp_live_viewers", "WebSockets of signed-in viewers", value=len(live.viewers)
        )
        yield from _iter_counter_families(live.stats)
        yield _build_lag_family(live.stats)


def _iter_counter_families(stats: EngineStats) -> Iterator[CounterMetricFamily]:
    runs = CounterMetricFamily("msp_live_runs", "Executions of live queries", labels=["way"])
    for strategy in ("batch", "alone", "loaders"):
        runs.add_metric([strategy], stats.runs[strategy])
    yield runs
    for name, about, value in (
        ("polls", "Polls of the change log", stats.cycles),
        ("snapshots", "Refresh cycles that took a snapshot", stats.snapshots),
        ("statements", "SQL statements of live queries", stats.statements),
        ("messages", "Messages passed to WebSockets", stats.messages),
        ("unchanged", "Executions with an unchanged result", stats.unchanged),
        ("late", "Executions that were too slow for their refresh cycle", stats.detached_runs),
        ("failures", "Failed live queries", stats.failures),
        ("sign_ins", "Viewers loaded again because of a change", stats.sign_ins),
        ("outages", "Refresh cycles that failed because the database was unavailable", stats.outages),
    ):
        yield CounterMetricFamily(f"msp_live_{name}", about, value=value)


def _build_lag_family(stats: EngineStats) -> HistogramMetricFamily:
    bounds = (*map(str, LAG_BUCKETS_S), "+Inf")
    return HistogramMetricFamily(
        "msp_live_lag_seconds",
        "Time from the statement of a change to the messages about it",
        buckets=list(zip(bounds, accumulate(stats.lags), strict=True)),
        sum_value=stats.lag_s,
    )
