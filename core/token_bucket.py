"""Token buckets: each caller has a burst after a quiet time, and a rate in the long run."""

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from time import monotonic


class TokenBucket:
    """The bucket of one caller, who may take more tokens than there are and then waits. The caller gives the time.

    One number is kept: the time when the bucket will be full again (the generic cell rate algorithm).
    """

    __slots__ = ("_burst_s", "_full_at", "_token_s")

    def __init__(self, token_s: float, burst: float) -> None:
        """One token is added every `token_s`, up to `burst` tokens."""
        self._token_s = token_s
        self._burst_s = token_s * burst
        self._full_at = 0.0

    def charge(self, tokens: float, now: float) -> float:
        """Take tokens at `now` seconds, and return the seconds until the debt is paid; 0 without debt."""
        self._full_at = max(self._full_at, now) + tokens * self._token_s
        return max(0.0, self._full_at - now - self._burst_s)


class TokenBuckets:
    """A bucket of tokens for each caller. A full bucket has `burst` tokens, and one token is added every `token_s`.

    For each caller one number is kept, as in a `TokenBucket`.
    A new caller evicts the two longest unused buckets if they are full. Beyond `callers_max` callers the longest
    unused one is evicted in any case, and its caller starts again with a full bucket.
    """

    def __init__(
        self, token_s: float, burst: float, callers_max: float, clock: Callable[[], float] = monotonic
    ) -> None:
        """`clock` returns seconds."""
        self._token_s = token_s
        self._burst_s = token_s * burst
        self._callers_max = callers_max
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def acquire(self, caller: str) -> float:
        """Take a token and return 0 if the caller has one.

        Else take nothing, and return the seconds until there is one.
        """
        now = self._clock()
        full_at = self._full_at.get(caller, now)
        full_at = (full_at if full_at > now else now) + self._token_s  # twice as fast as `max`
        wait_s = full_at - now - self._burst_s
        if wait_s > 0:
            return wait_s
        self._put(caller, full_at, now)
        return 0.0

    def wait_s(self, caller: str) -> float:
        """Seconds until the caller has no debt; 0 if it has none now."""
        full_at = self._full_at.get(caller)
        return 0.0 if full_at is None else max(0.0, full_at - self._clock() - self._burst_s)

    def charge(self, caller: str, tokens: float) -> None:
        """Take tokens even if the caller has fewer, which leaves a debt."""
        now = self._clock()
        self._put(caller, max(self._full_at.get(caller, now), now) + tokens * self._token_s, now)

    def _put(self, caller: str, full_at: float, now: float) -> None:
        buckets = self._full_at
        if caller in buckets:
            buckets[caller] = full_at
            buckets.move_to_end(caller)
        else:
            self._evict(now)
            buckets[caller] = full_at

    def _evict(self, now: float) -> None:
        """Make room for a new caller. Two at most, so that no call takes long and the buckets still become fewer."""
        buckets = self._full_at
        for caller in tuple(islice(buckets, 2)):
            if buckets[caller] <= now or len(buckets) >= self._callers_max:
                del buckets[caller]

    def __len__(self) -> int:
        return len(self._full_at)
