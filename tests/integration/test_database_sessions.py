"""Connections: never to a standby, with a deadline on every wait, through poolers, and bounded in number."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from core.database import watchdog
from core.database.connecting import StandbyError, connect, split_hosts
from core.database.connection_budget import size_request_pools
from core.database.database import Database
from core.database.single_reads import SignInFacts
from core.database.transactions import begin_write
from core.errors import StartupError, UnavailableError
from core.limits import DATABASE_CONNECTIONS_MIN
from core.settings import Settings
from services.database_status import DatabaseStatus
from services.startup import open_database
from tests.clusters import Standby, ThrowawayCluster, start_standby, start_throwaway_cluster
from tests.pgbouncer import PGBOUNCER, start_pgbouncer
from tests.postgres_processes import stopped

WRITE_AS_OWNER: Final = "UPDATE app.installation SET is_only = true"


async def fetch_backend_pids(dsn: str) -> list[int]:
    """The backends of all other connections to this database."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
    finally:
        await connection.close()
    return [row[0] for row in rows]


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> float:
    """A deadline of a second, so that the tests are quick."""
    monkeypatch.setattr(watchdog, "DATABASE_DEADLINE_S", 1.0)
    monkeypatch.setattr(watchdog, "DATABASE_WATCH_S", 0.1)
    return 1.0


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://u:p@one/db", ["postgresql://u:p@one/db"]),
        ("postgresql:///db?host=/run/a", ["postgresql:///db?host=/run/a"]),
        ("postgresql:///db", ["postgresql:///db"]),
        (
            "postgresql://u:p%40@one:5432,[::1]:5433/db?sslmode=require",
            [
                "postgresql://u:p%40@one:5432/db?sslmode=require",
                "postgresql://u:p%40@[::1]:5433/db?sslmode=require",
            ],
        ),
        (
            "postgresql://u@/db?host=/run/a,/run/b&port=1,2",
            ["postgresql://u@/db?host=%2Frun%2Fa&port=1", "postgresql://u@/db?host=%2Frun%2Fb&port=2"],
        ),
        (
            "postgresql://u@/db?host=/run/a,b&port=9",
            ["postgresql://u@/db?host=%2Frun%2Fa&port=9", "postgresql://u@/db?host=b&port=9"],
        ),
    ],
)
def test_split_hosts_of_dsn_gives_one_dsn_for_each_host(dsn: str, expected: list[str]) -> None:
    assert split_hosts(dsn) == expected


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair() -> AsyncIterator[tuple[ThrowawayCluster, Standby, str]]:
    with start_throwaway_cluster(15) as primary:
        name = await primary.create_database()
        await (await open_database(primary.build_dsn(name), Settings())).close()
        with start_standby(primary) as standby:
            yield primary, standby, name


class TestStandby:
    async def test_connection_to_standby_is_refused(
        self, pair: tuple[ThrowawayCluster, Standby, str]
    ) -> None:
        _, standby, name = pair
        with pytest.raises(StandbyError, match="standby"):
            await connect(standby.build_dsn(name))
        with pytest.raises(StartupError, match="standby"):
            await open_database(standby.build_dsn(name), Settings())

    async def test_connection_to_standby_with_session_attributes_is_refused(
        self, pair: tuple[ThrowawayCluster, Standby, str]
    ) -> None:
        _, standby, name = pair
        with pytest.raises(ConnectionError):
            await connect(f"{standby.build_dsn(name)}&target_session_attrs=standby")

    async def test_connection_to_several_hosts_reaches_the_primary(
        self, pair: tuple[ThrowawayCluster, Standby, str]
    ) -> None:
        primary, standby, name = pair
        hosts = f"/nowhere,{standby.socket_dir},{primary.socket_dir}"
        dsn = f"postgresql://msp@/{name}?host={hosts}&port=5432"
        database = await open_database(dsn, Settings())
        try:
            async with begin_write(database, platform=True) as transaction:
                await transaction.fetch(WRITE_AS_OWNER, ())
        finally:
            await database.close()

    async def test_connection_to_several_hosts_without_primary_names_each_reason(
        self, pair: tuple[ThrowawayCluster, Standby, str]
    ) -> None:
        _, standby, name = pair
        with pytest.raises(ConnectionError, match=r"no host is a primary: .*; the server is a standby"):
            await connect(f"postgresql://msp@/{name}?host=/nowhere,{standby.socket_dir}&port=5432")

    @pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not installed")
    async def test_pooler_that_moves_to_standby_gives_no_stale_read(
        self, pair: tuple[ThrowawayCluster, Standby, str]
    ) -> None:
        """The pooler keeps its clients, and gives them servers of the standby."""
        primary, standby, name = pair
        settings = Settings(statement_cache_size=0, database_direct_url=SecretStr(primary.build_dsn(name)))
        with start_pgbouncer(primary, name) as address:
            database = await Database.connect(address, settings)
            try:
                async with database.read_transaction() as snapshot:
                    await snapshot.fetch("SELECT 1", ())
                await move_pooler(address, standby)
                with pytest.raises(UnavailableError):
                    async with database.read_transaction() as snapshot:
                        await snapshot.fetch("SELECT 1", ())
                with pytest.raises(UnavailableError):
                    async with begin_write(database, platform=True) as transaction:
                        await transaction.fetch(WRITE_AS_OWNER, ())
                with pytest.raises(UnavailableError):
                    await database.open_shared_read_transaction()
            finally:
                database.terminate()


