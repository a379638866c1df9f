"""Budgets of CPU time: a burst after a quiet time, and a share of the time in the long run."""

from collections.abc import Callable
from time import monotonic

from core.limits import CPU_BUDGET_CALLERS
from core.token_bucket import TokenBuckets


class CpuBudgets(TokenBuckets):
    """A bucket of CPU seconds for each caller.

    A caller may start work while the bucket is not empty (`wait_s`), and is charged afterwards (`charge`). So the
    last piece of work may leave a debt.
    """

    def __init__(self, share: float, burst_s: float, clock: Callable[[], float] = monotonic) -> None:
        """Refills by `share` CPU seconds per second, up to `burst_s`; `clock` returns seconds."""
        super().__init__(1 / share, burst_s, CPU_BUDGET_CALLERS, clock)
