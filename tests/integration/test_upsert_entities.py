"""Bulk upserts of entities: what is written, what is left alone, and what happens when two come at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.errors import BadUserInputError, NotFoundError
from core.limits import EXTERNAL_ID_MAX_CHARS, UPSERT_ITEMS_MAX
from services.batches import Rejection, UpsertResult
from services.data_hash import data_hash
from services.entities import EntityItem, upsert_entities
from tests.clusters import ThrowawayCluster
from tests.writing import Desk, desk


@pytest_asyncio.fixture(loop_scope="session")
async def mine(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Desk]:
    name = await cluster.create(template)
    async with desk(cluster.dsn(name)) as made:
        await made.owner.execute("TRUNCATE entity_relationships, events_log, entities")
        yield made
    await cluster.drop(name)


def _item(number: int, kind: str = "endpoints", **more: Any) -> EntityItem:
    values = {
        "raw_data": {"id": number, "name": f"desk-{number}"},
        "normalized_data": {"hostname": f"desk-{number}"},
    }
    return EntityItem(kind, str(number), **{**values, **more})


async def _upsert(
    at: Desk, *items: EntityItem, source: str | None = None, tenant: str | None = None
) -> UpsertResult:
    async with at.transaction(tenant) as transaction:
        return await upsert_entities(
            transaction, tenant or at.tenant_id, source or at.mine["data_sources"], items
        )


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


async def _rows(at: Desk) -> list[dict[str, Any]]:
    return await at.rows(_ROWS, at.tenant_id)


async def _events(at: Desk) -> list[tuple[str, str]]:
    return [(row["event_type"], row["external_id"]) for row in await at.rows(_EVENTS, at.tenant_id)]


async def test_what_is_new_is_created(mine: Desk) -> None:
    site = mine.mine["sites"]
    assert await _upsert(mine, _item(2), _item(1, site_id=site)) == UpsertResult(2, 0, 0, ())
    first, second = await _rows(mine)
    assert (first["external_id"], first["site_id"], second["site_id"]) == ("1", site, None)
    assert first["integration_id"] == mine.mine["integrations"]
    assert json.loads(first["raw"]) == {"id": 1, "name": "desk-1"}
    assert json.loads(first["normalized"]) == {"hostname": "desk-1"}
    assert first["data_hash"] == data_hash(mine.mine["integrations"], {"name": "desk-1", "id": 1})
    assert first["created_at"] == first["updated_at"]
    assert await mine.value("SELECT count(*) FROM entities WHERE tenant_id <> $1", mine.tenant_id) == 0


async def test_each_write_has_its_event(mine: Desk) -> None:
    await _upsert(mine, _item(1), _item(2))
    await _upsert(mine, _item(1), _item(2, raw_data={"id": 2}))
    assert sorted(await _events(mine)) == [("created", "1"), ("created", "2"), ("updated", "2")]
    last = (await mine.rows(_EVENTS, mine.tenant_id))[-1]
    assert last["status"] == "pending"
    hashed = data_hash(mine.mine["integrations"], {"id": 2})
    assert json.loads(last["payload"]) == {"entityType": "endpoints", "externalId": "2", "dataHash": hashed}


async def test_what_has_not_changed_is_not_touched(mine: Desk) -> None:
    await _upsert(mine, *(_item(number) for number in range(20)))
    before = await _rows(mine)
    again = await _upsert(mine, *(_item(number) for number in range(20)))
    assert again == UpsertResult(0, 0, 20, ())
    assert await _rows(mine) == before, "not even locked, which xmax would tell"
    assert len(await _events(mine)) == 20


async def test_what_has_not_changed_fires_no_trigger(mine: Desk) -> None:
    await _upsert(mine, _item(1))
    await mine.owner.execute("""
        CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$;
        CREATE TRIGGER t BEFORE INSERT OR UPDATE ON entities EXECUTE FUNCTION app.refuse();
    """)
    assert (await _upsert(mine, _item(1))).unchanged == 1
    with pytest.raises(asyncpg.RaiseError, match="fired"):
        await _upsert(mine, _item(2))


async def test_what_has_changed_is_updated(mine: Desk) -> None:
    await _upsert(mine, _item(1), _item(2))
    await mine.owner.execute("UPDATE entities SET updated_at = updated_at + 1000000 WHERE external_id = '1'")
    before = await _rows(mine)
    changed = _item(1, raw_data={"id": 1, "name": "new"}, normalized_data={"hostname": "new"})
    assert await _upsert(mine, changed, _item(2)) == UpsertResult(0, 1, 1, ())
    after = await _rows(mine)
    assert after[1] == before[1]
    assert after[0]["id"] == before[0]["id"]
    assert json.loads(after[0]["normalized"]) == {"hostname": "new"}
    assert after[0]["created_at"] == before[0]["created_at"]
    assert after[0]["updated_at"] > before[0]["updated_at"], "it grows, whatever the clocks say"


async def test_another_site_is_a_change(mine: Desk) -> None:
    await _upsert(mine, _item(1))
    assert (await _upsert(mine, _item(1, site_id=mine.mine["sites"]))).updated == 1
    assert (await _upsert(mine, _item(1, site_id=mine.mine["sites"]))).unchanged == 1
    assert (await _upsert(mine, _item(1))).updated == 1
    assert (await _rows(mine))[0]["site_id"] is None


async def test_what_was_deleted_and_comes_again_is_restored(mine: Desk) -> None:
    await _upsert(mine, _item(1))
    await mine.owner.execute("UPDATE entities SET deleted_at = 1")
    assert await _upsert(mine, _item(1)) == UpsertResult(0, 1, 0, ())
    assert (await _rows(mine))[0]["deleted_at"] is None
    assert await _events(mine) == [("created", "1"), ("updated", "1")]


async def test_a_hash_that_is_given_decides(mine: Desk) -> None:
    await _upsert(mine, _item(1, data_hash="a"))
    assert (await _upsert(mine, _item(1, data_hash="a", raw_data={"other": True}))).unchanged == 1
    assert (await _upsert(mine, _item(1, data_hash="b"))).updated == 1
    assert (await _rows(mine))[0]["data_hash"] == "b"


async def test_what_changes_at_every_look_does_not_count(mine: Desk) -> None:
    await mine.owner.execute(
        "INSERT INTO integrations (id, name, description, category) VALUES ('autotask', '', '', 'psa')"
    )
    source = await mine.value(
        "INSERT INTO data_sources (tenant_id, integration_id) VALUES ($1, 'autotask') RETURNING id",
        mine.tenant_id,
    )
    await _upsert(mine, _item(1, raw_data={"id": 1, "lastActivityDate": "a"}), source=source)
    again = await _upsert(mine, _item(1, raw_data={"id": 1, "lastActivityDate": "b"}), source=source)
    assert again.unchanged == 1


async def test_of_doubles_the_last_counts(mine: Desk) -> None:
    items = (
        _item(1, raw_data=1),
        _item(2),
        _item(1, raw_data=2),
        _item(1, kind="tickets"),
        _item(1, raw_data=3),
    )
    result = await _upsert(mine, *items)
    reason = "comes again in this call, at 4; the last one counts"
    assert result == UpsertResult(3, 0, 0, (Rejection(0, "1", reason), Rejection(2, "1", reason)))
    assert json.loads((await _rows(mine))[0]["raw"]) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"entity_type": ""}, "`entityType` is empty"),
        ({"entity_type": "a" * 101}, "`entityType` has more than 100 characters"),
        ({"external_id": ""}, "`externalId` is empty"),
        ({"external_id": "é" * 501}, "`externalId` has more than 500 characters"),
        ({"external_id": "a\x00b"}, "`externalId` has characters that cannot be kept"),
        ({"data_hash": ""}, "`dataHash` is not 1 to 128 printable ASCII characters"),
        ({"data_hash": "\x00"}, "`dataHash` is not 1 to 128 printable ASCII characters"),
        ({"site_id": "nowhere"}, "there is no such site"),
        ({"site_id": "\x00"}, "there is no such site"),
        ({"raw_data": {"a": "b\x00"}}, "`rawData` or `normalizedData` has a NUL character"),
        (
            {"normalized_data": {"a": 1 << 70}},
            "`rawData` or `normalizedData` has a value that cannot be kept as JSON",
        ),
        ({"raw_data": {"a": 1 << 70}}, "`rawData` has a value that cannot be kept as JSON"),
    ],
)
async def test_what_is_wrong_with_one_rejects_that_one(
    mine: Desk, change: dict[str, Any], reason: str
) -> None:
    values = {"entity_type": "endpoints", "external_id": "7", "raw_data": {}, **change}
    result = await _upsert(mine, _item(1), EntityItem(**values), _item(2))
    assert result == UpsertResult(2, 0, 0, (Rejection(1, values["external_id"], reason),))
    assert len(await _rows(mine)) == 2


async def test_a_key_may_be_as_long_as_it_may(mine: Desk) -> None:
    longest = EntityItem("\U0001f5a5" * 100, "\U0001f5a5" * EXTERNAL_ID_MAX_CHARS, {})
    assert (await _upsert(mine, longest)).created == 1
    assert (await _upsert(mine, longest)).unchanged == 1


async def test_a_strange_or_deleted_site_rejects(mine: Desk) -> None:
    deleted = await mine.value(
        "INSERT INTO sites (tenant_id, name, slug, deleted_at) VALUES ($1, 'x', 'x', 1) RETURNING id",
        mine.tenant_id,
    )
    result = await _upsert(mine, _item(1, site_id=mine.theirs["sites"]), _item(2, site_id=deleted), _item(3))
    assert [(each.index, each.reason) for each in result.rejected] == [
        (0, "there is no such site"),
        (1, "there is no such site"),
    ]
    assert result.created == 1


async def test_a_source_that_is_not_there_is_not_found(mine: Desk) -> None:
    for source in ("nowhere", mine.theirs["data_sources"]):
        with pytest.raises(NotFoundError):
            await _upsert(mine, _item(1), source=source)
    with pytest.raises(NotFoundError):
        await _upsert(mine, _item(1), tenant=mine.theirs["tenants"])
    await mine.owner.execute("UPDATE data_sources SET deleted_at = 1")
    with pytest.raises(NotFoundError):
        await _upsert(mine, _item(1))
    assert await mine.value("SELECT count(*) FROM entities") == 0


async def test_a_neighbours_equal_ids_are_the_neighbours(mine: Desk) -> None:
    await _upsert(mine, _item(1))
    theirs = await _upsert(
        mine, _item(1, raw_data=2), source=mine.theirs["data_sources"], tenant=mine.theirs["tenants"]
    )
    assert theirs.created == 1
    assert json.loads((await _rows(mine))[0]["raw"]) == {"id": 1, "name": "desk-1"}


async def test_too_many_are_refused(mine: Desk) -> None:
    with pytest.raises(BadUserInputError) as caught:
        await _upsert(mine, *(_item(number) for number in range(UPSERT_ITEMS_MAX + 1)))
    assert list(caught.value.fields) == ["items"]
    assert await _upsert(mine) == UpsertResult(0, 0, 0, ())


async def test_as_many_as_may_be_at_once(mine: Desk) -> None:
    items = [_item(number) for number in range(UPSERT_ITEMS_MAX)]
    assert (await _upsert(mine, *items)).created == UPSERT_ITEMS_MAX
    # The statements stay quick when PostgreSQL has gone over to generic plans.
    for _ in range(8):
        async with asyncio.timeout(5):
            assert (await _upsert(mine, *items)).unchanged == UPSERT_ITEMS_MAX
    changed = [_item(number, data_hash="new") for number in range(UPSERT_ITEMS_MAX)]
    assert (await _upsert(mine, *changed)).updated == UPSERT_ITEMS_MAX


async def test_a_transaction_that_fails_leaves_nothing(mine: Desk) -> None:
    async def fail() -> None:
        async with mine.transaction() as transaction:
            await upsert_entities(transaction, mine.tenant_id, mine.mine["data_sources"], [_item(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await _rows(mine) == []
    assert await _events(mine) == []


async def test_calls_at_once_neither_deadlock_nor_double(mine: Desk) -> None:
    items = [_item(number) for number in range(300)]
    orders = [items, items[::-1], items[100:] + items[:100], items[::2] + items[1::2]]
    results = await asyncio.gather(*(_upsert(mine, *order) for order in orders))
    assert sum(result.created for result in results) == 300
    assert sum(result.unchanged for result in results) == 900
    assert len(await _rows(mine)) == len(await _events(mine)) == 300


async def test_a_call_that_waited_sees_what_it_waited_for(mine: Desk) -> None:
    """The other's write is not there when hashes are compared, and is when rows are written."""
    async with mine.transaction() as first:
        await upsert_entities(first, mine.tenant_id, mine.mine["data_sources"], [_item(1), _item(2)])
        waiting = asyncio.ensure_future(_upsert(mine, _item(1), _item(2, raw_data={"newer": True}), _item(3)))
        while not await mine.value(_WAITING):  # noqa: ASYNC110 - it is PostgreSQL that we wait for
            await asyncio.sleep(0.01)
    assert await waiting == UpsertResult(1, 1, 1, ())
    assert sorted(await _events(mine)) == [
        ("created", "1"),
        ("created", "2"),
        ("created", "3"),
        ("updated", "2"),
    ]


