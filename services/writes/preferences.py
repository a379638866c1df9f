"""A user's own preferences, which need no right: the site that is chosen in the dashboard."""

from typing import Any, Final

from core.errors import ForbiddenError
from core.exact_json import parse_json
from services.writes.field_kinds import JsonKind, ReferenceKind
from services.writes.record import Row, WritableField, WritableTable
from services.writes.references import check_references
from services.writes.row_changes import update_authorized_rows
from services.writes.users import USERS
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

CURRENT_SITE: Final = "current_site"
"""The key of the chosen site in `users.metadata`."""

_OWN: Final = WritableTable(
    "users", "user", "Users", (WritableField("metadata", JsonKind()),), extra=USERS.column_types
)
_SITE: Final = WritableField("site_id", ReferenceKind("sites"))
_METADATA: Final = "SELECT metadata FROM users WHERE id = $1::text AND tenant_id = $2::text FOR NO KEY UPDATE"


async def set_current_site(writing: WriteContext, site_id: str | None) -> Row:
    """Store the site that the viewer has chosen, or that none is chosen.

    Raises:
        ForbiddenError: The viewer is not a user, or may not read sites.
        BadUserInputError: There is no such site in the tenant.
    """
    user_id = writing.viewer.user_id
    if user_id is None:
        raise ForbiddenError("Only users have a current site")
    if site_id is not None:
        await _require_site(writing, site_id)
    metadata: dict[str, Any] = parse_json(
        await writing.fetch_value(_METADATA, user_id, writing.require_tenant())
    )
    chosen = {key: value for key, value in metadata.items() if key != CURRENT_SITE}
    if site_id is not None:
        chosen[CURRENT_SITE] = site_id
    return (await update_authorized_rows(writing, _OWN, [user_id], {"metadata": chosen}))[0]


async def _require_site(writing: WriteContext, site_id: str) -> None:
    writing.require_right("Sites.Read", "Selecting a site")
    complaints = ValidationErrors()
    with complaints.collect(_SITE.name):
        values = {_SITE.name: _SITE.kind.parse(site_id)}
        await check_references(writing, [_SITE], values, complaints)
    complaints.raise_errors()
