"""Bulk upserts of entities and relationships: `upsertEntities`, `upsertEntityRelationships`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import strawberry
from strawberry.scalars import ID, JSON

from core.limits import DATA_HASH_MAX_CHARS, EXTERNAL_ID_MAX_CHARS, UPSERT_ITEMS_MAX
from schema.connections import argument
from schema.mutation_field import Arguments, MutationField
from services.entities.entity_upserts import EntityItem, EntityKey, upsert_entities
from services.entities.relationship_upserts import RelationshipItem, upsert_relationships
from services.entities.upsert_batch import UpsertResult
from services.writes.validation_errors import to_python_names
from services.writes.write_context import WriteContext

_SOURCE: Final = "The id of the data source that delivers the entities."


@strawberry.input(description="A complete entity as the vendor delivers it. An omitted field is empty.")
class EntityItemInput:
    entity_type: str = strawberry.field(
        description="The type of the entity: companies, sites, endpoints, identities, tickets, ..."
    )
    external_id: str = strawberry.field(
        description=f"The id at the vendor, at most {EXTERNAL_ID_MAX_CHARS} characters. Type and id together "
        "identify the entity within its data source."
    )
    raw_data: JSON = strawberry.field(description="The data as the vendor delivers it.")
    normalized_data: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="The data in the format of the type; empty if omitted."
    )
    site_id: ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of the site to which it belongs."
    )
    data_hash: str | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            f"The hash that detects changes, at most {DATA_HASH_MAX_CHARS} characters. Nothing is written if "
            "the hash and the site are unchanged. If omitted, the hash is derived from `rawData` only."
        ),
    )


@strawberry.input(description="The entities that a data source delivers.")
class UpsertEntitiesInput:
    data_source_id: ID = strawberry.field(description=_SOURCE)
    items: list[EntityItemInput] = strawberry.field(description=f"The entities, at most {UPSERT_ITEMS_MAX}.")


@strawberry.input(
    description="A complete relationship between two entities of a data source. An omitted field is empty."
)
class EntityRelationshipItemInput:
    parent_type: str = strawberry.field(description="The type of the parent.")
    parent_external_id: str = strawberry.field(description="The id of the parent at the vendor.")
    child_type: str = strawberry.field(description="The type of the child.")
    child_external_id: str = strawberry.field(description="The id of the child at the vendor.")
    relationship_type: str = strawberry.field(
        description="The type of the relationship: member, contains, ..."
    )
    metadata: JSON | None = strawberry.field(default=strawberry.UNSET, description="Further data about it.")


@strawberry.input(description="The relationships between the entities of a data source.")
class UpsertEntityRelationshipsInput:
    data_source_id: ID = strawberry.field(
        description="The id of the data source that delivers both entities."
    )
    items: list[EntityRelationshipItemInput] = strawberry.field(
        description=f"The relationships, at most {UPSERT_ITEMS_MAX}."
    )


@strawberry.type(description="An item that was rejected. The other items were written.")
class UpsertRejection:
    index: int = strawberry.field(description="The index of the item, from 0.")
    external_id: str = strawberry.field(
        description="The external id of the item; for a relationship the external id of the child."
    )
    reason: str = strawberry.field(description="The reason.")


@strawberry.type(description="The outcome of the items. The four counts add up to the number of items.")
class UpsertPayload:
    created: int = strawberry.field(description="The number of created items.")
    updated: int = strawberry.field(description="The number of updated items, including restored rows.")
    unchanged: int = strawberry.field(
        description="The number of unchanged items. Their rows were not written."
    )
    rejected: list[UpsertRejection] = strawberry.field(description="The rejected items with the reason.")


def _iter_items(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The items with Python names; a null counts as an omitted value."""
    for item in given["items"]:
        yield {name: value for name, value in to_python_names(item).items() if value is not None}


async def _upsert_entities(writing: WriteContext, given: Arguments) -> UpsertResult:
    writing.require_right("Entities.Write", "Writing entities")
    items = [EntityItem(**{"raw_data": None, **item}) for item in _iter_items(given["input"])]
    source = given["input"]["data_source_id"]
    return await upsert_entities(writing.transaction, writing.require_tenant(), source, items)


async def _upsert_relationships(writing: WriteContext, given: Arguments) -> UpsertResult:
    writing.require_right("Entities.Write", "Writing relationships of entities")
    items = [
        RelationshipItem(
            EntityKey(item["parent_type"], item["parent_external_id"]),
            EntityKey(item["child_type"], item["child_external_id"]),
            item["relationship_type"],
            item.get("metadata"),
        )
        for item in _iter_items(given["input"])
    ]
    source = given["input"]["data_source_id"]
    return await upsert_relationships(writing.transaction, writing.require_tenant(), source, items)


_ABOUT: Final = (
    f"A call takes up to {UPSERT_ITEMS_MAX} items. Each item is created, updated or restored; an unchanged "
    "item is not written. Each written item has a row in `events_log`. If an item occurs twice, the last "
    "one counts. Requires the right `Entities.Write`."
)

ENTITY_UPSERTS: Final = (
    MutationField(
        name="upsertEntities",
        about=f"Writes the entities that a data source delivers. {_ABOUT}",
        arguments=[argument("input", UpsertEntitiesInput, "The delivered items.")],
        run=_upsert_entities,
        payload=UpsertPayload,
    ),
    MutationField(
        name="upsertEntityRelationships",
        about=f"Writes the relationships between the entities of a data source. {_ABOUT}",
        arguments=[argument("input", UpsertEntityRelationshipsInput, "The delivered items.")],
        run=_upsert_relationships,
        payload=UpsertPayload,
    ),
)
