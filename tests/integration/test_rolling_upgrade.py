"""Servers of two versions on one database: steps that are additive, and others; and `migrate --to`."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.errors import StartupError
from core.settings import Settings
from services import migrations
from services.migrations import Pending, downgrade, find_latest_step, find_pending, migrate, migrate_to
from services.startup import find_unready_reason
from tests.additive_step import STEP
from tests.clusters import ThrowawayCluster
from tests.http_harness import open_http_harness

pytestmark = pytest.mark.newest
MODELS: Final = migrations.LOCATION / migrations.APP


@pytest_asyncio.fixture
async def own_demo_database_url(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[str]:
    """A database with the demo's rows for one test."""
    name = await cluster.create_database(demo_template)
    yield cluster.build_dsn(name)
    await cluster.drop_database(name)


@pytest.fixture
def newer_steps(tmp_path: Path) -> Path:
    """The migrations of the next version: one additive step more, and after it one that is not."""
    shutil.copytree(MODELS, tmp_path / "models", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "models" / f"{find_latest_step() + 1}_20990101000000_more.py").write_text(
        STEP.format(additive=True)
    )
    return tmp_path


async def _migrate_as_next_version(dsn: str, steps: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    with monkeypatch.context() as next_version:
        next_version.setattr(migrations, "LOCATION", steps)
        return await migrate(dsn, Settings())


async def test_old_server_stays_ready_while_the_database_is_an_additive_step_ahead(
    own_demo_database_url: str, newer_steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = (
        "{ sites(first: 2) { nodes { id name agents(first: 2) { nodes { hostname } } } } viewer { kind } }"
    )
    async with open_http_harness(own_demo_database_url) as harness:
        before = (await harness.post_query(query)).json()
        assert "errors" not in before
        assert len(await _migrate_as_next_version(own_demo_database_url, newer_steps, monkeypatch)) == 1
        assert await find_pending(own_demo_database_url) is Pending.AHEAD
        assert await find_unready_reason(own_demo_database_url) is None
        await asyncio.sleep(1.1)  # the result of a check is cached for a second
        assert (await harness.client.get("/readyz")).status_code == 200
        for _ in range(3):  # prepared statements of before are used again
            assert (await harness.post_query(query)).json() == before
        site = before["data"]["sites"]["nodes"][0]["id"]
        name = f'mutation {{ updateSite(id: "{site}", input: {{name: "Rolled"}}) {{ name }} }}'
        written = (await harness.post_query(name)).json()
        assert written["data"]["updateSite"]["name"] == "Rolled"
    assert await migrate(own_demo_database_url, Settings()) == []  # an old server may start again, too


async def test_old_server_is_not_ready_after_a_step_that_is_not_additive(
    database_url: str, newer_steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking = f"{find_latest_step() + 2}_20990102000000_breaking.py"
    (newer_steps / "models" / breaking).write_text(STEP.format(additive=False).replace("later", "latest"))
    assert len(await _migrate_as_next_version(database_url, newer_steps, monkeypatch)) == 2
    assert await find_pending(database_url) is Pending.NEWER
    assert await find_unready_reason(database_url) == "the database is newer than the code"
    with pytest.raises(StartupError, match="newer version"):
        await migrate(database_url, Settings())


async def test_additive_steps_are_known_before_the_step_is_applied(
    database_url: str, newer_steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old server that looks between the step and its record would not be ready for a moment."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE public.later (id text)")  # the step fails
    with pytest.raises(Exception, match="later"):
        await _migrate_as_next_version(database_url, newer_steps, monkeypatch)
    recorded = await connection.fetchval(
        "SELECT count(*) FROM app.additive_steps WHERE version LIKE '%_more.py'"
    )
    await connection.close()
    assert recorded == 1
    assert await find_pending(database_url) is Pending.UP_TO_DATE


async def test_migrate_to_a_step_applies_and_reverts(empty_database_url: str) -> None:
    applied, reverted = await migrate_to(empty_database_url, Settings(), 12)
    assert (len(applied), reverted) == (13, [])
    assert await find_pending(empty_database_url) is Pending.BEHIND
    applied, reverted = await migrate_to(empty_database_url, Settings(), 14)
    assert [version.split("_")[0] for version in applied] == ["13", "14"]
    applied, reverted = await migrate_to(empty_database_url, Settings(), 12)
    assert applied == []
    assert [version.split("_")[0] for version in reverted] == ["14", "13"]
    await migrate_to(empty_database_url, Settings(), find_latest_step())
    assert await find_pending(empty_database_url) is Pending.UP_TO_DATE


async def test_migrate_to_refuses_unknown_steps(
    database_url: str, newer_steps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StartupError, match=f"The last one is {find_latest_step()}"):
        await migrate_to(database_url, Settings(), find_latest_step() + 1)
    await _migrate_as_next_version(database_url, newer_steps, monkeypatch)
    with pytest.raises(StartupError, match="Only the version of the server that added"):
        await migrate_to(database_url, Settings(), 12)
    with monkeypatch.context() as next_version:
        next_version.setattr(migrations, "LOCATION", newer_steps)
        await downgrade(database_url, find_latest_step())
    assert await find_pending(database_url) is Pending.UP_TO_DATE
