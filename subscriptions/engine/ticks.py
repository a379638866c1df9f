"""The tick: what has changed since the last moment, whom that touches, their runs at a new moment, the messages.

Mostly nothing has changed, or nothing that anybody depends on: a tick is one statement then, and only the moment goes
on. Else a transaction takes a snapshot and reads the log once more, up to exactly what it sees; and everything is run
in it, or in others that share its moment. All that one tick tells is told in one go: it is true together.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from core.clock import now_ms
from core.database import Database, SharedSnapshot
from core.errors import UnavailableError
from core.limits import LIVE_PATIENCE_S
from core.outages import outages_told
from subscriptions.changes.change import Change, Delta
from subscriptions.changes.feed import Feed
from subscriptions.changes.log import ChangeLog
from subscriptions.changes.moment import Moment
from subscriptions.engine.catching_up import CatchingUp
from subscriptions.engine.figures import Figures
from subscriptions.engine.group import Group
from subscriptions.engine.groups import Groups
from subscriptions.engine.history import History
from subscriptions.engine.lanes import Lanes
from subscriptions.engine.pulse import Pulse
from subscriptions.engine.timing import Timing
from subscriptions.engine.viewers import Viewers, Watch
from subscriptions.engine.work import Work
from subscriptions.matching.matcher import Matcher

_log: Final = structlog.get_logger(__name__)


class Ticks:
    """One server's ticks, one after another.

    Attributes:
        moment: What has been matched and, but for runs that left their tick, told.
    """

    def __init__(
        self,
        database: Database,
        log: ChangeLog,
        moment: Moment,
        *,
        matcher: "Matcher[object]",
        groups: Groups,
        viewers: Viewers,
        history: History,
        feed: Feed,
        pulse: Pulse,
        figures: Figures,
        catching_up: CatchingUp,
        offline_after_ms: int,
    ) -> None:
        self.moment = moment
        self._database = database
        self._log = log
        self._matcher = matcher
        self._groups = groups
        self._viewers = viewers
        self._history = history
        self._feed = feed
        self._pulse = pulse
        self._figures = figures
        self._catching_up = catching_up
        self._timing = Timing(offline_after_ms)
        self._lanes = Lanes(database, groups, self._timing, figures, self._tell, pulse.ring)
        self._since: int | None = None
        self._unpublished: list[Delta] = []

    async def run(self) -> None:
        """Tick until cancelled; whatever goes wrong, the next tick begins where the last good one ended."""
        try:
            while True:
                await self._step()
        finally:
            await self._lanes.close()

    async def _step(self) -> None:
        try:
            busy = await self.tick()
        except UnavailableError:
            self._figures.outages += 1
            await self._pulse.recover()
        except Exception:  # noqa: BLE001 - in the log; nothing is lost by it, and no subscription ends
            _log.exception("a tick failed")
            await self._pulse.recover()
        else:
            await self._pulse.rest(busy=busy, empty=self._empty, until=self._timing.due_s)

    @property
    def _empty(self) -> bool:
        """Whether nobody is there, and nobody is coming."""
        return not (self._viewers or self._groups or self._history)

    async def tick(self) -> bool:
        """One tick; returns whether it found anything.

        Raises:
            UnavailableError: The database is away.
        """
        tick = self._groups.begin()
        self._figures.ticks += 1
        if not self._timing.follow(
            needed=self._groups.clocked
        ):  # a clock that is to be opened has a say in it
            changed = await self._look()
            if self._calm():
                self._publish()
                self._arrive(tick)
                self._greet(self._groups.welcome())
                self._catching_up.look()
                if not self._groups.ready():
                    return changed
        await self._run(tick)
        return True

    def _calm(self) -> bool:
        """Whether nothing is to be run, looked up, or told by the clock."""
        return self._timing.due_s > 0 and not (self._viewers.touched or self._groups.ready())

    async def _look(self) -> bool:
        """Go on by one statement; returns whether anything was written."""
        async with _in_time(), self._database.statement() as connection:
            if self._empty:
                moment = await self._log.now(connection)
                if self._empty:  # still: who came meanwhile may have read before that
                    self._take_in(Delta(moment, (), complete=True), ())
                    return False
            delta = await self._log.since(connection, self.moment)
            if not delta.moment.era:  # PostgreSQL has crashed, and counts its transactions anew
                await self._log.begin_era(connection)
                delta = await self._log.since(connection, self.moment)
            changes = await self._timing.stand(connection, delta)
        self._take_in(delta, changes)
        return bool(delta.changes)

    async def _run(self, tick: int) -> None:
        """Take a snapshot, go on to it, run on it what is dirty, and tell everything."""
        async with _in_time():
            snapshot = await self._database.shared_snapshot()
        try:
            async with _in_time():
                await self._go_on_to(snapshot)
        except BaseException:
            await snapshot.close()
            raise
        self._arrive(tick)
        await self._work(snapshot, self._groups.welcome())

    def _arrive(self, tick: int) -> None:
        """Everything up to the tick's moment has been matched, and handed on to streams."""
        self._groups.matched = tick
        self._catching_up.arrive(self.moment)

    async def _work(self, snapshot: SharedSnapshot, welcome: Sequence[Group]) -> None:
        """Run on a snapshot what is dirty, close it, and tell what was found, to guests as well."""
        work = Work(self.moment, self._timing.clock, self._timing.time, self._history.hold())
        quick, slow = self._lanes.choose(self._groups.ready())
        try:
            self._figures.moments += 1
            await self._lanes.work(work, quick, slow, snapshot)
        except BaseException:
            work.lose()
            raise
        finally:
            if not work.lanes:
                work.hold.release()
            self._tell(work, welcome)
        if not work.lost:
            self._since = None
        if any(self._lanes.choose(self._groups.ready())):
            self._pulse.ring()

    async def _go_on_to(self, snapshot: SharedSnapshot) -> None:
        """Go on to what a snapshot sees, with the clock, and look viewers up whose rows have changed."""
        delta = await self._log.since(snapshot.connection, self.moment)
        changes = await self._timing.go_on(snapshot.connection, delta, needed=self._groups.clocked)
        self._take_in(delta, changes)
        if self._viewers.touched:
            self._figures.sign_ins += await self._viewers.look_again(snapshot, self._timing.time)
        self._publish()

    def _publish(self) -> None:
        """Hand on to streams what was seen, once it is known who may still hear of it."""
        deltas, self._unpublished = self._unpublished, []
        for delta in deltas:
            self._feed.publish(delta)

    def _take_in(self, delta: Delta, changes: Sequence[Change]) -> None:
        """Mark what changes touch, and go on to their moment."""
        if not delta.complete:
            self._groups.touch_all()
            self._viewers.touch_all()
            self._history.add(None)
        elif changes:
            self._history.add(tuple(changes))
            self._touch(changes)
        self._unpublished.append(delta)
        self.moment = delta.moment

    def _touch(self, changes: Sequence[Change]) -> None:
        try:
            touched = self._matcher.touched(changes)
        except Exception:  # noqa: BLE001 - in the log; what is known too little of is run
            _log.exception("changes cannot be matched, and count for all")
            touched = {*self._groups, *self._viewers}
        for owner in touched:
            if isinstance(owner, Group):
                self._groups.touch(owner)
            elif isinstance(owner, Watch):
                self._viewers.touch(owner)
        if touched:
            at = min(change.at for change in changes)
            self._since = at if self._since is None else min(self._since, at)

    def _greet(self, groups: Sequence[Group]) -> None:
        """Tell guests what is known and has just been found to be true."""
        for group in groups:
            if group.clean and group.answer and group.answer.body is not None:
                self._figures.messages += group.tell(self.moment, self._groups.tick)
                self._groups.spare(group)

    def _tell(self, work: Work, welcome: Sequence[Group] = ()) -> None:
        """Tell what runs have found, all of it at once; where some came to nothing, run everything again."""
        landed, work.landed = work.landed, []
        failed, work.failed = work.failed, []
        if work.lost:
            for group in (*welcome, *(group for group, _ in landed)):
                self._groups.touch(group)
            landed, welcome = [], ()
        told = 0
        for group, before in landed:
            if not group.over:
                told += group.tell(self.moment if group.clean else work.moment, before)
                self._groups.spare(group)
        for group, failure in failed:
            self._figures.failures += 1
            for subscription in list(group.subscriptions):
                subscription.cancel()
                subscription.sink.error(failure.errors)
        self._greet(welcome)
        self._catching_up.look()
        self._figures.messages += told
        if told and self._since is not None:
            self._figures.lag(max(0, now_ms() - self._since) / 1000)


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """For looks that take milliseconds: a connection that does not answer is as good as lost.

    Raises:
        UnavailableError: It has not answered, or is lost.
    """
    with outages_told():
        async with asyncio.timeout(LIVE_PATIENCE_S):
            yield
