"""Prometheus metrics of WebSockets: open ones, unread bytes, messages and close codes.

The route `/metrics` and the metrics of requests are in `api.observability.metrics`.
"""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from api.websocket.registry import SocketRegistry


class SocketMetrics(Collector):
    """The state of the sockets at a scrape."""

    def __init__(self, sockets: SocketRegistry) -> None:
        self._sockets = sockets

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Open sockets, unread bytes, messages, and closed sockets by code."""
        sockets = self._sockets
        yield GaugeMetricFamily("msp_sockets", "Open WebSockets", value=len(sockets))
        yield GaugeMetricFamily(
            "msp_sockets_anonymous", "Open WebSockets of anonymous callers", value=sockets.anonymous_count
        )
        yield GaugeMetricFamily(
            "msp_sockets_unsent_bytes",
            "Bytes of WebSocket messages waiting for slow clients",
            value=sockets.backlog.bytes,
        )
        yield CounterMetricFamily(
            "msp_socket_messages", "Messages sent on WebSockets", value=sockets.messages
        )
        closed = CounterMetricFamily("msp_sockets_closed", "Closed WebSockets by close code", labels=["code"])
        for code, number in sorted(sockets.closed.items()):
            closed.add_metric([code], number)
        yield closed
