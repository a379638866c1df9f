"""Upserts thousands of a vendor's entities at once. Unchanged rows are not touched.

It takes two statements. The first reads the hashes, so that unchanged items are neither sent nor locked. The
second writes the rest in the order of the keys, so that two concurrent calls do not deadlock. It compares
each row again, since a concurrent call may have written it meanwhile.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from core.database.database import ReadTransaction, Record
from core.database.transactions import charge_write
from core.errors import NotFoundError
from core.ids import generate_id
from core.limits import DATA_HASH_MAX_CHARS, JSON_CHARS_MAX
from core.storable import dump_storable_json, is_storable_text
from services.data_hash import compute_data_hash
from services.entities.upsert_batch import (
    UpsertBatch,
    UpsertResult,
    find_external_id_problem,
    find_type_problem,
)

_SELECT_INTEGRATION: Final = """
SELECT integration_id FROM public.data_sources WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
"""

_SELECT_SITES: Final = (
    "SELECT id FROM public.sites WHERE tenant_id = $1 AND id = ANY ($2::text[]) AND deleted_at IS NULL"
)

_REPLAN: Final = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"

# A list in the plan is searched by its hash. A join with the list would be faster by the right index. Without
# statistics, as in a new database, the planner takes the wrong index, and then each key reads the whole data
# source.
_SELECT_ENTITIES: Final = """
SELECT e.entity_type, e.external_id, e.id, e.site_id, e.data_hash, e.deleted_at
FROM public.entities e
WHERE e.tenant_id = $1 AND e.data_source_id = $2
  AND e.entity_type = ANY ($3::text[]) AND e.external_id = ANY ($4::text[])
