"""One worker process among several, as its supervisor describes it."""

from collections.abc import Callable
from dataclasses import dataclass

from api.observability.worker_metrics import WorkerMetrics


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process.

    Attributes:
        number: Its number, from 0.
        report_ready: Reports to the supervisor that the worker accepts requests.
        lifeline: A pipe that ends with the supervisor.
        metrics: Its metrics and those of the others.
    """

    number: int
    report_ready: Callable[[], None]
    lifeline: int
    metrics: WorkerMetrics
