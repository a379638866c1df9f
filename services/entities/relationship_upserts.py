"""Upserts thousands of relationships between a data source's entities at once.

In the way of `services.entities.entity_upserts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.database.database import ReadTransaction
from core.database.transactions import charge_write
from core.exact_json import dump_json, parse_json
from core.limits import JSON_CHARS_MAX
from core.storable import dump_storable_json
from services.entities.entity_upserts import EntityKey, find_integration, load_entities
from services.entities.upsert_batch import (
    UpsertBatch,
    UpsertResult,
    find_external_id_problem,
    find_type_problem,
)

# Lists, and no join with them: see `services.entities.entity_upserts`. Its transaction makes a new plan each time.
_SELECT_RELATIONSHIPS: Final = """
SELECT r.parent_entity_id, r.child_entity_id, r.relationship_type, r.metadata::text AS metadata, r.deleted_at
FROM public.entity_relationships r
WHERE r.tenant_id = $1 AND r.parent_entity_id = ANY ($2::text[]) AND r.child_entity_id = ANY ($3::text[])
  AND r.relationship_type = ANY ($4::text[])
"""

_UPSERT: Final = """
WITH written AS (
    INSERT INTO public.entity_relationships AS r (
        tenant_id, parent_entity_id, child_entity_id, relationship_type, metadata
    )
    SELECT $1, i.parent, i.child, i.type, i.metadata::jsonb
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS i (parent, child, type, metadata)
    ORDER BY i.parent, i.child, i.type
    ON CONFLICT (parent_entity_id, child_entity_id, relationship_type) DO UPDATE
    SET metadata = excluded.metadata, deleted_at = NULL, updated_at = app.next_updated_at(r.updated_at)
    WHERE r.deleted_at IS NOT NULL OR r.metadata IS DISTINCT FROM excluded.metadata
    RETURNING r.id, r.parent_entity_id, r.child_entity_id, r.relationship_type, r.xmax = 0 AS created
), told AS (
    INSERT INTO public.events_log (tenant_id, entity_id, event_type, payload)
    SELECT $1, parent_entity_id, CASE WHEN created THEN 'relationship_created' ELSE 'relationship_updated' END,
           jsonb_build_object('relationshipId', id, 'childEntityId', child_entity_id,
                              'relationshipType', relationship_type)
    FROM written
)
SELECT count(*) AS written, count(*) FILTER (WHERE created) AS created FROM written
"""


@dataclass(frozen=True, slots=True)
class RelationshipItem:
    """A relationship: one entity of the data source has another.

    Attributes:
        parent: The entity that has the other.
        child: The other entity.
        relationship_type: The kind of relationship: member, contains, ...
        metadata: Further data, as JSON values; None for none.
    """

    parent: EntityKey
    child: EntityKey
    relationship_type: str
    metadata: Any = None


async def upsert_relationships(
    transaction: ReadTransaction, tenant_id: str, data_source_id: str, items: Sequence[RelationshipItem]
) -> UpsertResult:
    """Upsert relationships. Each new or changed one has a row in `events_log`, at its parent.

    It works as `services.entities.entity_upserts.upsert_entities`. Both ends must have been written before. A
    rejection names the child.

    Raises:
        NotFoundError: The tenant has no such data source, or it is deleted.
        BadUserInputError: There are too many items.
    """
    batch = UpsertBatch(items, lambda item: item.child.external_id)
    await find_integration(transaction, tenant_id, data_source_id)
    batch.reject_invalid(_find_problem)
    batch.keep_last(lambda item: (item.parent, item.child, item.relationship_type))
    keys = {key for item in batch.items.values() for key in (item.parent, item.child)}
    known = await load_entities(transaction, tenant_id, data_source_id, keys)
    ids = {key: row["id"] for key, row in known.items() if row["deleted_at"] is None}
    batch.reject_invalid(lambda item: _find_missing_end(item, ids))
    rows = await _select_changed(transaction, tenant_id, _build_rows(batch, ids))
    if not rows:
        return batch.result(0, 0)
    charge_write(transaction, rows)
    (count,) = await transaction.fetch(_UPSERT, (tenant_id, *map(list, zip(*rows, strict=True))))
    return batch.result(count["created"], count["written"])


Ids = Mapping[EntityKey, str]
Row = tuple[str | None, ...]
"""Parent, child, type and the JSON of the metadata."""


def _find_problem(item: RelationshipItem) -> str | None:
    for end, key in (("parent", item.parent), ("child", item.child)):
        reason = find_type_problem(f"{end}Type", key.entity_type) or find_external_id_problem(
            f"{end}ExternalId", key.external_id
        )
        if reason:
            return reason
    return find_type_problem("relationshipType", item.relationship_type)


def _find_missing_end(item: RelationshipItem, ids: Ids) -> str | None:
    for end, key in (("parent", item.parent), ("child", item.child)):
        if key not in ids:
            return f"no such {end} in the data source"
    return None


def _build_rows(batch: UpsertBatch[RelationshipItem], ids: Ids) -> list[Row]:
    """A row for each item. An item is rejected if PostgreSQL cannot store its metadata."""
    rows: list[Row] = []
    for position, item in list(batch.items.items()):
        try:
            metadata = None if item.metadata is None else dump_storable_json(item.metadata, JSON_CHARS_MAX)
        except ValueError as error:
            batch.reject(position, f"`metadata` {error}")
        else:
            rows.append((ids[item.parent], ids[item.child], item.relationship_type, metadata))
    return rows


async def _select_changed(transaction: ReadTransaction, tenant_id: str, rows: Sequence[Row]) -> list[Row]:
    """The rows that are new, that differ from the existing ones, or that are deleted."""
    if not rows:
        return []
    parents, children, types, _ = ([*set(column)] for column in zip(*rows, strict=True))
    found = await transaction.fetch(_SELECT_RELATIONSHIPS, (tenant_id, parents, children, types))
    existing = {
        (
            row["parent_entity_id"],
            row["child_entity_id"],
            row["relationship_type"],
            _canonicalize(row["metadata"]),
        )
        for row in found
        if row["deleted_at"] is None
    }
    return [row for row in rows if (*row[:3], _canonicalize(row[3])) not in existing]


def _canonicalize(text: str | None) -> bytes | None:
    """JSON in the canonical form of this module. PostgreSQL compares the JSON that is equal but not in this form."""
    try:
        return None if text is None else dump_json(parse_json(text), sort_keys=True)
    except ValueError:  # PostgreSQL stores it but orjson cannot parse it: a thousand levels deep
        return b""
