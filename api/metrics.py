"""What Prometheus may read at /metrics: requests, and the use of the pool.

Operation names are the clients' own, so their number is bounded: the first `OPERATION_NAMES_MAX` that a
signed-in viewer uses have series of their own; all others share one.
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

from api.request_record import RequestRecord
from api.sockets import Sockets
from core.limits import OPERATION_NAME_LOGGED_MAX, OPERATION_NAMES_MAX

UNNAMED: Final = "(unnamed)"
OTHER: Final = "(other)"
"""No GraphQL name has parentheses, so that no operation can be taken for these."""

_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class _Totals(NamedTuple):
    duration: Histogram
    statements: Counter
    rows: Counter


class Metrics:
    """The counters of one application."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        registry = self.registry = CollectorRegistry()
        self._names: set[str] = set()
        self._totals: dict[str, _Totals] = {}
        self._requests = Counter(
            "msp_requests",
            "GraphQL requests by their end",
            ["operation", "outcome"],
            registry=registry,
        )
        self._duration = Histogram(
            "msp_request_duration_seconds",
            "From a request's head to its answer",
            ["operation"],
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._statements = Counter(
            "msp_statements", "SQL statements of requests", ["operation"], registry=registry
        )
        self._ways = Counter(
            "msp_ways",
            "Requests that ran, by their way: compiled, loaders, mixed",
            ["operation", "way"],
            registry=registry,
        )
        self._subscriptions = Counter(
            "msp_subscriptions",
            "Subscriptions by their end",
            ["operation", "outcome"],
            registry=registry,
        )
        self._rows = Counter("msp_rows", "Rows that they returned", ["operation"], registry=registry)
        registry.register(_PoolUse(pools))
        ProcessCollector(registry=registry)

    def watch(self, sockets: Sockets) -> None:
        """Show these, too."""
        self.registry.register(_SocketUse(sockets))

    def observe(self, record: RequestRecord) -> None:
        """Count a request or a subscription that has ended."""
        operation = self._label(record)
        if record.messages is not None:
            self._subscriptions.labels(operation, record.outcome.value).inc()
            return
        self._requests.labels(operation, record.outcome.value).inc()
        if record.way:
            self._ways.labels(operation, record.way).inc()
        totals = self._totals.get(operation) or self._find_totals(operation)
        totals.duration.observe(record.duration_s)
        totals.statements.inc(record.statements)
        totals.rows.inc(record.rows)

    def _find_totals(self, operation: str) -> "_Totals":
        """The series of an operation, found once: looking them up takes longer than counting."""
        totals = self._totals[operation] = _Totals(
            self._duration.labels(operation), self._statements.labels(operation), self._rows.labels(operation)
        )
        return totals

    def _label(self, record: RequestRecord) -> str:
        name = record.operation
        if name is None:
            return UNNAMED
        name = name[:OPERATION_NAME_LOGGED_MAX]
        if name not in self._names:
            if record.viewer is None or len(self._names) >= OPERATION_NAMES_MAX:
                return OTHER
            self._names.add(name)
        return name

    def route(self) -> Route:
        """`/metrics`, in Prometheus' text format."""
        return Route("/metrics", self._show, methods=["GET"])

    async def _show(self, _request: Request) -> Response:
        headers = {"Content-Type": _CONTENT_TYPE, "Cache-Control": "no-store"}
        return Response(generate_latest(self.registry), headers=headers)


class _PoolUse(Collector):
    """The pools as they are when somebody looks, taken together."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools

    def collect(self) -> Iterator[GaugeMetricFamily]:
        open_now = sum(pool.get_size() for pool in self._pools)
        idle = sum(pool.get_idle_size() for pool in self._pools)
        use = GaugeMetricFamily("msp_pool_connections", "Connections to PostgreSQL", labels=["state"])
        use.add_metric(["idle"], idle)
        use.add_metric(["busy"], open_now - idle)
        yield use
        yield GaugeMetricFamily(
            "msp_pool_connections_max",
            "Connections at most",
            value=sum(pool.get_max_size() for pool in self._pools),
        )


class _SocketUse(Collector):
    """The sockets as they are when somebody looks."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        sockets = self._sockets
        yield GaugeMetricFamily("msp_sockets", "WebSockets that are open", value=len(sockets))
        yield GaugeMetricFamily(
            "msp_sockets_anonymous", "Those of anonymous callers", value=sockets.anonymous
        )
        yield GaugeMetricFamily(
            "msp_sockets_waiting_bytes", "What waits for their clients to read", value=sockets.backlog.bytes
        )
        yield CounterMetricFamily(
            "msp_socket_messages", "Messages sent on WebSockets", value=sockets.messages
        )
        closed = CounterMetricFamily("msp_sockets_closed", "WebSockets that have ended", labels=["code"])
        for code, number in sorted(sockets.closed.items()):
            closed.add_metric([code], number)
        yield closed
