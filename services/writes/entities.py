"""Entities that users correct by hand. Workers upsert theirs in bulk (`services.entities.entity_upserts`)."""

from typing import Any, Final

from core.exact_json import is_same_json_text, parse_json
from core.limits import EXTERNAL_ID_MAX_CHARS, TYPE_NAME_MAX_CHARS
from services.data_hash import compute_data_hash
from services.writes.field_kinds import JsonKind, ReferenceKind, TextKind
from services.writes.record import (
    ALL_VERBS,
    Row,
    RowOwner,
    UniqueConstraint,
    Values,
    WritableField,
    WritableTable,
)
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

_TYPE: Final = TextKind(TYPE_NAME_MAX_CHARS)
_EXTERNAL_ID: Final = TextKind(EXTERNAL_ID_MAX_CHARS)
_DATA: Final = (
    WritableField("raw_data", JsonKind(any_value=True), default=True),
    WritableField("normalized_data", JsonKind(any_value=True), default=True),
)
_INTEGRATION: Final = "SELECT integration_id FROM data_sources WHERE id = $1::text"


async def _prepare_entity(
    writing: WriteContext, before: Row | None, values: Values, _complaints: ValidationErrors
) -> None:
    if before is None and "data_source_id" in values:
        values["integration_id"] = await writing.fetch_value(_INTEGRATION, values["data_source_id"])
    _compute_hash(before, values)


async def _prepare_global(
    _writing: WriteContext, before: Row | None, values: Values, _complaints: ValidationErrors
) -> None:
    _compute_hash(before, values)


def _compute_hash(before: Row | None, values: Values) -> None:
    """Set the hash, so that data changed by a user differs from the vendor's data by its hash, too.

    The hash changes only together with the data. An upsert does not write data with the stored hash, so that
    a new hash on unchanged data would keep the old data for ever.
    """
    row: dict[str, Any] = {"raw_data": "{}", "integration_id": None, **(before or {}), **values}
    if before is None or (
        "raw_data" in values and not is_same_json_text(before["raw_data"], values["raw_data"])
    ):
        values["data_hash"] = compute_data_hash(str(row["integration_id"]), parse_json(row["raw_data"]))


async def _prepare_relationship(
    _writing: WriteContext, _before: Row | None, values: Values, complaints: ValidationErrors
) -> None:
    if "parent_entity_id" in values and values["parent_entity_id"] == values.get("child_entity_id"):
        complaints.add("child_entity_id", "must not be the parent itself")


ENTITIES: Final = WritableTable(
    "entities", "entity", "Entities",
    (
        WritableField("data_source_id", ReferenceKind("data_sources"), fixed=True),
        WritableField("site_id", ReferenceKind("sites"), null=True),
        WritableField("entity_type", _TYPE, fixed=True),
        WritableField("external_id", _EXTERNAL_ID, fixed=True),
        *_DATA,
    ),
    bulk=ALL_VERBS,
    uniques=(
        UniqueConstraint(
            "entities_by_type_and_external_id", "external_id",
            "already exists in this data source, possibly deleted",
        ),
    ),
    extra={"integration_id": "text", "data_hash": "text"},
    prepare=_prepare_entity,
)  # fmt: skip

GLOBAL_ENTITIES: Final = WritableTable(
    "global_entities", "global entity", "Entities",
    (
        WritableField("integration_id", ReferenceKind("integrations"), fixed=True),
        WritableField("entity_type", _TYPE, fixed=True),
        WritableField("external_id", _EXTERNAL_ID, fixed=True),
        *_DATA,
    ),
    owner=RowOwner.PLATFORM,
    uniques=(
        UniqueConstraint(
            "global_entities_by_external_id", "external_id",
            "already exists in this integration, possibly deleted",
        ),
    ),
    extra={"data_hash": "text"},
    prepare=_prepare_global,
)  # fmt: skip

ENTITY_RELATIONSHIPS: Final = WritableTable(
    "entity_relationships", "relationship", "Entities",
    (
        WritableField("parent_entity_id", ReferenceKind("entities"), fixed=True),
        WritableField("child_entity_id", ReferenceKind("entities"), fixed=True),
        WritableField("relationship_type", _TYPE, fixed=True),
        WritableField("metadata", JsonKind(), null=True),
    ),
    bulk=ALL_VERBS,
    uniques=(
        UniqueConstraint(
            "entity_relationships_unique_pair", "child_entity_id",
            "already has this relationship to the parent, possibly deleted",
        ),
    ),
    prepare=_prepare_relationship,
)  # fmt: skip
