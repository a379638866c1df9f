"""The Prometheus metrics at /metrics: requests, and the use of the pool.

Clients choose operation names, so their number is bounded. The first `OPERATION_NAMES_MAX` names that signed-in
viewers use have series of their own. All others share one.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from asyncpg import Pool
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.document_reader import DocumentReader
from api.observability.access_log import RequestRecord
from api.observability.metrics_access import MetricsAccess
from api.observability.worker_metrics import WorkerMetrics
from core.limits import OPERATION_NAME_LOGGED_MAX, OPERATION_NAMES_MAX

UNNAMED: Final = "(unnamed)"
OTHER: Final = "(other)"
"""No GraphQL name has parentheses, so no operation can have this name."""

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class _OperationMetrics(NamedTuple):
    duration: Histogram
    statements: Counter
    rows: Counter


class Metrics:
    """The counters of one application."""

    def __init__(
        self, pools: Sequence[Pool], access: MetricsAccess, workers: WorkerMetrics | None = None
    ) -> None:
        """`workers` gives access to the metrics of the other worker processes, if there are any."""
        self.access = access
        self._workers = workers
        registry = self.registry = CollectorRegistry()
        self._names: set[str] = set()
        self._totals: dict[str, _OperationMetrics] = {}
        self._requests = Counter(
            "msp_requests",
            "GraphQL requests by outcome",
            ["operation", "outcome"],
            registry=registry,
        )
        self._duration = Histogram(
            "msp_request_duration_seconds",
            "Time from the headers of a request to its response",
            ["operation"],
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._statements = Counter(
            "msp_statements", "SQL statements of GraphQL requests", ["operation"], registry=registry
        )
        self._strategies = Counter(
            "msp_execution_strategies",
            "Executed requests by execution strategy: compiled, loaders, mixed",
            ["operation", "way"],
            registry=registry,
        )
        self._subscriptions = Counter(
            "msp_subscriptions",
            "Ended subscriptions by outcome",
            ["operation", "outcome"],
            registry=registry,
        )
        self._rows = Counter("msp_rows", "Rows returned by SQL statements", ["operation"], registry=registry)
        registry.register(_PoolMetrics(pools))
        ProcessCollector(registry=registry)

    def watch_documents(self, reader: DocumentReader) -> None:
        """Export the metrics of the document reader, too."""
        self.registry.register(_DocumentUse(reader))

    def observe(self, record: RequestRecord) -> None:
        """Count a finished request or subscription."""
        operation = self._choose_operation_label(record)
        if record.messages is not None:
            self._subscriptions.labels(operation, record.outcome.value).inc()
            return
        self._requests.labels(operation, record.outcome.value).inc()
        if record.strategy:
            self._strategies.labels(operation, record.strategy).inc()
        totals = self._totals.get(operation) or self._get_operation_metrics(operation)
        totals.duration.observe(record.duration_s)
        totals.statements.inc(record.statements)
        totals.rows.inc(record.rows)

    def _get_operation_metrics(self, operation: str) -> "_OperationMetrics":
        """The series of an operation, cached because looking them up takes longer than counting."""
        totals = self._totals[operation] = _OperationMetrics(
            self._duration.labels(operation), self._statements.labels(operation), self._rows.labels(operation)
        )
        return totals

    def _choose_operation_label(self, record: RequestRecord) -> str:
        name = record.operation
        if name is None:
            return UNNAMED
        name = name[:OPERATION_NAME_LOGGED_MAX]
        if name not in self._names:
            if record.viewer is None or len(self._names) >= OPERATION_NAMES_MAX:
                return OTHER
            self._names.add(name)
        return name

    def build_route(self) -> Route:
        """The route `/metrics`, in Prometheus' text format."""
        return Route("/metrics", self._serve_metrics, methods=["GET"])

    def render(self) -> str:
        """The metrics of this process."""
        return generate_latest(self.registry).decode()

    async def _serve_metrics(self, request: Request) -> Response:
        if refused := self.access.find_refusal(request):
            return refused
        headers = {"Content-Type": _CONTENT_TYPE, "Cache-Control": "no-store"}
        text = await self._workers.collect(self.render) if self._workers else self.render()
        return Response(text, headers=headers)


class _PoolMetrics(Collector):
    """The state of all pools together at a scrape."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[GaugeMetricFamily]:
        open_now = sum(pool.get_size() for pool in self._pools)
        idle = sum(pool.get_idle_size() for pool in self._pools)
        use = GaugeMetricFamily("msp_pool_connections", "Open connections to PostgreSQL", labels=["state"])
        use.add_metric(["idle"], idle)
        use.add_metric(["busy"], open_now - idle)
        yield use
        yield GaugeMetricFamily(
            "msp_pool_connections_max",
            "Maximum number of connections to PostgreSQL",
            value=sum(pool.get_max_size() for pool in self._pools),
        )


class _DocumentUse(Collector):
    """The cost of new documents."""

    def __init__(self, reader: DocumentReader) -> None:
        self._reader = reader

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        reader = self._reader
        yield GaugeMetricFamily(
            "msp_documents_waiting", "New documents waiting for validation", value=len(reader.turns)
        )
        for name, help_, counted in (
            ("msp_documents_validated", "Documents parsed and validated", reader.validated),
            (
                "msp_documents_cpu_seconds",
                "CPU time of parsing, validating and compiling documents",
                reader.cpu_s,
            ),
            (
                "msp_documents_refused",
                "Requests rejected because the budget of new documents was used up",
                reader.refused,
            ),
        ):
            family = CounterMetricFamily(name, help_, labels=["caller"])
            for caller in ("anonymous", "platform", "user"):
                family.add_metric([caller], counted[caller])
            yield family
