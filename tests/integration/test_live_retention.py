"""The log stays small: keeping it never stops a write, and never deletes entries that a reader may still need."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.limits import CHANGE_LOG_RETENTION_S
from subscriptions.change_log import retention
from subscriptions.change_log.change_log import ChangeLog
from subscriptions.change_log.retention import truncate_expired
from subscriptions.change_log.snapshot import Snapshot
from tests.integration.change_log import (
    BEGIN_SNAPSHOT,
    INSERT_API_LOG,
    count_rows,
    open_connection,
    truncate_log,
)
from tests.waiting import HANG_S

LOGGED: Final = "SELECT count(*) FROM live.change"
PAUSE_S: Final = CHANGE_LOG_RETENTION_S / 60 + 1
"""After this time a keeper acts again."""


@pytest_asyncio.fixture
async def writer(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with open_connection(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def truncator(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with open_connection(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def change_log(writer: asyncpg.Connection) -> ChangeLog:
    return await ChangeLog.open(writer)


async def pass_time(connection: asyncpg.Connection, seconds: float) -> None:
    """Move the recorded times back by so many seconds."""
    for table in ("mark", "change", "floor"):
        await connection.execute(f"UPDATE live.{table} SET at = at - make_interval(secs => $1)", seconds)


async def truncate_repeatedly(connection: asyncpg.Connection) -> int:
    """What servers do all the time, ten times; returns the number of emptied parts."""
    emptied = 0
    for _ in range(10):
        emptied += await truncate_expired(connection)
        await pass_time(connection, PAUSE_S)
    return emptied


class TestTruncation:
    async def test_truncation_before_the_retention_time_keeps_the_change(
        self, writer: asyncpg.Connection, truncator: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        snapshot = await change_log.take_snapshot(writer)
        await writer.execute(INSERT_API_LOG, "one")
        passed = 0.0
        while passed + PAUSE_S < CHANGE_LOG_RETENTION_S:
            assert await truncate_expired(truncator) == 0
            assert (await change_log.read_since(writer, snapshot)).is_complete
            await pass_time(writer, PAUSE_S)
            passed += PAUSE_S
        assert await writer.fetchval(LOGGED) == 1
        assert await truncate_repeatedly(truncator) == 1
        assert await writer.fetchval(LOGGED) == 0
        assert not (await change_log.read_since(writer, snapshot)).is_complete

    async def test_truncation_of_late_commit_counts_from_the_commit(
        self,
        database_url: str,
        writer: asyncpg.Connection,
        truncator: asyncpg.Connection,
        change_log: ChangeLog,
    ) -> None:
        """A transaction wrote long ago and commits only now: no reader has seen it yet."""
        async with open_connection(database_url) as slow, slow.transaction():
            await slow.execute(INSERT_API_LOG, "slow")
            for _ in range(2):
                assert await truncate_repeatedly(truncator) == 0
                await pass_time(writer, CHANGE_LOG_RETENTION_S)
            snapshot = await change_log.take_snapshot(writer)
        assert await truncate_repeatedly(truncator) == 0
        delta = await change_log.read_since(writer, snapshot)
        assert delta.is_complete
        assert count_rows(delta.changes) == {"slow": 1}
        await pass_time(writer, CHANGE_LOG_RETENTION_S)
        assert await truncate_repeatedly(truncator) == 1

    async def test_truncation_during_long_transaction_removes_other_partitions(
        self,
        database_url: str,
        writer: asyncpg.Connection,
        truncator: asyncpg.Connection,
        change_log: ChangeLog,
    ) -> None:
        async with open_connection(database_url) as slow, slow.transaction():
            await slow.execute("SELECT pg_current_xact_id()")
            await writer.execute(INSERT_API_LOG, "one")
            await truncate_repeatedly(truncator)
            snapshot = await change_log.take_snapshot(writer)
            await pass_time(writer, CHANGE_LOG_RETENTION_S)
            assert await truncate_repeatedly(truncator) == 1
            assert (await change_log.read_since(writer, snapshot)).is_complete

    async def test_truncation_of_an_empty_log_rewrites_no_file(self, truncator: asyncpg.Connection) -> None:
        files = "SELECT pg_relation_filenode('live.change_' || n) FROM generate_series(0, 3) n"
        before = await truncator.fetch(files)
        await truncate_expired(truncator)
        await pass_time(truncator, CHANGE_LOG_RETENTION_S)
        assert await truncate_repeatedly(truncator) == 0
        assert await truncator.fetch(files) == before

    async def test_truncation_called_often_keeps_few_marks(self, truncator: asyncpg.Connection) -> None:
        for _ in range(5):
            await truncate_expired(truncator)
        assert await truncator.fetchval("SELECT count(*) FROM live.mark") == 1
        for _ in range(100):
            await pass_time(truncator, CHANGE_LOG_RETENTION_S / 50)
            await truncate_expired(truncator)
        assert 50 <= await truncator.fetchval("SELECT count(*) FROM live.mark") <= 52

    async def test_truncation_after_clock_set_back_keeps_new_changes(
        self, writer: asyncpg.Connection, truncator: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """Entries from a future that never came do not count. Then everything continues."""
        await truncate_expired(truncator)
        await pass_time(writer, -86_400)
        snapshot = await change_log.take_snapshot(writer)
        await writer.execute(INSERT_API_LOG, "one")
        await writer.execute("UPDATE live.change SET at = now()")
        assert await truncate_repeatedly(truncator) == 0
        assert count_rows((await change_log.read_since(writer, snapshot)).changes) == {"one": 1}
        await pass_time(writer, CHANGE_LOG_RETENTION_S)
        assert await truncate_repeatedly(truncator) == 1

    async def test_truncation_in_a_new_timeline_ignores_old_marks(
        self, writer: asyncpg.Connection, truncator: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        await writer.execute(INSERT_API_LOG, "one")
        await truncate_expired(truncator)
        await pass_time(writer, CHANGE_LOG_RETENTION_S)
        await truncate_expired(truncator)
        await writer.execute("TRUNCATE live.era")
        assert await truncate_repeatedly(truncator) == 0
        snapshot = await change_log.take_snapshot(writer)
        assert (await change_log.read_since(writer, snapshot)).is_complete

    async def test_truncation_in_repeatable_read_is_refused(self, truncator: asyncpg.Connection) -> None:
        """It would not see later commits, and would delete them unread."""
        async with truncator.transaction(isolation="repeatable_read"):
            with pytest.raises(asyncpg.RaiseError, match="READ COMMITTED"):
                await truncator.fetchval("SELECT live.keep(0)")
        await truncator.execute("SET default_transaction_isolation = serializable")
        assert await truncate_expired(truncator) == 0


class TestConcurrency:
    async def test_truncation_while_another_server_does_it_is_skipped(
        self, database_url: str, writer: asyncpg.Connection, truncator: asyncpg.Connection
    ) -> None:
        await writer.execute(INSERT_API_LOG, "one")
        await truncator.fetchval("SELECT live.keep(0)")
        async with open_connection(database_url) as other, other.transaction():
            assert await other.fetchval("SELECT live.keep(0)") == 1
            async with asyncio.timeout(HANG_S):  # the other transaction is open all the time
                assert await truncate_expired(truncator) == 0
                assert await truncator.fetchval("SELECT live.keep(0)") is None

    async def test_truncation_of_a_partition_being_read_is_postponed(
        self,
        database_url: str,
        writer: asyncpg.Connection,
        truncator: asyncpg.Connection,
        change_log: ChangeLog,
    ) -> None:
        """Neither the keeper, nor a writer, nor another reader waits for it."""
        snapshot = await change_log.take_snapshot(writer)
        await writer.execute(INSERT_API_LOG, "one")
        async with open_connection(database_url) as reader:
            await reader.execute(BEGIN_SNAPSHOT)
            first = await change_log.read_since(reader, snapshot)
            keeping = asyncio.create_task(truncate_log(truncator))
            async with asyncio.timeout(HANG_S):  # the reader's transaction is open all the time
                await writer.execute(INSERT_API_LOG, "two")
                await change_log.read_since(writer, snapshot)
                assert await keeping == 0
            assert await change_log.read_since(reader, snapshot) == first
            await reader.execute("COMMIT")
        assert await truncate_log(truncator) == 1


QUICK_RING: Final = """
    CREATE OR REPLACE FUNCTION live.part_at(at timestamptz) RETURNS smallint
        LANGUAGE sql STABLE RETURN (floor(date_part('epoch', at) * 4)::bigint % 4)::smallint
