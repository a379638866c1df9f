"""Entities as a vendor delivers them, thousands at once: what has not changed is not touched.

Two statements: the first reads the hashes, so that what has not changed is neither sent nor locked. The second writes
the rest in the order of its keys, so that two calls at once do not wait for one another in a circle, and looks again
at what the other has written meanwhile.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from core.database import Record, Snapshot
from core.errors import NotFoundError
from core.ids import new_id
from core.limits import DATA_HASH_MAX_CHARS
from services.batches import Batch, UpsertResult, wrong_external_id, wrong_type
from services.data_hash import data_hash
from services.writes.values import is_storable, json_text

_INTEGRATION: Final = """
SELECT integration_id FROM public.data_sources WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
"""

_SITES: Final = (
    "SELECT id FROM public.sites WHERE tenant_id = $1 AND id = ANY ($2::text[]) AND deleted_at IS NULL"
)

_PLAN_ANEW: Final = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"

# A list that the plan knows is looked through by its hash. A join with it would be quicker by the right index, and
# without statistics, as in a new database, takes the wrong one: then each key reads the whole data source.
_KNOWN: Final = """
SELECT e.entity_type, e.external_id, e.id, e.site_id, e.data_hash, e.deleted_at
FROM public.entities e
WHERE e.tenant_id = $1 AND e.data_source_id = $2
  AND e.entity_type = ANY ($3::text[]) AND e.external_id = ANY ($4::text[])
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


class EntityKey(NamedTuple):
    """What an entity is known by in its data source."""

    entity_type: str
    external_id: str


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
    def key(self) -> EntityKey:
        """What it is known by."""
        return EntityKey(self.entity_type, self.external_id)


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
    known = await known_entities(
        transaction, tenant_id, data_source_id, [item.key for item in batch.left.values()]
    )
    texts = _texts(
        batch, [place for place, item in batch.left.items() if _differs(item, known.get(item.key))]
    )
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


async def known_entities(
    transaction: Snapshot, tenant_id: str, data_source_id: str, keys: Collection[EntityKey]
) -> dict[EntityKey, Record]:
    """The rows of these keys that there are, deleted ones too: id, site, hash and when they were deleted."""
    if not keys:
        return {}
    await transaction.fetch(_PLAN_ANEW, ())
    types, external_ids = ([*set(column)] for column in zip(*keys, strict=True))
    rows = await transaction.fetch(_KNOWN, (tenant_id, data_source_id, types, external_ids))
    return {EntityKey(row["entity_type"], row["external_id"]): row for row in rows}


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
    askable = [site_id for site_id in named if is_storable(site_id)]
    found = {row["id"] for row in await transaction.fetch(_SITES, (tenant_id, askable))} if askable else set()
    strange = named - found
    batch.reject_where(lambda item: "there is no such site" if item.site_id in strange else None)


def _hash(batch: Batch[EntityItem], integration_id: str) -> None:
    """Give each item that has none its hash."""
    for index, item in list(batch.left.items()):
        if item.data_hash is None:
            try:
                batch.left[index] = replace(item, data_hash=data_hash(integration_id, item.raw_data))
            except TypeError:
                batch.reject(index, "`rawData` has a value that cannot be kept as JSON")


def _differs(item: EntityItem, row: Record | None) -> bool:
    """Whether an item is new, other than its row, or deleted."""
    if row is None or row["deleted_at"] is not None:
        return True
    return (item.data_hash, item.site_id) != (row["data_hash"], row["site_id"])


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
