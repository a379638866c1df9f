"""An import next to a running server: nothing of the file is lost before, during or after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.database.database import Database
from core.encryption import SecretKey, SecretKeys
from core.errors import StartupError
from core.settings import Settings
from demo.load import load_demo
from demo.sizes import DemoSize
from services import import_lock
from services.agents.check_in import CheckIn, write_check_ins
from services.agents.offline_sweeper import sweep_offline_agents, sweep_periodically
from services.import_lock import BACKGROUND_LOCK
from services.retention.daily_purge import purge_expired
from services.secrets.rotation import rotate_secrets
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import ExportedWorld, Row
from tests.import_harness import read_tables, run_import
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest

MANY: Final = 2_215
DAY_MS: Final = 86_400_000
SETTINGS: Final = Settings(agent_offline_after=60, agent_down_after=900)
TENANT: Final = "tenant-1"


def make_silent_agents(count: int) -> ExportedWorld:
    """A tenant with agents that checked in long ago, and a health check of each."""
    stamps = {"created_at": 1_700_000_000_000, "updated_at": 1_700_000_000_000}
    site = {"id": "site-1", "tenant_id": TENANT, "name": "Main", "slug": "main", "status": "active", **stamps}
    own = {"tenant_id": TENANT, "platform": "windows", "version": "1", "site_id": "site-1", **stamps}
    check = {"tenant_id": TENANT, "resource_type": "agent", "status": "degraded", "failure_count": 2}
    numbers = range(count)
    return {
        "tenants": [{"id": TENANT, "name": "One", "status": "active", **stamps}],
        "sites": [site],
        "agents": [
            own | {"id": f"agent-{n}", "guid": f"guid-{n}", "hostname": f"h{n}", "last_checkin_at": 1_700_000_000_000}
            for n in numbers
        ],
        "health_checks": [
            check | {"id": f"check-{n}", "resource_id": f"agent-{n}", "last_check_at": 1_700_000_000_000, **stamps}
            for n in numbers
        ],
    }  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.connect(database_url, SETTINGS)
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url, server_settings={"app.platform": "on"})
    yield connection
    await connection.close()


async def _fetch_health_check_ids(url: str) -> set[str]:
    return set((await read_tables(url))["health_checks"])


async def test_import_after_the_offline_sweep_takes_every_health_check(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    world = make_silent_agents(MANY)
    path = write_snapshot(tmp_path / "a.zip", world)
    await run_import(database_url, path, "tenants", "sites", "agents")
    assert await sweep_offline_agents(database, SETTINGS) == MANY
    trial = await run_import(database_url, path, dry_run=True)
    assert trial.row_counts["health_checks"] == (MANY, MANY, 0, 0, 0)
    outcome = await run_import(database_url, path)
    assert outcome.row_counts["health_checks"] == (MANY, MANY, 0, 0, 0)
    assert (
        f"health_checks: {MANY:,} x row that this server created was replaced by the row in the file"
        in outcome.text
    )
    assert await _fetch_health_check_ids(database_url) == {row["id"] for row in world["health_checks"]}
    again = await run_import(database_url, path)
    assert again.row_counts["health_checks"] == (MANY, 0, 0, MANY, 0)
    assert "replaced" not in again.text


async def test_import_during_sweeps_and_check_ins_takes_every_health_check(
    database_url: str, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    world = make_silent_agents(MANY)
    path = write_snapshot(tmp_path / "a.zip", world)
    done = asyncio.Event()
    turned = 0

    async def sweep() -> None:
        nonlocal turned
        while not done.is_set():
            turned += await sweep_offline_agents(database, SETTINGS)
            await asyncio.sleep(0)

    async def beat() -> None:
        while not done.is_set():
            for n in range(0, MANY, 97):
                one = CheckIn(f"agent-{n}", TENANT, hostname="h", version="2")
                with suppress(asyncpg.LockNotAvailableError):  # 503: the import has the agent's row
                    await write_check_ins(owner, [one], nowait=False)
            await asyncio.sleep(0.001)

    tasks = [asyncio.create_task(sweep()), asyncio.create_task(beat())]
    try:
        for tables in (("tenants", "sites", "agents"), ()):
            outcome = await run_import(database_url, path, *tables)
            await asyncio.sleep(0.3)
    finally:
        done.set()
        await asyncio.gather(*tasks)
    assert outcome.rejection_lines == []
    assert turned
    assert await _fetch_health_check_ids(database_url) == {row["id"] for row in world["health_checks"]}


async def test_import_health_check_moved_to_another_agent_is_rejected(
    database_url: str, tmp_path: Path
) -> None:
    """Two rows of the file that exchange their resources are not the server's own rows."""
    world = make_silent_agents(2)
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", world))
    first, second = world["health_checks"]
    swapped = [first | {"resource_id": "agent-1"}, second | {"resource_id": "agent-0"}]
    outcome = await run_import(
        database_url, write_snapshot(tmp_path / "b.zip", {**world, "health_checks": swapped})
    )
    assert outcome.row_counts["health_checks"] == (2, 0, 0, 0, 2)
    assert await _fetch_health_check_ids(database_url) == {"check-0", "check-1"}