async def test_rounds_of_changes_at_once_end_in_one_row_each(mine: Desk) -> None:
    async def rounds(seed: int) -> None:
        for turn in range(5):
            await _upsert(mine, *(_item(number, data_hash=f"{seed}-{turn}") for number in range(50)))

    await asyncio.gather(*(rounds(seed) for seed in range(4)))
    rows = await _rows(mine)
    assert len(rows) == 50
    assert len({row["data_hash"] for row in rows}) == 1, "the last call wrote them all"


async def test_what_is_known_is_found_without_statistics(mine: Desk) -> None:
    """Analysed when hardly anything was left of it: every index looks as good as the right one then."""
    await _upsert(mine, _item(1))
    await mine.owner.execute("DELETE FROM events_log; DELETE FROM entities; ANALYZE entities")
    await mine.owner.execute(
        """
        INSERT INTO entities (tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)
        SELECT $1, $2, $3, 'endpoints', n::text, 'same' FROM generate_series(0, 39999) n
        """,
        mine.tenant_id, mine.mine["integrations"], mine.mine["data_sources"],
    )  # fmt: skip
    for lot in range(8):
        items = [_item(UPSERT_ITEMS_MAX * lot + n, data_hash="same") for n in range(UPSERT_ITEMS_MAX)]
        async with asyncio.timeout(3):  # each key by a wrong index: ten times as long
            assert (await _upsert(mine, *items)).unchanged == UPSERT_ITEMS_MAX
