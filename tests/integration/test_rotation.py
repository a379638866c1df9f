"""Rotation of keys: all secrets under the first key, during other writes, and any number of times."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.encryption import SecretKey, SecretKeys
from core.errors import StartupError
from core.limits import SECRETS_PER_BATCH
from demo import DemoSize, load_demo
from demo.secrets import seal_demo_secrets
from services.secrets.config_secrets import open_config, seal_config
from services.secrets.rotation import RotationResult, rotate_secrets
from services.startup import rotate_all_secrets
from tests.transaction_harness import TransactionHarness

OLD, NEW = SecretKey.from_bytes(b"o" * 32), SecretKey.from_bytes(b"n" * 32)
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
async def transaction_harness(transaction_harness: TransactionHarness) -> TransactionHarness:
    """With an integration whose config has a secret."""
    await transaction_harness.owner.execute("UPDATE integrations SET config_schema = $1", json.dumps(SCHEMA))
    return transaction_harness


async def _insert_data_source(
    transaction_harness: TransactionHarness, source_id: str, keys: SecretKeys = BEFORE, **more: Any
) -> None:
    """Add a data source with secrets sealed by these keys."""
    config = json.dumps(seal_config(keys, source_id, SCHEMA, CONFIG, {}))
    values = {
        "id": source_id,
        "tenant_id": transaction_harness.tenant_id,
        "integration_id": transaction_harness.mine["integrations"],
        "config": config,
    }
    row = values | more
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await transaction_harness.owner.execute(
        f"INSERT INTO data_sources ({', '.join(row)}) VALUES ({places})", *row.values()
    )


async def _fetch_config(transaction_harness: TransactionHarness, source_id: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        await transaction_harness.fetch_value("SELECT config FROM data_sources WHERE id = $1", source_id)
    )
    return config


@pytest.mark.role_modes
async def test_rotate_seals_every_secret_with_the_first_key(transaction_harness: TransactionHarness) -> None:
    for number in range(SECRETS_PER_BATCH + 3):
        await _insert_data_source(
            transaction_harness, f"source-{number:03}", deleted_at=1 if number == 7 else None
        )
    await _insert_data_source(transaction_harness, "theirs", tenant_id=transaction_harness.theirs["tenants"])
    before = await transaction_harness.fetch_rows("SELECT id, updated_at FROM data_sources ORDER BY id")
    assert await rotate_secrets(transaction_harness.owner, BOTH) == RotationResult(
        renewed=3 * (SECRETS_PER_BATCH + 4)
    )
    for source_id in ("source-000", "source-007", f"source-{SECRETS_PER_BATCH + 2}", "theirs"):
        assert open_config(AFTER, source_id, await _fetch_config(transaction_harness, source_id)) == CONFIG
    assert (
        await transaction_harness.fetch_rows("SELECT id, updated_at FROM data_sources ORDER BY id") == before
    )


@pytest.mark.role_modes
async def test_rotate_again_changes_nothing(transaction_harness: TransactionHarness) -> None:
    await _insert_data_source(transaction_harness, "source")
    await rotate_secrets(transaction_harness.owner, BOTH)
    versions = "SELECT array_agg(xmin::text || ctid::text ORDER BY id) FROM data_sources"
    before = await transaction_harness.fetch_value(versions)
    assert await rotate_secrets(transaction_harness.owner, BOTH) == RotationResult(current=3)
    assert await transaction_harness.fetch_value(versions) == before


@pytest.mark.role_modes
async def test_rotate_unreadable_secret_is_kept_and_reported(transaction_harness: TransactionHarness) -> None:
    await _insert_data_source(transaction_harness, "lost")
    await _insert_data_source(transaction_harness, "source", BOTH)
    before = await _fetch_config(transaction_harness, "lost")
    assert await rotate_secrets(transaction_harness.owner, AFTER) == RotationResult(
        current=3, unreadable=["lost"]
    )
    assert await _fetch_config(transaction_harness, "lost") == before


@pytest.mark.role_modes
async def test_rotate_clear_secret_is_sealed(transaction_harness: TransactionHarness) -> None:
    await _insert_data_source(transaction_harness, "source", config=json.dumps(CONFIG))
    assert await rotate_secrets(transaction_harness.owner, BOTH) == RotationResult(covered=3)
    stored = await _fetch_config(transaction_harness, "source")
    assert "hunter2" not in json.dumps(stored)
    assert open_config(AFTER, "source", stored) == CONFIG


@pytest.mark.role_modes
async def test_rotate_during_a_save_waits_and_keeps_it(transaction_harness: TransactionHarness) -> None:
    await _insert_data_source(transaction_harness, "source")
    newer = seal_config(
        BEFORE, "source", SCHEMA, {"key": "hunter3"}, await _fetch_config(transaction_harness, "source")
    )
    async with transaction_harness.transaction() as transaction:
        await transaction.fetch(
            "UPDATE data_sources SET config = $1 WHERE id = 'source'", (json.dumps(newer),)
        )
        running = asyncio.ensure_future(rotate_secrets(transaction_harness.owner, BOTH))
        await asyncio.sleep(0.1)
        assert not running.done()
    await running
    assert open_config(AFTER, "source", await _fetch_config(transaction_harness, "source")) == {
        "key": "hunter3"
    }


@pytest.mark.role_modes
async def test_rotate_twice_concurrently_seals_each_secret_once(
    transaction_harness: TransactionHarness,
) -> None:
    for number in range(20):
        await _insert_data_source(transaction_harness, f"source-{number:02}")
    async with (
        transaction_harness.database.pool.acquire() as one,
        transaction_harness.database.pool.acquire() as other,
    ):
        first, second = await asyncio.gather(rotate_secrets(one, BOTH), rotate_secrets(other, BOTH))
    assert first.renewed + second.renewed == 60
    assert first.current + second.current == 60
    for number in range(20):
        assert (
            open_config(
                AFTER, f"source-{number:02}", await _fetch_config(transaction_harness, f"source-{number:02}")
            )
            == CONFIG
        )


async def test_rotate_sealed_demo_secrets_succeeds(
    writable_demo_database_url: str,
) -> None:
    connection = await asyncpg.connect(writable_demo_database_url)
    try:
        assert not await load_demo(connection, DemoSize.SMALL)
        assert (await rotate_secrets(connection, AFTER)).unreadable, "what is loaded only looks like secrets"
        await seal_demo_secrets(connection, BEFORE)
    finally:
        await connection.close()
    done = await rotate_all_secrets(writable_demo_database_url, BOTH)
    assert (done.unreadable, done.covered, done.current) == ([], 0, 0)
    assert done.renewed > 50


async def test_rotate_unmigrated_database_is_refused(
    empty_database_url: str,
) -> None:
    with pytest.raises(StartupError, match="needs migration"):
        await rotate_all_secrets(empty_database_url, AFTER)
