"""Rotation of keys: everything under the first one, while others write, and as often as one likes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.encryption import SecretKey, SecretKeys
from core.errors import StartupError
from core.limits import SECRETS_AT_ONCE
from services.demo import DemoSize, load_demo
from services.demo.secrets import seal_demo_secrets
from services.rotation import Rotated, rotate
from services.secrets import opened_config, saved_config
from services.startup import rotated
from tests.clusters import ThrowawayCluster
from tests.writing import Desk, desk

OLD, NEW = SecretKey.of(b"o" * 32), SecretKey.of(b"n" * 32)
BEFORE, BOTH, AFTER = SecretKeys([OLD]), SecretKeys([NEW, OLD]), SecretKeys([NEW])
SECRET = {"type": "string", "sensitive": True}
SCHEMA = {
    "properties": {
        "key": SECRET,
        "deep": {"properties": {"list": {"items": SECRET}}},
        "url": {"type": "string"},
    }
}
CONFIG = {"key": "hunter2", "deep": {"list": ["hunter2-a", "hunter2-b"]}, "url": "https://psa.example"}


@pytest_asyncio.fixture(loop_scope="session")
async def mine(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Desk]:
    name = await cluster.create(template)
    async with desk(cluster.dsn(name)) as made:
        await made.owner.execute("UPDATE integrations SET config_schema = $1", json.dumps(SCHEMA))
        yield made
    await cluster.drop(name)


async def _add(at: Desk, source_id: str, keys: SecretKeys = BEFORE, **more: Any) -> None:
    """A data source whose secrets are sealed by these keys."""
    config = json.dumps(saved_config(keys, source_id, SCHEMA, CONFIG, {}))
    values = {
        "id": source_id,
        "tenant_id": at.tenant_id,
        "integration_id": at.mine["integrations"],
        "config": config,
    }
    row = values | more
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await at.owner.execute(f"INSERT INTO data_sources ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608


async def _config(at: Desk, source_id: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        await at.value("SELECT config FROM data_sources WHERE id = $1", source_id)
    )
    return config


async def test_every_secret_comes_under_the_first_key(mine: Desk) -> None:
    for number in range(SECRETS_AT_ONCE + 3):
        await _add(mine, f"source-{number:03}", deleted_at=1 if number == 7 else None)
    await _add(mine, "theirs", tenant_id=mine.theirs["tenants"])
    before = await mine.rows("SELECT id, updated_at FROM data_sources ORDER BY id")
    assert await rotate(mine.owner, BOTH) == Rotated(renewed=3 * (SECRETS_AT_ONCE + 4))
    for source_id in ("source-000", "source-007", f"source-{SECRETS_AT_ONCE + 2}", "theirs"):
        assert opened_config(AFTER, source_id, await _config(mine, source_id)) == CONFIG
    assert await mine.rows("SELECT id, updated_at FROM data_sources ORDER BY id") == before


async def test_again_it_changes_nothing(mine: Desk) -> None:
    await _add(mine, "source")
    await rotate(mine.owner, BOTH)
    versions = "SELECT array_agg(xmin::text || ctid::text ORDER BY id) FROM data_sources"
    before = await mine.value(versions)
    assert await rotate(mine.owner, BOTH) == Rotated(current=3)
    assert await mine.value(versions) == before


async def test_what_no_key_opens_stays_and_is_told(mine: Desk) -> None:
    await _add(mine, "lost")
    await _add(mine, "source", BOTH)
    before = await _config(mine, "lost")
    assert await rotate(mine.owner, AFTER) == Rotated(current=3, unreadable=["lost"])
    assert await _config(mine, "lost") == before


async def test_what_stands_in_the_clear_is_sealed(mine: Desk) -> None:
    await _add(mine, "source", config=json.dumps(CONFIG))
    assert await rotate(mine.owner, BOTH) == Rotated(covered=3)
    stored = await _config(mine, "source")
    assert "hunter2" not in json.dumps(stored)
    assert opened_config(AFTER, "source", stored) == CONFIG


async def test_it_waits_for_a_save_and_does_not_undo_it(mine: Desk) -> None:
    await _add(mine, "source")
    newer = saved_config(BEFORE, "source", SCHEMA, {"key": "hunter3"}, await _config(mine, "source"))
    async with mine.transaction() as transaction:
        await transaction.fetch(
            "UPDATE data_sources SET config = $1 WHERE id = 'source'", (json.dumps(newer),)
        )
        running = asyncio.ensure_future(rotate(mine.owner, BOTH))
        await asyncio.sleep(0.1)
        assert not running.done()
    await running
    assert opened_config(AFTER, "source", await _config(mine, "source")) == {"key": "hunter3"}


async def test_two_at_once_end_in_the_same(mine: Desk) -> None:
    for number in range(20):
        await _add(mine, f"source-{number:02}")
    async with mine.database.pool.acquire() as one, mine.database.pool.acquire() as other:
        first, second = await asyncio.gather(rotate(one, BOTH), rotate(other, BOTH))
    assert first.renewed + second.renewed == 60
    assert first.current + second.current == 60
    for number in range(20):
        assert (
            opened_config(AFTER, f"source-{number:02}", await _config(mine, f"source-{number:02}")) == CONFIG
        )


async def test_the_demos_secrets_can_be_opened_and_rotated(
    demo_database: str,
) -> None:
    connection = await asyncpg.connect(demo_database)
    try:
        assert not await load_demo(connection, DemoSize.SMALL)
        assert (await rotate(connection, AFTER)).unreadable, "what is loaded only looks like secrets"
        await seal_demo_secrets(connection, BEFORE)
    finally:
        await connection.close()
    done = await rotated(demo_database, BOTH)
    assert (done.unreadable, done.covered, done.current) == ([], 0, 0)
    assert done.renewed > 50


async def test_a_database_that_is_not_migrated_is_refused(
    empty_database_url: str,
) -> None:
    with pytest.raises(StartupError, match="needs migration"):
        await rotated(empty_database_url, AFTER)
