"""The phases of one HTTP connection: idle, head, body, response. Sweeps measure how long each has lasted."""

from api.connection_limits import Refusal
from api.http_connections import Connections, Progress


class ConnectionPhases:
    """The present phase of one connection.

    Attributes:
        requests: How many requests have begun.
    """

    __slots__ = ("_connections", "_drained", "_progress", "requests")

    def __init__(self, connections: Connections) -> None:
        """Takes the register of the server's connections, which has the limits."""
        self._connections = connections
        self._progress = Progress()
        self._drained = 0
        self.requests = 0

    def note_drained(self) -> None:
        """The client has read most of the backlog: the next response is another phase."""
        self._drained += 1

    def reset(self) -> None:
        """End the phase: nothing is expected from the client."""
        self._progress.reset()

    def is_idle_too_long(self, now: float) -> bool:
        """Whether no request has begun for too long. Time is shorter on a crowded server."""
        limits = self._connections.limits
        allowed_s = limits.keep_alive_s if self.requests else limits.head_s
        if self._connections.is_crowded:
            allowed_s = limits.sweep_s / 2  # at the second sweep that sees it
        return self._progress.measure_phase(("idle", self.requests), now) >= allowed_s

    def find_late_head(self, now: float) -> Refusal | None:
        """The reason to refuse a head that is not complete in time."""
        lasted_s = self._progress.measure_phase(("head", self.requests), now)
        return Refusal.HEAD_TIMEOUT if lasted_s >= self._connections.limits.head_s else None

    def find_late_body(self, now: float, received: int) -> Refusal | None:
        """The reason to refuse a body that does not arrive, or too slowly."""
        self._progress.measure_phase(("body", self.requests), now, received)
        is_slow = self._progress.is_slow(now, received, self._connections.limits)
        return Refusal.BODY_TIMEOUT if is_slow else None

    def measure_reader(self, now: float, unread: int) -> tuple[float, bool]:
        """For how many seconds the client has left `unread` bytes, and whether it reads too slowly."""
        phase = ("response", self.requests, self._drained)
        waits_s = self._progress.measure_phase(phase, now, -unread)
        return waits_s, self._progress.is_slow(now, -unread, self._connections.limits)