async def test_import_agent_with_enrolled_guid_is_rejected(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """A person enrolled it, so it does not yield."""
    world = make_silent_agents(1)
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", world), "tenants", "sites")
    await owner.execute(
        "INSERT INTO agents (id, tenant_id, site_id, guid, hostname, platform, version)"
        " VALUES ('enrolled', $1, 'site-1', 'guid-0', 'h', 'p', '1')",
        TENANT,
    )
    outcome = await run_import(database_url, tmp_path / "a.zip")
    assert "agents, line 1 (agent-0): guid: already in use by 'enrolled'" in outcome.rejection_lines


@pytest_asyncio.fixture(loop_scope="session")
async def import_session(database_url: str, tmp_path: Path) -> AsyncIterator[asyncpg.Connection]:
    """A database with two agents, and a session that excludes background writers as an import does."""
    await run_import(
        database_url, write_snapshot(tmp_path / "a.zip", make_silent_agents(2)), "tenants", "sites", "agents"
    )
    session = await asyncpg.connect(database_url)
    await import_lock.exclude_background_writers(session)
    yield session
    await session.close()


async def test_offline_sweep_during_an_import_writes_nothing(
    database: Database, import_session: asyncpg.Connection
) -> None:
    assert await sweep_offline_agents(database, SETTINGS) == 0
    await import_session.execute("SELECT pg_advisory_unlock_all()")
    assert await sweep_offline_agents(database, SETTINGS) == 2


async def test_check_in_during_import_is_written_without_health_check(
    owner: asyncpg.Connection, import_session: asyncpg.Connection
) -> None:
    beat = CheckIn("agent-0", TENANT, hostname="h", version="2")
    for count in (0, 1):
        before = await owner.fetchval("SELECT last_checkin_at FROM agents WHERE id = 'agent-0'")
        await asyncio.sleep(0.002)
        await write_check_ins(owner, [beat], nowait=False)
        assert await owner.fetchval("SELECT last_checkin_at FROM agents WHERE id = 'agent-0'") > before
        assert await owner.fetchval("SELECT count(*) FROM health_checks") == count
        await import_session.execute("SELECT pg_advisory_unlock_all()")


async def test_daily_purge_during_import_is_postponed(
    database: Database, owner: asyncpg.Connection, import_session: asyncpg.Connection
) -> None:
    assert await purge_expired(database) is None
    assert await owner.fetchval("SELECT count(*) FROM app.chores") == 0
    await import_session.execute("SELECT pg_advisory_unlock_all()")
    assert await purge_expired(database) is not None


async def test_load_demo_during_import_is_refused(database_url: str, owner: asyncpg.Connection) -> None:
    session = await asyncpg.connect(database_url)
    await import_lock.exclude_background_writers(session)
    with pytest.raises(StartupError, match="An import into this database is running"):
        await load_demo(owner, DemoSize.SMALL)
    await session.close()


async def test_rotate_secrets_during_import_is_refused(
    owner: asyncpg.Connection, import_session: asyncpg.Connection
) -> None:
    with pytest.raises(StartupError, match="import"):
        await rotate_secrets(owner, SecretKeys([SecretKey.from_bytes(b"n" * 32)]))
    assert not import_session.is_closed()


async def test_import_during_background_write_waits_for_its_end(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    path = write_snapshot(tmp_path / "a.zip", make_silent_agents(1))
    async with owner.transaction():
        assert await owner.fetchval(f"SELECT {import_lock.TRY_BACKGROUND}")
        task = asyncio.create_task(run_import(database_url, path))
        await asyncio.sleep(1.5)
        assert not task.done()
    assert (await task).row_counts["health_checks"] == (1, 1, 0, 0, 0)


async def test_import_during_endless_background_write_is_refused(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_lock, "IMPORT_LOCK_WAIT_S", 0.1)
    monkeypatch.setattr(import_lock, "IMPORT_LOCK_ATTEMPT_MS", 50)
    path = write_snapshot(tmp_path / "a.zip", make_silent_agents(1))
    async with owner.transaction():
        await owner.fetchval(f"SELECT {import_lock.TRY_BACKGROUND}")
        with pytest.raises(StartupError, match="takes too long"):
            await run_import(database_url, path)
        await run_import(database_url, path, dry_run=True)
    await run_import(database_url, path)


def test_background_lock_in_sql_equals_that_of_the_code() -> None:
    sql = Path("migrations/sql/16_imports.up.sql").read_text()
    assert f"pg_try_advisory_xact_lock_shared({BACKGROUND_LOCK})" in sql


def make_data_source(source_id: str, **values: Any) -> Row:
    """A data source, disabled long ago unless values are given."""
    stamps = {"created_at": 1_600_000_000_000, "updated_at": 1_600_000_000_000}
    return {
        "id": source_id, "tenant_id": TENANT, "integration_id": "psa", "status": "inactive", "config": {},
        "credential_expiration_at": 9_007_199_254_740_991, "deleted_at": 1_600_000_000_000, **stamps, **values,
    }  # fmt: skip


def make_world_of_data_sources(*rows: Row) -> ExportedWorld:
    stamps = {"created_at": 1_600_000_000_000, "updated_at": 1_600_000_000_000}
    psa = {"id": "psa", "name": "P", "description": "", "category": "psa", "supported_types": [], **stamps}
    return {"tenants": make_silent_agents(0)["tenants"], "integrations": [psa], "data_sources": list(rows)}


async def _backdate_imports_and_purges(owner: asyncpg.Connection, days: float) -> None:
    """Move the imports and the clean-ups so far that many days back."""
    ms = int(days * DAY_MS)
    await owner.execute("UPDATE app.imported_deletions SET imported_at = imported_at - $1", ms)
    await owner.execute(
        "UPDATE app.chores SET taken_at = taken_at - $1, seen_at = seen_at - $1, finished_at = finished_at - $1",
        max(ms, DAY_MS),
    )


async def _purge_and_count_data_sources(database: Database) -> int:
    done = await purge_expired(database)
    assert done is not None
    return done.sources


async def test_daily_purge_after_import_waits_for_the_grace_period(
    database_url: str, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    path = write_snapshot(tmp_path / "a.zip", make_world_of_data_sources(make_data_source("old")))
    await run_import(database_url, path)
    assert await _purge_and_count_data_sources(database) == 0
    await _backdate_imports_and_purges(owner, 6.99)
    await run_import(database_url, path)  # the same again, like every night: no purge is postponed
    assert await _purge_and_count_data_sources(database) == 0
    await _backdate_imports_and_purges(owner, 0.02)
    assert await _purge_and_count_data_sources(database) == 1
    assert await owner.fetchval("SELECT count(*) FROM app.imported_deletions") == 0
    await run_import(database_url, path)
    await _backdate_imports_and_purges(owner, 1)
    assert await _purge_and_count_data_sources(database) == 0


async def test_daily_purge_of_row_deleted_by_import_counts_from_the_import(
    database_url: str, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    there = make_data_source("a", status="active", deleted_at=None), make_data_source("b", status="active")
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", make_world_of_data_sources(*there)))
    assert await owner.fetchval("SELECT count(*) FROM app.imported_deletions") == 0
    await run_import(
        database_url,
        write_snapshot(
            tmp_path / "b.zip", make_world_of_data_sources(make_data_source("a"), make_data_source("b"))
        ),
    )
    assert await _purge_and_count_data_sources(database) == 0
    await _backdate_imports_and_purges(owner, 7.01)
    assert await _purge_and_count_data_sources(database) == 2


async def test_daily_purge_of_row_deleted_here_is_not_delayed_by_import(
    database_url: str, database: Database, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    await run_import(
        database_url,
        write_snapshot(
            tmp_path / "a.zip",
            make_world_of_data_sources(make_data_source("a", status="active", deleted_at=None)),
        ),
    )
    await owner.execute(
        "UPDATE data_sources SET status = 'inactive', deleted_at = 1600000000000 WHERE id = 'a'"
    )
    renamed = make_world_of_data_sources(make_data_source("a", external_id="changed"))
    await run_import(database_url, write_snapshot(tmp_path / "b.zip", renamed))
    assert await _purge_and_count_data_sources(database) == 1


async def test_offline_sweeper_during_import_pauses_and_resumes_afterwards(
    database_url: str, database: Database, import_session: asyncpg.Connection
) -> None:
    """The background task of a server continues, and updates agents once the import has ended."""
    task = asyncio.create_task(
        sweep_periodically(database, Settings(agent_offline_after=1, agent_down_after=900))
    )
    try:
        await asyncio.sleep(0.8)
        assert await _fetch_health_check_ids(database_url) == set()
        await import_session.close()
        async with asyncio.timeout(HANG_S):
            while len(await _fetch_health_check_ids(database_url)) < 2:  # noqa: ASYNC110 - the database has no event
                await asyncio.sleep(0.1)
    finally:
        task.cancel()
        await asyncio.wait([task])
