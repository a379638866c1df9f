"""The log as it is read: by the difference of two snapshots, nothing twice and nothing never."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.settings import Settings
from services.migrations import downgrade, migrate
from subscriptions.changes import log as log_module
from subscriptions.changes.change import Delta
from subscriptions.changes.log import ChangeLog
from subscriptions.changes.moment import Moment
from subscriptions.changes.retention import keep
from tests.clusters import ThrowawayCluster, throwaway_cluster
from tests.integration.logged import INSERT_CALL, SNAPSHOT, connected, empty, ids, told
from tests.poolers import PGBOUNCER, pooler

WRITERS: Final = 16


@pytest_asyncio.fixture
async def writer(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def reader(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def log(reader: asyncpg.Connection) -> ChangeLog:
    return await ChangeLog.open(reader)


class Follower:
    """A reader that goes from delta to delta; every one must be complete."""

    def __init__(
        self, connection: asyncpg.Connection, log: ChangeLog, moment: Moment, pause_s: float
    ) -> None:
        self.connection = connection
        self.log = log
        self.moment = moment
        self.pause_s = pause_s
        self.rows: Counter[str] = Counter()
        self.deltas = 0

    async def step(self) -> None:
        delta = await self._delta()
        assert delta.complete
        assert delta.moment.covers(self.moment)
        assert all(
            delta.moment.sees(change.xid) and not self.moment.sees(change.xid) for change in delta.changes
        )
        assert [change.number for change in delta.changes] == sorted(
            change.number for change in delta.changes
        )
        self.rows += told(delta.changes)
        self.moment = delta.moment
        self.deltas += bool(delta.changes)

    async def _delta(self) -> Delta:
        return await self.log.since(self.connection, self.moment)

    async def follow(self, until: asyncio.Event) -> None:
        while not until.is_set():
            await self.step()
            await asyncio.sleep(self.pause_s)
        await self.step()


class InSnapshots(Follower):
    """One that reads in transactions, in which something else was read before."""

    async def _delta(self) -> Delta:
        await self.connection.execute(SNAPSHOT)
        try:
            await self.connection.fetchval("SELECT count(*) FROM api_logs")
            await asyncio.sleep(0.01)
            return await super()._delta()
        finally:
            await self.connection.execute("ROLLBACK")


async def write_at_random(url: str, number: int, committed: Counter[str], seconds: float) -> None:
    """Transactions of a few statements, some with a savepoint, some slow, some rolled back."""
    dice = random.Random(number)  # noqa: S311 - a test's dice
    ends = asyncio.get_running_loop().time() + seconds
    turn = 0
    async with connected(url, statement_cache_size=0) as connection:
        while asyncio.get_running_loop().time() < ends:
            turn += 1
            transaction = connection.transaction(isolation=dice.choice(["read_committed", "repeatable_read"]))
            await transaction.start()
            written: Counter[str] = Counter()
            for part in range(dice.randint(1, 3)):
                row = f"{number}-{turn}-{part}"
                await connection.execute(INSERT_CALL, row)
                written[row] += 1
                await asyncio.sleep(dice.choice([0, 0, 0.001, 0.02, 0.2 * (number == 0)]))
                if dice.random() < 0.3:
                    savepoint = connection.transaction()
                    await savepoint.start()
                    await connection.execute("UPDATE api_logs SET duration_ms = 1 WHERE id = $1", row)
                    keeps = dice.random() < 0.5
                    await (savepoint.commit() if keeps else savepoint.rollback())
                    written[row] += keeps
            if dice.random() < 0.7:
                await transaction.commit()
                committed += written
            else:
                await transaction.rollback()


class TestNothingIsLost:
    async def test_every_committed_change_once(self, database_url: str, log: ChangeLog) -> None:
        """Sixteen writers whose commits overtake each other; readers of several kinds and speeds."""
        committed: Counter[str] = Counter()
        ended = asyncio.Event()
        async with (
            connected(database_url) as quick,
            connected(database_url, statement_cache_size=0) as slow,
            connected(database_url) as in_snapshots,
        ):
            moment = await log.now(quick)
            followers = [
                Follower(quick, log, moment, 0),
                Follower(slow, log, moment, 0.3),
                InSnapshots(in_snapshots, log, moment, 0.005),
            ]
            following = [asyncio.create_task(follower.follow(ended)) for follower in followers]
            await asyncio.gather(*(write_at_random(database_url, n, committed, 4) for n in range(WRITERS)))
            ended.set()
            await asyncio.gather(*following)
        assert committed.total() > 500
        assert followers[0].deltas > 50
        for follower in followers:
            assert follower.rows == committed

    @pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not installed")
    async def test_through_a_pooler(
        self, cluster: ThrowawayCluster, writer: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """Reading and keeping, each time in another session; writers, too."""
        committed: Counter[str] = Counter()
        ended = asyncio.Event()
        name = await writer.fetchval("SELECT current_database()")
        with pooler(cluster, name) as url:
            async with connected(url, statement_cache_size=0) as pooled:
                follower = Follower(pooled, log, await log.now(pooled), 0)
                following = asyncio.create_task(follower.follow(ended))
                await asyncio.gather(*(write_at_random(url, n, committed, 1) for n in range(12)))
                ended.set()
                await following
                assert await keep(pooled) == 0
            async with connected(url, statement_cache_size=0) as first:
                assert (await log.since(first, follower.moment)).complete
        assert committed
        assert follower.rows == committed

    async def test_a_transaction_that_takes_long(
        self, database_url: str, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """It writes early and commits late; meanwhile others come and go."""
        follower = Follower(reader, log, await log.now(reader), 0)
        async with connected(database_url) as slow:
            transaction = slow.transaction()
            await transaction.start()
            await slow.execute(INSERT_CALL, "slow")
            for number in range(5):
                await writer.execute(INSERT_CALL, f"quick{number}")
                await follower.step()
                assert follower.moment.running
            assert follower.rows == {f"quick{number}": 1 for number in range(5)}
            await transaction.commit()
        await follower.step()
        await follower.step()
        assert follower.rows == {"slow": 1} | {f"quick{number}": 1 for number in range(5)}

    async def test_one_who_asks_in_the_middle(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """Whoever begins while a transaction runs is told of all of it, what it wrote before, too."""
        async with writer.transaction():
            await writer.execute(INSERT_CALL, "before")
            moment = await log.now(reader)
            await writer.execute(INSERT_CALL, "after")
            assert (await log.since(reader, moment)).changes == ()
        assert told((await log.since(reader, moment)).changes) == {"before": 1, "after": 1}


class TestReading:
    async def test_nothing_happened(self, reader: asyncpg.Connection, log: ChangeLog) -> None:
        moment = await log.now(reader)
        delta = await log.since(reader, moment)
        assert (delta.changes, delta.complete) == ((), True)
        assert delta.moment.covers(moment)

    async def test_a_snapshot_is_of_its_moment(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        moment = await log.now(reader)
        await writer.execute(INSERT_CALL, "one")
        await reader.execute(SNAPSHOT)
        first = await log.since(reader, moment)
        await writer.execute(INSERT_CALL, "two")
        assert await log.since(reader, moment) == first
        assert told(first.changes) == {"one": 1}
        await reader.execute("COMMIT")
        assert told((await log.since(reader, first.moment)).changes) == {"two": 1}

    @pytest.mark.parametrize("statement_cache_size", [0, 100])
    async def test_it_is_one_statement_that_leaves_nothing(
        self, database_url: str, log: ChangeLog, statement_cache_size: int
    ) -> None:
        """So that it may go through a pooler that gives each transaction another session."""
        async with connected(database_url, statement_cache_size=statement_cache_size) as connection:
            settings = (
                "SELECT name, setting FROM pg_settings WHERE name !~ '^plpgsql' "
                "UNION ALL SELECT 'app.platform', coalesce(current_setting('app.platform', true), '')"
            )
            before = await connection.fetch(settings)
            statements: list[str] = []
            moment = await log.now(connection)
            with connection.query_logger(lambda record: statements.append(record.query)):
                delta = await log.since(connection, moment)
                await asyncio.sleep(0.01)  # loggers are called by the loop
            assert delta.complete
            assert len(statements) == 1
            assert await connection.fetch(settings) == before

    async def test_a_reader_is_no_writer(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """It takes no transaction id: idle readers would use them up."""
        first = int(await writer.fetchval("SELECT pg_current_xact_id()::text"))
        moment = await log.now(reader)
        for _ in range(10):
            moment = (await log.since(reader, moment)).moment
        assert int(await writer.fetchval("SELECT pg_current_xact_id()::text")) == first + 1

    async def test_a_long_log_is_not_gone_through(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """Whether PostgreSQL knows how long it is, or not."""
        await writer.execute("""
            INSERT INTO live.change (part, at, shape, kind)
            SELECT 0, now(), 1, 4 FROM generate_series(1, 20000)
        """)
        scans = "SELECT sum(seq_scan), sum(idx_tup_fetch) FROM pg_stat_user_tables WHERE relname LIKE 'change\\_%'"
        for prepare in ("SELECT 1", "ANALYZE live.change"):
            await writer.execute(prepare)
            moment = await log.now(reader)
            await writer.execute(INSERT_CALL, prepare)
            await reader.execute("SELECT pg_stat_force_next_flush()")
            before = await writer.fetchrow(scans)
            assert told((await log.since(reader, moment)).changes) == {prepare: 1}
            await reader.execute("SELECT pg_stat_force_next_flush()")
            after = await writer.fetchrow(scans)
            assert after is not None
            assert before is not None
            assert after[0] == before[0]
            assert after[1] - before[1] <= 2

    async def test_too_much_at_once(
        self,
        writer: asyncpg.Connection,
        reader: asyncpg.Connection,
        log: ChangeLog,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """More changes than anyone wants to look through are told as not being told."""
        monkeypatch.setattr(log_module, "_SINCE", log_module._SINCE.replace("20000", "5"))
        moment = await log.now(reader)
        for number in range(6):
            await writer.execute(INSERT_CALL, f"row{number}")
            assert (await log.since(reader, moment)).complete is (number < 5)


class TestWhatIsNoLongerThere:
    """A reader that cannot know says so."""

    async def test_what_was_taken_away(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        long_ago = await log.now(reader)
        await writer.execute(INSERT_CALL, "lost")
        assert await empty(writer) == 1
        moment = await log.now(reader)
        assert not (await log.since(reader, long_ago)).complete
        delta = await log.since(reader, moment)
        assert (delta.changes, delta.complete) == ((), True)

    async def test_a_snapshot_from_before_a_part_was_emptied(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """It reads the part as empty, and of the floor what was known before: both say nothing of what was there."""
        moment = await log.now(reader)
        await writer.execute(INSERT_CALL, "lost")
        await reader.execute(SNAPSHOT)
        await reader.fetchval("SELECT 1")
        assert await empty(writer) == 1
        assert await reader.fetchval("SELECT count(*) FROM live.change") == 0
        delta = await log.since(reader, moment)
        assert (delta.changes, delta.complete) == ((), False)

    async def test_a_snapshot_that_knows_what_is_to_be_emptied(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """Such as the ticks take all the time: who needs nothing of what goes away misses nothing."""
        long_ago = await log.now(reader)
        await writer.execute(INSERT_CALL, "over")
        assert await writer.fetchval("SELECT live.keep(0)") == 0
        moment = await log.now(reader)
        await reader.execute(SNAPSHOT)
        await reader.fetchval("SELECT 1")
        assert await writer.fetchval("SELECT live.keep(0)") == 1
        delta = await log.since(reader, moment)
        assert (delta.changes, delta.complete) == ((), True)
        assert not (await log.since(reader, long_ago)).complete
        await reader.execute("ROLLBACK")

    async def test_nobody_empties_it_by_hand(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        moment = await log.now(reader)
        await writer.execute(INSERT_CALL, "one")
        for table in ("live.change", "live.change_0"):
            with pytest.raises(asyncpg.RestrictViolationError, match=r"live\.keep"):
                await writer.execute(f"TRUNCATE {table}")
        await writer.execute("VACUUM FULL live.change")
        delta = await log.since(reader, moment)
        assert delta.complete
        assert told(delta.changes) == {"one": 1}

    async def test_a_copy_in_another_cluster(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """As `pg_restore` would leave it: the log and the era of elsewhere."""
        moment = await log.now(reader)
        await writer.execute("UPDATE live.era SET cluster = 1")
        await writer.execute(
            "INSERT INTO live.change (part, xid, at, shape, kind) VALUES (0, '99999999', now(), 1, 4)"
        )
        delta = await log.since(reader, moment)
        assert (delta.complete, delta.moment.era) == (False, "")
        await log.begin_era(reader)
        assert not (await log.since(reader, moment)).complete
        now = await log.now(reader)
        delta = await log.since(reader, now)
        assert (delta.changes, delta.complete) == ((), True)
        assert now.era not in ("", moment.era)

    async def test_a_moment_without_an_era(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """It is taken to be of the era in which the log was opened."""
        moment = Moment.parse(await reader.fetchval("SELECT pg_current_snapshot()::text"))
        assert (await log.since(reader, moment)).complete
        await writer.execute("TRUNCATE live.era")
        await log.begin_era(reader)
        assert not (await log.since(reader, moment)).complete


class TestMigrations:
    async def test_a_table_that_changes_under_the_reader(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """What was logged before is read as it was meant then."""
        moment = await log.now(reader)
        await writer.execute(INSERT_CALL, "one")
        await writer.execute("""
            ALTER TABLE api_logs DROP COLUMN duration_ms, ADD COLUMN note text;
            SELECT live.watch('api_logs', '{body,response_body}');
        """)
        await writer.execute("UPDATE api_logs SET note = 'x' WHERE id = 'one'")
        first, second = (await log.since(reader, moment)).changes
        assert (ids(first), ids(second)) == (["one"], ["one"])
        assert first.rows is not None
        assert second.rows is not None
        assert "duration_ms" in (first.rows[0].after or {})
        assert second.rows[0].columns == {"note"}

    async def test_a_table_that_comes_and_goes(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, log: ChangeLog
    ) -> None:
        await writer.execute("""
            CREATE TABLE "Odd things" (id text PRIMARY KEY, "select" bigint, "part" text, "now" text, "bits" json);
            SELECT live.watch('Odd things');
        """)
        moment = await log.now(reader)
        await writer.execute(
            """INSERT INTO "Odd things" VALUES ('a', 1, 's', 'n', '{}'), ('b', 1, 's', 'n', '{}')"""
        )
        await writer.execute("""UPDATE "Odd things" SET "select" = 2, "part" = 't', "bits" = '{"a": 1}'""")
        came, changed = (await log.since(reader, moment)).changes
        assert (came.table, ids(came)) == ("Odd things", ["a", "b"])
        assert changed.rows is not None
        assert [row.columns for row in changed.rows] == [{"select", "part", "bits"}] * 2
        await writer.execute("""SELECT live.unwatch('Odd things'); DELETE FROM "Odd things" """)
        assert (await log.since(reader, moment)).changes == (came, changed)

    @pytest.mark.parametrize(
        ("table", "unwatched"), [("CREATE TABLE t (key text)", "{}"), ("CREATE TABLE t (id text)", "{nmae}")]
    )
    async def test_what_cannot_be_watched(
        self, writer: asyncpg.Connection, table: str, unwatched: str
    ) -> None:
        await writer.execute(table)
        with pytest.raises(asyncpg.RaiseError, match="cannot be watched"):
            await writer.execute(f"SELECT live.watch('t', '{unwatched}')")

    async def test_down_and_up_again(self, database_url: str, settings: Settings) -> None:
        await downgrade(database_url, 7)
        async with connected(database_url) as writer, connected(database_url) as reader:
            await writer.execute(INSERT_CALL, "without a log")
            left = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'live%'"
            assert await writer.fetchval(left) == 0
            assert await writer.fetchval("SELECT to_regnamespace('live') IS NULL")
            await migrate(database_url, settings)
            log = await ChangeLog.open(reader)
            moment = await log.now(reader)
            await writer.execute(INSERT_CALL, "with a log")
            assert told((await log.since(reader, moment)).changes) == {"with a log": 1}


class TestRestarts:
    async def test_a_restart_loses_nothing_and_a_crash_says_so(self, cluster: ThrowawayCluster) -> None:
        """After a crash transaction ids that a reader has seen may be given again, to other transactions."""
        with throwaway_cluster(cluster.version) as own:
            name = await own.create()
            await migrate(own.dsn(name), Settings())
            async with connected(own.dsn(name)) as connection:
                log = await ChangeLog.open(connection)
                moment = await log.now(connection)
                await connection.execute(INSERT_CALL, "before")
            own.restart()
            async with connected(own.dsn(name)) as connection:
                delta = await log.since(connection, moment)
                assert delta.complete
                assert told(delta.changes) == {"before": 1}
            own.crash()
            async with connected(own.dsn(name)) as connection:
                assert not (await log.since(connection, delta.moment)).complete
                await log.begin_era(connection)
                assert not (await log.since(connection, delta.moment)).complete
                now = await log.now(connection)
                await connection.execute(INSERT_CALL, "after")
                later = await log.since(connection, now)
                assert later.complete
                assert told(later.changes) == {"after": 1}

    async def test_a_copy_that_was_put_back_says_so(self, cluster: ThrowawayCluster) -> None:
        """A copy of a stopped cluster's files keeps the era, and ids that a reader has seen are given again."""
        with throwaway_cluster(cluster.version) as own:
            name = await own.create()
            await migrate(own.dsn(name), Settings())
            copied = own.copy()
            async with connected(own.dsn(name)) as connection:
                log = await ChangeLog.open(connection)
                for number in range(50):
                    await connection.execute(INSERT_CALL, f"undone {number}")
                moment = await log.now(connection)
            own.go_back_to(copied)
            async with connected(own.dsn(name)) as connection:
                await connection.execute(INSERT_CALL, "another past")
                assert not (await log.since(connection, moment)).complete
