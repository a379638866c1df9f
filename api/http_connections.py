"""All connections of one server: their unfinished bytes, their timeouts, and the refusals.

Connections report to this register only if a request is still incomplete after a read. One sweep over the open
connections checks their times, so an ordinary request starts no timer:

    sweep   0 s       1 s            2 s                 11 s
            |         |              |                   |
    client      head     body, half     nothing more
                      first seen     window begins ...   window over, no progress: 408 and close
"""

import asyncio
from collections import Counter
from typing import Final, Protocol

import structlog

from api.connection_limits import ConnectionLimits, Refusal
from api.shutdown import Shutdown

_log: Final = structlog.get_logger("connections")


class UnfinishedConnection(Protocol):
    """A connection with an unfinished request or message."""

    def refuse(self, refusal: Refusal) -> None:
        """End the connection, with a response if one can still be sent."""


class SweptConnection(UnfinishedConnection, Protocol):
    """A connection that sweeps check."""

    def sweep(self, now: float) -> None:
        """Refuse the connection if its client is too slow at `now`, in seconds of the event loop."""


class ReadingClient(Protocol):
    """A connection with a response that its client has not read yet."""

    def refuse_reader(self, refusal: Refusal) -> None:
        """End the connection without a response."""


class ByteBudget:
    """Counts bytes of unfinished requests and messages. Above the allowed number the oldest is refused.

    Attributes:
        bytes: Bytes of all connections together.
    """

    def __init__(self, allowed: int) -> None:
        """Allows this many bytes."""
        self.bytes = 0
        self._allowed = allowed
        self._used: dict[UnfinishedConnection, int] = {}

    def set(self, connection: UnfinishedConnection, size: int) -> None:
        """Set the unfinished bytes of one connection."""
        self.bytes += size - self._used.get(connection, 0)
        self._used[connection] = size
        while self.bytes > self._allowed:
            oldest = next(iter(self._used))
            self.release(oldest)
            oldest.refuse(Refusal.UNFINISHED_BYTES)

    def release(self, connection: UnfinishedConnection) -> int:
        """Remove a connection after its request is complete or refused; returns its bytes."""
        size = self._used.pop(connection, 0)
        self.bytes -= size
        return size


class Progress:
    """How long one phase of a connection has lasted, and whether bytes are transferred, as measured by sweeps."""

    __slots__ = ("_bytes", "_phase", "_since", "_window")

    def __init__(self) -> None:
        self._phase: object = None
        self._since = self._window = 0.0
        self._bytes = 0

    def measure_phase(self, phase: object, now: float, count: int = 0) -> float:
        """Seconds since a sweep first saw this phase. `count` is the number of bytes transferred so far."""
        if phase != self._phase:
            self._phase, self._since, self._window, self._bytes = phase, now, now, count
        return now - self._since

    def is_slow(self, now: float, count: int, limits: ConnectionLimits) -> bool:
        """Whether the phase lasts too long, or transferred too few bytes in a whole window.

        Call it after `measure_phase`.
        """
        if now - self._since >= limits.request_s:
            return True
        if now - self._window < limits.stalled_s:
            return False
        if count - self._bytes < limits.bytes_a_second * (now - self._window):
            return True
        self._window, self._bytes = now, count
        return False

    def reset(self) -> None:
        """End the phase: nothing is expected from the client."""
        self._phase = None


class Connections:
    """The register of one server's connections.

    Attributes:
        limits: The limits of the connections.
        http: Open HTTP connections.
        partial_sockets: WebSockets with an unfinished message.
        unfinished: Bytes of callers without a verified token.
        signed: Bytes of callers with one.
        unread_bytes: Bytes of HTTP responses that their clients had not read at the last sweep.
        refusals: How many connections were refused, by reason.
        shutdown: The state of the server's shutdown.
    """

    def __init__(self, limits: ConnectionLimits | None = None, shutdown: Shutdown | None = None) -> None:
        """Uses the limits of `core.limits` by default, and a shutdown without delay and grace."""
        self.limits = limits or ConnectionLimits()
        self.http: set[SweptConnection] = set()
        self.partial_sockets: set[SweptConnection] = set()
        self.unfinished = ByteBudget(self.limits.unfinished_bytes)
        self.signed = ByteBudget(self.limits.signed_bytes)
        self.unread_bytes = 0
        self.refusals: Counter[Refusal] = Counter()
        self.shutdown = shutdown or Shutdown()
        self._addresses: dict[Refusal, str] = {}
        self._logged: Counter[Refusal] = Counter()
        self._unread: list[tuple[float, int, ReadingClient]] = []

    @property
    def is_crowded(self) -> bool:
        """Whether idle connections must be closed to make room."""
        return len(self.http) * 2 > self.limits.connections

    def count(self, refusal: Refusal, address: str) -> None:
        """Count a refusal. Sweeps log the new ones of each reason together, with the last client's address."""
        self.refusals[refusal] += 1
        self._addresses[refusal] = address

    def note_unread(self, waits_s: float, size: int, client: ReadingClient) -> None:
        """Record in a sweep that a client has not read `size` bytes for this long."""
        self._unread.append((waits_s, size, client))

    async def sweep_forever(self) -> None:
        """Check all connections every `sweep_s` seconds, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limits.sweep_s)
            self.sweep(loop.time())

    def sweep(self, now: float) -> None:
        """Check all connections once. An error with one does not stop the others' checks."""
        self._unread = []
        for connection in [*self.http, *self.partial_sockets]:
            try:
                connection.sweep(now)
            except Exception:  # noqa: BLE001 - one connection must not end the sweep for all
                _log.exception("connection check failed")
        self._limit_unread()
        self._log_refusals()

    def _limit_unread(self) -> None:
        self.unread_bytes = sum(size for _, size, _ in self._unread)
        for _, size, client in sorted(self._unread, key=lambda waiting: -waiting[0]):
            if self.unread_bytes <= self.limits.unread_bytes:
                break
            self.unread_bytes -= size
            client.refuse_reader(Refusal.UNREAD_BYTES)
        self._unread = []

    def _log_refusals(self) -> None:
        for refusal, count in (self.refusals - self._logged).items():
            address = self._addresses[refusal]
            _log.warning("connections refused", reason=refusal.label, count=count, last_address=address)
        self._logged = self.refusals.copy()
