"""How a data source's entities hang together, thousands of relationships at once, written as entities are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.database import Snapshot
from services.batches import Batch, UpsertResult, wrong_external_id, wrong_type
from services.entities import EntityKey, integration_of, known_entities
from services.writes.values import json_text

# Lists, and no join with them: see `services.entities`, whose transaction plans anew.
_KNOWN: Final = """
SELECT r.parent_entity_id, r.child_entity_id, r.relationship_type, r.metadata::text AS metadata, r.deleted_at
FROM public.entity_relationships r
WHERE r.tenant_id = $1 AND r.parent_entity_id = ANY ($2::text[]) AND r.child_entity_id = ANY ($3::text[])
  AND r.relationship_type = ANY ($4::text[])
"""

_WRITE: Final = """
WITH written AS (
    INSERT INTO public.entity_relationships AS r (
        tenant_id, parent_entity_id, child_entity_id, relationship_type, metadata
    )
    SELECT $1, i.parent, i.child, i.type, i.metadata::jsonb
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS i (parent, child, type, metadata)
    ORDER BY i.parent, i.child, i.type
    ON CONFLICT (parent_entity_id, child_entity_id, relationship_type) DO UPDATE
    SET metadata = excluded.metadata, deleted_at = NULL, updated_at = greatest(excluded.updated_at, r.updated_at + 1)
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
    """That one entity of the data source has another.

    Attributes:
        parent: the one that has the other.
        child: the one that the other has.
        relationship_type: how they hang together: member, contains, ...
        metadata: what is known of it, as JSON has it; None for nothing.
    """

    parent: EntityKey
    child: EntityKey
    relationship_type: str
    metadata: Any = None


async def upsert_relationships(
    transaction: Snapshot, tenant_id: str, data_source_id: str, items: Sequence[RelationshipItem]
) -> UpsertResult:
    """Write how entities hang together; each that is new or changed has a row in `events_log`, at its parent.

    As `services.entities.upsert_entities`, which has to have written both ends before. A rejection names the child.

    Raises:
        NotFoundError: the tenant has no such data source, or it is deleted.
        BadUserInputError: there are too many items.
    """
    batch = Batch(items, lambda item: item.child.external_id)
    await integration_of(transaction, tenant_id, data_source_id)
    batch.reject_where(_wrong)
    batch.keep_last(lambda item: (item.parent, item.child, item.relationship_type))
    keys = {key for item in batch.left.values() for key in (item.parent, item.child)}
    known = await known_entities(transaction, tenant_id, data_source_id, keys)
    ids = {key: row["id"] for key, row in known.items() if row["deleted_at"] is None}
    batch.reject_where(lambda item: _missing(item, ids))
    rows = await _differing(transaction, tenant_id, _rows(batch, ids))
    if not rows:
        return batch.result(0, 0)
    (count,) = await transaction.fetch(_WRITE, (tenant_id, *map(list, zip(*rows, strict=True))))
    return batch.result(count["created"], count["written"])


Ids = Mapping[EntityKey, str]
Row = tuple[str | None, ...]
"""Parent, child, type and the JSON of the metadata."""


def _wrong(item: RelationshipItem) -> str | None:
    for end, key in (("parent", item.parent), ("child", item.child)):
        reason = wrong_type(f"{end}Type", key.entity_type) or wrong_external_id(
            f"{end}ExternalId", key.external_id
        )
        if reason:
            return reason
    return wrong_type("relationshipType", item.relationship_type)


def _missing(item: RelationshipItem, ids: Ids) -> str | None:
    for end, key in (("parent", item.parent), ("child", item.child)):
        if key not in ids:
            return f"there is no such {end} in the data source"
    return None


def _rows(batch: Batch[RelationshipItem], ids: Ids) -> list[Row]:
    """A row for each item; one whose metadata PostgreSQL cannot keep is rejected."""
    rows: list[Row] = []
    for place, item in list(batch.left.items()):
        try:
            metadata = None if item.metadata is None else json_text(item.metadata)
        except ValueError as error:
            batch.reject(place, f"`metadata` {error}")
        else:
            rows.append((ids[item.parent], ids[item.child], item.relationship_type, metadata))
    return rows


async def _differing(transaction: Snapshot, tenant_id: str, rows: Sequence[Row]) -> list[Row]:
    """The rows that are new, other than those that are there, or deleted."""
    if not rows:
        return []
    parents, children, types, _ = ([*set(column)] for column in zip(*rows, strict=True))
    found = await transaction.fetch(_KNOWN, (tenant_id, parents, children, types))
    there = {
        (
            row["parent_entity_id"],
            row["child_entity_id"],
            row["relationship_type"],
            _canonical(row["metadata"]),
        )
        for row in found
        if row["deleted_at"] is None
    }
    return [row for row in rows if (*row[:3], _canonical(row[3])) not in there]


def _canonical(text: str | None) -> bytes | None:
    """JSON in the one form that it has here; what is written otherwise and still the same PostgreSQL tells."""
    try:
        return None if text is None else orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:  # what PostgreSQL keeps and orjson does not read: a thousand levels deep
        return b""
