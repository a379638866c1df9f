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

from services.batches import UpsertResult
from services.data_hash import data_hash
from services.entities import EntityItem, EntityKey, upsert_entities
from services.entity_relationships import RelationshipItem, upsert_relationships
from tests.clusters import ThrowawayCluster
from tests.writing import Desk, desk

SITES = ("here", "there", "nowhere")
"""The last one is not there."""

keys = st.builds(
    EntityKey, st.sampled_from(["endpoints", "tickets"]), st.sampled_from(["1", "2", "3", "É", ""])
)
values = st.sampled_from([{"n": 1}, {"n": 2}, {"n": 1, "m": [None, 1.5]}, {"text": "\x00"}, 3, None])
entities = st.builds(
    lambda key, raw, site, hashed: EntityItem(
        *key, raw, {"of": raw} if raw != {"text": "\x00"} else {}, site, hashed
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

Bond: TypeAlias = tuple[EntityKey, EntityKey, str]


@dataclass
class Thing:
    """A row as the model has it; `value` is what tells that it has changed."""

    value: Any
    deleted: bool = False


@dataclass
class Model:
    """What must be there, and what must have been told."""

    integration: str
    things: dict[Any, Thing] = field(default_factory=dict)
    bonds: dict[Bond, Thing] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)

    def entities(self, items: list[EntityItem]) -> tuple[int, int, int, int]:
        """Apply a batch; created, updated, unchanged, rejected."""
        good = [item for item in items if item.external_id]
        last = {item.key: item for item in good}
        writable = {
            key: (item.data_hash or data_hash(self.integration, item.raw_data), item.site_id)
            for key, item in last.items()
            if item.site_id != "nowhere" and not self._unkeepable(key, item)
        }
        counts = self._write(self.things, writable, ("created", "updated"))
        return (*counts, len(items) - sum(counts))

    def _unkeepable(self, key: EntityKey, item: EntityItem) -> bool:
        """Whether PostgreSQL cannot keep it, which shows only where it is to be written."""
        now = (item.data_hash or data_hash(self.integration, item.raw_data), item.site_id)
        there = self.things.get(key)
        return item.raw_data == {"text": "\x00"} and (there is None or there.deleted or there.value != now)

    def relationships(self, items: list[RelationshipItem]) -> tuple[int, int, int, int]:
        """As `entities`."""
        good = [item for item in items if item.parent.external_id and item.child.external_id]
        writable = {
            (item.parent, item.child, item.relationship_type): item.metadata
            for item in good
            if self._is_there(item.parent) and self._is_there(item.child)
        }
        counts = self._write(self.bonds, writable, ("relationship_created", "relationship_updated"))
        return (*counts, len(items) - sum(counts))

    def _is_there(self, key: EntityKey) -> bool:
        return key in self.things and not self.things[key].deleted

    def _write(
        self, rows: dict[Any, Thing], values: dict[Any, Any], told: tuple[str, str]
    ) -> tuple[int, int, int]:
        created = updated = unchanged = 0
        for key, value in values.items():
            if key not in rows:
                created += 1
            elif rows[key].deleted or rows[key].value != value:
                updated += 1
            else:
                unchanged += 1
                continue
            rows[key] = Thing(value)
        self.events.update({told[0]: created, told[1]: updated})
        return created, updated, unchanged


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mine(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Desk]:
    name = await cluster.create(template)
    async with desk(cluster.dsn(name)) as made:
        for site in SITES[:2]:
            await made.owner.execute(
                "INSERT INTO sites (id, tenant_id, name, slug) VALUES ($1, $2, $1, $1)", site, made.tenant_id
            )
        yield made
    await cluster.drop(name)


_ENTITIES = (
    "SELECT entity_type, external_id, data_hash, site_id, deleted_at FROM entities WHERE tenant_id = $1"
)
_BONDS = """
    SELECT p.entity_type AS pt, p.external_id AS pe, c.entity_type AS ct, c.external_id AS ce, r.relationship_type,
           r.metadata::text AS metadata, r.deleted_at
    FROM entity_relationships r JOIN entities p ON p.id = r.parent_entity_id
    JOIN entities c ON c.id = r.child_entity_id WHERE r.tenant_id = $1
"""
_EVENTS = "SELECT event_type, count(*) AS count FROM events_log WHERE tenant_id = $1 GROUP BY 1"


async def _compare(at: Desk, model: Model) -> None:
    """Make sure that the database is as the model has it."""
    things = {
        EntityKey(row["entity_type"], row["external_id"]): Thing(
            (row["data_hash"], row["site_id"]), row["deleted_at"] is not None
        )
        for row in await at.rows(_ENTITIES, at.tenant_id)
    }
    assert things == model.things
    bonds = {
        (EntityKey(row["pt"], row["pe"]), EntityKey(row["ct"], row["ce"]), row["relationship_type"]): Thing(
            row["metadata"] and orjson.loads(row["metadata"]), row["deleted_at"] is not None
        )
        for row in await at.rows(_BONDS, at.tenant_id)
    }
    assert bonds == model.bonds
    events = {row["event_type"]: row["count"] for row in await at.rows(_EVENTS, at.tenant_id)}
    assert events == +model.events


async def _apply(at: Desk, model: Model, step: tuple[str, Any]) -> None:
    """Do a step in both, and compare what is answered."""
    what, with_ = step
    if what == "delete":
        await at.owner.execute(
            "UPDATE entities SET deleted_at = 1 WHERE (entity_type, external_id) = ($1, $2)", *with_
        )
        if with_ in model.things:
            model.things[with_].deleted = True
    elif what == "part":
        await at.owner.execute(
            "UPDATE entity_relationships SET deleted_at = 1 WHERE relationship_type = $1", with_
        )
        for bond, thing in model.bonds.items():
            thing.deleted = thing.deleted or bond[2] == with_
    else:
        async with at.transaction() as transaction:
            upsert: Any = upsert_entities if what == "entities" else upsert_relationships
            got: UpsertResult = await upsert(transaction, at.tenant_id, at.mine["data_sources"], with_)
        expected = model.entities(with_) if what == "entities" else model.relationships(with_)
        assert (got.created, got.updated, got.unchanged, len(got.rejected)) == expected
        assert [each.index for each in got.rejected] == sorted({each.index for each in got.rejected})


async def _play(at: Desk, moves: list[tuple[str, Any]]) -> None:
    await at.owner.execute("DELETE FROM entity_relationships; DELETE FROM events_log; DELETE FROM entities")
    model = Model(at.mine["integrations"])
    for move in moves:
        await _apply(at, model, move)
    await _compare(at, model)


async def test_any_batches_end_as_the_model_says(mine: Desk) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps)
    def play(moves: list[tuple[str, Any]]) -> None:
        asyncio.run_coroutine_threadsafe(_play(mine, moves), loop).result()

    await asyncio.to_thread(play)
