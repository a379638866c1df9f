"""Who sits at the open sockets: what their rights were read from is watched, and read anew when it changes.

A *watch* is of one user, or of the platform in one tenant, however many sockets it has open.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from core.clock import now_ms
from core.database import SharedSnapshot
from core.limits import LIVE_SIGN_INS, TOKEN_LEEWAY_S
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from services.sign_in import tenants_now, users_now
from subscriptions.changes.change import Change
from subscriptions.matching.matcher import Matcher
from subscriptions.matching.read_sets import Dependence
from subscriptions.sinks import Departure, Gone

REFUSED: Final = Gone(Departure.REFUSED, "The user, the role or the tenant is no longer active")
EXPIRED: Final = Gone(Departure.EXPIRED, "The token has expired")

_TIMER_MAX_S: Final = 86_400.0
"""A timer's longest time: what ends later is looked at again then."""

_READ: Final = {
    "users": frozenset({"id", "tenant_id", "role_id", "status", "deleted_at"}),
    "roles": frozenset({"id", "tenant_id", "rights", "deleted_at"}),
    "tenants": frozenset({"id", "status", "deleted_at"}),
}
"""What sign-in reads, by table (`app.sign_in`)."""


@dataclass(slots=True, eq=False)
class Seat:
    """One socket's viewer.

    Attributes:
        viewer: Who sits there; None once gone, and where nobody signed in.
        expires_at: When the token ends, in milliseconds since the epoch.
        gone: Told when the viewer is no longer one.
        changed: Told when the viewer is another than before, and whether that was read in the tick that goes on.
    """

    viewer: Viewer | None
    expires_at: int
    gone: Callable[[Gone], None]
    changed: Callable[[bool], None]
    watch: "Watch | None" = None
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Watch:
    """The rows that some seats' viewer was read from.

    Attributes:
        kind: The viewer's.
        subject: A user's; empty for the platform.
        tenant_id: The tenant that the platform has named.
        seats: Who sits there.
    """

    kind: ViewerKind
    subject: str
    tenant_id: str | None
    seats: dict[Seat, None] = field(default_factory=dict)


