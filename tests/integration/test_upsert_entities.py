"""Bulk upserts of entities: written rows, untouched rows, and two concurrent calls."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.errors import BadUserInputError, NotFoundError
from core.limits import EXTERNAL_ID_MAX_CHARS, UPSERT_ITEMS_MAX
from services.data_hash import compute_data_hash
from services.entities.entity_upserts import EntityItem, upsert_entities
from services.entities.upsert_batch import Rejection, UpsertResult
from tests.transaction_harness import TransactionHarness, count_rows_read

NOT_JSON = "must be JSON of finite numbers and whole surrogate pairs, and not nested too deeply"


@pytest_asyncio.fixture(loop_scope="session")
async def transaction_harness(transaction_harness: TransactionHarness) -> TransactionHarness:
    """Without the sample rows of the tables that are tested."""
    await transaction_harness.owner.execute("TRUNCATE entity_relationships, events_log, entities")
    return transaction_harness


def _make_item(number: int, kind: str = "endpoints", **more: Any) -> EntityItem:
    values = {
        "raw_data": {"id": number, "name": f"desk-{number}"},
        "normalized_data": {"hostname": f"desk-{number}"},
    }
    return EntityItem(kind, str(number), **{**values, **more})


async def _upsert(
    transaction_harness: TransactionHarness,
    *items: EntityItem,
    source: str | None = None,
    tenant: str | None = None,
) -> UpsertResult:
    async with transaction_harness.transaction(tenant) as transaction:
        return await upsert_entities(
            transaction,
            tenant or transaction_harness.tenant_id,
            source or transaction_harness.mine["data_sources"],
            items,
        )


async def _upsert_and_count(
    transaction_harness: TransactionHarness, items: list[EntityItem]
) -> tuple[UpsertResult, int]:
    """The result, and how many rows of the table were read for it."""
    async with transaction_harness.transaction() as transaction:
        async with count_rows_read(transaction, "entities") as read:
            result = await upsert_entities(
                transaction, transaction_harness.tenant_id, transaction_harness.mine["data_sources"], items
            )
        return result, read[0]


_ROWS = """
    SELECT xmin::text, xmax::text, ctid::text, id, integration_id, site_id, entity_type, external_id, data_hash,
           raw_data::text AS raw, normalized_data::text AS normalized, created_at, updated_at, deleted_at
    FROM entities WHERE tenant_id = $1 ORDER BY entity_type, external_id
"""
_EVENTS = """
    SELECT v.event_type, v.status, e.external_id, v.payload::text
    FROM events_log v JOIN entities e ON e.id = v.entity_id
    WHERE v.tenant_id = $1 ORDER BY v.id
