"""The log is kept small: it never stops a write, and never takes away what a reader may still need."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.limits import LOG_KEPT_S
from subscriptions.changes import retention
from subscriptions.changes.log import ChangeLog
from subscriptions.changes.moment import Moment
from subscriptions.changes.retention import keep
from tests.integration.logged import INSERT_CALL, SNAPSHOT, connected, empty, told

LOGGED: Final = "SELECT count(*) FROM live.change"
PAUSE_S: Final = LOG_KEPT_S / 60 + 1
"""After this time a keeper looks again."""


@pytest_asyncio.fixture
async def writer(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def keeper(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(database_url) as connection:
        yield connection


@pytest_asyncio.fixture
async def log(writer: asyncpg.Connection) -> ChangeLog:
    return await ChangeLog.open(writer)


async def pass_time(connection: asyncpg.Connection, seconds: float) -> None:
    """As if what is known of the past were older by that."""
    for table in ("mark", "change", "floor"):
        await connection.execute(f"UPDATE live.{table} SET at = at - make_interval(secs => $1)", seconds)  # noqa: S608


async def keep_again(connection: asyncpg.Connection) -> int:
    """What servers do all the time, ten times: how many parts they emptied."""
    emptied = 0
    for _ in range(10):
        emptied += await keep(connection)
        await pass_time(connection, PAUSE_S)
    return emptied


class TestKeeping:
    async def test_a_change_stays_for_the_promised_time(
        self, writer: asyncpg.Connection, keeper: asyncpg.Connection, log: ChangeLog
    ) -> None:
        moment = await log.now(writer)
        await writer.execute(INSERT_CALL, "one")
        passed = 0.0
        while passed + PAUSE_S < LOG_KEPT_S:
            assert await keep(keeper) == 0
            assert (await log.since(writer, moment)).complete
            await pass_time(writer, PAUSE_S)
            passed += PAUSE_S
        assert await writer.fetchval(LOGGED) == 1
        assert await keep_again(keeper) == 1
        assert await writer.fetchval(LOGGED) == 0
        assert not (await log.since(writer, moment)).complete

    async def test_it_is_counted_from_the_commit(
        self, database_url: str, writer: asyncpg.Connection, keeper: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """A transaction wrote long ago and commits only now: no reader has seen it yet."""
        async with connected(database_url) as slow, slow.transaction():
            await slow.execute(INSERT_CALL, "slow")
            for _ in range(2):
                assert await keep_again(keeper) == 0
                await pass_time(writer, LOG_KEPT_S)
            moment = await log.now(writer)
        assert await keep_again(keeper) == 0
        delta = await log.since(writer, moment)
        assert delta.complete
        assert told(delta.changes) == {"slow": 1}
        await pass_time(writer, LOG_KEPT_S)
        assert await keep_again(keeper) == 1

    async def test_a_long_transaction_holds_only_its_own_parts(
        self, database_url: str, writer: asyncpg.Connection, keeper: asyncpg.Connection, log: ChangeLog
    ) -> None:
        async with connected(database_url) as slow, slow.transaction():
            await slow.execute("SELECT pg_current_xact_id()")
            await writer.execute(INSERT_CALL, "one")
            await keep_again(keeper)
            moment = await log.now(writer)
            await pass_time(writer, LOG_KEPT_S)
            assert await keep_again(keeper) == 1
            assert (await log.since(writer, moment)).complete

    async def test_there_is_nothing_to_do(self, keeper: asyncpg.Connection) -> None:
        files = "SELECT pg_relation_filenode('live.change_' || n) FROM generate_series(0, 3) n"
        before = await keeper.fetch(files)
        await keep(keeper)
        await pass_time(keeper, LOG_KEPT_S)
        assert await keep_again(keeper) == 0
        assert await keeper.fetch(files) == before

    async def test_marks_are_few(self, keeper: asyncpg.Connection) -> None:
        for _ in range(5):
            await keep(keeper)
        assert await keeper.fetchval("SELECT count(*) FROM live.mark") == 1
        for _ in range(100):
            await pass_time(keeper, LOG_KEPT_S / 50)
            await keep(keeper)
        assert 50 <= await keeper.fetchval("SELECT count(*) FROM live.mark") <= 52

    async def test_the_clock_is_put_back(
        self, writer: asyncpg.Connection, keeper: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """What was noted in the time that did not come does not count; then all goes on."""
        await keep(keeper)
        await pass_time(writer, -86_400)
        moment = await log.now(writer)
        await writer.execute(INSERT_CALL, "one")
        await writer.execute("UPDATE live.change SET at = now()")
        assert await keep_again(keeper) == 0
        assert told((await log.since(writer, moment)).changes) == {"one": 1}
        await pass_time(writer, LOG_KEPT_S)
        assert await keep_again(keeper) == 1

    async def test_a_new_era_forgets_the_marks_of_the_old(
        self, writer: asyncpg.Connection, keeper: asyncpg.Connection, log: ChangeLog
    ) -> None:
        await writer.execute(INSERT_CALL, "one")
        await keep(keeper)
        await pass_time(writer, LOG_KEPT_S)
        await keep(keeper)
        await writer.execute("TRUNCATE live.era")
        assert await keep_again(keeper) == 0
        moment = await log.now(writer)
        assert (await log.since(writer, moment)).complete

    async def test_an_older_snapshot_is_refused(self, keeper: asyncpg.Connection) -> None:
        """It would not see what was committed since, and take it away unread."""
        async with keeper.transaction(isolation="repeatable_read"):
            with pytest.raises(asyncpg.RaiseError, match="READ COMMITTED"):
                await keeper.fetchval("SELECT live.keep(0)")
        await keeper.execute("SET default_transaction_isolation = serializable")
        assert await keep(keeper) == 0


class TestTogether:
    async def test_one_server_at_a_time(
        self, database_url: str, writer: asyncpg.Connection, keeper: asyncpg.Connection
    ) -> None:
        await writer.execute(INSERT_CALL, "one")
        await keeper.fetchval("SELECT live.keep(0)")
        async with connected(database_url) as other, other.transaction():
            assert await other.fetchval("SELECT live.keep(0)") == 1
            began = time.monotonic()
            assert await keep(keeper) == 0
            assert await keeper.fetchval("SELECT live.keep(0)") is None
            assert time.monotonic() - began < 3

    async def test_a_part_that_is_being_read_is_left(
        self, database_url: str, writer: asyncpg.Connection, keeper: asyncpg.Connection, log: ChangeLog
    ) -> None:
        """Nobody waits for long: not the keeper, not a writer, not another reader."""
        moment = await log.now(writer)
        await writer.execute(INSERT_CALL, "one")
        async with connected(database_url) as reader:
            await reader.execute(SNAPSHOT)
            first = await log.since(reader, moment)
            keeping = asyncio.create_task(empty(keeper))
            began = time.monotonic()
            await writer.execute(INSERT_CALL, "two")
            await log.since(writer, moment)
            assert await keeping == 0
            assert time.monotonic() - began < 3
            assert await log.since(reader, moment) == first
            await reader.execute("COMMIT")
        assert await empty(keeper) == 1


QUICK_RING: Final = """
    CREATE OR REPLACE FUNCTION live.part_at(at timestamptz) RETURNS smallint
        LANGUAGE sql STABLE RETURN (floor(date_part('epoch', at) * 4)::bigint % 4)::smallint
