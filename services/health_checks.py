"""Health checks: one row for each resource, updated by every report.

They are not audited: the row has its history.
"""

from typing import Any, Final

from core.database.database import ReadTransaction
from core.errors import BadUserInputError, NotFoundError
from core.limits import HEALTH_DOWN_AFTER, JSON_CHARS_MAX, LONG_TEXT_MAX_CHARS
from core.storable import dump_storable_json, is_storable_text, require_storable_text
from models.enums import HealthResourceType

_OF_TENANT: Final = "public.{} r WHERE r.tenant_id = $1 AND r.id = $3"
_UNDELETED: Final = _OF_TENANT + " AND r.deleted_at IS NULL"

_RESOURCE_EXISTS: Final = {
    HealthResourceType.AGENT: _UNDELETED.format("agents"),
    HealthResourceType.DATA_SOURCE: _UNDELETED.format("data_sources"),
    HealthResourceType.SITE: _UNDELETED.format("sites"),
    HealthResourceType.SCHEDULED_JOB: _OF_TENANT.format("scheduled_jobs"),
    HealthResourceType.INTEGRATION: "public.integrations r WHERE r.id = $3",
}
"""The table of each kind of resource, with the condition that the resource exists.

All tenants have every integration.
"""

# A first report ($4: healthy or not) has the effect of a later report on a resource that was healthy so far.
_UPSERT_REPORT: Final = """
INSERT INTO public.health_checks AS h (
    tenant_id, resource_type, resource_id, status, failure_count, last_check_at, last_success_at, last_failure_at,
    error_message, metadata
)
SELECT $1, $2, r.id, CASE WHEN $4 THEN 'healthy' WHEN $7 <= 1 THEN 'down' ELSE 'degraded' END,
       CASE WHEN $4 THEN 0 ELSE 1 END, app.now_ms(), CASE WHEN $4 THEN app.now_ms() END,
       CASE WHEN NOT $4 THEN app.now_ms() END, $5, $6::jsonb
FROM {there}
ON CONFLICT (resource_type, resource_id, tenant_id) DO UPDATE
SET failure_count = CASE WHEN $4 THEN 0 ELSE least(h.failure_count, 2147483646) + 1 END,
    status = CASE WHEN $4 THEN 'healthy' WHEN h.failure_count >= $7 - 1 THEN 'down' ELSE 'degraded' END,
    last_check_at = app.latest(h.last_check_at, excluded.last_check_at),
    last_success_at = CASE WHEN $4 THEN app.latest(h.last_success_at, app.now_ms()) ELSE h.last_success_at END,
    last_failure_at = CASE WHEN $4 THEN h.last_failure_at ELSE app.latest(h.last_failure_at, app.now_ms()) END,
    error_message = excluded.error_message, metadata = excluded.metadata,
    updated_at = app.next_updated_at(h.updated_at)
RETURNING h.id
"""

_STATEMENTS: Final = {kind: _UPSERT_REPORT.format(there=there) for kind, there in _RESOURCE_EXISTS.items()}


async def report_health(
    transaction: ReadTransaction,
    tenant_id: str,
    resource_type: HealthResourceType,
    resource_id: str,
    *,
    ok: bool,
    error_message: str | None = None,
    metadata: Any = None,
    down_after: int = HEALTH_DOWN_AFTER,
) -> str:
    """Record a report about a resource; returns the id of its health check.

    The first failure makes it degraded, `down_after` failures in a row make it down, and a success makes it
    healthy. The times of the last success and of the last failure are kept. Concurrent reports are counted
    one after the other.

    Args:
        transaction: One that writes.
        tenant_id: The resource's tenant. For an integration, each tenant has a health check of its own.
        resource_type: The kind of resource.
        resource_id: The resource.
        ok: Whether it is healthy.
        error_message: The error; ignored if the resource is healthy.
        metadata: Further data, as JSON values; None for none. It replaces that of the report before.
        down_after: The number of failures in a row, 1 or more.

    Raises:
        NotFoundError: The tenant has no such resource, or it is deleted.
        BadUserInputError: The message or the metadata cannot be stored.
    """
    message, more = _to_storable_texts(None if ok else error_message, metadata)
    if not is_storable_text(resource_id):
        raise NotFoundError(f"No such {resource_type.value.replace('_', ' ')}")
    arguments = (tenant_id, resource_type.value, resource_id, ok, message, more, down_after)
    rows = await transaction.fetch(_STATEMENTS[resource_type], arguments)
    if not rows:
        raise NotFoundError(f"No such {resource_type.value.replace('_', ' ')}")
    return str(rows[0]["id"])


def _to_storable_texts(message: str | None, metadata: Any) -> tuple[str | None, str | None]:
    """Both texts in the form that PostgreSQL stores."""
    fields: dict[str, str] = {}
    more = None
    try:
        more = None if metadata is None else dump_storable_json(metadata, JSON_CHARS_MAX)
    except ValueError as error:
        fields["metadata"] = str(error)
    try:
        _require_message(message or "")
    except ValueError as error:
        fields["errorMessage"] = str(error)
    if fields:
        raise BadUserInputError("Invalid report: it contains a value that cannot be stored", fields)
    return message, more


def _require_message(message: str) -> None:
    require_storable_text(message)
    if len(message) > LONG_TEXT_MAX_CHARS:
        raise ValueError(f"must have at most {LONG_TEXT_MAX_CHARS} characters, not {len(message)}")
