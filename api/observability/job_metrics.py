"""Prometheus metrics of background jobs: the queue of the database, and the attempts of this server."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from services.jobs.runner import JobRunner
from services.jobs.status import QueueStatus

_Family = GaugeMetricFamily | CounterMetricFamily


class JobMetrics(Collector):
    """The state of the jobs at a scrape."""

    def __init__(self, runner: JobRunner, queue: QueueStatus) -> None:
        self._runner = runner
        self._queue = queue

    def collect(self) -> Iterator[_Family]:
        """The queue, and the attempts by action and outcome with their durations."""
        for name, about, value in (
            ("pending", "Background jobs that wait, in the whole database", self._queue.pending),
            ("running", "Background jobs that run, in the whole database", self._queue.running),
        ):
            if value is not None:
                yield GaugeMetricFamily(f"msp_jobs_{name}", about, value=value)
        yield GaugeMetricFamily(
            "msp_jobs_overdue_seconds",
            "For how long the oldest waiting job has been due",
            value=self._queue.overdue_s,
        )
        yield GaugeMetricFamily(
            "msp_jobs_running_here", "Background jobs that this server runs", value=self._runner.running
        )
        yield from self._collect_attempts()

    def _collect_attempts(self) -> Iterator[CounterMetricFamily]:
        attempts = CounterMetricFamily(
            "msp_job_attempts", "Ended attempts of jobs, by action and outcome", labels=["action", "outcome"]
        )
        for (action, outcome), count in sorted(self._runner.outcomes.items()):
            attempts.add_metric([action, outcome.value], count)
        yield attempts
        seconds = CounterMetricFamily(
            "msp_job_attempt_seconds", "Seconds of ended attempts of jobs, by action", labels=["action"]
        )
        for action, total in sorted(self._runner.seconds.items()):
            seconds.add_metric([action], total)
        yield seconds