"""
"""A ring that turns once a second instead of once in twelve minutes."""
KEPT_S: Final = 0.4
SECONDS: Final = 5.0


class TestPartitionRing:
    """The ring turns several times under writers and readers."""

    async def test_ring_turning_under_load_loses_nothing(
        self, database_url: str, writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await writer.execute(QUICK_RING)
        monkeypatch.setattr(retention, "CHANGE_LOG_RETENTION_S", KEPT_S)
        change_log = await ChangeLog.open(writer)
        committed: Counter[str] = Counter()
        until = time.monotonic() + SECONDS
        async with open_connection(database_url) as quick, open_connection(database_url) as slow:
            writers = [_write_until(database_url, n, committed, until) for n in range(6)]
            snapshot = await change_log.take_snapshot(writer)
            quick_one = _read_until(quick, change_log, snapshot, 0.005, until)
            slow_one = _read_until(slow, change_log, snapshot, KEPT_S / 4, until)
            keepers = [_truncate_until(database_url, until) for _ in range(2)]
            quick_rows, slow_rows, emptied, _ = await asyncio.gather(
                quick_one, slow_one, asyncio.gather(*keepers), asyncio.gather(*writers)
            )
        assert sum(emptied) > SECONDS
        assert committed.total() > 20
        assert quick_rows == committed
        assert slow_rows == committed
        assert await writer.fetchval("SELECT count(*) FROM live.change") < committed.total()

    async def test_ring_turning_past_a_slow_reader_makes_it_incomplete(
        self, database_url: str, writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await writer.execute(QUICK_RING)
        monkeypatch.setattr(retention, "CHANGE_LOG_RETENTION_S", KEPT_S)
        change_log = await ChangeLog.open(writer)
        snapshot = await change_log.take_snapshot(writer)
        until = time.monotonic() + 3
        await asyncio.gather(
            _write_until(database_url, 0, Counter(), until), _truncate_until(database_url, until)
        )
        assert not (await change_log.read_since(writer, snapshot)).is_complete


async def _write_until(url: str, number: int, committed: Counter[str], until: float) -> None:
    """Write one row after the other; the first writer in transactions of half a ring's turn."""
    async with open_connection(url) as connection:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            row = f"{number}-{turn}"
            if number == 0:
                async with connection.transaction():
                    await connection.execute(INSERT_API_LOG, row)
                    await asyncio.sleep(0.5)
            else:
                await connection.execute(INSERT_API_LOG, row)
            committed[row] += 1
            await asyncio.sleep(0.01)


