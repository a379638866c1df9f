"""Roles: known rights only, none that whoever writes lacks; a role in use stays."""

from typing import Any, Final

from core.errors import ConflictError
from core.limits import LONG_TEXT_MAX_CHARS
from core.rights import RIGHTS
from services.writes.administrators import hold, is_administrators, require_covered, require_remaining
from services.writes.complaints import Complaints
from services.writes.record import Field, Owner, Record, Row, Values, Verb
from services.writes.values import Json, Text
from services.writes.writing import Writing

_USERS: Final = "SELECT count(*) FROM users WHERE role_id = $1::text AND deleted_at IS NULL"
_TENANTS: Final = """
SELECT DISTINCT tenant_id FROM users WHERE role_id = $1::text AND status = 'active' AND deleted_at IS NULL
"""


def _known(rights: Any) -> None:
    """Refuse rights that there are not, and values that are not yes or no."""
    unknown = sorted(name for name in rights if name not in RIGHTS)
    if unknown:
        raise ValueError(f"has rights that there are not: {', '.join(map(repr, unknown[:5]))}")
    if not all(isinstance(granted, bool) for granted in rights.values()):
        raise ValueError("has values that are neither true nor false")


async def _prepare(_writing: Writing, before: Row | None, values: Values, _complaints: Complaints) -> None:
    if before is None:
        values.setdefault("description", "")
        values.setdefault("rights", "{}")


async def _guard(writing: Writing, verb: Verb, before: Row | None, values: Values) -> None:
    if before is not None:
        require_covered(writing, before["rights"], "Changing this role")
    if "rights" in values:
        require_covered(writing, values["rights"], "Making this role")
    if verb is Verb.DELETE and before is not None:
        await _require_unused(writing, before["id"])
    if before is not None and _ends_administrators(before, values):
        await hold(writing, await _tenants(writing, before["id"]))


async def _require_unused(writing: Writing, role_id: str) -> None:
    users = await writing.value(_USERS, role_id)
    if users:
        raise ConflictError(f"The role is in use: {users} have it")


def _ends_administrators(before: Row, values: Values) -> bool:
    return (
        "rights" in values and is_administrators(before["rights"]) and not is_administrators(values["rights"])
    )


async def _settle(writing: Writing, _verb: Verb, before: Row | None, after: Row) -> None:
    if before is not None and _ends_administrators(before, {"rights": after["rights"]}):
        await require_remaining(writing, await _tenants(writing, after["id"]))


async def _tenants(writing: Writing, role_id: str) -> list[str]:
    """The tenants in which somebody works by the role."""
    return [row["tenant_id"] for row in await writing.rows(_TENANTS, role_id)]


ROLES: Final = Record(
    "roles", "role", "Roles",
    (
        Field("name", Text()),
        Field("description", Text(LONG_TEXT_MAX_CHARS, empty=True, lines=True), default=True),
        Field("rights", Json(check=_known), default=True),
    ),
    owner=Owner.TENANT_OR_GLOBAL,
    prepare=_prepare,
    guard=_guard,
    settle=_settle,
)  # fmt: skip
