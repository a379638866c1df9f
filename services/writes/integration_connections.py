"""Enables and disables integrations for a tenant, and maps them to sites."""

from typing import Any, Final

from core.errors import NotFoundError
from models.enums import DataSourceStatus
from services.writes.data_sources import DATA_SOURCE_TO_SITE, DATA_SOURCES
from services.writes.record import Row, WriteVerb
from services.writes.row_changes import (
    create_row,
    delete_rows,
    require_write_right,
    restore_rows,
    update_rows,
)
from services.writes.validation_errors import build_field_error, require_storable_texts
from services.writes.write_context import WriteContext

_IS_OFFERED: Final = "SELECT is_active IS NOT FALSE FROM integrations WHERE id = $1::text"
_LATEST_SOURCE: Final = """
SELECT id, deleted_at FROM data_sources
WHERE tenant_id = $1::text AND integration_id = $2::text AND site_id IS NOT DISTINCT FROM $3::text
ORDER BY deleted_at IS NULL DESC, id DESC LIMIT 1
"""
_ENABLED_SOURCES: Final = """
SELECT id FROM data_sources
WHERE tenant_id = $1::text AND integration_id = $2::text AND ($3::text IS NULL OR site_id = $3::text)
  AND deleted_at IS NULL
ORDER BY id
"""
_MAPPED_SITES: Final = """
SELECT id FROM data_source_to_site
WHERE tenant_id = $1::text AND data_source_id = $2::text AND site_id = $3::text AND deleted_at IS NULL
"""


async def enable_integration(
    writing: WriteContext, integration_id: str, site_id: str | None = None, config: Any = None
) -> Row:
    """Enable an integration for the tenant or for one site. If it was enabled before, its earlier config is used.

    Raises:
        ProductError: The viewer may not, the integration or site does not exist, or the config does not fit.
    """
    require_write_right(writing, DATA_SOURCES, WriteVerb.CREATE)
    require_storable_texts(integration_id=integration_id, site_id=site_id)
    await _require_available(writing, integration_id)
    await writing.lock("data_sources.enabled", writing.require_tenant(), integration_id, site_id)
    wanted = {"status": DataSourceStatus.ACTIVE.value, **({} if config is None else {"config": config})}
    latest = await writing.fetch_row(_LATEST_SOURCE, writing.require_tenant(), integration_id, site_id)
    if latest is None:
        new = {"integration_id": integration_id, "site_id": site_id, **wanted}
        return await create_row(writing, DATA_SOURCES, new)
    if latest["deleted_at"] is not None:
        await restore_rows(writing, DATA_SOURCES, [latest["id"]])
    return (await update_rows(writing, DATA_SOURCES, [latest["id"]], wanted))[0]


async def disable_integration(
    writing: WriteContext, integration_id: str, site_id: str | None = None
) -> list[Row]:
    """Disable an integration, everywhere or for one site: its data sources become inactive and deleted.

    Raises:
        ProductError: The viewer may not, or it is not enabled.
    """
    require_write_right(writing, DATA_SOURCES, WriteVerb.DELETE)
    require_storable_texts(integration_id=integration_id, site_id=site_id)
    found = await writing.fetch_rows(_ENABLED_SOURCES, writing.require_tenant(), integration_id, site_id)
    ids = [row["id"] for row in found]
    if not ids:
        raise NotFoundError("This integration is not enabled")
    await update_rows(writing, DATA_SOURCES, ids, {"status": DataSourceStatus.INACTIVE.value})
    return await delete_rows(writing, DATA_SOURCES, ids)


async def unmap_data_source(writing: WriteContext, data_source_id: str, site_id: str) -> Row:
    """Remove the mapping between a data source and a site.

    Raises:
        ProductError: The viewer may not, or the two are not mapped.
    """
    require_write_right(writing, DATA_SOURCE_TO_SITE, WriteVerb.DELETE)
    require_storable_texts(data_source_id=data_source_id, site_id=site_id)
    mapping = await writing.fetch_value(_MAPPED_SITES, writing.require_tenant(), data_source_id, site_id)
    if mapping is None:
        raise NotFoundError("This data source is not mapped to this site")
    return (await delete_rows(writing, DATA_SOURCE_TO_SITE, [mapping]))[0]


async def _require_available(writing: WriteContext, integration_id: str) -> None:
    offered = await writing.fetch_value(_IS_OFFERED, integration_id)
    if not offered:
        problem = "must be the id of an existing row" if offered is None else "must not be disabled"
        raise build_field_error("integration_id", problem)
