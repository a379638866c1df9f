"""Users: who may give which role to whom, and the transitions of a user's status."""

from collections.abc import Mapping
from typing import Final

from core.errors import ConflictError
from models.enums import UserStatus
from services.writes.administrator_rules import (
    grants_administration,
    load_role_rights,
    lock_administrators,
    require_administrator_left,
    require_rights_granted,
)
from services.writes.audit import get_actor
from services.writes.field_kinds import EMAIL, EnumKind, JsonKind, ReferenceKind, TextKind
from services.writes.issued_credentials import end_enrollments_of
from services.writes.record import (
    ALL_VERBS,
    Row,
    UniqueConstraint,
    Values,
    WritableField,
    WritableTable,
    WriteVerb,
)
from services.writes.subjects import lock_subject, release
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    UserStatus.ACTIVE: frozenset({UserStatus.INACTIVE}),
    UserStatus.INACTIVE: frozenset({UserStatus.ACTIVE}),
    UserStatus.PENDING: frozenset({UserStatus.INACTIVE}),
}
"""The transitions that a tenant's users may make. An invited user becomes active by signing in."""

_BARRED: Final[Mapping[UserStatus, str]] = {
    UserStatus.ACTIVE: "without an `id`, the subject of a person's token, nobody can sign in",
    UserStatus.PENDING: "a user with an `id`, the subject of a token, needs no invitation",
}
_UNCLAIMED: Final = "SELECT app.is_unclaimed($1::text)"
_ACTIVE_STATUSES: Final = "SELECT deleted_at IS NULL FROM roles WHERE id = $1::text"


async def _prepare_user(
    writing: WriteContext, before: Row | None, values: Values, complaints: ValidationErrors
) -> None:
    if before is None:
        _prepare_new_user(writing, values, complaints)
    elif "status" in values and values["status"] != before["status"]:
        await _prepare_status(writing, before, values, complaints)


async def _prepare_status(
    writing: WriteContext, before: Row, values: Values, complaints: ValidationErrors
) -> None:
    """Check a change of status. A user who is enabled again but has never signed in becomes invited, as before."""
    was, becomes = before["status"], values["status"]
    never = (UserStatus.PENDING, UserStatus.ACTIVE)
    if (was, becomes) == never or not (writing.is_platform or becomes in _TRANSITIONS[was]):
        complaints.add("status", f"must not change from {was.upper()} to {becomes.upper()}")
    elif becomes == UserStatus.ACTIVE and await writing.fetch_value(_UNCLAIMED, before["id"]):
        values["status"] = UserStatus.PENDING.value


def _prepare_new_user(writing: WriteContext, values: Values, complaints: ValidationErrors) -> None:
    """Set the status of a new user.

    A tenant's users invite; the platform may name a subject, which makes an active user.
    """
    known, barred = UserStatus.PENDING, UserStatus.ACTIVE
    if "id" in values:
        known, barred = barred, known
    values.setdefault("status", known.value)
    if not writing.is_platform and values["status"] != UserStatus.PENDING:
        complaints.add("status", "must be PENDING until the person signs in")
    elif values["status"] == barred:
        complaints.add("status", f"must not be {barred.upper()}: {_BARRED[barred]}")


async def _guard_user(writing: WriteContext, verb: WriteVerb, before: Row | None, values: Values) -> None:
    if before is not None:
        await _require_role_rights(writing, before["role_id"], "Changing a user of this role")
    elif "id" in values:
        await lock_subject(writing.transaction, values["id"])
        await release(writing.transaction, values["id"])
    if "role_id" in values:
        await _require_role_rights(writing, values["role_id"], "Assigning this role")
    if before is not None and (verb is WriteVerb.DELETE or {"role_id", "status"} & values.keys()):
        await lock_administrators(writing, [before["tenant_id"]])


async def _require_role_rights(writing: WriteContext, role_id: str, subject: str) -> None:
    require_rights_granted(writing, await load_role_rights(writing, role_id), subject)


async def _complete_user_change(
    writing: WriteContext, verb: WriteVerb, before: Row | None, after: Row
) -> None:
    if before is not None and await _was_administrator(writing, verb, before):
        await require_administrator_left(writing, [after["tenant_id"]])
    if verb is WriteVerb.DELETE:
        actor = get_actor(writing)
        await end_enrollments_of(
            writing.transaction, actor, after["tenant_id"], after["id"], "its maker was deleted"
        )
    given = before is None or before["role_id"] != after["role_id"] or verb is WriteVerb.RESTORE
    # The reference locks the role by now. It existed when it was read, and may have been deleted before the
    # lock.
    if given and not await writing.fetch_value(_ACTIVE_STATUSES, after["role_id"]):
        raise ConflictError("The role is deleted", {"roleId": "is deleted"})


async def _was_administrator(writing: WriteContext, verb: WriteVerb, before: Row) -> bool:
    if before["status"] != UserStatus.ACTIVE or verb is WriteVerb.RESTORE:
        return False
    return grants_administration(await load_role_rights(writing, before["role_id"]))


USERS: Final = WritableTable(
    "users", "user", "Users",
    (
        WritableField("id", TextKind(255), default=True, fixed=True, platform=True),
        WritableField("email", EMAIL),
        WritableField("name", TextKind()),
        WritableField("role_id", ReferenceKind("roles")),
        WritableField("status", EnumKind(UserStatus), default=True),
        WritableField("metadata", JsonKind(), default=True),
    ),
    bulk=ALL_VERBS,
    uniques=(UniqueConstraint("users_unique_email", "email", "is already in use by another user of the tenant"),),
    prepare=_prepare_user,
    guard=_guard_user,
    after_write=_complete_user_change,
)  # fmt: skip