async def _read_until(
    connection: asyncpg.Connection, change_log: ChangeLog, snapshot: Snapshot, pause_s: float, until: float
) -> Counter[str]:
    """All changes that a reader receives. Each delta must be complete."""
    rows: Counter[str] = Counter()
    while True:
        is_last = time.monotonic() > until + 1
        delta = await change_log.read_since(connection, snapshot)
        assert delta.is_complete
        rows += count_rows(delta.changes)
        snapshot = delta.snapshot
        if is_last:
            return rows
        await asyncio.sleep(pause_s)


async def _truncate_until(url: str, until: float) -> int:
    """How many parts were emptied."""
    emptied = 0
    async with open_connection(url) as connection:
        while time.monotonic() < until:
            emptied += await truncate_expired(connection)
            await asyncio.sleep(0.05)
    return emptied


class TestWithoutServers:
    """Without servers the writers delete the oldest rows, a few at a time."""

    async def test_tidy_by_writers_bounds_the_log(
        self, writer: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        """Each round has as many writes as would double the log, eleven minutes later."""
        snapshot = await change_log.take_snapshot(writer)
        await writer.execute(INSERT_API_LOG, "one")
        lengths = []
        for _ in range(4):
            await writer.execute("""
                DO $$ BEGIN
                    FOR n IN 1..8000 LOOP UPDATE api_logs SET duration_ms = n; END LOOP;
                END $$
            """)
            lengths.append(await writer.fetchval(LOGGED))
            await pass_time(writer, 660)
        assert lengths[0] >= 8000
        assert max(lengths) < 3 * 8000
        assert not (await change_log.read_since(writer, snapshot)).is_complete
        snapshot = await change_log.take_snapshot(writer)
        await writer.execute(INSERT_API_LOG, "two")
        delta = await change_log.read_since(writer, snapshot)
        assert delta.is_complete
        assert count_rows(delta.changes) == {"two": 1}

    async def test_tidy_while_servers_truncate_does_nothing(
        self, writer: asyncpg.Connection, truncator: asyncpg.Connection
    ) -> None:
        await writer.execute(INSERT_API_LOG, "one")
        await pass_time(writer, 660)
        await truncate_expired(truncator)
        await writer.execute("SELECT live.tidy()")
        assert await writer.fetchval(LOGGED) == 1
        await pass_time(writer, 660)
        await writer.execute("SELECT live.tidy()")
        assert await writer.fetchval(LOGGED) == 0

    async def test_tidy_concurrently_neither_fails_nor_waits(
        self, database_url: str, writer: asyncpg.Connection
    ) -> None:
        """Neither during the same work of another writer, nor in a transaction that must not change others' rows."""
        for number in range(3):
            await writer.execute(INSERT_API_LOG, f"row{number}")
        await pass_time(writer, 660)
        async with open_connection(database_url) as other:
            async with other.transaction(isolation="serializable"):
                await other.fetchval(LOGGED)
                await writer.execute("SELECT live.tidy()")
                assert await writer.fetchval(LOGGED) == 0
                await other.execute("SELECT live.tidy()")
                await other.execute(INSERT_API_LOG, "goes on")
            async with writer.transaction():
                await pass_time(writer, 660)
                await writer.execute("SELECT live.tidy()")
                async with asyncio.timeout(HANG_S):
                    await other.execute("SELECT live.tidy()")

    async def test_tidy_rolled_back_keeps_the_changes(
        self, writer: asyncpg.Connection, change_log: ChangeLog
    ) -> None:
        snapshot = await change_log.take_snapshot(writer)
        await writer.execute(INSERT_API_LOG, "one")
        await pass_time(writer, 660)
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("SELECT live.tidy()")
        assert not (await change_log.read_since(writer, snapshot)).is_complete
        await transaction.rollback()
        delta = await change_log.read_since(writer, snapshot)
        assert delta.is_complete
        assert count_rows(delta.changes) == {"one": 1}

    async def test_truncation_after_servers_return_removes_old_and_new(
        self, writer: asyncpg.Connection, truncator: asyncpg.Connection
    ) -> None:
        """Old rows and new ones may be in one part. It is emptied once the new rows are old."""
        await truncate_expired(truncator)
        await writer.execute(INSERT_API_LOG, "old")
        await pass_time(writer, 3_600)
        await writer.execute(INSERT_API_LOG, "new")
        assert await truncate_repeatedly(truncator) == 0
        assert await writer.fetchval(LOGGED) == 2
        await pass_time(writer, CHANGE_LOG_RETENTION_S)
        assert await truncate_repeatedly(truncator) >= 1
        assert await writer.fetchval(LOGGED) == 0
