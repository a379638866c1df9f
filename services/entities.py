"""Entities as a vendor delivers them, thousands at once: what has not changed is not touched.

Two statements: the first compares hashes and names those that differ, so that the others are neither sent nor locked.
The second writes them in the order of their keys, so that two calls at once do not wait for one another in a circle,
and looks again at what the other has written meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from core.database import Snapshot
from core.errors import NotFoundError
from core.ids import new_id
from core.limits import DATA_HASH_MAX_CHARS
from services.batches import Batch, UpsertResult, wrong_external_id, wrong_type
from services.data_hash import data_hash
from services.writes.values import json_text, storable

_INTEGRATION: Final = """
SELECT integration_id FROM public.data_sources WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
"""

_SITES: Final = (
    "SELECT id FROM public.sites WHERE tenant_id = $1 AND id = ANY ($2::text[]) AND deleted_at IS NULL"
)

_DIFFERING: Final = """
SELECT i.place
FROM unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[])
     AS i (place, entity_type, external_id, site_id, data_hash)
LEFT JOIN LATERAL (
    SELECT e.site_id, e.data_hash, e.deleted_at
    FROM public.entities e
    WHERE e.tenant_id = $1 AND e.data_source_id = $2
      AND e.entity_type = i.entity_type AND e.external_id = i.external_id
    OFFSET 0 -- each by the index: the whole data source is never read
) e ON true
WHERE e.data_hash IS DISTINCT FROM i.data_hash OR e.site_id IS DISTINCT FROM i.site_id OR e.deleted_at IS NOT NULL
"""

# xmax is 0 in a row that was inserted: nobody has replaced or locked it.
_WRITE: Final = """
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
        updated_at = greatest(excluded.updated_at, e.updated_at + 1)
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


@dataclass(frozen=True, slots=True)
class EntityItem:
    """One entity, whole: what it does not say is not so.

    Attributes:
        entity_type: companies, sites, endpoints, ...
        external_id: its id at the vendor, one for each entity of the type in the data source.
        raw_data: what the vendor delivers, as JSON has it.
        normalized_data: the same in the form of its type.
        site_id: the site that it belongs to, if it does to one.
        data_hash: what tells that it has changed; made of `raw_data` where it is not given.
    """

    entity_type: str
    external_id: str
    raw_data: Any
    normalized_data: Any = field(default_factory=dict)
    site_id: str | None = None
    data_hash: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by in its data source."""
        return self.entity_type, self.external_id


async def upsert_entities(
    transaction: Snapshot, tenant_id: str, data_source_id: str, items: Sequence[EntityItem]
) -> UpsertResult:
    """Write what a data source delivers: create, update, restore; each with its row in `events_log`.

    Of items with the same key the last one counts. One call a transaction: two in one may wait for another's two in
    a circle, which PostgreSQL ends for one of them.

    Args:
        transaction: one that writes; whoever opened it commits it.
        tenant_id: the data source's tenant.
        data_source_id: the data source.
        items: up to `UPSERT_ITEMS_MAX`.

    Raises:
        NotFoundError: the tenant has no such data source, or it is deleted.
        BadUserInputError: there are too many items. What is wrong with one rejects that one alone.
    """
    batch = Batch(items, lambda item: item.external_id)
    integration_id = await integration_of(transaction, tenant_id, data_source_id)
    batch.reject_where(_wrong)
    batch.keep_last(lambda item: item.key)
    await _reject_strange_sites(transaction, tenant_id, batch)
    _hash(batch, integration_id)
    differing = await _differing(transaction, (tenant_id, data_source_id), batch)
    texts = _texts(batch, differing)
    if not texts:
        return batch.result(0, 0)
    columns = zip(*texts, strict=True)
    (count,) = await transaction.fetch(
        _WRITE, (tenant_id, data_source_id, integration_id, *map(list, columns))
    )
    return batch.result(count["created"], count["written"])


async def integration_of(transaction: Snapshot, tenant_id: str, data_source_id: str) -> str:
    """The integration that a data source is one of.

    Raises:
        NotFoundError: the tenant has no such data source, or it is deleted.
    """
    rows = await transaction.fetch(_INTEGRATION, (tenant_id, data_source_id))
    if not rows:
        raise NotFoundError("There is no such data source")
    return str(rows[0]["integration_id"])


def _wrong(item: EntityItem) -> str | None:
    return (
        wrong_type("entityType", item.entity_type)
        or wrong_external_id("externalId", item.external_id)
        or _wrong_hash(item.data_hash)
    )


def _wrong_hash(value: str | None) -> str | None:
    if value is None or (0 < len(value) <= DATA_HASH_MAX_CHARS and value.isascii() and value.isprintable()):
        return None
    return f"`dataHash` is not 1 to {DATA_HASH_MAX_CHARS} printable ASCII characters"


async def _reject_strange_sites(transaction: Snapshot, tenant_id: str, batch: Batch[EntityItem]) -> None:
    named = {item.site_id for item in batch.left.values()} - {None}
    askable = [site_id for site_id in named if _is_storable(site_id)]
    found = {row["id"] for row in await transaction.fetch(_SITES, (tenant_id, askable))} if askable else set()
    strange = named - found
    batch.reject_where(lambda item: "there is no such site" if item.site_id in strange else None)


def _is_storable(text: str | None) -> bool:
    try:
        storable(text)
    except ValueError:
        return False
    return True


def _hash(batch: Batch[EntityItem], integration_id: str) -> None:
    """Give each item that has none its hash."""
    for index, item in list(batch.left.items()):
        if item.data_hash is None:
            try:
                batch.left[index] = replace(item, data_hash=data_hash(integration_id, item.raw_data))
            except TypeError:
                batch.reject(index, "`rawData` has a value that cannot be kept as JSON")


async def _differing(transaction: Snapshot, source: tuple[str, str], batch: Batch[EntityItem]) -> list[int]:
    """The places of the items that are new, other than their rows, or deleted."""
    if not batch.left:
        return []
    columns = zip(
        *((at, *item.key, item.site_id, item.data_hash) for at, item in batch.left.items()), strict=True
    )
    return [row["place"] for row in await transaction.fetch(_DIFFERING, (*source, *map(list, columns)))]


def _texts(batch: Batch[EntityItem], places: Sequence[int]) -> list[tuple[str | None, ...]]:
    """A row for each item that is to be written; what PostgreSQL cannot keep is rejected."""
    rows: list[tuple[str | None, ...]] = []
    for place in places:
        item = batch.left[place]
        try:
            texts = json_text(item.raw_data), json_text(item.normalized_data)
        except ValueError as error:
            batch.reject(place, f"`rawData` or `normalizedData` {error}")
        else:
            rows.append((new_id(), *item.key, item.site_id, item.data_hash, *texts))
    return rows
