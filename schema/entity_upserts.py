"""Bulk upserts of entities and relationships: `upsertEntities`, `upsertEntityRelationships`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import strawberry
from strawberry.scalars import ID, JSON

from core.limits import DATA_HASH_MAX_CHARS, EXTERNAL_ID_MAX_CHARS, UPSERT_ITEMS_MAX
from schema.connections import argument
from schema.mutation_field import Arguments, MutationField
from services.batches import UpsertResult
from services.entities import EntityItem, EntityKey, upsert_entities
from services.entity_relationships import RelationshipItem, upsert_relationships
from services.writes.complaints import pythonic
from services.writes.writing import Writing

_SOURCE: Final = "The data source that delivers them."


@strawberry.input(description="An entity as its vendor delivers it, whole: what is left out is not so.")
class EntityItemInput:
    entity_type: str = strawberry.field(description="companies, sites, endpoints, identities, tickets, ...")
    external_id: str = strawberry.field(
        description=f"Its id at the vendor, {EXTERNAL_ID_MAX_CHARS} characters at most. "
        "With the type it says which entity of the data source it is."
    )
    raw_data: JSON = strawberry.field(description="What the vendor delivers.")
    normalized_data: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="The same in the form of its type; empty if left out."
    )
    site_id: ID | None = strawberry.field(
        default=strawberry.UNSET, description="The site that it belongs to."
    )
    data_hash: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="What tells that it has changed: where it is what it was, and the site is, nothing is written. "
        f"{DATA_HASH_MAX_CHARS} characters at most; made of `rawData`, and of nothing else, if left out.",
    )


@strawberry.input(description="What a data source delivers.")
class UpsertEntitiesInput:
    data_source_id: ID = strawberry.field(description=_SOURCE)
    items: list[EntityItemInput] = strawberry.field(description=f"The entities, {UPSERT_ITEMS_MAX} at most.")


@strawberry.input(
    description="That one entity of a data source has another, whole: what is left out is not so."
)
class EntityRelationshipItemInput:
    parent_type: str = strawberry.field(description="The type of the one that has the other.")
    parent_external_id: str = strawberry.field(description="Its id at the vendor.")
    child_type: str = strawberry.field(description="The type of the one that the other has.")
    child_external_id: str = strawberry.field(description="Its id at the vendor.")
    relationship_type: str = strawberry.field(description="How the two hang together: member, contains, ...")
    metadata: JSON | None = strawberry.field(default=strawberry.UNSET, description="What is known of it.")


@strawberry.input(description="How the entities of a data source hang together.")
class UpsertEntityRelationshipsInput:
    data_source_id: ID = strawberry.field(description="The data source that delivers both ends.")
    items: list[EntityRelationshipItemInput] = strawberry.field(
        description=f"The relationships, {UPSERT_ITEMS_MAX} at most."
    )


@strawberry.type(description="An item that was not written; the others were.")
class UpsertRejection:
    index: int = strawberry.field(description="Its place among the items, from 0.")
    external_id: str = strawberry.field(
        description="The external id that it came with; of a relationship the child's."
    )
    reason: str = strawberry.field(description="Why.")


@strawberry.type(description="What came of the items; the four together are all of them.")
class UpsertPayload:
    created: int = strawberry.field(description="How many were not there.")
    updated: int = strawberry.field(
        description="How many were there otherwise, or deleted: these are there again."
    )
    unchanged: int = strawberry.field(description="How many were there just so; their rows were not touched.")
    rejected: list[UpsertRejection] = strawberry.field(description="What cannot be written, and why.")


def _items(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The items by our names; a null is what was left out."""
    for item in given["items"]:
        yield {name: value for name, value in pythonic(item).items() if value is not None}


async def _entities(writing: Writing, given: Arguments) -> UpsertResult:
    writing.require("Entities.Write", "Writing entities")
    items = [EntityItem(**{"raw_data": None, **item}) for item in _items(given["input"])]
    source = given["input"]["data_source_id"]
    return await upsert_entities(writing.transaction, writing.tenant(), source, items)


async def _relationships(writing: Writing, given: Arguments) -> UpsertResult:
    writing.require("Entities.Write", "Writing relationships of entities")
    items = [
        RelationshipItem(
            EntityKey(item["parent_type"], item["parent_external_id"]),
            EntityKey(item["child_type"], item["child_external_id"]),
            item["relationship_type"],
            item.get("metadata"),
        )
        for item in _items(given["input"])
    ]
    source = given["input"]["data_source_id"]
    return await upsert_relationships(writing.transaction, writing.tenant(), source, items)


_ABOUT: Final = (
    f"Up to {UPSERT_ITEMS_MAX} at once, each created, updated, restored, or left alone if nothing has changed. "
    "Each that is written has its row in `events_log`. Of doubles the last one counts. "
    "Takes the right `Entities.Write`."
)

ENTITY_UPSERTS: Final = (
    MutationField(
        name="upsertEntities",
        about=f"Write the entities that a data source delivers. {_ABOUT}",
        arguments=[argument("input", UpsertEntitiesInput, "What it delivers.")],
        run=_entities,
        payload=UpsertPayload,
    ),
    MutationField(
        name="upsertEntityRelationships",
        about=f"Write how a data source's entities hang together. {_ABOUT}",
        arguments=[argument("input", UpsertEntityRelationshipsInput, "What it delivers.")],
        run=_relationships,
        payload=UpsertPayload,
    ),
)