"""


_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


async def _fetch_rows(transaction_harness: TransactionHarness) -> list[dict[str, Any]]:
    return await transaction_harness.fetch_rows(_ROWS, transaction_harness.tenant_id)


async def _fetch_events(transaction_harness: TransactionHarness) -> list[tuple[str, str]]:
    return [
        (row["event_type"], row["external_id"])
        for row in await transaction_harness.fetch_rows(_EVENTS, transaction_harness.tenant_id)
    ]


async def test_upsert_new_entities_creates_them(transaction_harness: TransactionHarness) -> None:
    site = transaction_harness.mine["sites"]
    assert await _upsert(transaction_harness, _make_item(2), _make_item(1, site_id=site)) == UpsertResult(
        2, 0, 0, ()
    )
    first, second = await _fetch_rows(transaction_harness)
    assert (first["external_id"], first["site_id"], second["site_id"]) == ("1", site, None)
    assert first["integration_id"] == transaction_harness.mine["integrations"]
    assert json.loads(first["raw"]) == {"id": 1, "name": "desk-1"}
    assert json.loads(first["normalized"]) == {"hostname": "desk-1"}
    assert first["data_hash"] == compute_data_hash(
        transaction_harness.mine["integrations"], {"name": "desk-1", "id": 1}
    )
    assert first["created_at"] == first["updated_at"]
    assert (
        await transaction_harness.fetch_value(
            "SELECT count(*) FROM entities WHERE tenant_id <> $1", transaction_harness.tenant_id
        )
        == 0
    )


async def test_upsert_writes_one_event_per_written_entity(transaction_harness: TransactionHarness) -> None:
    await _upsert(transaction_harness, _make_item(1), _make_item(2))
    await _upsert(transaction_harness, _make_item(1), _make_item(2, raw_data={"id": 2}))
    assert sorted(await _fetch_events(transaction_harness)) == [
        ("created", "1"),
        ("created", "2"),
        ("updated", "2"),
    ]
    last = (await transaction_harness.fetch_rows(_EVENTS, transaction_harness.tenant_id))[-1]
    assert last["status"] == "pending"
    hashed = compute_data_hash(transaction_harness.mine["integrations"], {"id": 2})
    assert json.loads(last["payload"]) == {"entityType": "endpoints", "externalId": "2", "dataHash": hashed}


async def test_upsert_unchanged_entities_leaves_rows_untouched(
    transaction_harness: TransactionHarness,
) -> None:
    await _upsert(transaction_harness, *(_make_item(number) for number in range(20)))
    before = await _fetch_rows(transaction_harness)
    again = await _upsert(transaction_harness, *(_make_item(number) for number in range(20)))
    assert again == UpsertResult(0, 0, 20, ())
    assert await _fetch_rows(transaction_harness) == before, "not even locked, which xmax would tell"
    assert len(await _fetch_events(transaction_harness)) == 20


async def test_upsert_unchanged_entity_fires_no_trigger(transaction_harness: TransactionHarness) -> None:
    await _upsert(transaction_harness, _make_item(1))
    await transaction_harness.owner.execute("""
        CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$;
        CREATE TRIGGER t BEFORE INSERT OR UPDATE ON entities EXECUTE FUNCTION app.refuse();
    """)
    assert (await _upsert(transaction_harness, _make_item(1))).unchanged == 1
    with pytest.raises(asyncpg.RaiseError, match="fired"):
        await _upsert(transaction_harness, _make_item(2))


async def test_upsert_changed_entity_is_updated(transaction_harness: TransactionHarness) -> None:
    await _upsert(transaction_harness, _make_item(1), _make_item(2))
    await transaction_harness.owner.execute(
        "UPDATE entities SET updated_at = updated_at + 1000000 WHERE external_id = '1'"
    )
    before = await _fetch_rows(transaction_harness)
    changed = _make_item(1, raw_data={"id": 1, "name": "new"}, normalized_data={"hostname": "new"})
    assert await _upsert(transaction_harness, changed, _make_item(2)) == UpsertResult(0, 1, 1, ())
    after = await _fetch_rows(transaction_harness)
    assert after[1] == before[1]
    assert after[0]["id"] == before[0]["id"]
    assert json.loads(after[0]["normalized"]) == {"hostname": "new"}
    assert after[0]["created_at"] == before[0]["created_at"]
    assert after[0]["updated_at"] > before[0]["updated_at"], "it grows, whatever the clocks say"


async def test_upsert_entity_with_another_site_is_updated(transaction_harness: TransactionHarness) -> None:
    await _upsert(transaction_harness, _make_item(1))
    assert (
        await _upsert(transaction_harness, _make_item(1, site_id=transaction_harness.mine["sites"]))
    ).updated == 1
    assert (
        await _upsert(transaction_harness, _make_item(1, site_id=transaction_harness.mine["sites"]))
    ).unchanged == 1
    assert (await _upsert(transaction_harness, _make_item(1))).updated == 1
    assert (await _fetch_rows(transaction_harness))[0]["site_id"] is None


async def test_upsert_deleted_entity_is_restored(transaction_harness: TransactionHarness) -> None:
    await _upsert(transaction_harness, _make_item(1))
    await transaction_harness.owner.execute("UPDATE entities SET deleted_at = 1")
    assert await _upsert(transaction_harness, _make_item(1)) == UpsertResult(0, 1, 0, ())
    assert (await _fetch_rows(transaction_harness))[0]["deleted_at"] is None
    assert await _fetch_events(transaction_harness) == [("created", "1"), ("updated", "1")]


async def test_upsert_entity_with_given_hash_is_compared_by_it(
    transaction_harness: TransactionHarness,
) -> None:
    await _upsert(transaction_harness, _make_item(1, data_hash="a"))
    assert (
        await _upsert(transaction_harness, _make_item(1, data_hash="a", raw_data={"other": True}))
    ).unchanged == 1
    assert (await _upsert(transaction_harness, _make_item(1, data_hash="b"))).updated == 1
    assert (await _fetch_rows(transaction_harness))[0]["data_hash"] == "b"


async def test_upsert_entity_with_changed_volatile_field_is_unchanged(
    transaction_harness: TransactionHarness,
) -> None:
    await transaction_harness.owner.execute(
        "INSERT INTO integrations (id, name, description, category) VALUES ('autotask', '', '', 'psa')"
    )
    source = await transaction_harness.fetch_value(
        "INSERT INTO data_sources (tenant_id, integration_id) VALUES ($1, 'autotask') RETURNING id",
        transaction_harness.tenant_id,
    )
    await _upsert(
        transaction_harness, _make_item(1, raw_data={"id": 1, "lastActivityDate": "a"}), source=source
    )
    again = await _upsert(
        transaction_harness, _make_item(1, raw_data={"id": 1, "lastActivityDate": "b"}), source=source
    )
    assert again.unchanged == 1


async def test_upsert_duplicate_entities_keeps_the_last(transaction_harness: TransactionHarness) -> None:
    items = (
        _make_item(1, raw_data=1),
        _make_item(2),
        _make_item(1, raw_data=2),
        _make_item(1, kind="tickets"),
        _make_item(1, raw_data=3),
    )
    result = await _upsert(transaction_harness, *items)
    reason = "occurs again in this call, at 4; the last one counts"
    assert result == UpsertResult(3, 0, 0, (Rejection(0, "1", reason), Rejection(2, "1", reason)))
    assert json.loads((await _fetch_rows(transaction_harness))[0]["raw"]) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"entity_type": ""}, "`entityType` must not be empty"),
        ({"entity_type": "a" * 101}, "`entityType` must have at most 100 characters"),
        ({"external_id": ""}, "`externalId` must not be empty"),
        ({"external_id": "é" * 501}, "`externalId` must have at most 500 characters"),
        ({"external_id": "a\x00b"}, "`externalId` must not contain a NUL character"),
        ({"data_hash": ""}, "`dataHash` must be 1 to 128 printable ASCII characters"),
        ({"data_hash": "\x00"}, "`dataHash` must be 1 to 128 printable ASCII characters"),
        ({"site_id": "nowhere"}, "no such site"),
        ({"site_id": "\x00"}, "no such site"),
        ({"raw_data": {"a": "b\x00"}}, "`rawData` or `normalizedData` must not contain a NUL character"),
        (
            {"normalized_data": {"a": "\ud800"}},
            f"`rawData` or `normalizedData` {NOT_JSON}",
        ),
        (
            {"raw_data": {"a": "\ud800"}},
            f"`rawData` {NOT_JSON}",
        ),
    ],
)
async def test_upsert_invalid_entity_rejects_only_that_one(
    transaction_harness: TransactionHarness, change: dict[str, Any], reason: str
) -> None:
    values = {"entity_type": "endpoints", "external_id": "7", "raw_data": {}, **change}
    result = await _upsert(transaction_harness, _make_item(1), EntityItem(**values), _make_item(2))
    assert result == UpsertResult(2, 0, 0, (Rejection(1, values["external_id"], reason),))
    assert len(await _fetch_rows(transaction_harness)) == 2


async def test_upsert_entity_with_longest_key_is_created(transaction_harness: TransactionHarness) -> None:
    longest = EntityItem("\U0001f5a5" * 100, "\U0001f5a5" * EXTERNAL_ID_MAX_CHARS, {})
    assert (await _upsert(transaction_harness, longest)).created == 1
    assert (await _upsert(transaction_harness, longest)).unchanged == 1


async def test_upsert_entity_with_foreign_or_deleted_site_is_rejected(
    transaction_harness: TransactionHarness,
) -> None:
    deleted = await transaction_harness.fetch_value(
        "INSERT INTO sites (tenant_id, name, slug, deleted_at) VALUES ($1, 'x', 'x', 1) RETURNING id",
        transaction_harness.tenant_id,
    )
    result = await _upsert(
        transaction_harness,
        _make_item(1, site_id=transaction_harness.theirs["sites"]),
        _make_item(2, site_id=deleted),
        _make_item(3),
    )
    assert [(each.index, each.reason) for each in result.rejected] == [
        (0, "no such site"),
        (1, "no such site"),
    ]
    assert result.created == 1


async def test_upsert_entities_of_missing_data_source_is_not_found(
    transaction_harness: TransactionHarness,
) -> None:
    for source in ("nowhere", transaction_harness.theirs["data_sources"]):
        with pytest.raises(NotFoundError):
            await _upsert(transaction_harness, _make_item(1), source=source)
    with pytest.raises(NotFoundError):
        await _upsert(transaction_harness, _make_item(1), tenant=transaction_harness.theirs["tenants"])
    await transaction_harness.owner.execute("UPDATE data_sources SET deleted_at = 1")
    with pytest.raises(NotFoundError):
        await _upsert(transaction_harness, _make_item(1))
    assert await transaction_harness.fetch_value("SELECT count(*) FROM entities") == 0


async def test_upsert_entity_with_equal_id_in_other_tenant_is_separate(
    transaction_harness: TransactionHarness,
) -> None:
    await _upsert(transaction_harness, _make_item(1))
    theirs = await _upsert(
        transaction_harness,
        _make_item(1, raw_data=2),
        source=transaction_harness.theirs["data_sources"],
        tenant=transaction_harness.theirs["tenants"],
    )
    assert theirs.created == 1
    assert json.loads((await _fetch_rows(transaction_harness))[0]["raw"]) == {"id": 1, "name": "desk-1"}


async def test_upsert_entities_over_the_limit_is_refused(transaction_harness: TransactionHarness) -> None:
    with pytest.raises(BadUserInputError) as caught:
        await _upsert(transaction_harness, *(_make_item(number) for number in range(UPSERT_ITEMS_MAX + 1)))
    assert list(caught.value.fields) == ["items"]
    assert await _upsert(transaction_harness) == UpsertResult(0, 0, 0, ())


async def test_upsert_entities_at_the_limit_reads_few_rows(
    transaction_harness: TransactionHarness,
) -> None:
    items = [_make_item(number) for number in range(UPSERT_ITEMS_MAX)]
    assert (await _upsert(transaction_harness, *items)).created == UPSERT_ITEMS_MAX
    # The statements stay fast after PostgreSQL has changed to generic plans.
    for _ in range(8):
        result, read = await _upsert_and_count(transaction_harness, items)
        assert result.unchanged == UPSERT_ITEMS_MAX
        assert read <= 8 * UPSERT_ITEMS_MAX
    changed = [_make_item(number, data_hash="new") for number in range(UPSERT_ITEMS_MAX)]
    assert (await _upsert(transaction_harness, *changed)).updated == UPSERT_ITEMS_MAX


async def test_upsert_entities_in_failed_transaction_leaves_nothing(
    transaction_harness: TransactionHarness,
) -> None:
    async def fail() -> None:
        async with transaction_harness.transaction() as transaction:
            await upsert_entities(
                transaction,
                transaction_harness.tenant_id,
                transaction_harness.mine["data_sources"],
                [_make_item(1)],
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await _fetch_rows(transaction_harness) == []
    assert await _fetch_events(transaction_harness) == []


async def test_upsert_same_entities_concurrently_creates_each_once(
    transaction_harness: TransactionHarness,
) -> None:
    items = [_make_item(number) for number in range(300)]
    orders = [items, items[::-1], items[100:] + items[:100], items[::2] + items[1::2]]
    results = await asyncio.gather(*(_upsert(transaction_harness, *order) for order in orders))
    assert sum(result.created for result in results) == 300
    assert sum(result.unchanged for result in results) == 900
    assert len(await _fetch_rows(transaction_harness)) == len(await _fetch_events(transaction_harness)) == 300


async def test_upsert_entities_after_waiting_sees_the_other_write(
    transaction_harness: TransactionHarness,
) -> None:
    """The other's write is not visible when hashes are compared, and is visible when rows are written."""
    async with transaction_harness.transaction() as first:
        await upsert_entities(
            first,
            transaction_harness.tenant_id,
            transaction_harness.mine["data_sources"],
            [_make_item(1), _make_item(2)],
        )
        waiting = asyncio.ensure_future(
            _upsert(
                transaction_harness, _make_item(1), _make_item(2, raw_data={"newer": True}), _make_item(3)
            )
        )
        while not await transaction_harness.fetch_value(_WAITING):  # noqa: ASYNC110 - PostgreSQL has no event for it
            await asyncio.sleep(0.01)
    assert await waiting == UpsertResult(1, 1, 1, ())
    assert sorted(await _fetch_events(transaction_harness)) == [
        ("created", "1"),
        ("created", "2"),
        ("created", "3"),
        ("updated", "2"),
    ]


