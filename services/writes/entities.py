"""Entities that people correct by hand; workers bring theirs in bulk (`services.entities`)."""

from typing import Any, Final

import orjson

from core.limits import EXTERNAL_ID_MAX_CHARS, TYPE_NAME_MAX_CHARS
from services.data_hash import data_hash
from services.writes.complaints import Complaints
from services.writes.record import LIFE, Field, Owner, Record, Row, Unique, Values
from services.writes.values import Json, Reference, Text
from services.writes.writing import Writing

_TYPE: Final = Text(TYPE_NAME_MAX_CHARS)
_EXTERNAL_ID: Final = Text(EXTERNAL_ID_MAX_CHARS)
_DATA: Final = (
    Field("raw_data", Json(any_value=True), default=True),
    Field("normalized_data", Json(any_value=True), default=True),
)
_INTEGRATION: Final = "SELECT integration_id FROM data_sources WHERE id = $1::text"


async def _prepare(writing: Writing, before: Row | None, values: Values, _complaints: Complaints) -> None:
    if before is None and "data_source_id" in values:
        values["integration_id"] = await writing.value(_INTEGRATION, values["data_source_id"])
    _hash(before, values)


async def _prepare_global(
    _writing: Writing, before: Row | None, values: Values, _complaints: Complaints
) -> None:
    _hash(before, values)


def _hash(before: Row | None, values: Values) -> None:
    """Data that a person has changed is told from what the vendor delivers by its hash, too."""
    row: dict[str, Any] = {"raw_data": "{}", "integration_id": None, **(before or {}), **values}
    if before is None or "raw_data" in values:
        values["data_hash"] = data_hash(str(row["integration_id"]), orjson.loads(row["raw_data"]))


async def _prepare_relationship(
    _writing: Writing, _before: Row | None, values: Values, complaints: Complaints
) -> None:
    if "parent_entity_id" in values and values["parent_entity_id"] == values.get("child_entity_id"):
        complaints.add("child_entity_id", "is the parent itself")


ENTITIES: Final = Record(
    "entities", "entity", "Entities",
    (
        Field("data_source_id", Reference("data_sources"), fixed=True),
        Field("site_id", Reference("sites"), null=True),
        Field("entity_type", _TYPE, fixed=True),
        Field("external_id", _EXTERNAL_ID, fixed=True),
        *_DATA,
    ),
    bulk=LIFE,
    uniques=(
        Unique(
            "entities_by_type_and_external_id", "external_id",
            "is there already in this data source, perhaps deleted",
        ),
    ),
    extra={"integration_id": "text", "data_hash": "text"},
    prepare=_prepare,
)  # fmt: skip

GLOBAL_ENTITIES: Final = Record(
    "global_entities", "global entity", "Entities",
    (
        Field("integration_id", Reference("integrations"), fixed=True),
        Field("entity_type", _TYPE, fixed=True),
        Field("external_id", _EXTERNAL_ID, fixed=True),
        *_DATA,
    ),
    owner=Owner.PLATFORM,
    uniques=(
        Unique(
            "global_entities_by_external_id", "external_id",
            "is there already in this integration, perhaps deleted",
        ),
    ),
    extra={"data_hash": "text"},
    prepare=_prepare_global,
)  # fmt: skip

ENTITY_RELATIONSHIPS: Final = Record(
    "entity_relationships", "relationship", "Entities",
    (
        Field("parent_entity_id", Reference("entities"), fixed=True),
        Field("child_entity_id", Reference("entities"), fixed=True),
        Field("relationship_type", _TYPE, fixed=True),
        Field("metadata", Json(), null=True),
    ),
    bulk=LIFE,
    uniques=(
        Unique(
            "entity_relationships_unique_pair", "child_entity_id",
            "has this relationship to the parent already, perhaps deleted",
        ),
    ),
    prepare=_prepare_relationship,
)  # fmt: skip
