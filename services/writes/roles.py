"""Roles: only known rights, and only rights that the writer has. A role in use cannot be deleted."""

from typing import Any, Final

from core.auth.rights import RIGHTS
from core.errors import ConflictError
from core.limits import LONG_TEXT_MAX_CHARS
from services.writes.administrator_rules import (
    grants_administration,
    lock_administrators,
    require_administrator_left,
    require_rights_granted,
)
from services.writes.field_kinds import JsonKind, TextKind
from services.writes.record import Row, RowOwner, Values, WritableField, WritableTable, WriteVerb
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

_USERS: Final = "SELECT count(*) FROM users WHERE role_id = $1::text AND deleted_at IS NULL"
_TENANTS: Final = """
SELECT DISTINCT tenant_id FROM users WHERE role_id = $1::text AND status = 'active' AND deleted_at IS NULL
"""


def _require_known_rights(rights: Any) -> None:
    """Refuse unknown rights, and values other than true and false."""
    unknown = sorted(name for name in rights if name not in RIGHTS)
    if unknown:
        raise ValueError(f"must not contain unknown rights: {', '.join(map(repr, unknown[:5]))}")
    if not all(isinstance(granted, bool) for granted in rights.values()):
        raise ValueError("must contain only the values true and false")


async def _prepare_role(
    _writing: WriteContext, before: Row | None, values: Values, _complaints: ValidationErrors
) -> None:
    if before is None:
        values.setdefault("description", "")
        values.setdefault("rights", "{}")


async def _guard_role(writing: WriteContext, verb: WriteVerb, before: Row | None, values: Values) -> None:
    purpose = "Creating this role" if before is None else "Changing this role"
    if before is not None:
        require_rights_granted(writing, before["rights"], purpose)
    if "rights" in values:
        require_rights_granted(writing, values["rights"], purpose)
    if verb is WriteVerb.DELETE and before is not None:
        await _require_unused(writing, before["id"])
    if before is not None and _ends_administrators(before, values):
        await lock_administrators(
            writing, {*await _load_tenants(writing, before["id"]), *_list_tenant(before)}
        )


def _list_tenant(role: Row) -> list[str]:
    """The role's tenant. It is locked as well, since a user may get the role between the two queries of its users."""
    return [] if role["tenant_id"] is None else [role["tenant_id"]]


async def _require_unused(writing: WriteContext, role_id: str) -> None:
    users = await writing.fetch_value(_USERS, role_id)
    if users:
        raise ConflictError(f"The role is in use: assign another role to its {users} users")


def _ends_administrators(before: Row, values: Values) -> bool:
    return (
        "rights" in values
        and grants_administration(before["rights"])
        and not grants_administration(values["rights"])
    )


async def _check_administrators(
    writing: WriteContext, _verb: WriteVerb, before: Row | None, after: Row
) -> None:
    if before is not None and _ends_administrators(before, {"rights": after["rights"]}):
        await require_administrator_left(writing, await _load_tenants(writing, after["id"]))


async def _load_tenants(writing: WriteContext, role_id: str) -> list[str]:
    """The tenants that have a user with the role."""
    return [row["tenant_id"] for row in await writing.fetch_rows(_TENANTS, role_id)]


ROLES: Final = WritableTable(
    "roles", "role", "Roles",
    (
        WritableField("name", TextKind()),
        WritableField("description", TextKind(LONG_TEXT_MAX_CHARS, empty=True, lines=True), default=True),
        WritableField("rights", JsonKind(check=_require_known_rights), default=True),
    ),
    owner=RowOwner.TENANT_OR_GLOBAL,
    prepare=_prepare_role,
    guard=_guard_role,
    after_write=_check_administrators,
)  # fmt: skip
