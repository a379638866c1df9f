"""Rate limits of calls: a burst after a quiet time, and a number per minute in the long run."""

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Final

from core.token_bucket import TokenBuckets

_MINUTE_S: Final = 60.0


class RateLimiter(TokenBuckets):
    """Allows each caller a burst of calls after a quiet time, and `per_minute` in the long run.

    The rate bounds the callers in memory: a bucket is full again soon, and is evicted then.
    """

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        """`clock` returns seconds."""
        super().__init__(_MINUTE_S / per_minute, burst, inf, clock)
