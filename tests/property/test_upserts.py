"""Random batches of entities and relationships, against a model in plain Python: the same rows, counts and events."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.data_hash import compute_data_hash
from services.entities.entity_upserts import EntityItem, EntityKey, upsert_entities
from services.entities.relationship_upserts import RelationshipItem, upsert_relationships
from services.entities.upsert_batch import UpsertResult
from tests.clusters import ThrowawayCluster
from tests.transaction_harness import TransactionHarness, open_transaction_harness

SITES = ("here", "there", "nowhere")
"""The last one does not exist."""

keys = st.builds(
    EntityKey, st.sampled_from(["endpoints", "tickets"]), st.sampled_from(["1", "2", "3", "É", ""])
)
values = st.sampled_from([{"n": 1}, {"n": 2}, {"n": 1, "m": [None, 1.5]}, {"text": "\x00"}, 3, None])
entities = st.builds(
    lambda key, raw, site, hashed: EntityItem(
        key.entity_type, key.external_id, raw, {"of": raw} if raw != {"text": "\x00"} else {}, site, hashed
    ),
    keys,
    values,
    st.sampled_from([None, None, *SITES]),
    st.sampled_from([None, None, "given", "other"]),
)
relationships = st.builds(
    RelationshipItem,
    keys,
    keys,
    st.sampled_from(["member", "owner"]),
    st.sampled_from([None, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1.0, "b": 2}, {"a": 3}]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("entities"), st.lists(entities, max_size=8)),
        st.tuples(st.just("relationships"), st.lists(relationships, max_size=8)),
        st.tuples(st.just("delete"), keys),
        st.tuples(st.just("part"), st.sampled_from(["member", "owner"])),
    ),
    max_size=8,
)

RelationshipKey: TypeAlias = tuple[EntityKey, EntityKey, str]


@dataclass
class ModelRow:
    """A row of the model; `value` changes with its data."""

    value: Any
    is_deleted: bool = False


@dataclass
class UpsertModel:
    """The expected rows and events."""

    integration: str
    entity_rows: dict[Any, ModelRow] = field(default_factory=dict)
    relationship_rows: dict[RelationshipKey, ModelRow] = field(default_factory=dict)
    event_counts: Counter[str] = field(default_factory=Counter)

    def upsert_entities(self, items: list[EntityItem]) -> tuple[int, int, int, int]:
        """Apply a batch; created, updated, unchanged, rejected."""
        good = [item for item in items if item.external_id]
        last = {item.key: item for item in good}
        writable = {
            key: (item.data_hash or compute_data_hash(self.integration, item.raw_data), item.site_id)
            for key, item in last.items()
            if item.site_id != "nowhere" and not self._is_rejected(key, item)
        }
        counts = self._upsert_rows(self.entity_rows, writable, ("created", "updated"))
        return (*counts, len(items) - sum(counts))

    def _is_rejected(self, key: EntityKey, item: EntityItem) -> bool:
        """Whether PostgreSQL cannot store it. Only a write shows this."""
        now = (item.data_hash or compute_data_hash(self.integration, item.raw_data), item.site_id)
        there = self.entity_rows.get(key)
        return item.raw_data == {"text": "\x00"} and (there is None or there.is_deleted or there.value != now)

    def upsert_relationships(self, items: list[RelationshipItem]) -> tuple[int, int, int, int]:
        """As `entities`."""
        good = [item for item in items if item.parent.external_id and item.child.external_id]
        writable = {
            (item.parent, item.child, item.relationship_type): item.metadata
            for item in good
            if self._exists(item.parent) and self._exists(item.child)
        }
        counts = self._upsert_rows(
            self.relationship_rows, writable, ("relationship_created", "relationship_updated")
        )
        return (*counts, len(items) - sum(counts))

    def _exists(self, key: EntityKey) -> bool:
        return key in self.entity_rows and not self.entity_rows[key].is_deleted

    def _upsert_rows(
        self, rows: dict[Any, ModelRow], values: dict[Any, Any], event_prefix: tuple[str, str]
    ) -> tuple[int, int, int]:
        created = updated = unchanged = 0
        for key, value in values.items():
            if key not in rows:
                created += 1
            elif rows[key].is_deleted or rows[key].value != value:
                updated += 1
            else:
                unchanged += 1
                continue
            rows[key] = ModelRow(value)
        self.event_counts.update({event_prefix[0]: created, event_prefix[1]: updated})
        return created, updated, unchanged


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def transaction_harness(
    cluster: ThrowawayCluster, migrated_template: str
) -> AsyncIterator[TransactionHarness]:
    name = await cluster.create_database(migrated_template)
    async with open_transaction_harness(cluster.build_dsn(name)) as made:
        for site in SITES[:2]:
            await made.owner.execute(
                "INSERT INTO sites (id, tenant_id, name, slug) VALUES ($1, $2, $1, $1)", site, made.tenant_id
            )
        yield made
    await cluster.drop_database(name)


_ENTITIES = (
    "SELECT entity_type, external_id, data_hash, site_id, deleted_at FROM entities WHERE tenant_id = $1"
)
_RELATIONSHIPS = """
    SELECT p.entity_type AS pt, p.external_id AS pe, c.entity_type AS ct, c.external_id AS ce, r.relationship_type,
           r.metadata::text AS metadata, r.deleted_at
    FROM entity_relationships r JOIN entities p ON p.id = r.parent_entity_id
    JOIN entities c ON c.id = r.child_entity_id WHERE r.tenant_id = $1