async def move_pooler(address: str, standby: Standby) -> None:
    """Point PgBouncer to the standby, and make it replace its connections."""
    home = address.partition("host=")[2].partition("&")[0].replace("%2F", "/")
    with open(f"{home}/pgbouncer.ini", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123
        text = file.read()
    server = text.partition("host=")[2].partition(" ")[0]
    lines = [
        line.replace(server, str(standby.socket_dir)) if "user=" in line else line
        for line in text.split("\n")
    ]
    with open(f"{home}/pgbouncer.ini", "w", encoding="utf-8") as file:  # noqa: ASYNC230, PTH123
        file.write("\n".join(lines))
    console = await asyncpg.connect(address.replace("/msp_1", "/pgbouncer"), statement_cache_size=0)
    try:
        for command in ("RELOAD", "RECONNECT"):
            await console.execute(command)
    finally:
        console.terminate()


async def test_tcp_connection_has_keepalives(database_url: str) -> None:
    """Through a TCP relay, because the test clusters listen on Unix sockets only."""
    directory = database_url.partition("host=")[2].partition("&")[0].replace("%2F", "/")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.5432")
        await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connection = await connect(
            f"postgresql://msp@127.0.0.1:{port}/{database_url.split('@/')[1].split('?')[0]}"
        )
        line: Any = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        try:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 25_000
        finally:
            await connection.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


class TestDeadline:
    async def test_statement_of_stopped_backend_fails_at_the_deadline(
        self, database_url: str, short_deadline: float
    ) -> None:
        database = await Database.connect(database_url, Settings())
        began = time.monotonic()
        with stopped(await fetch_backend_pids(database_url)):
            with pytest.raises(UnavailableError):
                async with database.read_transaction() as snapshot:
                    await snapshot.fetch("SELECT 1", ())
            assert short_deadline <= time.monotonic() - began < short_deadline + 2
            async with database.read_transaction() as snapshot:  # over a new connection
                await snapshot.fetch("SELECT 1", ())
        assert database.watchdog.expired == 1
        await database.close()

    @pytest.mark.usefixtures("short_deadline")
    async def test_single_read_of_stopped_backend_fails_once(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("core.database.single_reads.STATEMENT_TIMEOUT_MS", 500)
        database = await Database.connect(database_url, Settings())
        facts, nothing = SignInFacts("", "", "", ""), "SELECT 1 AS data"
        assert database.single_reads is not None
        assert await database.single_reads.fetch(facts, nothing, ()) is None  # nobody has these facts
        with stopped(await fetch_backend_pids(database_url)), pytest.raises(UnavailableError):
            await database.single_reads.fetch(facts, nothing, ())
        await database.close()

    async def test_idle_connections_of_stopped_backends_are_dropped_together(
        self, database_url: str, short_deadline: float
    ) -> None:
        database = await Database.connect(database_url, Settings(pool_size=5))

        async def read() -> None:
            async with database.read_transaction() as snapshot:
                await snapshot.fetch("SELECT pg_sleep(0.1)", ())

        await asyncio.gather(*(read() for _ in range(5)))
        pids = await fetch_backend_pids(database_url)
        assert len(pids) == 5
        with stopped(pids):
            with pytest.raises(UnavailableError):
                await read()
            began = time.monotonic()
            await asyncio.gather(*(read() for _ in range(5)))
            assert time.monotonic() - began < short_deadline
        await database.close()

    @pytest.mark.usefixtures("short_deadline")
    async def test_long_statement_that_answers_in_time_is_kept(self, database_url: str) -> None:
        database = await Database.connect(database_url, Settings())
        async with database.read_transaction() as snapshot:
            for _ in range(4):
                await snapshot.fetch("SELECT pg_sleep(0.6)", ())
            with watchdog.extend_deadline(snapshot.connection, 3):
                await snapshot.fetch("SELECT pg_sleep(1.6)", ())
        assert database.watchdog.expired == 0
        await database.close()

    @pytest.mark.usefixtures("short_deadline")
    async def test_idle_connection_is_kept(self, database_url: str) -> None:
        database = await Database.connect(database_url, Settings())
        before = await fetch_backend_pids(database_url)
        await asyncio.sleep(1.5)
        assert await fetch_backend_pids(database_url) == before
        await database.close()


@pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not installed")
class TestPooler:
    async def test_start_behind_pooler_without_settings_names_them(
        self, cluster: ThrowawayCluster, database_url: str
    ) -> None:
        name = database_url.split("@/")[1].split("?")[0]
        with start_pgbouncer(cluster, name) as address:
            with pytest.raises(StartupError, match=r"DATABASE_DIRECT_URL.*STATEMENT_CACHE_SIZE=0"):
                await open_database(address, Settings())
            with pytest.raises(StartupError, match=r"STATEMENT_CACHE_SIZE=0.*DATABASE_DIRECT_URL"):
                await open_database(address, Settings(database_direct_url=SecretStr(database_url)))
            with pytest.raises(StartupError, match="DATABASE_DIRECT_URL"):
                await open_database(address, Settings(statement_cache_size=0))

    async def test_start_behind_pooler_of_one_connection_without_settings_names_them(
        self, cluster: ThrowawayCluster, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tests.pgbouncer.SERVER_CONNECTIONS", 1)
        name = database_url.split("@/")[1].split("?")[0]
        with start_pgbouncer(cluster, name) as address:
            with pytest.raises(StartupError, match=r"STATEMENT_CACHE_SIZE=0"):
                await Database.connect(address, Settings())
            with pytest.raises(StartupError, match="DATABASE_DIRECT_URL"):
                await open_database(address, Settings(statement_cache_size=0))

    async def test_start_behind_pooler_in_session_mode_works(
        self, cluster: ThrowawayCluster, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tests import pgbouncer

        monkeypatch.setattr(pgbouncer, "_CONFIG", pgbouncer._CONFIG.replace("= transaction", "= session"))
        name = database_url.split("@/")[1].split("?")[0]
        with start_pgbouncer(cluster, name) as address:
            database = await open_database(address, Settings(pool_size=2))
            await database.close()


class TestBudget:
    @pytest.mark.parametrize(
        ("bound", "pools"),
        [(None, (10, 10)), (31, (10, 10)), (30, (10, 9)), (14, (2, 1)), (13, (1, 1)), (100, (10, 10))],
    )
    def test_request_pools_stay_within_the_bound(self, bound: int | None, pools: tuple[int, int]) -> None:
        assert size_request_pools(Settings(database_connections=bound)) == pools

    def test_request_pools_of_workers_share_the_bound(self) -> None:
        assert size_request_pools(Settings(database_connections=27, workers=2)) == (1, 1)
        assert size_request_pools(Settings(database_connections=28, workers=2)) == (2, 1)
        with pytest.raises(StartupError, match="26 in all"):
            size_request_pools(Settings(database_connections=25, workers=2))

    def test_bound_below_the_least_is_refused(self) -> None:
        with pytest.raises(ValueError, match="greater than or equal to 13"):
            Settings(database_connections=DATABASE_CONNECTIONS_MIN - 1)


class TestMode:
    @pytest.mark.parametrize(
        "change",
        [
            "ALTER TABLE sites DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE sites FORCE ROW LEVEL SECURITY",
            "ALTER TABLE agents NO FORCE ROW LEVEL SECURITY; ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        ],
    )
    async def test_changed_mode_makes_running_server_unready(self, database_url: str, change: str) -> None:
        database = await open_database(database_url, Settings())
        status = DatabaseStatus(database_url, Settings(), database.role_mode)
        assert await status.find_problem() is None
        assert status.describe() == {"rowSecurity": "role", "active": True}
        connection = await asyncpg.connect(database_url)
        await connection.execute(change)
        await connection.close()
        assert "row-level security" in str(await status.find_problem())
        await database.close()

    async def test_copy_of_database_is_not_active(
        self, cluster: ThrowawayCluster, migrated_template: str
    ) -> None:
        name = f"{migrated_template}_copied"
        await cluster._execute(f'CREATE DATABASE "{name}" TEMPLATE "{migrated_template}"')
        try:
            database = await open_database(cluster.build_dsn(name), Settings())
            status = DatabaseStatus(cluster.build_dsn(name), Settings(), database.role_mode)
            assert await status.find_problem() is None
            assert status.describe() == {"rowSecurity": "role", "active": False}
            await database.close()
        finally:
            await cluster.drop_database(name)
