"""The live layer of one server: opened over a database, it keeps true what has been subscribed to."""

import asyncio
from collections.abc import Callable
from typing import Final, Self

import structlog
from graphql import GraphQLSchema

from core.database import Database
from core.errors import StartupError, UnavailableError
from core.limits import LIVE_CLOSE_S, LIVE_KEEP_S, LIVE_LANES, LIVE_PATIENCE_S, LIVE_SLOW_RUNS
from core.outages import outages_told
from core.settings import Settings
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from resolvers.ways import Way
from services.sign_in import sign_in
from subscriptions.changes.change import Change
from subscriptions.changes.feed import Feed
from subscriptions.changes.log import ChangeLog
from subscriptions.changes.moment import Moment
from subscriptions.changes.retention import keep
from subscriptions.engine.arrivals import Arrivals, Enter
from subscriptions.engine.catching_up import CatchingUp, Waits
from subscriptions.engine.figures import Figures
from subscriptions.engine.groups import Groups
from subscriptions.engine.history import History
from subscriptions.engine.pulse import Pulse
from subscriptions.engine.questions import Asking
from subscriptions.engine.ticks import Ticks
from subscriptions.engine.viewers import Viewers
from subscriptions.matching.matcher import Matcher
from subscriptions.sessions import Session
from subscriptions.sinks import Gone
from subscriptions.streams.streams import Streams

_log: Final = structlog.get_logger(__name__)

_BESIDE_RUNS: Final = 3
"""Connections for the tick itself, for whoever resumes a stream, and for what keeps the log small."""


class Live:
    """Everything that is live on one server; `open` and `close` belong together.

    Attributes:
        figures: What it has done so far.
        groups: The live queries that are open.
        viewers: Who sits at open sockets.
        feed: What the ticks see.
        catching_up: Who waits until they have been told of a moment.
    """

    def __init__(
        self,
        database: Database,
        apart: Database,
        log: ChangeLog,
        moment: Moment,
        schema: GraphQLSchema,
        settings: Settings,
    ) -> None:
        matcher: Matcher[object] = Matcher()
        self._database = database
        self._apart = apart
        self.figures = Figures()
        self.groups = Groups(matcher)
        self.viewers = Viewers(matcher)
        self.feed = Feed(log, apart)
        self.catching_up = CatchingUp(self.groups)
        self._history = History()
        self._arrivals = Arrivals(database, self._history)
        self._tasks: list[asyncio.Task[None]] = []
        self._pulse = Pulse(pooled=not settings.statement_cache_size)
        self._asking = Asking(schema, Way(settings.reads))
        self._ticks = Ticks(
            apart,
            log,
            moment,
            matcher=matcher,
            groups=self.groups,
            viewers=self.viewers,
            history=self._history,
            feed=self.feed,
            pulse=self._pulse,
            figures=self.figures,
            catching_up=self.catching_up,
            offline_after_ms=settings.agent_offline_after * 1000,
        )
        self.streams = Streams(self.feed, database, schema, lambda: self.moment, self.catching_up.look)

    @classmethod
    async def open(cls, database: Database, schema: GraphQLSchema, settings: Settings) -> Self:
        """Begin to follow what is written to a migrated database.

        Raises:
            StartupError: The database cannot be reached.
        """
        apart = await database.apart(LIVE_LANES + LIVE_SLOW_RUNS + _BESIDE_RUNS)
        try:
            async with apart.statement() as connection:
                log = await ChangeLog.open(connection)
                moment = await log.now(connection)
            live = cls(database, apart, log, moment, schema, settings)
        except UnavailableError as error:
            apart.terminate()
            raise StartupError(f"The change log cannot be read: {error.message}") from error
        except BaseException:
            apart.terminate()
            raise
        live._tasks += [asyncio.create_task(live._ticks.run()), asyncio.create_task(live._keep_log())]
        return live

    async def close(self) -> None:
        """Follow nothing any more; nobody is told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=LIVE_CLOSE_S)
        await self._arrivals.close()
        await self.streams.close()
        self._apart.terminate()
        await asyncio.wait(self._tasks, timeout=LIVE_CLOSE_S)

    async def _keep_log(self) -> None:
        """Keep the log small, as one of all the servers that see to it."""
        while True:
            try:
                with outages_told():
                    async with asyncio.timeout(LIVE_PATIENCE_S), self._apart.pool.acquire() as connection:
                        await keep(connection)
            except UnavailableError:
                pass  # the ticks find that, too, and count it
            except Exception:  # noqa: BLE001 - in the log; the writers' triggers keep it small, too
                _log.exception("the change log cannot be kept small")
            await asyncio.sleep(LIVE_KEEP_S)

    @property
    def moment(self) -> Moment:
        """What has been matched, and told but for runs that take long."""
        return self._ticks.moment

    def ring(self) -> None:
        """Something has been committed here: look at once."""
        self._pulse.ring()

    async def sign_in(
        self, identity: Identity | None, tenant: str | None, gone: Callable[[Gone], None]
    ) -> Session:
        """A session for one socket.

        Args:
            identity: What its token proved; None for an anonymous caller, who has nothing to subscribe to.
            tenant: The tenant that the platform names.
            gone: Called once when the viewer is no longer one; all subscriptions are over then.

        Raises:
            ProductError: The viewer is refused, or cannot be looked up.
        """
        session = Session(
            self.viewers,
            self.groups,
            self.streams,
            self._asking,
            self._pulse,
            Waits(self.catching_up),
            gone,
        )
        if identity is None:
            return session

        def enter(viewer: Viewer, missed: list[Change] | None) -> None:
            session.begin(identity, viewer)
            self.viewers.enter(identity, viewer, session.seat, missed)

        try:
            await self._sign_in(identity, tenant, enter)
        except BaseException:  # where it was cancelled, the session may have begun
            session.close()
            raise
        return session

    async def _sign_in(self, identity: Identity, tenant: str | None, enter: Enter) -> None:
        if identity.kind is ViewerKind.USER and tenant is None:
            await self._arrivals.arrive(identity, enter)
            return
        hold = self._history.hold()
        try:
            async with self._database.snapshot(platform=identity.kind is ViewerKind.PLATFORM) as snapshot:
                viewer = await sign_in(snapshot.connection, identity, tenant)
            enter(viewer, hold.missed())
        finally:
            hold.release()
