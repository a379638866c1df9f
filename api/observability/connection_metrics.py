"""Prometheus metrics of connections: open ones, unfinished and unread bytes, refusals."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.connection_limits import Refusal
from api.http_connections import Connections


class ConnectionUse(Collector):
    """The state of the connections at a scrape."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Open HTTP connections, bytes that are unfinished or unread, and refusals by reason."""
        connections = self._connections
        yield GaugeMetricFamily("msp_http_connections", "Open HTTP connections", value=len(connections.http))
        unfinished = GaugeMetricFamily(
            "msp_unfinished_bytes",
            "Bytes of incomplete requests and WebSocket messages",
            labels=["caller"],
        )
        unfinished.add_metric(["anonymous"], connections.unfinished.bytes)
        unfinished.add_metric(["signed_in"], connections.signed.bytes)
        yield unfinished
        yield GaugeMetricFamily(
            "msp_http_unread_bytes",
            "Bytes of HTTP responses waiting for slow clients",
            value=connections.unread_bytes,
        )
        refusals = CounterMetricFamily(
            "msp_connections_refused", "Connections closed because of a limit", labels=["reason"]
        )
        for refusal in Refusal:
            refusals.add_metric([refusal.label], connections.refusals[refusal])
        yield refusals
