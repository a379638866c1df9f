"""What Prometheus may read of the agents: their calls, and their check-ins on the way to the database."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from services.agents.fleet import Fleet


class FleetUse(Collector):
    """The fleet as it is when somebody looks."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Calls by what they asked and were answered, and check-ins: waiting, written, turned away."""
        calls = CounterMetricFamily("msp_agent_calls", "Calls of agents", labels=["call", "status"])
        for (call, status), number in sorted(self._fleet.calls.items()):
            calls.add_metric([call, str(status)], number)
        yield calls
        gathering = self._fleet.check_ins.gathering
        yield GaugeMetricFamily(
            "msp_check_ins_waiting", "Check-ins that wait for the database", value=len(gathering)
        )
        for name, about, value in (
            ("written", "Check-ins in statements that have ended", gathering.items),
            ("statements", "Statements of check-ins", gathering.batches),
            ("turned_away", "Check-ins that were not taken, as too many waited", gathering.refused),
        ):
            yield CounterMetricFamily(f"msp_check_ins_{name}", about, value=value)
