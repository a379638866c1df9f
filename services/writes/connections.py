"""Integrations as a tenant switches them on and off, and the sites that they are mapped to."""

from typing import Any, Final

from core.errors import NotFoundError
from models.enums import DataSourceStatus
from services.writes.changes import create, delete, require, restore, update
from services.writes.complaints import refuse, require_storable
from services.writes.data_sources import DATA_SOURCE_TO_SITE, DATA_SOURCES
from services.writes.record import Row, Verb
from services.writes.writing import Writing

_IS_OFFERED: Final = "SELECT is_active IS NOT FALSE FROM integrations WHERE id = $1::text"
_LATEST: Final = """
SELECT id, deleted_at FROM data_sources
WHERE tenant_id = $1::text AND integration_id = $2::text AND site_id IS NOT DISTINCT FROM $3::text
ORDER BY deleted_at IS NULL DESC, id DESC LIMIT 1
"""
_ENABLED: Final = """
SELECT id FROM data_sources
WHERE tenant_id = $1::text AND integration_id = $2::text AND ($3::text IS NULL OR site_id = $3::text)
  AND deleted_at IS NULL
ORDER BY id
"""
_MAPPED: Final = """
SELECT id FROM data_source_to_site
WHERE tenant_id = $1::text AND data_source_id = $2::text AND site_id = $3::text AND deleted_at IS NULL
"""


async def enable_integration(
    writing: Writing, integration_id: str, site_id: str | None = None, config: Any = None
) -> Row:
    """Switch an integration on, for the tenant or for one site: the first time, or again with what it had.

    Raises:
        ProductError: The viewer may not, the integration or site is not there, or the config does not fit.
    """
    require(writing, DATA_SOURCES, Verb.CREATE)
    require_storable(integration_id=integration_id, site_id=site_id)
    await _require_offered(writing, integration_id)
    await writing.lock("data_sources.enabled", writing.tenant(), integration_id, site_id)
    wanted = {"status": DataSourceStatus.ACTIVE.value, **({} if config is None else {"config": config})}
    latest = await writing.row(_LATEST, writing.tenant(), integration_id, site_id)
    if latest is None:
        new = {"integration_id": integration_id, "site_id": site_id, **wanted}
        return await create(writing, DATA_SOURCES, new)
    if latest["deleted_at"] is not None:
        await restore(writing, DATA_SOURCES, [latest["id"]])
    return (await update(writing, DATA_SOURCES, [latest["id"]], wanted))[0]


async def disable_integration(writing: Writing, integration_id: str, site_id: str | None = None) -> list[Row]:
    """Switch an integration off, everywhere or for one site: its data sources are inactive and deleted.

    Raises:
        ProductError: The viewer may not, or it is not switched on.
    """
    require(writing, DATA_SOURCES, Verb.DELETE)
    require_storable(integration_id=integration_id, site_id=site_id)
    found = await writing.rows(_ENABLED, writing.tenant(), integration_id, site_id)
    ids = [row["id"] for row in found]
    if not ids:
        raise NotFoundError("This integration is not switched on")
    await update(writing, DATA_SOURCES, ids, {"status": DataSourceStatus.INACTIVE.value})
    return await delete(writing, DATA_SOURCES, ids)


async def unmap_data_source(writing: Writing, data_source_id: str, site_id: str) -> Row:
    """Part a data source from a site.

    Raises:
        ProductError: The viewer may not, or the two are not joined.
    """
    require(writing, DATA_SOURCE_TO_SITE, Verb.DELETE)
    require_storable(data_source_id=data_source_id, site_id=site_id)
    mapping = await writing.value(_MAPPED, writing.tenant(), data_source_id, site_id)
    if mapping is None:
        raise NotFoundError("This data source is not mapped to this site")
    return (await delete(writing, DATA_SOURCE_TO_SITE, [mapping]))[0]


async def _require_offered(writing: Writing, integration_id: str) -> None:
    offered = await writing.value(_IS_OFFERED, integration_id)
    if not offered:
        problem = "names nothing that is there" if offered is None else "is switched off"
        raise refuse("integration_id", problem)
