"""Prometheus metrics of the process: its build, the event loop's lag, waits for connections, keys, and retention."""

import asyncio
import platform
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from asyncpg import Pool
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from core.auth.tokens import TokenVerifier
from core.database.measured_pool import MeasuredPool
from core.durations import Durations
from core.limits import LOOP_LAG_INTERVAL_S
from core.version import VERSION
from services.retention.status import RetentionStatus

_Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily

_LAG_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """How late the event loop runs what is due."""

    def __init__(self) -> None:
        self.durations = Durations(_LAG_BOUNDS_S)

    async def watch(self) -> None:
        """Measure at intervals, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOP_LAG_INTERVAL_S
            await asyncio.sleep(LOOP_LAG_INTERVAL_S)
            self.durations.record(max(0.0, loop.time() - due))


class ProcessMetrics(Collector):
    """The state of the process at a scrape."""

    def __init__(
        self, pools: Sequence[Pool], verifier: TokenVerifier, lag: LoopLag, status: RetentionStatus
    ) -> None:
        self._pools = pools
        self._verifier = verifier
        self._lag = lag
        self._status = status

    def collect(self) -> Iterator[_Family]:
        """The build, the lag, waits for connections, fetches of keys, and retention."""
        build = GaugeMetricFamily("msp_build_info", "Always 1", labels=["version", "python"])
        build.add_metric([VERSION, platform.python_version()], 1)
        yield build
        yield build_histogram_family(
            "msp_event_loop_lag_seconds", "How late the event loop runs what is due", self._lag.durations
        )
        yield from self._iter_pool_families()
        yield from self._iter_key_families()
        yield from self._iter_retention_families()

    def _iter_pool_families(self) -> Iterator[_Family]:
        pools = [pool for pool in self._pools if isinstance(pool, MeasuredPool)]
        for name, about, value in (
            ("waits", "Callers that waited for a connection", sum(pool.waits for pool in pools)),
            ("wait_seconds", "How long they waited together", sum(pool.wait_s for pool in pools)),
            ("timeouts", "Callers that got no connection in time", sum(pool.timeouts for pool in pools)),
        ):
            yield CounterMetricFamily(f"msp_pool_{name}", about, value=value)

    def _iter_key_families(self) -> Iterator[_Family]:
        fetches = CounterMetricFamily(
            "msp_key_fetches", "Fetches of the identity provider's keys", labels=["outcome"]
        )
        for outcome, count in self._verifier.key_fetches.items():
            fetches.add_metric([outcome], count)
        yield fetches

    def _iter_retention_families(self) -> Iterator[_Family]:
        status = self._status
        if status.change_log_bytes is not None:
            yield GaugeMetricFamily(
                "msp_change_log_bytes", "Bytes of the change log on disk", value=status.change_log_bytes
            )
        if status.clean_up_finished_at is not None:
            yield GaugeMetricFamily(
                "msp_last_clean_up_timestamp_seconds",
                "When the last daily clean-up ended",
                value=status.clean_up_finished_at / 1000,
            )


def build_histogram_family(name: str, about: str, durations: Durations) -> HistogramMetricFamily:
    """The histogram of these durations."""
    bounds = (*map(str, durations.bounds), "+Inf")
    buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
    return HistogramMetricFamily(name, about, buckets=buckets, sum_value=durations.sum_s)
