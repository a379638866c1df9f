"""How a data source's entities hang together, thousands of relationships at once, written as entities are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from core.database import Snapshot
from services.batches import Batch, UpsertResult, wrong_external_id, wrong_type
from services.entities import integration_of
from services.writes.values import json_text

_IDS: Final = """
SELECT i.entity_type, i.external_id, e.id
FROM unnest($3::text[], $4::text[]) AS i (entity_type, external_id)
CROSS JOIN LATERAL (
    SELECT e.id
    FROM public.entities e
    WHERE e.tenant_id = $1 AND e.data_source_id = $2 AND e.deleted_at IS NULL
      AND e.entity_type = i.entity_type AND e.external_id = i.external_id
    OFFSET 0 -- each by the index: the whole data source is never read
) e
"""

_DIFFERING: Final = """
SELECT i.place
FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[]) AS i (place, parent, child, type, metadata)
LEFT JOIN LATERAL (
    SELECT r.metadata, r.deleted_at, true AS is_there
    FROM public.entity_relationships r
    WHERE r.tenant_id = $1 AND r.parent_entity_id = i.parent AND r.child_entity_id = i.child
      AND r.relationship_type = i.type
    OFFSET 0
) r ON true
WHERE r.is_there IS NULL OR r.deleted_at IS NOT NULL OR r.metadata IS DISTINCT FROM i.metadata::jsonb
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


class EntityKey(NamedTuple):
    """What an entity is known by in its data source."""

    entity_type: str
    external_id: str


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
    ids = await _ids(transaction, (tenant_id, data_source_id), batch.left.values())
    batch.reject_where(lambda item: _missing(item, ids))
    rows = _rows(batch, ids)
    differing = await _differing(transaction, tenant_id, rows)
    if not differing:
        return batch.result(0, 0)
    columns = zip(*(rows[place] for place in differing), strict=True)
    (count,) = await transaction.fetch(_WRITE, (tenant_id, *map(list, columns)))
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


async def _ids(transaction: Snapshot, source: tuple[str, str], items: Iterable[RelationshipItem]) -> Ids:
    keys = {key for item in items for key in (item.parent, item.child)}
    if not keys:
        return {}
    columns = zip(*keys, strict=True)
    found = await transaction.fetch(_IDS, (*source, *map(list, columns)))
    return {EntityKey(row["entity_type"], row["external_id"]): row["id"] for row in found}


def _missing(item: RelationshipItem, ids: Ids) -> str | None:
    for end, key in (("parent", item.parent), ("child", item.child)):
        if key not in ids:
            return f"there is no such {end} in the data source"
    return None


def _rows(batch: Batch[RelationshipItem], ids: Ids) -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for place, item in list(batch.left.items()):
        try:
            metadata = None if item.metadata is None else json_text(item.metadata)
        except ValueError as error:
            batch.reject(place, f"`metadata` {error}")
        else:
            rows[place] = (ids[item.parent], ids[item.child], item.relationship_type, metadata)
    return rows


async def _differing(transaction: Snapshot, tenant_id: str, rows: Mapping[int, Row]) -> list[int]:
    """The places of the relationships that are new, other than their rows, or deleted."""
    if not rows:
        return []
    columns = zip(*((place, *row) for place, row in rows.items()), strict=True)
    return [row["place"] for row in await transaction.fetch(_DIFFERING, (tenant_id, *map(list, columns)))]
