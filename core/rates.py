"""How often somebody may call: so many at once after a silence, and so many a minute in the long run."""

from collections.abc import Callable
from time import monotonic
from typing import Final

_MINUTE_S: Final = 60.0


class Rates:
    """Allows each caller `at_once` calls after a silence and `per_minute` in the long run.

    It remembers one number of each: when their calls will be paid off (the generic cell rate algorithm). Who has paid
    is forgotten: there are two generations, and the older one goes when all in it have.
    """

    def __init__(self, per_minute: int, at_once: int, clock: Callable[[], float] = monotonic) -> None:
        """`clock` gives seconds."""
        self._each_s = _MINUTE_S / per_minute
        self._credit_s = self._each_s * at_once
        self._clock = clock
        self._recent: dict[str, float] = {}
        self._older: dict[str, float] = {}
        self._since = clock()

    def wait_s(self, caller: str) -> float:
        """Count a call; 0 if it is allowed, else after how many seconds one will be, and nothing is counted."""
        now = self._clock()
        if now - self._since > self._credit_s:
            self._older, self._recent, self._since = self._recent, {}, now
        paid_at = self._recent.get(caller) or self._older.get(caller, now)
        paid_at = max(paid_at, now) + self._each_s
        if paid_at - now > self._credit_s:
            return paid_at - now - self._credit_s
        self._recent[caller] = paid_at
        return 0.0

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)
