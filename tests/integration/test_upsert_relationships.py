"""Bulk upserts of relationships between entities of a data source."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from core.errors import NotFoundError
from core.limits import UPSERT_ITEMS_MAX
from services.batches import Rejection, UpsertResult
from services.entities import EntityItem, EntityKey, upsert_entities
from services.entity_relationships import RelationshipItem, upsert_relationships
from tests.clusters import ThrowawayCluster
from tests.writing import Desk, desk


@pytest_asyncio.fixture(loop_scope="session")
async def mine(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Desk]:
    """A desk with a group and nine identities."""
    name = await cluster.create(template)
    async with desk(cluster.dsn(name)) as made:
        await made.owner.execute("TRUNCATE entity_relationships, events_log, entities")
        items = [EntityItem("groups", "g", {}), *(EntityItem("identities", str(n), {}) for n in range(9))]
        async with made.transaction() as transaction:
            await upsert_entities(transaction, made.tenant_id, made.mine["data_sources"], items)
        await made.owner.execute("DELETE FROM events_log")
        yield made
    await cluster.drop(name)


GROUP = EntityKey("groups", "g")


def _item(number: int, **more: Any) -> RelationshipItem:
    values = {"parent": GROUP, "child": EntityKey("identities", str(number)), "relationship_type": "member"}
    return RelationshipItem(**{**values, **more})


async def _upsert(at: Desk, *items: RelationshipItem, source: str | None = None) -> UpsertResult:
    async with at.transaction() as transaction:
        return await upsert_relationships(transaction, at.tenant_id, source or at.mine["data_sources"], items)


async def _rows(at: Desk) -> list[dict[str, Any]]:
    return await at.rows("""
        SELECT r.xmin::text, r.xmax::text, r.*, p.external_id AS parent, c.external_id AS child
        FROM entity_relationships r JOIN entities p ON p.id = r.parent_entity_id
        JOIN entities c ON c.id = r.child_entity_id ORDER BY c.external_id, r.relationship_type
    """)


async def _events(at: Desk) -> list[dict[str, Any]]:
    return await at.rows("SELECT entity_id, event_type, payload::text FROM events_log ORDER BY id")


async def test_what_is_new_is_created_with_its_event(mine: Desk) -> None:
    assert await _upsert(mine, _item(1, metadata={"since": 3}), _item(2)) == UpsertResult(2, 0, 0, ())
    first, second = await _rows(mine)
    assert (first["parent"], first["child"], first["relationship_type"]) == ("g", "1", "member")
    assert (json.loads(first["metadata"]), second["metadata"]) == ({"since": 3}, None)
    events = await _events(mine)
    assert {event["entity_id"] for event in events} == {first["parent_entity_id"]}
    assert [event["event_type"] for event in events] == ["relationship_created"] * 2
    told = {
        "relationshipId": first["id"],
        "childEntityId": first["child_entity_id"],
        "relationshipType": "member",
    }
    assert told in [json.loads(event["payload"]) for event in events]


async def test_what_has_not_changed_is_not_touched(mine: Desk) -> None:
    items = [_item(1, metadata={"a": 1, "b": 2}), _item(2)]
    await _upsert(mine, *items)
    before = await _rows(mine)
    assert await _upsert(mine, _item(1, metadata={"b": 2, "a": 1}), _item(2)) == UpsertResult(0, 0, 2, ())
    assert await _rows(mine) == before
    assert len(await _events(mine)) == 2


async def test_what_has_changed_or_was_deleted_is_updated(mine: Desk) -> None:
    await _upsert(mine, _item(1, metadata={"a": 1}), _item(2), _item(3))
    await mine.owner.execute(
        "UPDATE entity_relationships r SET deleted_at = 1 FROM entities c "
        "WHERE c.id = r.child_entity_id AND c.external_id = '2'"
    )
    before = await _rows(mine)
    assert await _upsert(mine, _item(1), _item(2), _item(3)) == UpsertResult(0, 2, 1, ())
    after = await _rows(mine)
    assert [row["metadata"] for row in after] == [None, None, None]
    assert [row["deleted_at"] for row in after] == [None, None, None]
    assert all(
        now["updated_at"] > then["updated_at"] for now, then in zip(after[:2], before[:2], strict=True)
    )
    assert [event["event_type"] for event in await _events(mine)][3:] == ["relationship_updated"] * 2


async def test_a_type_makes_another_relationship(mine: Desk) -> None:
    result = await _upsert(mine, _item(1), _item(1, relationship_type="owner"), _item(1, metadata=1))
    assert result == UpsertResult(
        2, 0, 0, (Rejection(0, "1", "comes again in this call, at 2; the last one counts"),)
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parent": EntityKey("groups", "h")}, "there is no such parent in the data source"),
        ({"parent": EntityKey("identities", "g")}, "there is no such parent in the data source"),
        ({"child": EntityKey("identities", "99")}, "there is no such child in the data source"),
        ({"child": EntityKey("", "1")}, "`childType` is empty"),
        ({"parent": EntityKey("groups", "")}, "`parentExternalId` is empty"),
        ({"relationship_type": ""}, "`relationshipType` is empty"),
        ({"relationship_type": "\x00"}, "`relationshipType` has characters that cannot be kept"),
        ({"metadata": {"a": "\x00"}}, "`metadata` has a NUL character"),
    ],
)
async def test_what_is_wrong_with_one_rejects_that_one(
    mine: Desk, change: dict[str, Any], reason: str
) -> None:
    item = _item(1, **change)
    result = await _upsert(mine, _item(2), item)
    assert result == UpsertResult(1, 0, 0, (Rejection(1, item.child.external_id, reason),))


async def test_a_deleted_end_is_not_there(mine: Desk) -> None:
    await mine.owner.execute("UPDATE entities SET deleted_at = 1 WHERE external_id = '1'")
    (rejection,) = (await _upsert(mine, _item(1))).rejected
    assert rejection.reason == "there is no such child in the data source"


async def test_a_source_that_is_not_there_is_not_found(mine: Desk) -> None:
    for source in ("nowhere", mine.theirs["data_sources"]):
        with pytest.raises(NotFoundError):
            await _upsert(mine, _item(1), source=source)
    assert await _rows(mine) == []


async def test_as_many_as_may_be_at_once(mine: Desk) -> None:
    identities = [EntityItem("identities", str(n), {}) for n in range(UPSERT_ITEMS_MAX)]
    async with mine.transaction() as transaction:
        await upsert_entities(transaction, mine.tenant_id, mine.mine["data_sources"], identities)
    items = [_item(number) for number in range(UPSERT_ITEMS_MAX)]
    assert (await _upsert(mine, *items)).created == UPSERT_ITEMS_MAX
    for _ in range(8):
        async with asyncio.timeout(5):
            assert (await _upsert(mine, *items)).unchanged == UPSERT_ITEMS_MAX


async def test_calls_at_once_neither_deadlock_nor_double(mine: Desk) -> None:
    items = [_item(number, relationship_type=kind) for number in range(9) for kind in ("a", "b", "c")]
    results = await asyncio.gather(
        *(_upsert(mine, *order) for order in (items, items[::-1], items[5:] + items[:5]))
    )
    assert sum(result.created for result in results) == 27
    assert len(await _rows(mine)) == len(await _events(mine)) == 27


@pytest.mark.parametrize("analysed", [False, True])
async def test_many_parents_with_many_children_are_quick(mine: Desk, *, analysed: bool) -> None:
    items = [
        RelationshipItem(EntityKey("groups", str(n % 500)), EntityKey("identities", str(n)), f"kind-{n % 3}")
        for n in range(UPSERT_ITEMS_MAX)
    ]
    await mine.owner.execute("ANALYZE entities, entity_relationships")
    for kind, count in (("groups", 500), ("identities", UPSERT_ITEMS_MAX)):
        async with mine.transaction() as transaction:
            ends = [EntityItem(kind, str(n), {}) for n in range(count)]
            await upsert_entities(transaction, mine.tenant_id, mine.mine["data_sources"], ends)
    assert (await _upsert(mine, *items)).created == UPSERT_ITEMS_MAX
    if analysed:
        await mine.owner.execute("ANALYZE entities, entity_relationships")
    async with asyncio.timeout(3):
        assert (await _upsert(mine, *items)).unchanged == UPSERT_ITEMS_MAX
