"""The parameters of a simulated fleet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """A fleet and its timing.

    Attributes:
        agents: The number of agents.
        interval_s: The time between two check-ins of one agent.
        jitter: The share of it by which each pause is shorter or longer, at most.
        duration_s: How long the fleet runs; None until it is ended.
        drop: The share of agents that is silent at any time; after each `away_s` it is other agents.
        away_s: How long an agent is then silent.
        connections: Connections at once at most. They are kept open, and shared by all agents, as behind a
            proxy.
    """

    agents: int
    interval_s: float
    jitter: float = 0.1
    duration_s: float | None = None
    drop: float = 0.0
    away_s: float = 300.0
    connections: int = 500

    @property
    def target_rate(self) -> float:
        """Intended check-ins per second."""
        return self.agents * (1 - self.drop) / self.interval_s
