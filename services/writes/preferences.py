"""What users write of themselves, without a right: the site that they have chosen in the dashboard."""

from typing import Any, Final

import orjson

from core.errors import ForbiddenError
from services.writes.changes import rewrite
from services.writes.complaints import Complaints
from services.writes.record import Field, Record, Row
from services.writes.references import check_references
from services.writes.users import USERS
from services.writes.values import Json, Reference
from services.writes.writing import Writing

CURRENT_SITE: Final = "current_site"
"""The key of `users.metadata` under which it is kept."""

_OWN: Final = Record("users", "user", "Users", (Field("metadata", Json()),), extra=USERS.types)
_SITE: Final = Field("site_id", Reference("sites"))
_METADATA: Final = "SELECT metadata FROM users WHERE id = $1::text AND tenant_id = $2::text FOR NO KEY UPDATE"


async def set_current_site(writing: Writing, site_id: str | None) -> Row:
    """Keep the site that the viewer has chosen, or that none is.

    Raises:
        ForbiddenError: The viewer is no user, or may not read sites.
        BadUserInputError: There is no such site in the tenant.
    """
    user_id = writing.viewer.user_id
    if user_id is None:
        raise ForbiddenError("Only users have a current site")
    if site_id is not None:
        await _require_site(writing, site_id)
    metadata: dict[str, Any] = orjson.loads(await writing.value(_METADATA, user_id, writing.tenant()))
    chosen = {key: value for key, value in metadata.items() if key != CURRENT_SITE}
    if site_id is not None:
        chosen[CURRENT_SITE] = site_id
    return (await rewrite(writing, _OWN, [user_id], {"metadata": chosen}))[0]


async def _require_site(writing: Writing, site_id: str) -> None:
    writing.require("Sites.Read", "To choose a site")
    complaints = Complaints()
    with complaints.about(_SITE.name):
        values = {_SITE.name: _SITE.kind.read(site_id)}
        await check_references(writing, [_SITE], values, complaints)
    complaints.tell()