"""

# xmax is 0 in a row that was inserted: no transaction has replaced or locked it.
_UPSERT: Final = """
WITH written AS (
    INSERT INTO public.entities AS e (
        tenant_id, data_source_id, integration_id, id, entity_type, external_id, site_id, data_hash, raw_data,
        normalized_data
    )
    SELECT $1, $2, $3, i.id, i.entity_type, i.external_id, i.site_id, i.data_hash, i.raw::jsonb, i.normalized::jsonb
    FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
         AS i (id, entity_type, external_id, site_id, data_hash, raw, normalized)
    ORDER BY i.entity_type, i.external_id
    ON CONFLICT (entity_type, external_id, tenant_id, data_source_id) DO UPDATE
    SET site_id = excluded.site_id, data_hash = excluded.data_hash, raw_data = excluded.raw_data,
        normalized_data = excluded.normalized_data, deleted_at = NULL,
        updated_at = app.next_updated_at(e.updated_at)
    WHERE e.data_hash <> excluded.data_hash OR e.site_id IS DISTINCT FROM excluded.site_id
       OR e.deleted_at IS NOT NULL
    RETURNING e.id, e.entity_type, e.external_id, e.data_hash, e.xmax = 0 AS created
), told AS (
    INSERT INTO public.events_log (tenant_id, entity_id, event_type, payload)
    SELECT $1, id, CASE WHEN created THEN 'created' ELSE 'updated' END,
           jsonb_build_object('entityType', entity_type, 'externalId', external_id, 'dataHash', data_hash)
    FROM written
)
SELECT count(*) AS written, count(*) FILTER (WHERE created) AS created FROM written
"""


class EntityKey(NamedTuple):
    """The key of an entity in its data source."""

    entity_type: str
    external_id: str


@dataclass(frozen=True, slots=True)
class EntityItem:
    """One whole entity: a field that is not given is cleared.

    Attributes:
        entity_type: companies, sites, endpoints, ...
        external_id: The id at the vendor, unique for the type in the data source.
        raw_data: The vendor's data, as JSON values.
        normalized_data: The same data in the form of its type.
        site_id: The site that it belongs to, if any.
        data_hash: A hash that changes with the data; computed from `raw_data` by default.
    """

    entity_type: str
    external_id: str
    raw_data: Any
    normalized_data: Any = field(default_factory=dict)
    site_id: str | None = None
    data_hash: str | None = None

    @property
    def key(self) -> EntityKey:
        """The key of the entity."""
        return EntityKey(self.entity_type, self.external_id)


async def upsert_entities(
    transaction: ReadTransaction, tenant_id: str, data_source_id: str, items: Sequence[EntityItem]
) -> UpsertResult:
    """Upsert the entities of a data source: create, update or restore, each with its row in `events_log`.

    The last of the items with the same key counts. Make one call in each transaction. Two calls in one
    transaction may deadlock with two calls in another, and then PostgreSQL aborts one of them.

    Args:
        transaction: One that writes. Its opener commits it.
        tenant_id: The data source's tenant.
        data_source_id: The data source.
        items: Up to `UPSERT_ITEMS_MAX`.

    Raises:
        NotFoundError: The tenant has no such data source, or it is deleted.
        BadUserInputError: There are too many items. An error in one item rejects that item only.
    """
    batch = UpsertBatch(items, lambda item: item.external_id)
    integration_id = await find_integration(transaction, tenant_id, data_source_id)
    batch.reject_invalid(_find_problem)
    batch.keep_last(lambda item: item.key)
    await _reject_unknown_sites(transaction, tenant_id, batch)
    _add_hashes(batch, integration_id)
    known = await load_entities(
        transaction, tenant_id, data_source_id, [item.key for item in batch.items.values()]
    )
    texts = _build_rows(
        batch, [position for position, item in batch.items.items() if _differs(item, known.get(item.key))]
    )
    if not texts:
        return batch.result(0, 0)
    charge_write(transaction, texts)
    columns = zip(*texts, strict=True)
    (count,) = await transaction.fetch(
        _UPSERT, (tenant_id, data_source_id, integration_id, *map(list, columns))
    )
    return batch.result(count["created"], count["written"])


async def find_integration(transaction: ReadTransaction, tenant_id: str, data_source_id: str) -> str:
    """The integration of a data source.

    Raises:
        NotFoundError: The tenant has no such data source, or it is deleted.
    """
    rows = await transaction.fetch(_SELECT_INTEGRATION, (tenant_id, data_source_id))
    if not rows:
        raise NotFoundError("No such data source")
    return str(rows[0]["integration_id"])


async def load_entities(
    transaction: ReadTransaction, tenant_id: str, data_source_id: str, keys: Collection[EntityKey]
) -> dict[EntityKey, Record]:
    """The existing rows of these keys, deleted ones included: id, site, hash and the time of deletion."""
    if not keys:
        return {}
    await transaction.fetch(_REPLAN, ())
    types, external_ids = ([*set(column)] for column in zip(*keys, strict=True))
    rows = await transaction.fetch(_SELECT_ENTITIES, (tenant_id, data_source_id, types, external_ids))
    return {EntityKey(row["entity_type"], row["external_id"]): row for row in rows}


def _find_problem(item: EntityItem) -> str | None:
    return (
        find_type_problem("entityType", item.entity_type)
        or find_external_id_problem("externalId", item.external_id)
        or _find_hash_problem(item.data_hash)
    )


def _find_hash_problem(value: str | None) -> str | None:
    if value is None or (0 < len(value) <= DATA_HASH_MAX_CHARS and value.isascii() and value.isprintable()):
        return None
    return f"`dataHash` must be 1 to {DATA_HASH_MAX_CHARS} printable ASCII characters"


async def _reject_unknown_sites(
    transaction: ReadTransaction, tenant_id: str, batch: UpsertBatch[EntityItem]
) -> None:
    named = {item.site_id for item in batch.items.values() if item.site_id is not None}
    valid_ids = [site_id for site_id in named if is_storable_text(site_id)]
    found = (
        {row["id"] for row in await transaction.fetch(_SELECT_SITES, (tenant_id, valid_ids))}
        if valid_ids
        else set()
    )
    unknown = named - found
    batch.reject_invalid(lambda item: "no such site" if item.site_id in unknown else None)


def _add_hashes(batch: UpsertBatch[EntityItem], integration_id: str) -> None:
    """Compute the hash of each item that has none."""
    for index, item in list(batch.items.items()):
        if item.data_hash is None:
            try:
                batch.items[index] = replace(item, data_hash=compute_data_hash(integration_id, item.raw_data))
            except ValueError as error:
                batch.reject(index, f"`rawData` {error}")


def _differs(item: EntityItem, row: Record | None) -> bool:
    """Whether an item is new, differs from its row, or its row is deleted."""
    if row is None or row["deleted_at"] is not None:
        return True
    return (item.data_hash, item.site_id) != (row["data_hash"], row["site_id"])


def _build_rows(batch: UpsertBatch[EntityItem], positions: Sequence[int]) -> list[tuple[str | None, ...]]:
    """A row for each item to be written. Items that PostgreSQL cannot store are rejected."""
    rows: list[tuple[str | None, ...]] = []
    for position in positions:
        item = batch.items[position]
        try:
            texts = [
                dump_storable_json(data, JSON_CHARS_MAX) for data in (item.raw_data, item.normalized_data)
            ]
        except ValueError as error:
            batch.reject(position, f"`rawData` or `normalizedData` {error}")
        else:
            rows.append((generate_id(), *item.key, item.site_id, item.data_hash, *texts))
    return rows
