"""Reading the log by the difference of two snapshots: no change twice, and none missed."""

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
from subscriptions.change_log import change_log as log_module
from subscriptions.change_log.change import Delta
from subscriptions.change_log.change_log import ChangeLog
from subscriptions.change_log.retention import truncate_expired
from subscriptions.change_log.snapshot import Snapshot
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.integration.change_log import (
    BEGIN_SNAPSHOT,
    INSERT_API_LOG,
    count_rows,
    open_connection,
    row_ids,
    truncate_log,
)
from tests.pgbouncer import PGBOUNCER, start_pgbouncer

WRITERS: Final = 16


@pytest_asyncio.fixture
async def writer(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with open_connection(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def reader(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with open_connection(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def change_log(reader: asyncpg.Connection) -> ChangeLog:
    return await ChangeLog.open(reader)


class Follower:
    """A reader that goes from delta to delta. Every delta must be complete."""

    def __init__(
        self, connection: asyncpg.Connection, change_log: ChangeLog, snapshot: Snapshot, pause_s: float
    ) -> None:
        self.connection = connection
        self.log = change_log
        self.snapshot = snapshot
        self.pause_s = pause_s
        self.rows: Counter[str] = Counter()
        self.deltas = 0

    async def step(self) -> None:
        delta = await self._read_delta()
        assert delta.is_complete
        assert delta.snapshot.includes(self.snapshot)
        assert all(
            delta.snapshot.is_visible(change.origin.xid) and not self.snapshot.is_visible(change.origin.xid)
            for change in delta.changes
        )
        assert [change.origin.sequence for change in delta.changes] == sorted(
            change.origin.sequence for change in delta.changes
        )
        self.rows += count_rows(delta.changes)
        self.snapshot = delta.snapshot
        self.deltas += bool(delta.changes)

    async def _read_delta(self) -> Delta:
        return await self.log.read_since(self.connection, self.snapshot)

    async def follow(self, until: asyncio.Event) -> None:
        while not until.is_set():
            await self.step()
            await asyncio.sleep(self.pause_s)
        await self.step()


class SnapshotFollower(Follower):
    """A reader in transactions with an earlier read in them."""

    async def _read_delta(self) -> Delta:
        await self.connection.execute(BEGIN_SNAPSHOT)
        try:
            await self.connection.fetchval("SELECT count(*) FROM api_logs")
            await asyncio.sleep(0.01)
            return await super()._read_delta()
        finally:
            await self.connection.execute("ROLLBACK")


async def write_randomly(url: str, number: int, committed: Counter[str], seconds: float) -> None:
    """Transactions of a few statements, some with a savepoint, some slow, some rolled back."""
    dice = random.Random(number)  # noqa: S311 - a test's dice
    ends = asyncio.get_running_loop().time() + seconds
    turn = 0
    async with open_connection(url, statement_cache_size=0) as connection:
        while asyncio.get_running_loop().time() < ends:
            turn += 1
            transaction = connection.transaction(isolation=dice.choice(["read_committed", "repeatable_read"]))
            await transaction.start()
            written: Counter[str] = Counter()
            for part in range(dice.randint(1, 3)):
                row = f"{number}-{turn}-{part}"
                await connection.execute(INSERT_API_LOG, row)
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


class TestCompleteness:
    async def test_change_log_under_concurrent_writers_gives_each_change_once(
        self, database_url: str, change_log: ChangeLog
    ) -> None:
        """Sixteen writers with commits in another order than their writes; readers of several kinds and speeds."""
        committed: Counter[str] = Counter()
        ended = asyncio.Event()
        async with (
            open_connection(database_url) as quick,
            open_connection(database_url, statement_cache_size=0) as slow,
            open_connection(database_url) as in_snapshots,
        ):
            snapshot = await change_log.take_snapshot(quick)
            followers = [
                Follower(quick, change_log, snapshot, 0),
                Follower(slow, change_log, snapshot, 0.3),
                SnapshotFollower(in_snapshots, change_log, snapshot, 0.005),
            ]
            following = [asyncio.create_task(follower.follow(ended)) for follower in followers]
            await asyncio.gather(*(write_randomly(database_url, n, committed, 4) for n in range(WRITERS)))
            ended.set()
            await asyncio.gather(*following)
        assert committed.total() > 50
        assert followers[0].deltas > 5
        for follower in followers:
            assert follower.rows == committed

    @pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not installed")
    async def test_change_log_through_a_pooler_gives_each_change_once(
        self, cluster: ThrowawayCluster, writer: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """Reading and keeping, each time in another session; writers, too."""
        committed: Counter[str] = Counter()
        ended = asyncio.Event()
        name = await writer.fetchval("SELECT current_database()")
        with start_pgbouncer(cluster, name) as url:
            async with open_connection(url, statement_cache_size=0) as pooled:
                follower = Follower(pooled, change_log, await change_log.take_snapshot(pooled), 0)
                following = asyncio.create_task(follower.follow(ended))
                await asyncio.gather(*(write_randomly(url, n, committed, 1) for n in range(12)))
                ended.set()
                await following
                assert await truncate_expired(pooled) == 0
            async with open_connection(url, statement_cache_size=0) as first:
                assert (await change_log.read_since(first, follower.snapshot)).is_complete
        assert committed
        assert follower.rows == committed

    async def test_change_log_long_transaction_is_read_after_its_commit(
        self, database_url: str, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """It writes early and commits late. Meanwhile other transactions come and go."""
        follower = Follower(reader, change_log, await change_log.take_snapshot(reader), 0)
        async with open_connection(database_url) as slow:
            transaction = slow.transaction()
            await transaction.start()
            await slow.execute(INSERT_API_LOG, "slow")
            for number in range(5):
                await writer.execute(INSERT_API_LOG, f"quick{number}")
                await follower.step()
                assert follower.snapshot.running
            assert follower.rows == {f"quick{number}": 1 for number in range(5)}
            await transaction.commit()
        await follower.step()
        await follower.step()
        assert follower.rows == {"slow": 1} | {f"quick{number}": 1 for number in range(5)}

    async def test_change_log_reader_starting_mid_transaction_gets_all_of_it(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """A reader that begins during a transaction receives all of it, including its earlier writes."""
        async with writer.transaction():
            await writer.execute(INSERT_API_LOG, "before")
            snapshot = await change_log.take_snapshot(reader)
            await writer.execute(INSERT_API_LOG, "after")
            assert (await change_log.read_since(reader, snapshot)).changes == ()
        assert count_rows((await change_log.read_since(reader, snapshot)).changes) == {
            "before": 1,
            "after": 1,
        }


class TestReading:
    async def test_since_without_changes_is_empty_and_complete(
        self, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        snapshot = await change_log.take_snapshot(reader)
        delta = await change_log.read_since(reader, snapshot)
        assert (delta.changes, delta.is_complete) == ((), True)
        assert delta.snapshot.includes(snapshot)

    async def test_since_in_a_transaction_reads_at_its_snapshot(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        snapshot = await change_log.take_snapshot(reader)
        await writer.execute(INSERT_API_LOG, "one")
        await reader.execute(BEGIN_SNAPSHOT)
        first = await change_log.read_since(reader, snapshot)
        await writer.execute(INSERT_API_LOG, "two")
        assert await change_log.read_since(reader, snapshot) == first
        assert count_rows(first.changes) == {"one": 1}
        await reader.execute("COMMIT")
        assert count_rows((await change_log.read_since(reader, first.snapshot)).changes) == {"two": 1}

    @pytest.mark.parametrize("statement_cache_size", [0, 100])
    async def test_since_is_one_statement_that_leaves_no_settings(
        self, database_url: str, change_log: ChangeLog, statement_cache_size: int
    ) -> None:
        """So that it works through a pooler that gives each transaction another session."""
        async with open_connection(database_url, statement_cache_size=statement_cache_size) as connection:
            settings = (
                "SELECT name, setting FROM pg_settings WHERE name !~ '^plpgsql' "
                "UNION ALL SELECT 'app.platform', coalesce(current_setting('app.platform', true), '')"
            )
            before = await connection.fetch(settings)
            statements: list[str] = []
            snapshot = await change_log.take_snapshot(connection)
            with connection.query_logger(lambda record: statements.append(record.query)):
                delta = await change_log.read_since(connection, snapshot)
                await asyncio.sleep(0.01)  # the loop calls the loggers
            assert delta.is_complete
            assert len(statements) == 1
            assert await connection.fetch(settings) == before

    async def test_since_takes_no_transaction_id(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """It takes no transaction id: idle readers would use them up."""
        first = int(await writer.fetchval("SELECT pg_current_xact_id()::text"))
        snapshot = await change_log.take_snapshot(reader)
        for _ in range(10):
            snapshot = (await change_log.read_since(reader, snapshot)).snapshot
        assert int(await writer.fetchval("SELECT pg_current_xact_id()::text")) == first + 1

    async def test_since_in_a_long_log_scans_only_new_rows(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """Whether PostgreSQL knows how long it is, or not."""
        await writer.execute("""
            INSERT INTO live.change (part, at, shape, kind)
            SELECT 0, now(), 1, 4 FROM generate_series(1, 20000)
        """)
        scans = "SELECT sum(seq_scan), sum(idx_tup_fetch) FROM pg_stat_user_tables WHERE relname LIKE 'change\\_%'"
        for prepare in ("SELECT 1", "ANALYZE live.change"):
            await writer.execute(prepare)
            snapshot = await change_log.take_snapshot(reader)
            await writer.execute(INSERT_API_LOG, prepare)
            await reader.execute("SELECT pg_stat_force_next_flush()")
            before = await writer.fetchrow(scans)
            assert count_rows((await change_log.read_since(reader, snapshot)).changes) == {prepare: 1}
            await reader.execute("SELECT pg_stat_force_next_flush()")
            after = await writer.fetchrow(scans)
            assert after is not None
            assert before is not None
            assert after[0] == before[0]
            assert after[1] - before[1] <= 2

    async def test_since_with_too_many_changes_is_incomplete(
        self,
        writer: asyncpg.Connection,
        reader: asyncpg.Connection,
        change_log: ChangeLog,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A delta with too many changes is reported as incomplete."""
        monkeypatch.setattr(log_module, "_SINCE", log_module._SINCE.replace("20000", "5"))
        snapshot = await change_log.take_snapshot(reader)
        for number in range(6):
            await writer.execute(INSERT_API_LOG, f"row{number}")
            assert (await change_log.read_since(reader, snapshot)).is_complete is (number < 5)


class TestIncompleteness:
    """A reader that may have missed changes reports it."""

    async def test_since_before_truncated_changes_is_incomplete(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        long_ago = await change_log.take_snapshot(reader)
        await writer.execute(INSERT_API_LOG, "lost")
        assert await truncate_log(writer) == 1
        snapshot = await change_log.take_snapshot(reader)
        assert not (await change_log.read_since(reader, long_ago)).is_complete
        delta = await change_log.read_since(reader, snapshot)
        assert (delta.changes, delta.is_complete) == ((), True)

    async def test_since_in_snapshot_older_than_truncation_is_incomplete(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """It reads the part as empty, and the floor from before: neither shows what the part contained."""
        snapshot = await change_log.take_snapshot(reader)
        await writer.execute(INSERT_API_LOG, "lost")
        await reader.execute(BEGIN_SNAPSHOT)
        await reader.fetchval("SELECT 1")
        assert await truncate_log(writer) == 1
        assert await reader.fetchval("SELECT count(*) FROM live.change") == 0
        delta = await change_log.read_since(reader, snapshot)
        assert (delta.changes, delta.is_complete) == ((), False)

    async def test_since_in_snapshot_aware_of_truncation_is_complete(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """Such as the ticks do all the time: a reader that needs nothing of the deleted part misses nothing."""
        long_ago = await change_log.take_snapshot(reader)
        await writer.execute(INSERT_API_LOG, "over")
        assert await writer.fetchval("SELECT live.keep(0)") == 0
        snapshot = await change_log.take_snapshot(reader)
        await reader.execute(BEGIN_SNAPSHOT)
        await reader.fetchval("SELECT 1")
        assert await writer.fetchval("SELECT live.keep(0)") == 1
        delta = await change_log.read_since(reader, snapshot)
        assert (delta.changes, delta.is_complete) == ((), True)
        assert not (await change_log.read_since(reader, long_ago)).is_complete
        await reader.execute("ROLLBACK")

    async def test_change_log_truncate_by_hand_is_refused(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        snapshot = await change_log.take_snapshot(reader)
        await writer.execute(INSERT_API_LOG, "one")
        for table in ("live.change", "live.change_0"):
            with pytest.raises(asyncpg.RestrictViolationError, match=r"live\.keep"):
                await writer.execute(f"TRUNCATE {table}")
        await writer.execute("VACUUM FULL live.change")
        delta = await change_log.read_since(reader, snapshot)
        assert delta.is_complete
        assert count_rows(delta.changes) == {"one": 1}

    async def test_since_in_a_copy_in_another_cluster_is_incomplete(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """As after `pg_restore`: the log and the era of another cluster."""
        snapshot = await change_log.take_snapshot(reader)
        await writer.execute("UPDATE live.era SET cluster = 1")
        await writer.execute(
            "INSERT INTO live.change (part, xid, at, shape, kind) VALUES (0, '99999999', now(), 1, 4)"
        )
        delta = await change_log.read_since(reader, snapshot)
        assert (delta.is_complete, delta.snapshot.timeline) == (False, "")
        await change_log.begin_timeline(reader)
        assert not (await change_log.read_since(reader, snapshot)).is_complete
        now = await change_log.take_snapshot(reader)
        delta = await change_log.read_since(reader, now)
        assert (delta.changes, delta.is_complete) == ((), True)
        assert now.timeline not in ("", snapshot.timeline)

    async def test_since_snapshot_without_timeline_is_of_the_opened_one(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """It counts as belonging to the era in which the log was opened."""
        snapshot = Snapshot.parse(await reader.fetchval("SELECT pg_current_snapshot()::text"))
        assert (await change_log.read_since(reader, snapshot)).is_complete
        await writer.execute("TRUNCATE live.era")
        await change_log.begin_timeline(reader)
        assert not (await change_log.read_since(reader, snapshot)).is_complete


class TestMigrations:
    async def test_since_after_table_was_altered_reads_both_shapes(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """Earlier entries are read with the meaning of their time."""
        snapshot = await change_log.take_snapshot(reader)
        await writer.execute(INSERT_API_LOG, "one")
        await writer.execute("""
            ALTER TABLE api_logs DROP COLUMN duration_ms, ADD COLUMN note text;
            SELECT live.watch('api_logs', '{body,response_body}');
        """)
        await writer.execute("UPDATE api_logs SET note = 'x' WHERE id = 'one'")
        first, second = (await change_log.read_since(reader, snapshot)).changes
        assert (row_ids(first), row_ids(second)) == (["one"], ["one"])
        assert first.rows is not None
        assert second.rows is not None
        assert "duration_ms" in (first.rows[0].after or {})
        assert second.rows[0].columns == {"note"}

    async def test_since_after_table_was_unwatched_reads_its_changes(
        self, writer: asyncpg.Connection, reader: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        await writer.execute("""
            CREATE TABLE "Odd things" (id text PRIMARY KEY, "select" bigint, "part" text, "now" text, "bits" json);
            SELECT live.watch('Odd things');
        """)
        snapshot = await change_log.take_snapshot(reader)
        await writer.execute(
            """INSERT INTO "Odd things" VALUES ('a', 1, 's', 'n', '{}'), ('b', 1, 's', 'n', '{}')"""
        )
        await writer.execute("""UPDATE "Odd things" SET "select" = 2, "part" = 't', "bits" = '{"a": 1}'""")
        came, changed = (await change_log.read_since(reader, snapshot)).changes
        assert (came.table, row_ids(came)) == ("Odd things", ["a", "b"])
        assert changed.rows is not None
        assert [row.columns for row in changed.rows] == [{"select", "part", "bits"}] * 2
        await writer.execute("""SELECT live.unwatch('Odd things'); DELETE FROM "Odd things" """)
        assert (await change_log.read_since(reader, snapshot)).changes == (came, changed)

    @pytest.mark.parametrize(
        ("table", "unwatched"), [("CREATE TABLE t (key text)", "{}"), ("CREATE TABLE t (id text)", "{nmae}")]
    )
    async def test_watch_unsuitable_table_is_refused(
        self, writer: asyncpg.Connection, table: str, unwatched: str
    ) -> None:
        await writer.execute(table)
        with pytest.raises(asyncpg.RaiseError, match="cannot be watched"):
            await writer.execute(f"SELECT live.watch('t', '{unwatched}')")

    async def test_change_log_after_downgrade_and_migrate_logs_again(
        self, database_url: str, settings: Settings
    ) -> None:
        await downgrade(database_url, 7)
        async with open_connection(database_url) as writer, open_connection(database_url) as reader:
            await writer.execute(INSERT_API_LOG, "without a log")
            left = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'live%'"
            assert await writer.fetchval(left) == 0
            assert await writer.fetchval("SELECT to_regnamespace('live') IS NULL")
            await migrate(database_url, settings)
            change_log = await ChangeLog.open(reader)
            snapshot = await change_log.take_snapshot(reader)
            await writer.execute(INSERT_API_LOG, "with a log")
            assert count_rows((await change_log.read_since(reader, snapshot)).changes) == {"with a log": 1}


class TestRestarts:
    async def test_since_after_restart_is_complete_after_crash_incomplete(
        self, cluster: ThrowawayCluster
    ) -> None:
        """After a crash PostgreSQL may assign transaction ids again that a reader has seen."""
        with start_throwaway_cluster(cluster.version) as own:
            name = await own.create_database()
            await migrate(own.build_dsn(name), Settings())
            async with open_connection(own.build_dsn(name)) as connection:
                change_log = await ChangeLog.open(connection)
                snapshot = await change_log.take_snapshot(connection)
                await connection.execute(INSERT_API_LOG, "before")
            own.restart()
            async with open_connection(own.build_dsn(name)) as connection:
                delta = await change_log.read_since(connection, snapshot)
                assert delta.is_complete
                assert count_rows(delta.changes) == {"before": 1}
            own.crash()
            async with open_connection(own.build_dsn(name)) as connection:
                assert not (await change_log.read_since(connection, delta.snapshot)).is_complete
                await change_log.begin_timeline(connection)
                assert not (await change_log.read_since(connection, delta.snapshot)).is_complete
                now = await change_log.take_snapshot(connection)
                await connection.execute(INSERT_API_LOG, "after")
                later = await change_log.read_since(connection, now)
                assert later.is_complete
                assert count_rows(later.changes) == {"after": 1}

    async def test_since_after_restored_file_copy_is_incomplete(self, cluster: ThrowawayCluster) -> None:
        """A copy of a stopped cluster's files keeps the era, and assigns ids again that a reader has seen."""
        with start_throwaway_cluster(cluster.version) as own:
            name = await own.create_database()
            await migrate(own.build_dsn(name), Settings())
            copied = own.copy_data()
            async with open_connection(own.build_dsn(name)) as connection:
                change_log = await ChangeLog.open(connection)
                for number in range(50):
                    await connection.execute(INSERT_API_LOG, f"undone {number}")
                snapshot = await change_log.take_snapshot(connection)
            own.restore_data(copied)
            async with open_connection(own.build_dsn(name)) as connection:
                await connection.execute(INSERT_API_LOG, "another past")
                assert not (await change_log.read_since(connection, snapshot)).is_complete
