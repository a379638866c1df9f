"""Who asks how far a socket has come, and is told once everything on it is true of a moment that is taken after that.

So whoever has written something, and then asks, knows from the answer that all live queries and streams of the socket
have told what that has changed, if it has changed anything there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.limits import SOCKET_WAITS_MAX
from subscriptions.changes.moment import Moment
from subscriptions.engine.group import Subscription
from subscriptions.engine.groups import Groups
from subscriptions.streams.stream import Listener

Place = Subscription | Listener


@dataclass(slots=True, eq=False)
class Wait:
    """Somebody who waits.

    Attributes:
        places: What was open when they asked.
        reached: Told the moment, once.
        asked: The tick in which they asked.
        moment: That of the first tick after it; None before.
        tick: The number of that tick.
    """

    places: Sequence[Place]
    reached: Callable[[Moment], None]
    asked: int
    moment: Moment | None = None
    tick: int = 0


class CatchingUp:
    """All who wait; ticks tell it of each moment, and of whatever has been told."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._waiting: dict[Wait, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, places: Sequence[Place], reached: Callable[[Moment], None]) -> Wait:
        """Have `reached` told the moment of the next tick, when all that it has for these places was told."""
        wait = Wait(places, reached, self._groups.tick)
        self._waiting[wait] = None
        return wait

    def forget(self, wait: Wait) -> None:
        """Tell them nothing; to say so twice does no harm."""
        self._waiting.pop(wait, None)

    def arrive(self, moment: Moment) -> None:
        """The tick that runs has matched, and handed to streams, everything up to a moment."""
        for wait in self._waiting:
            if wait.moment is None and wait.asked < self._groups.tick:
                wait.moment, wait.tick = moment, self._groups.tick

    def look(self) -> None:
        """Tell those who have waited long enough; to be called when something was told."""
        for wait in list(self._waiting):
            moment = wait.moment
            if moment and all(self._has_told(place, wait.tick, moment) for place in wait.places):
                self.forget(wait)
                wait.reached(moment)

    def _has_told(self, place: Place, tick: int, moment: Moment) -> bool:
        if isinstance(place, Listener):
            return place.stream is None or place.stream.has_told(moment)
        return place.group is None or self._groups.told_at(place) >= tick


class Waits:
    """Those of one socket."""

    __slots__ = ("_all", "_mine")

    def __init__(self, everybodys: CatchingUp) -> None:
        self._all = everybodys
        self._mine: dict[Wait, None] = {}

    def add(self, places: Sequence[Place], reached: Callable[[Moment], None]) -> bool:
        """Wait; false where this socket has too many of them."""
        if len(self._mine) >= SOCKET_WAITS_MAX:
            return False

        def done(moment: Moment) -> None:
            del self._mine[wait]
            reached(moment)

        wait = self._all.wait(places, done)
        self._mine[wait] = None
        return True

    def clear(self) -> None:
        """Wait no more."""
        for wait in self._mine:
            self._all.forget(wait)
        self._mine.clear()