"""
"""A ring that turns once a second instead of once in twelve minutes."""
KEPT_S: Final = 0.4
SECONDS: Final = 5.0


class TestTurning:
    """The ring turns several times under writers and readers."""

    async def test_nothing_is_lost_and_nobody_waits(
        self, database_url: str, writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await writer.execute(QUICK_RING)
        monkeypatch.setattr(retention, "LOG_KEPT_S", KEPT_S)
        log = await ChangeLog.open(writer)
        committed: Counter[str] = Counter()
        waits: list[float] = []
        until = time.monotonic() + SECONDS
        async with connected(database_url) as quick, connected(database_url) as slow:
            writers = [_write(database_url, n, committed, waits, until) for n in range(6)]
            moment = await log.now(writer)
            quick_one = _read(quick, log, moment, 0.005, until)
            slow_one = _read(slow, log, moment, KEPT_S / 4, until)
            keepers = [_keep(database_url, until) for _ in range(2)]
            ended = await asyncio.gather(quick_one, slow_one, *keepers, *writers)
        quick_rows, slow_rows, *emptied = ended[:4]
        assert sum(emptied) > SECONDS
        assert committed.total() > 200
        assert quick_rows == committed
        assert slow_rows == committed
        assert max(waits) < 1
        assert await writer.fetchval("SELECT count(*) FROM live.change") < committed.total()

    async def test_a_reader_that_is_too_slow_is_told(
        self, database_url: str, writer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await writer.execute(QUICK_RING)
        monkeypatch.setattr(retention, "LOG_KEPT_S", KEPT_S)
        log = await ChangeLog.open(writer)
        moment = await log.now(writer)
        until = time.monotonic() + 3
        await asyncio.gather(_write(database_url, 0, Counter(), [], until), _keep(database_url, until))
        assert not (await log.since(writer, moment)).complete


async def _write(url: str, number: int, committed: Counter[str], waits: list[float], until: float) -> None:
    """One row after the other; the first writer in transactions of half a ring's turn."""
    async with connected(url) as connection:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            row = f"{number}-{turn}"
            began = time.monotonic()
            if number == 0:
                async with connection.transaction():
                    await connection.execute(INSERT_CALL, row)
                    await asyncio.sleep(0.5)
                    began = time.monotonic()
            else:
                await connection.execute(INSERT_CALL, row)
            waits.append(time.monotonic() - began)
            committed[row] += 1
            await asyncio.sleep(0.01)


