"""What Prometheus may read of the live layer: what is open, what was run, and how long changes took to be told."""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from subscriptions.engine.figures import LAG_BUCKETS_S, Figures
from subscriptions.live import Live

_Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class LiveUse(Collector):
    """The live layer as it is when somebody looks."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def collect(self) -> Iterator[_Family]:
        """What is open, what was run, and how late it was told."""
        live = self._live
        yield GaugeMetricFamily(
            "msp_live_subscriptions", "Live queries that are subscribed to", value=live.groups.subscriptions
        )
        yield GaugeMetricFamily(
            "msp_live_groups", "Live queries that are open, the same one counted once", value=len(live.groups)
        )
        yield GaugeMetricFamily("msp_live_streams", "Streams that are told", value=len(live.streams))
        yield GaugeMetricFamily("msp_live_viewers", "Sockets of signed-in viewers", value=len(live.viewers))
        yield from _counters(live.figures)
        yield _lag(live.figures)


def _counters(figures: Figures) -> Iterator[CounterMetricFamily]:
    runs = CounterMetricFamily("msp_live_runs", "Runs of live queries", labels=["way"])
    for way in ("batch", "alone", "loaders"):
        runs.add_metric([way], figures.runs[way])
    yield runs
    for name, about, value in (
        ("ticks", "Looks into the change log", figures.ticks),
        ("moments", "Ticks that took a snapshot", figures.moments),
        ("statements", "SQL statements of runs", figures.statements),
        ("messages", "Answers handed to sockets", figures.messages),
        ("unchanged", "Runs that found the answer which had been told", figures.unchanged),
        ("late", "Runs that took so long that they left their tick", figures.late),
        ("failures", "Live queries that failed", figures.failures),
        ("sign_ins", "Viewers that were looked up again because of a change", figures.sign_ins),
        ("outages", "Ticks that found the database away", figures.outages),
    ):
        yield CounterMetricFamily(f"msp_live_{name}", about, value=value)


def _lag(figures: Figures) -> HistogramMetricFamily:
    bounds = (*map(str, LAG_BUCKETS_S), "+Inf")
    return HistogramMetricFamily(
        "msp_live_lag_seconds",
        "From a change, when its statement ran, to the messages that tell it",
        buckets=list(zip(bounds, accumulate(figures.lags), strict=True)),
        sum_value=figures.lag_s,
    )
