"""How resources fare: one row for each, moved on by every report. Not audited: the row tells its own story."""

from typing import Any, Final

from core.database import Snapshot
from core.errors import BadUserInputError, NotFoundError
from core.limits import HEALTH_DOWN_AFTER, LONG_TEXT_MAX_CHARS
from models.enums import HealthResourceType
from services.writes.values import is_storable, json_text

_OF_TENANT: Final = "public.{} r WHERE r.tenant_id = $1 AND r.id = $3"
_UNDELETED: Final = _OF_TENANT + " AND r.deleted_at IS NULL"

_THERE: Final = {
    HealthResourceType.AGENT: _UNDELETED.format("agents"),
    HealthResourceType.DATA_SOURCE: _UNDELETED.format("data_sources"),
    HealthResourceType.SITE: _UNDELETED.format("sites"),
    HealthResourceType.SCHEDULED_JOB: _OF_TENANT.format("scheduled_jobs"),
    HealthResourceType.INTEGRATION: "public.integrations r WHERE r.id = $3",
}
"""Where the resource of a kind is, if it is there; an integration is every tenant's."""

# What a first report says ($4: well or not) is what a later one says of a resource that was healthy so far.
_REPORT: Final = """
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
    last_check_at = greatest(h.last_check_at, excluded.last_check_at),
    last_success_at = greatest(h.last_success_at, excluded.last_success_at),
    last_failure_at = greatest(h.last_failure_at, excluded.last_failure_at),
    error_message = excluded.error_message, metadata = excluded.metadata,
    updated_at = greatest(h.updated_at + 1, excluded.updated_at)
RETURNING h.id
"""

_STATEMENTS: Final = {kind: _REPORT.format(there=there) for kind, there in _THERE.items()}


async def report_health(
    transaction: Snapshot,
    tenant_id: str,
    resource_type: HealthResourceType,
    resource_id: str,
    *,
    ok: bool,
    error_message: str | None = None,
    metadata: Any = None,
    down_after: int = HEALTH_DOWN_AFTER,
) -> str:
    """Note that a resource was looked at, and how it fares: the id of its health check.

    The first failure makes it degraded, `down_after` in a row down, a success healthy; the times of the last success
    and the last failure stay. Reports at once are counted one after the other.

    Args:
        transaction: one that writes.
        tenant_id: whose resource it is; an integration is every tenant's, and fares differently for each.
        resource_type: what it is.
        resource_id: which.
        ok: whether it is well.
        error_message: what is wrong; of no use where it is well.
        metadata: what more there is to say, as JSON has it; None for nothing. The report before is forgotten.
        down_after: failures in a row, 1 or more.

    Raises:
        NotFoundError: the tenant has no such resource, or it is deleted.
        BadUserInputError: the message or the metadata cannot be kept.
    """
    message, more = _texts(None if ok else error_message, metadata)
    if not is_storable(resource_id):
        raise NotFoundError(f"There is no such {resource_type.value.replace('_', ' ')}")
    arguments = (tenant_id, resource_type.value, resource_id, ok, message, more, down_after)
    rows = await transaction.fetch(_STATEMENTS[resource_type], arguments)
    if not rows:
        raise NotFoundError(f"There is no such {resource_type.value.replace('_', ' ')}")
    return str(rows[0]["id"])


def _texts(message: str | None, metadata: Any) -> tuple[str | None, str | None]:
    """Both as PostgreSQL keeps them."""
    fields: dict[str, str] = {}
    more = None
    try:
        more = None if metadata is None else json_text(metadata)
    except ValueError as error:
        fields["metadata"] = str(error)
    if message is not None and not is_storable(message):
        fields["errorMessage"] = "has characters that cannot be kept"
    elif message is not None and len(message) > LONG_TEXT_MAX_CHARS:
        fields["errorMessage"] = f"has {len(message)} characters; {LONG_TEXT_MAX_CHARS} are allowed"
    if fields:
        raise BadUserInputError("The report cannot be kept", fields)
    return message, more
