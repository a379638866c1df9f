"""What a simulated fleet is asked to do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """A fleet and its rhythm.

    Attributes:
        agents: How many agents.
        interval_s: Between two beats of one agent.
        jitter: By what share of it each pause is shorter or longer, at most.
        duration_s: For how long it beats; None until somebody ends it.
        drop: The share of agents that is silent at any time, other ones after each `away_s`.
        away_s: For how long an agent is silent then.
        connections: At once at most; they are kept open, and shared by all agents, as behind a proxy.
    """

    agents: int
    interval_s: float
    jitter: float = 0.1
    duration_s: float | None = None
    drop: float = 0.0
    away_s: float = 300.0
    connections: int = 500

    @property
    def asked_rate(self) -> float:
        """Check-ins a second."""
        return self.agents * (1 - self.drop) / self.interval_s
