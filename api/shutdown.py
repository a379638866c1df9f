"""How one server stops: not ready for a while, then no new connections, then a grace for what is in flight.

    signal      delay over            grace over
      |  /readyz 503  |  listener closed    |  cut: 503
      |  all served   |  requests finish    |
      |               |  sockets 1001       |
      |  running jobs reach a checkpoint    |  canceled: run again elsewhere

Both times are upper limits. SIGINT or a second signal skips them.
"""

import asyncio
import math
from time import monotonic
from typing import Final

from core.errors import UnavailableError

DRAINING_REASON: Final = "the server is shutting down"


class Shutdown:
    """The state of one server's shutdown, which its parts share.

    Attributes:
        delay_s: Seconds after the signal during which the server only reports that it is not ready.
        grace_s: Seconds for requests in flight after that.
        is_requested: A signal has come.
        is_urgent: SIGINT or a second signal has come.
        is_cutting: Requests that still run are being cancelled.
    """

    def __init__(self, delay_s: float = 0, grace_s: float = 0) -> None:
        self.delay_s = delay_s
        self.grace_s = grace_s
        self._requested_at = self._grace_ends_at = math.inf
        self.is_requested = self.is_urgent = self.is_cutting = False

    def request(self, *, urgent: bool) -> None:
        """Record a signal. The second one is urgent, whatever it is."""
        self.is_urgent = self.is_urgent or urgent or self.is_requested
        if not self.is_requested:
            self._requested_at = monotonic()
        self.is_requested = True

    def begin_grace(self) -> None:
        """Record that the delay is over."""
        self._grace_ends_at = monotonic() + self.grace_s

    def find_job_deadline(self, grace_s: float) -> float:
        """When running jobs are canceled, on the monotonic clock.

        They have `grace_s` from the signal, within the grace of the server. Without a signal the server has failed,
        and they have none.
        """
        if self.is_urgent or not self.is_requested:
            return -math.inf
        return min(self._requested_at + grace_s, self._grace_ends_at)

    def take_cancellation(self, error: asyncio.CancelledError) -> UnavailableError:
        """The error for the caller of a request that was cancelled because the server ends.

        Raises:
            CancelledError: It was cancelled for another reason.
        """
        task = asyncio.current_task()
        if not self.is_cutting or task is None:
            raise error
        task.uncancel()
        return UnavailableError("The server is shutting down")
