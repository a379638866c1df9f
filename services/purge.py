"""The end of a data source that was disabled and has not been enabled again: it goes for good, leaves first."""

from typing import Final, NamedTuple

from core.database import Connection
from core.limits import CLEAN_UP_GRACE_MS, CLEAN_UP_ROWS

_IS_DOOMED: Final = f"d.status = 'inactive' AND d.deleted_at <= app.now_ms() - {CLEAN_UP_GRACE_MS}"
"""Disabling makes a data source inactive and deletes it; one that was only deleted can be restored for ever."""

_DOOMED: Final = f"""
SELECT d.tenant_id, d.id FROM public.data_sources d WHERE {_IS_DOOMED} AND d.id > $1 ORDER BY d.id LIMIT 100
"""  # noqa: S608 - our own words

_STILL_DOOMED: Final = f"""
SELECT true FROM public.data_sources d WHERE d.tenant_id = $1 AND d.id = $2 AND {_IS_DOOMED} FOR UPDATE
"""  # noqa: S608

_OF_ENTITIES: Final = """
SELECT x.id FROM public.entities e JOIN public.{table} x ON x.tenant_id = e.tenant_id AND x.{key} = e.id
WHERE e.tenant_id = $1 AND e.data_source_id = $2 LIMIT $3
"""
_OF_SOURCE: Final = (
    "SELECT x.id FROM public.{table} x WHERE x.tenant_id = $1 AND x.data_source_id = $2 LIMIT $3"
)

_LEAVES: Final = (
    ("events_log", _OF_ENTITIES.format(table="events_log", key="entity_id")),
    ("entity_relationships", _OF_ENTITIES.format(table="entity_relationships", key="parent_entity_id")),
    ("entity_relationships", _OF_ENTITIES.format(table="entity_relationships", key="child_entity_id")),
    ("entities", _OF_SOURCE.format(table="entities")),
    ("data_source_to_site", _OF_SOURCE.format(table="data_source_to_site")),
    ("scheduled_jobs", _OF_SOURCE.format(table="scheduled_jobs")),
)
"""What hangs on a data source, in the order in which it can go; health checks go with what they look at."""

_DELETE: Final = """
WITH gone AS (DELETE FROM public.{table} t WHERE t.tenant_id = $1 AND t.id = ANY (ARRAY({ids})) RETURNING 1)
SELECT count(*) FROM gone
"""

_STATEMENTS: Final = tuple(_DELETE.format(table=table, ids=ids) for table, ids in _LEAVES)

_PURGE: Final = """
WITH gone AS (DELETE FROM public.data_sources WHERE tenant_id = $1 AND id = $2 RETURNING tenant_id, id)
INSERT INTO public.audit_log (tenant_id, actor_type, table_name, record_id, action, changes)
SELECT tenant_id, 'system', 'data_sources', id, 'delete', '{"purged": [false, true]}' FROM gone
"""


class Source(NamedTuple):
    """Which data source."""

    tenant_id: str
    id: str


class Lot(NamedTuple):
    """What one transaction has deleted; `next_step` says where to go on, None that there is nothing more to do."""

    next_step: int | None
    rows: int = 0
    sources: int = 0


async def doomed_sources(connection: Connection, after: str) -> list[Source]:
    """Some of the data sources that are to be purged, by their ids, beyond that one."""
    return [Source(row["tenant_id"], row["id"]) for row in await connection.fetch(_DOOMED, after)]


async def purged_lot(connection: Connection, source: Source, step: int) -> Lot:
    """Delete some rows that hang on a data source, or where none does any more the data source itself.

    Args:
        connection: in a transaction, as the platform.
        source: one that was doomed; if it is not any more, nothing is deleted.
        step: how far the lots before have come; 0 for the first.
    """
    if not await connection.fetchval(_STILL_DOOMED, *source):
        return Lot(None)
    for at, statement in enumerate(_STATEMENTS[step:], step):
        if rows := await connection.fetchval(statement, *source, CLEAN_UP_ROWS):
            return Lot(at, rows)
    await connection.execute(_PURGE, *source)
    return Lot(None, sources=1)