"""
_EVENTS = "SELECT event_type, count(*) AS count FROM events_log WHERE tenant_id = $1 GROUP BY 1"


async def _compare(harness: TransactionHarness, model: UpsertModel) -> None:
    """Require that the database equals the model."""
    things = {
        EntityKey(row["entity_type"], row["external_id"]): ModelRow(
            (row["data_hash"], row["site_id"]), row["deleted_at"] is not None
        )
        for row in await harness.fetch_rows(_ENTITIES, harness.tenant_id)
    }
    assert things == model.entity_rows
    bonds = {
        (
            EntityKey(row["pt"], row["pe"]),
            EntityKey(row["ct"], row["ce"]),
            row["relationship_type"],
        ): ModelRow(row["metadata"] and orjson.loads(row["metadata"]), row["deleted_at"] is not None)
        for row in await harness.fetch_rows(_RELATIONSHIPS, harness.tenant_id)
    }
    assert bonds == model.relationship_rows
    events = {row["event_type"]: row["count"] for row in await harness.fetch_rows(_EVENTS, harness.tenant_id)}
    assert events == +model.event_counts


async def _apply(harness: TransactionHarness, model: UpsertModel, step: tuple[str, Any]) -> None:
    """Run a step in both, and compare the results."""
    what, with_ = step
    if what == "delete":
        await harness.owner.execute(
            "UPDATE entities SET deleted_at = 1 WHERE (entity_type, external_id) = ($1, $2)", *with_
        )
        if with_ in model.entity_rows:
            model.entity_rows[with_].is_deleted = True
    elif what == "part":
        await harness.owner.execute(
            "UPDATE entity_relationships SET deleted_at = 1 WHERE relationship_type = $1", with_
        )
        for bond, thing in model.relationship_rows.items():
            thing.is_deleted = thing.is_deleted or bond[2] == with_
    else:
        async with harness.transaction() as transaction:
            upsert: Any = upsert_entities if what == "entities" else upsert_relationships
            got: UpsertResult = await upsert(
                transaction, harness.tenant_id, harness.mine["data_sources"], with_
            )
        expected = model.upsert_entities(with_) if what == "entities" else model.upsert_relationships(with_)
        assert (got.created, got.updated, got.unchanged, len(got.rejected)) == expected
        assert [each.index for each in got.rejected] == sorted({each.index for each in got.rejected})


async def _apply_all(harness: TransactionHarness, moves: list[tuple[str, Any]]) -> None:
    await harness.owner.execute(
        "DELETE FROM entity_relationships; DELETE FROM events_log; DELETE FROM entities"
    )
    model = UpsertModel(harness.mine["integrations"])
    for move in moves:
        await _apply(harness, model, move)
    await _compare(harness, model)


async def test_upserts_of_random_batches_equal_the_model(transaction_harness: TransactionHarness) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps)
    def play(moves: list[tuple[str, Any]]) -> None:
        asyncio.run_coroutine_threadsafe(_apply_all(transaction_harness, moves), loop).result()

    await asyncio.to_thread(play)
