"""The live layer of one server. It is opened over a database, and keeps the answers of all subscriptions current."""

import asyncio
from collections.abc import Callable
from typing import Final, Self

import structlog

from core.auth.sealing import TokenSealer, TransactionTokens
from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.database.connection_errors import translate_connection_errors
from core.database.database import Database
from core.errors import StartupError, UnavailableError
from core.limits import (
    LIVE_CLOSE_S,
    LIVE_CONNECTIONS,
    LIVE_RESERVED_CONNECTIONS,
    LIVE_RETENTION_INTERVAL_S,
    LIVE_STATEMENT_TIMEOUT_S,
)
from core.settings import Settings
from resolvers.execution_strategy import ExecutionStrategy
from services.users.sign_in import sign_in
from subscriptions.auth.principal_watcher import PrincipalWatcher
from subscriptions.auth.sign_in_batcher import OnSignedIn, SignInBatcher
from subscriptions.change_log.change import Change
from subscriptions.change_log.change_log import ChangeLog
from subscriptions.change_log.feed import ChangeFeed
from subscriptions.change_log.replay_buffer import ReplayBuffer
from subscriptions.change_log.retention import truncate_expired
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.change_log.snapshot_tokens import SnapshotTokens
from subscriptions.clock.cycle_clock import CycleClock
from subscriptions.engine.change_poller import ChangePoller
from subscriptions.engine.live_query import LiveQueryFactory
from subscriptions.engine.live_state import LiveState
from subscriptions.engine.poll_timer import PollTimer
from subscriptions.engine.shared_query_registry import SharedQueryRegistry
from subscriptions.engine.stats import EngineStats
from subscriptions.engine.write_barrier import ConnectionBarriers, WriteBarrier
from subscriptions.event_streams.stream_registry import StreamRegistry
from subscriptions.invalidation.matcher import ChangeMatcher
from subscriptions.open_subscription import LiveQuerySource
from subscriptions.session import Session
from subscriptions.subscriber import Disconnect

_log: Final = structlog.get_logger(__name__)


class LiveLayer:
    """The whole live layer of one server. Each `open` needs a `close`.

    Attributes:
        stats: Statistics.
        registry: The shared queries.
        viewers: The viewers of open sockets.
        feed: The changes of each refresh cycle.
        write_barrier: The waiting barrier requests.
        transactions: Names committed transactions to clients.
    """

    def __init__(
        self,
        database: Database,
        separate_pool: Database,
        log: ChangeLog,
        snapshot: Snapshot,
        settings: Settings,
        sealer: TokenSealer,
    ) -> None:
        self._database = database
        self._separate_pool = separate_pool
        self.stats = EngineStats()
        self.registry = SharedQueryRegistry(ChangeMatcher())
        self.viewers = PrincipalWatcher(ChangeMatcher())
        self.feed = ChangeFeed(log, separate_pool, snapshot)
        self.write_barrier = WriteBarrier(self.registry)
        self._replay_buffer = ReplayBuffer()
        self._sign_in_batcher = SignInBatcher(database, self._replay_buffer)
        self._tasks: list[asyncio.Task[None]] = []
        self._poll_timer = PollTimer(pooled=not settings.statement_cache_size)
        self._queries = LiveQuerySource(self.registry, LiveQueryFactory(ExecutionStrategy(settings.reads)))
        state = LiveState(
            self.registry,
            self.viewers,
            self._replay_buffer,
            self.feed,
            self.write_barrier,
            SnapshotTokens(sealer),
        )
        self.transactions = TransactionTokens(sealer, lambda: self.feed.snapshot.timeline)
        clock = CycleClock(settings.agent_offline_after * 1000)
        self._poller = ChangePoller(separate_pool, log, state, clock, self._poll_timer, self.stats)
        self.streams = StreamRegistry(self.feed, database, sealer, self.write_barrier.release_reached)

    @classmethod
    async def open(cls, database: Database, settings: Settings, sealer: TokenSealer | None = None) -> Self:
        """Begin to follow the writes to a migrated database.

        `sealer` seals what clients keep; by default it has the keys of the settings.

        Raises:
            StartupError: The database cannot be reached.
        """
        separate_pool = await database.open_separate_pool(LIVE_CONNECTIONS, LIVE_RESERVED_CONNECTIONS)
        try:
            async with separate_pool.open_statement_connection() as connection:
                log = await ChangeLog.open(connection)
                snapshot = await log.take_snapshot(connection)
            live = cls(database, separate_pool, log, snapshot, settings, sealer or TokenSealer.load(settings))
        except UnavailableError as error:
            separate_pool.terminate()
            raise StartupError(f"The change log cannot be read: {error.message}") from error
        except BaseException:
            separate_pool.terminate()
            raise
        live._start()
        return live

    def _start(self) -> None:
        for work in (self._poller.run(), self._purge_change_log()):
            self._tasks.append(asyncio.create_task(work))

    async def close(self) -> None:
        """Stop. The subscribers get no message."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=LIVE_CLOSE_S)
        await self._sign_in_batcher.close()
        await self.streams.close()
        self._separate_pool.terminate()
        await asyncio.wait(self._tasks, timeout=LIVE_CLOSE_S)

    async def _purge_change_log(self) -> None:
        """Empty old parts of the log. All servers try this, and one at a time does it."""
        while True:
            try:
                with translate_connection_errors():
                    async with (
                        asyncio.timeout(LIVE_STATEMENT_TIMEOUT_S),
                        self._separate_pool.pool.acquire() as connection,
                    ):
                        await truncate_expired(connection)
            except UnavailableError:
                pass  # the refresh cycles count the outage
            except Exception:  # noqa: BLE001 - logged; the writers' triggers empty the log, too
                _log.exception("change log retention failed")
            await asyncio.sleep(LIVE_RETENTION_INTERVAL_S)

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot that was matched. Its answers were sent, except for runs that take long."""
        return self.feed.snapshot

    def wake(self) -> None:
        """Poll the log at once, because this server has committed something."""
        self._poll_timer.wake()

    async def sign_in(
        self, identity: Identity | None, tenant: str | None, on_disconnect: Callable[[Disconnect], None]
    ) -> Session:
        """Begin a session for one socket.

        Args:
            identity: The identity that the token proved. None for an anonymous caller, who cannot subscribe.
            tenant: The tenant that the platform names.
            on_disconnect: Called once when the viewer has lost access. All subscriptions are over then.

        Raises:
            ProductError: The viewer is refused, or the database is unavailable.
        """
        session = Session(
            self.viewers,
            self._queries,
            self.streams,
            self._poll_timer,
            self.transactions,
            ConnectionBarriers(self.write_barrier),
            on_disconnect,
        )
        if identity is None:
            return session

        def on_signed_in(viewer: Viewer, missed: list[Change] | None) -> None:
            session.start(identity, viewer)
            self.viewers.add_session(identity, viewer, session.connection_session, missed)

        try:
            await self._sign_in(identity, tenant, on_signed_in)
        except BaseException:  # after a cancellation, the session may have begun
            session.close()
            raise
        return session

    async def _sign_in(self, identity: Identity, tenant: str | None, on_signed_in: OnSignedIn) -> None:
        if identity.kind is ViewerKind.USER and tenant is None:
            await self._sign_in_batcher.sign_in(identity, on_signed_in)
            return
        recording = self._replay_buffer.start_recording()
        try:
            async with self._database.read_transaction(
                platform=identity.kind is ViewerKind.PLATFORM
            ) as snapshot:
                viewer = await sign_in(snapshot.connection, identity, tenant)
            on_signed_in(viewer, recording.take_missed())
        finally:
            recording.stop()