async def test_upsert_changed_entities_concurrently_keeps_one_row_each(
    transaction_harness: TransactionHarness,
) -> None:
    async def rounds(seed: int) -> None:
        for turn in range(5):
            await _upsert(
                transaction_harness, *(_make_item(number, data_hash=f"{seed}-{turn}") for number in range(50))
            )

    await asyncio.gather(*(rounds(seed) for seed in range(4)))
    rows = await _fetch_rows(transaction_harness)
    assert len(rows) == 50
    assert len({row["data_hash"] for row in rows}) == 1, "the last call wrote them all"


async def test_upsert_known_entities_with_stale_statistics_reads_few_rows(
    transaction_harness: TransactionHarness,
) -> None:
    """Analyzed when the table was almost empty: then every index looks as good as the right one."""
    await _upsert(transaction_harness, _make_item(1))
    await transaction_harness.owner.execute("DELETE FROM events_log; DELETE FROM entities; ANALYZE entities")
    await transaction_harness.owner.execute(
        """
        INSERT INTO entities (tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)
        SELECT $1, $2, $3, 'endpoints', n::text, 'same' FROM generate_series(0, 39999) n
        """,
        transaction_harness.tenant_id, transaction_harness.mine["integrations"], transaction_harness.mine["data_sources"],  # noqa: E501
    )  # fmt: skip
    for lot in range(8):
        items = [_make_item(UPSERT_ITEMS_MAX * lot + n, data_hash="same") for n in range(UPSERT_ITEMS_MAX)]
        result, read = await _upsert_and_count(transaction_harness, items)
        assert result.unchanged == UPSERT_ITEMS_MAX
        # A few scans of the 40,000 rows are fine, as by PostgreSQL 15. A wrong index reads them for each item.
        assert read <= 400_000