async def _read(
    connection: asyncpg.Connection, log: ChangeLog, moment: Moment, pause_s: float, until: float
) -> Counter[str]:
    """All that is told to a reader; each delta must be complete."""
    rows: Counter[str] = Counter()
    while True:
        is_last = time.monotonic() > until + 1
        delta = await log.since(connection, moment)
        assert delta.complete
        rows += told(delta.changes)
        moment = delta.moment
        if is_last:
            return rows
        await asyncio.sleep(pause_s)


async def _keep(url: str, until: float) -> int:
    """How many parts were emptied."""
    emptied = 0
    async with connected(url) as connection:
        while time.monotonic() < until:
            emptied += await keep(connection)
            await asyncio.sleep(0.05)
    return emptied


class TestWithoutServers:
    """Nobody keeps the log: its writers take the oldest rows away, a few at a time."""

    async def test_the_log_does_not_grow_for_ever(self, writer: asyncpg.Connection, log: ChangeLog) -> None:
        """Each round is as many writes as would double the log, eleven minutes later."""
        moment = await log.now(writer)
        await writer.execute(INSERT_CALL, "one")
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
        assert not (await log.since(writer, moment)).complete
        moment = await log.now(writer)
        await writer.execute(INSERT_CALL, "two")
        delta = await log.since(writer, moment)
        assert delta.complete
        assert told(delta.changes) == {"two": 1}

    async def test_while_it_is_kept_they_do_nothing(
        self, writer: asyncpg.Connection, keeper: asyncpg.Connection
    ) -> None:
        await writer.execute(INSERT_CALL, "one")
        await pass_time(writer, 660)
        await keep(keeper)
        await writer.execute("SELECT live.tidy()")
        assert await writer.fetchval(LOGGED) == 1
        await pass_time(writer, 660)
        await writer.execute("SELECT live.tidy()")
        assert await writer.fetchval(LOGGED) == 0

    async def test_it_fails_no_write_and_waits_for_nobody(
        self, database_url: str, writer: asyncpg.Connection
    ) -> None:
        """Neither beside another that does the same, nor in a transaction that may not change what others have."""
        for number in range(3):
            await writer.execute(INSERT_CALL, f"row{number}")
        await pass_time(writer, 660)
        async with connected(database_url) as other:
            async with other.transaction(isolation="serializable"):
                await other.fetchval(LOGGED)
                await writer.execute("SELECT live.tidy()")
                assert await writer.fetchval(LOGGED) == 0
                await other.execute("SELECT live.tidy()")
                await other.execute(INSERT_CALL, "goes on")
            async with writer.transaction():
                await pass_time(writer, 660)
                await writer.execute("SELECT live.tidy()")
                began = time.monotonic()
                await other.execute("SELECT live.tidy()")
                assert time.monotonic() - began < 3

    async def test_what_is_rolled_back_is_there_again(
        self, writer: asyncpg.Connection, log: ChangeLog
    ) -> None:
        moment = await log.now(writer)
        await writer.execute(INSERT_CALL, "one")
        await pass_time(writer, 660)
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("SELECT live.tidy()")
        assert not (await log.since(writer, moment)).complete
        await transaction.rollback()
        delta = await log.since(writer, moment)
        assert delta.complete
        assert told(delta.changes) == {"one": 1}

    async def test_servers_that_come_back_take_over(
        self, writer: asyncpg.Connection, keeper: asyncpg.Connection
    ) -> None:
        """Old rows and new ones may stand in one part: it is emptied once the new are old."""
        await keep(keeper)
        await writer.execute(INSERT_CALL, "old")
        await pass_time(writer, 3_600)
        await writer.execute(INSERT_CALL, "new")
        assert await keep_again(keeper) == 0
        assert await writer.fetchval(LOGGED) == 2
        await pass_time(writer, LOG_KEPT_S)
        assert await keep_again(keeper) >= 1
        assert await writer.fetchval(LOGGED) == 0
