"""Bulk upserts of relationships between entities of a data source."""

import asyncio
import json
from typing import Any

import pytest
import pytest_asyncio

from core.errors import NotFoundError
from core.limits import UPSERT_ITEMS_MAX
from services.entities.entity_upserts import EntityItem, EntityKey, upsert_entities
from services.entities.relationship_upserts import RelationshipItem, upsert_relationships
from services.entities.upsert_batch import Rejection, UpsertResult
from tests.transaction_harness import TransactionHarness, count_rows_read


@pytest_asyncio.fixture(loop_scope="session")
async def transaction_harness(transaction_harness: TransactionHarness) -> TransactionHarness:
    """With a group and nine identities."""
    await transaction_harness.owner.execute("TRUNCATE entity_relationships, events_log, entities")
    items = [EntityItem("groups", "g", {}), *(EntityItem("identities", str(n), {}) for n in range(9))]
    async with transaction_harness.transaction() as transaction:
        await upsert_entities(
            transaction, transaction_harness.tenant_id, transaction_harness.mine["data_sources"], items
        )
    await transaction_harness.owner.execute("DELETE FROM events_log")
    return transaction_harness


GROUP = EntityKey("groups", "g")


def _make_item(number: int, **more: Any) -> RelationshipItem:
    values = {"parent": GROUP, "child": EntityKey("identities", str(number)), "relationship_type": "member"}
    return RelationshipItem(**{**values, **more})


async def _upsert(
    transaction_harness: TransactionHarness, *items: RelationshipItem, source: str | None = None
) -> UpsertResult:
    async with transaction_harness.transaction() as transaction:
        return await upsert_relationships(
            transaction,
            transaction_harness.tenant_id,
            source or transaction_harness.mine["data_sources"],
            items,
        )


async def _upsert_and_count(
    transaction_harness: TransactionHarness, items: list[RelationshipItem]
) -> tuple[UpsertResult, int, int]:
    """The result, and how many relationships and entities were read for it."""
    async with transaction_harness.transaction() as transaction:
        async with count_rows_read(transaction, "entity_relationships", "entities") as read:
            result = await upsert_relationships(
                transaction, transaction_harness.tenant_id, transaction_harness.mine["data_sources"], items
            )
        return result, read[0], read[1]


async def _fetch_rows(transaction_harness: TransactionHarness) -> list[dict[str, Any]]:
    return await transaction_harness.fetch_rows("""
        SELECT r.xmin::text, r.xmax::text, r.*, p.external_id AS parent, c.external_id AS child
        FROM entity_relationships r JOIN entities p ON p.id = r.parent_entity_id
        JOIN entities c ON c.id = r.child_entity_id ORDER BY c.external_id, r.relationship_type
    """)


async def _fetch_events(transaction_harness: TransactionHarness) -> list[dict[str, Any]]:
    return await transaction_harness.fetch_rows(
        "SELECT entity_id, event_type, payload::text FROM events_log ORDER BY id"
    )


async def test_upsert_new_relationships_creates_them_with_events(
    transaction_harness: TransactionHarness,
) -> None:
    assert await _upsert(
        transaction_harness, _make_item(1, metadata={"since": 3}), _make_item(2)
    ) == UpsertResult(2, 0, 0, ())
    first, second = await _fetch_rows(transaction_harness)
    assert (first["parent"], first["child"], first["relationship_type"]) == ("g", "1", "member")
    assert (json.loads(first["metadata"]), second["metadata"]) == ({"since": 3}, None)
    events = await _fetch_events(transaction_harness)
    assert {event["entity_id"] for event in events} == {first["parent_entity_id"]}
    assert [event["event_type"] for event in events] == ["relationship_created"] * 2
    told = {
        "relationshipId": first["id"],
        "childEntityId": first["child_entity_id"],
        "relationshipType": "member",
    }
    assert told in [json.loads(event["payload"]) for event in events]


async def test_upsert_unchanged_relationships_leaves_rows_untouched(
    transaction_harness: TransactionHarness,
) -> None:
    items = [_make_item(1, metadata={"a": 1, "b": 2}), _make_item(2)]
    await _upsert(transaction_harness, *items)
    before = await _fetch_rows(transaction_harness)
    assert await _upsert(
        transaction_harness, _make_item(1, metadata={"b": 2, "a": 1}), _make_item(2)
    ) == UpsertResult(0, 0, 2, ())
    assert await _fetch_rows(transaction_harness) == before
    assert len(await _fetch_events(transaction_harness)) == 2


async def test_upsert_changed_or_deleted_relationships_updates_them(
    transaction_harness: TransactionHarness,
) -> None:
    await _upsert(transaction_harness, _make_item(1, metadata={"a": 1}), _make_item(2), _make_item(3))
    await transaction_harness.owner.execute(
        "UPDATE entity_relationships r SET deleted_at = 1 FROM entities c "
        "WHERE c.id = r.child_entity_id AND c.external_id = '2'"
    )
    before = await _fetch_rows(transaction_harness)
    assert await _upsert(transaction_harness, _make_item(1), _make_item(2), _make_item(3)) == UpsertResult(
        0, 2, 1, ()
    )
    after = await _fetch_rows(transaction_harness)
    assert [row["metadata"] for row in after] == [None, None, None]
    assert [row["deleted_at"] for row in after] == [None, None, None]
    assert all(
        now["updated_at"] > then["updated_at"] for now, then in zip(after[:2], before[:2], strict=True)
    )
    assert [event["event_type"] for event in await _fetch_events(transaction_harness)][3:] == [
        "relationship_updated"
    ] * 2


