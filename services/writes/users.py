"""Users: who may be given which role by whom, and how their status goes."""

from collections.abc import Mapping
from typing import Final

from core.errors import ConflictError
from models.enums import UserStatus
from services.writes.administrators import (
    hold,
    is_administrators,
    require_covered,
    require_remaining,
    role_rights,
)
from services.writes.complaints import Complaints
from services.writes.record import LIFE, Field, Record, Row, Unique, Values, Verb
from services.writes.values import EMAIL, Json, OneOf, Reference, Text
from services.writes.writing import Writing

_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    UserStatus.ACTIVE: frozenset({UserStatus.INACTIVE}),
    UserStatus.INACTIVE: frozenset({UserStatus.ACTIVE}),
    UserStatus.PENDING: frozenset({UserStatus.INACTIVE}),
}
"""How a tenant's people may change a status: who was invited becomes active by signing in."""

_IN_FORCE: Final = "SELECT deleted_at IS NULL FROM roles WHERE id = $1::text"


async def _prepare(writing: Writing, before: Row | None, values: Values, complaints: Complaints) -> None:
    if before is None:
        _prepare_new(writing, values, complaints)
    elif "status" in values and not writing.is_platform:
        was, becomes = before["status"], values["status"]
        if becomes != was and becomes not in _TRANSITIONS[was]:
            complaints.add("status", f"cannot go from {was.upper()} to {becomes.upper()}")


def _prepare_new(writing: Writing, values: Values, complaints: Complaints) -> None:
    """A tenant's people invite; the platform, which may name a subject, takes in whoever has one."""
    known = UserStatus.ACTIVE if "id" in values else UserStatus.PENDING
    values.setdefault("status", known.value)
    if not writing.is_platform and values["status"] != UserStatus.PENDING:
        complaints.add("status", "is PENDING until the person signs in")


async def _guard(writing: Writing, verb: Verb, before: Row | None, values: Values) -> None:
    if before is not None:
        await _require_covered(writing, before["role_id"], "Changing a user of this role")
    if "role_id" in values:
        await _require_covered(writing, values["role_id"], "Giving this role")
    if before is not None and (verb is Verb.DELETE or {"role_id", "status"} & values.keys()):
        await hold(writing, [before["tenant_id"]])


async def _require_covered(writing: Writing, role_id: str, what: str) -> None:
    require_covered(writing, await role_rights(writing, role_id), what)


async def _settle(writing: Writing, verb: Verb, before: Row | None, after: Row) -> None:
    if before is not None and await _was_administrator(writing, verb, before):
        await require_remaining(writing, [after["tenant_id"]])
    given = before is None or before["role_id"] != after["role_id"] or verb is Verb.RESTORE
    # The reference holds the role by now: it was there when it was looked for, and may have gone before that.
    if given and not await writing.value(_IN_FORCE, after["role_id"]):
        raise ConflictError("The role is deleted", {"roleId": "is deleted"})


async def _was_administrator(writing: Writing, verb: Verb, before: Row) -> bool:
    if before["status"] != UserStatus.ACTIVE or verb is Verb.RESTORE:
        return False
    return is_administrators(await role_rights(writing, before["role_id"]))


USERS: Final = Record(
    "users", "user", "Users",
    (
        Field("id", Text(255), default=True, fixed=True, platform=True),
        Field("email", EMAIL),
        Field("name", Text()),
        Field("role_id", Reference("roles")),
        Field("status", OneOf(UserStatus), default=True),
        Field("metadata", Json(), default=True),
    ),
    bulk=LIFE,
    uniques=(Unique("users_unique_email", "email", "is another user's of this tenant"),),
    prepare=_prepare,
    guard=_guard,
    settle=_settle,
)  # fmt: skip
