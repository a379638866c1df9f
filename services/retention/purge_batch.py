"""Purges data sources that were disabled and not enabled again, with all rows that depend on them."""

from typing import Final, NamedTuple

from core.database.database import Connection
from core.limits import DAILY_PURGE_BATCH_ROWS, DAILY_PURGE_GRACE_MS

_IS_PURGEABLE: Final = f"""
d.status = 'inactive' AND d.deleted_at <= app.now_ms() - {DAILY_PURGE_GRACE_MS} AND NOT EXISTS (
    SELECT FROM app.imported_deletions m
    WHERE m.data_source_id = d.id AND m.imported_at > app.now_ms() - {DAILY_PURGE_GRACE_MS}
)
"""
"""Disabling makes a data source inactive and deletes it. One that was only deleted can be restored at any time.

A data source that an import deleted has the days of grace from the import.
"""

_SELECT_PURGEABLE: Final = f"""
SELECT d.tenant_id, d.id FROM public.data_sources d WHERE {_IS_PURGEABLE} AND d.id > $1 ORDER BY d.id LIMIT 100
"""  # noqa: S608 - our own words

_IS_STILL_PURGEABLE: Final = f"""
SELECT true FROM public.data_sources d WHERE d.tenant_id = $1 AND d.id = $2 AND {_IS_PURGEABLE} FOR UPDATE
"""  # noqa: S608

_OF_ENTITIES: Final = """
SELECT x.id FROM public.entities e JOIN public.{table} x ON x.tenant_id = e.tenant_id AND x.{key} = e.id
WHERE e.tenant_id = $1 AND e.data_source_id = $2 LIMIT $3
"""
_OF_SOURCE: Final = (
    "SELECT x.id FROM public.{table} x WHERE x.tenant_id = $1 AND x.data_source_id = $2 LIMIT $3"
)

_DEPENDENT_TABLES: Final = (
    ("events_log", _OF_ENTITIES.format(table="events_log", key="entity_id")),
    ("entity_relationships", _OF_ENTITIES.format(table="entity_relationships", key="parent_entity_id")),
    ("entity_relationships", _OF_ENTITIES.format(table="entity_relationships", key="child_entity_id")),
    ("entities", _OF_SOURCE.format(table="entities")),
    ("data_source_to_site", _OF_SOURCE.format(table="data_source_to_site")),
    ("scheduled_jobs", _OF_SOURCE.format(table="scheduled_jobs")),
)
"""The tables that depend on a data source, in the order of deletion.

Health checks are deleted with their resources.
"""

_DELETE: Final = """
WITH gone AS (DELETE FROM public.{table} t WHERE t.tenant_id = $1 AND t.id = ANY (ARRAY({ids})) RETURNING 1)
SELECT count(*) FROM gone
"""

_STATEMENTS: Final = tuple(_DELETE.format(table=table, ids=ids) for table, ids in _DEPENDENT_TABLES)

_PURGE: Final = """
WITH gone AS (DELETE FROM public.data_sources WHERE tenant_id = $1 AND id = $2 RETURNING tenant_id, id)
INSERT INTO public.audit_log (tenant_id, actor_type, table_name, record_id, action, changes)
SELECT tenant_id, 'system', 'data_sources', id, 'delete', '{"purged": [false, true]}' FROM gone
"""


class PurgedSource(NamedTuple):
    """A data source to purge."""

    tenant_id: str
    id: str


class PurgeBatch(NamedTuple):
    """The deletions of one transaction. `next_step` is where to go on; None means that all is done."""

    next_step: int | None
    rows: int = 0
    sources: int = 0


async def load_purgeable_sources(connection: Connection, after: str) -> list[PurgedSource]:
    """A page of the data sources to purge, in the order of ids, after the given id."""
    return [
        PurgedSource(row["tenant_id"], row["id"]) for row in await connection.fetch(_SELECT_PURGEABLE, after)
    ]


async def purge_batch(connection: Connection, source: PurgedSource, step: int) -> PurgeBatch:
    """Delete a batch of rows that depend on a data source. If none is left, delete the data source itself.

    Args:
        connection: One in a transaction, as the platform.
        source: A data source to purge. If it is no longer to be purged, nothing is deleted.
        step: The `next_step` of the batch before; 0 for the first.
    """
    if not await connection.fetchval(_IS_STILL_PURGEABLE, *source):
        return PurgeBatch(None)
    for at, statement in enumerate(_STATEMENTS[step:], step):
        if rows := await connection.fetchval(statement, *source, DAILY_PURGE_BATCH_ROWS):
            return PurgeBatch(at, rows)
    await connection.execute(_PURGE, *source)
    return PurgeBatch(None, sources=1)