async def test_upsert_relationship_of_another_type_is_created(
    transaction_harness: TransactionHarness,
) -> None:
    result = await _upsert(
        transaction_harness,
        _make_item(1),
        _make_item(1, relationship_type="owner"),
        _make_item(1, metadata=1),
    )
    assert result == UpsertResult(
        2, 0, 0, (Rejection(0, "1", "occurs again in this call, at 2; the last one counts"),)
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"parent": EntityKey("groups", "h")}, "no such parent in the data source"),
        ({"parent": EntityKey("identities", "g")}, "no such parent in the data source"),
        ({"child": EntityKey("identities", "99")}, "no such child in the data source"),
        ({"child": EntityKey("", "1")}, "`childType` must not be empty"),
        ({"parent": EntityKey("groups", "")}, "`parentExternalId` must not be empty"),
        ({"relationship_type": ""}, "`relationshipType` must not be empty"),
        (
            {"relationship_type": "\x00"},
            "`relationshipType` must not contain a NUL character",
        ),
        ({"metadata": {"a": "\x00"}}, "`metadata` must not contain a NUL character"),
    ],
)
async def test_upsert_invalid_relationship_rejects_only_that_one(
    transaction_harness: TransactionHarness, change: dict[str, Any], reason: str
) -> None:
    item = _make_item(1, **change)
    result = await _upsert(transaction_harness, _make_item(2), item)
    assert result == UpsertResult(1, 0, 0, (Rejection(1, item.child.external_id, reason),))


async def test_upsert_relationship_to_deleted_entity_is_rejected(
    transaction_harness: TransactionHarness,
) -> None:
    await transaction_harness.owner.execute("UPDATE entities SET deleted_at = 1 WHERE external_id = '1'")
    (rejection,) = (await _upsert(transaction_harness, _make_item(1))).rejected
    assert rejection.reason == "no such child in the data source"


async def test_upsert_relationships_of_missing_data_source_is_not_found(
    transaction_harness: TransactionHarness,
) -> None:
    for source in ("nowhere", transaction_harness.theirs["data_sources"]):
        with pytest.raises(NotFoundError):
            await _upsert(transaction_harness, _make_item(1), source=source)
    assert await _fetch_rows(transaction_harness) == []


async def test_upsert_relationships_at_the_limit_reads_few_rows(
    transaction_harness: TransactionHarness,
) -> None:
    identities = [EntityItem("identities", str(n), {}) for n in range(UPSERT_ITEMS_MAX)]
    async with transaction_harness.transaction() as transaction:
        await upsert_entities(
            transaction, transaction_harness.tenant_id, transaction_harness.mine["data_sources"], identities
        )
    items = [_make_item(number) for number in range(UPSERT_ITEMS_MAX)]
    assert (await _upsert(transaction_harness, *items)).created == UPSERT_ITEMS_MAX
    for _ in range(8):
        result, *read = await _upsert_and_count(transaction_harness, items)
        assert result.unchanged == UPSERT_ITEMS_MAX
        assert max(read) <= 8 * UPSERT_ITEMS_MAX


async def test_upsert_same_relationships_concurrently_creates_each_once(
    transaction_harness: TransactionHarness,
) -> None:
    items = [_make_item(number, relationship_type=kind) for number in range(9) for kind in ("a", "b", "c")]
    results = await asyncio.gather(
        *(_upsert(transaction_harness, *order) for order in (items, items[::-1], items[5:] + items[:5]))
    )
    assert sum(result.created for result in results) == 27
    assert len(await _fetch_rows(transaction_harness)) == len(await _fetch_events(transaction_harness)) == 27


@pytest.mark.parametrize("analysed", [False, True])
async def test_upsert_relationships_of_many_parents_and_children_reads_few_rows(
    transaction_harness: TransactionHarness, *, analysed: bool
) -> None:
    items = [
        RelationshipItem(EntityKey("groups", str(n % 500)), EntityKey("identities", str(n)), f"kind-{n % 3}")
        for n in range(UPSERT_ITEMS_MAX)
    ]
    await transaction_harness.owner.execute("ANALYZE entities, entity_relationships")
    for kind, count in (("groups", 500), ("identities", UPSERT_ITEMS_MAX)):
        async with transaction_harness.transaction() as transaction:
            ends = [EntityItem(kind, str(n), {}) for n in range(count)]
            await upsert_entities(
                transaction, transaction_harness.tenant_id, transaction_harness.mine["data_sources"], ends
            )
    assert (await _upsert(transaction_harness, *items)).created == UPSERT_ITEMS_MAX
    if analysed:
        await transaction_harness.owner.execute("ANALYZE entities, entity_relationships")
    result, *read = await _upsert_and_count(transaction_harness, items)
    assert result.unchanged == UPSERT_ITEMS_MAX
    assert max(read) <= 8 * UPSERT_ITEMS_MAX