class Viewers:
    """All who sit at open sockets."""

    def __init__(self, matcher: "Matcher[object]") -> None:
        self._matcher = matcher
        self._watches: dict[tuple[ViewerKind, str, str | None], Watch] = {}
        self._touched: dict[Watch, None] = {}
        self._seats = 0

    def __len__(self) -> int:
        """How many seats are taken."""
        return self._seats

    def __iter__(self) -> "Iterator[Watch]":
        return iter(self._watches.values())

    @property
    def touched(self) -> bool:
        """Whether some are to be looked up again."""
        return bool(self._touched)

    def enter(self, identity: Identity, viewer: Viewer, seat: Seat, missed: list[Change] | None) -> None:
        """Take a seat.

        Args:
            identity: What the token proved.
            viewer: As it was read.
            seat: The seat.
            missed: What has happened since then; None where anything may have.
        """
        platform = identity.kind is ViewerKind.PLATFORM
        of = (identity.kind, "" if platform else identity.subject, viewer.tenant_id if platform else None)
        watch = self._watches.setdefault(of, Watch(*of))
        seat.watch = watch
        watch.seats[seat] = None
        self._seats += 1
        self._place(watch, viewer)
        self._set_timer(seat)
        if missed is None or (missed and self._touching(watch, viewer, missed)):
            self.touch(watch)

    def leave(self, seat: Seat) -> None:
        """Leave a seat; to say so twice does no harm."""
        watch, seat.watch, seat.viewer = seat.watch, None, None
        if seat.timer:
            seat.timer.cancel()
        if watch is None:
            return
        self._seats -= 1
        del watch.seats[seat]
        if not watch.seats:
            del self._watches[(watch.kind, watch.subject, watch.tenant_id)]
            self._touched.pop(watch, None)
            self._matcher.remove(watch)

    def prolong(self, seat: Seat, expires_at: int) -> None:
        """A fresh token has come, which ends at another time (in milliseconds since the epoch)."""
        seat.expires_at = expires_at
        if seat.viewer:
            self._change(seat, replace(seat.viewer, expires_at=expires_at), in_tick=False)
            self._set_timer(seat)

    def touch(self, watch: Watch) -> None:
        """What this viewer was read from may have changed."""
        self._touched[watch] = None

    def touch_all(self) -> None:
        """Anything may have changed."""
        self._touched.update(dict.fromkeys(self._watches.values()))

    async def look_again(self, snapshot: SharedSnapshot, clock_ms: int) -> int:
        """Look those up again who were touched, and act on what is found; returns how many they were.

        Raises:
            UnavailableError: The database is away; who was not looked up is touched still.
        """
        looked = 0
        await snapshot.act_for(None, platform=True, clock_ms=clock_ms)
        while self._touched:
            some = list(islice(self._touched, LIVE_SIGN_INS))
            for watch in some:
                del self._touched[watch]
            await self._look_at(snapshot, some)
            looked += len(some)
        return looked

    async def _look_at(self, snapshot: SharedSnapshot, watches: list[Watch]) -> None:
        """Look some up; whoever sits down meanwhile has read later than that, and is not concerned."""
        seated = {watch: list(watch.seats) for watch in watches}
        try:
            found = await _found(snapshot, watches)
        except BaseException:
            for watch in watches:
                if watch.seats:
                    self.touch(watch)
            raise
        for watch, viewer in found:
            for seat in seated[watch]:
                if seat.watch is watch:
                    self._heed(seat, viewer)
                    await asyncio.sleep(0)
            if viewer and watch.seats:
                self._place(watch, viewer)

    def _heed(self, seat: Seat, viewer: Viewer | None) -> None:
        if viewer is None:
            self._send_away(seat, REFUSED)
        else:
            self._change(seat, replace(viewer, expires_at=seat.expires_at), in_tick=True)

    def _change(self, seat: Seat, viewer: Viewer, *, in_tick: bool) -> None:
        if seat.viewer != viewer:
            seat.viewer = viewer
            seat.changed(in_tick)

    def _send_away(self, seat: Seat, gone: Gone) -> None:
        if seat.watch is not None:
            self.leave(seat)
            seat.gone(gone)

    def _place(self, watch: Watch, viewer: Viewer) -> None:
        self._matcher.place(watch, _dependences(viewer))

    def _touching(self, watch: Watch, viewer: Viewer, missed: Iterable[Change]) -> set[Watch]:
        matcher: Matcher[Watch] = Matcher()
        matcher.place(watch, _dependences(viewer))
        return matcher.touched(missed)

    def _set_timer(self, seat: Seat) -> None:
        if seat.timer:
            seat.timer.cancel()
        left = seat.expires_at / 1000 + TOKEN_LEEWAY_S - now_ms() / 1000
        if left <= 0:
            self._send_away(seat, EXPIRED)
        elif seat.watch is not None:
            loop = asyncio.get_running_loop()
            seat.timer = loop.call_later(min(left + 0.001, _TIMER_MAX_S), self._set_timer, seat)


async def _found(snapshot: SharedSnapshot, watches: list[Watch]) -> list[tuple[Watch, Viewer | None]]:
    """Who each of some viewers is now; None for one who is no longer let in."""
    users = [watch.subject for watch in watches if watch.kind is ViewerKind.USER]
    tenants = [watch.tenant_id for watch in watches if watch.tenant_id is not None]
    viewers = await users_now(snapshot, users) if users else {}
    entered = await tenants_now(snapshot, tenants) if tenants else set()
    return [(watch, _now(watch, viewers, entered)) for watch in watches]


def _now(watch: Watch, viewers: dict[str, Viewer], entered: set[str]) -> Viewer | None:
    if watch.kind is ViewerKind.USER:
        return viewers.get(watch.subject)
    if watch.tenant_id is not None and watch.tenant_id not in entered:
        return None
    return next((seat.viewer for seat in watch.seats), None)


def _dependences(viewer: Viewer) -> list[Dependence]:
    return list(_rows(viewer))


def _rows(viewer: Viewer) -> Iterator[Dependence]:
    for table, id_ in (("users", viewer.user_id), ("roles", viewer.role_id), ("tenants", viewer.tenant_id)):
        if id_ is not None:
            yield Dependence(table, None, {"id": frozenset({id_})}, _READ[table])
