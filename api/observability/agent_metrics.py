"""Prometheus metrics of the agents: their calls, and the backlog of their check-ins."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from api.observability.process_metrics import build_histogram_family
from services.agents.agent_service import AgentService


class AgentMetrics(Collector):
    """The state of the fleet at a scrape."""

    def __init__(self, fleet: AgentService) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily]:
        """Calls by endpoint and status, and check-ins: waiting, written, refused."""
        calls = CounterMetricFamily(
            "msp_agent_calls", "Requests of agents, by path and status", labels=["call", "status"]
        )
        for (call, status), number in sorted(self._fleet.calls.items()):
            calls.add_metric([call, str(status)], number)
        yield calls
        gathering = self._fleet.check_in_writer.batcher
        yield GaugeMetricFamily(
            "msp_check_ins_waiting", "Check-ins waiting for the database", value=len(gathering)
        )
        for name, about, value in (
            ("written", "Check-ins in completed statements", gathering.items),
            ("statements", "SQL statements that wrote check-ins", gathering.batches),
            ("turned_away", "Check-ins rejected because the backlog was full", gathering.refused),
        ):
            yield CounterMetricFamily(f"msp_check_ins_{name}", about, value=value)
        yield build_histogram_family(
            "msp_check_in_duration_seconds", "From a check-in to its commit", gathering.durations
        )
