"""A tenant always keeps somebody who may do everything in it, and nobody gives away what they do not have."""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from core.errors import ConflictError, ForbiddenError
from core.rights import GLOBAL_ADMIN, closure
from services.writes.writing import Writing

_REMAINS: Final = """
SELECT EXISTS (
    SELECT FROM users u JOIN roles r ON r.id = u.role_id
    WHERE u.tenant_id = $1::text AND u.status = 'active' AND u.deleted_at IS NULL
      AND r.deleted_at IS NULL AND r.rights -> 'Global.Admin' = 'true'
)
"""
_ROLE: Final = "SELECT rights FROM roles WHERE id = $1::text"


def rights_of(text: str | None) -> frozenset[str]:
    """What a role's JSON grants, with all that is implied."""
    rights: Any = orjson.loads(text) if text else None
    return closure(rights) if isinstance(rights, dict) else frozenset()


def is_administrators(rights_text: str | None) -> bool:
    """Whether a role's JSON makes administrators."""
    return GLOBAL_ADMIN in rights_of(rights_text)


async def role_rights(writing: Writing, role_id: str) -> str | None:
    """The JSON of a role's rights; None where there is no such role for the viewer."""
    rights: str | None = await writing.value(_ROLE, role_id)
    return rights


def require_covered(writing: Writing, rights_text: str | None, what: str) -> None:
    """Make sure that the viewer holds every right of a role.

    Args:
        writing: The write.
        rights_text: The role's JSON.
        what: What it is wanted for, as "Giving this role".

    Raises:
        ForbiddenError: They lack one.
    """
    lacking = rights_of(rights_text) - writing.viewer.rights
    if lacking:
        raise ForbiddenError(
            f"{what} takes every right of it; the viewer lacks {', '.join(sorted(lacking)[:5])}"
        )


async def hold(writing: Writing, tenants: Iterable[str]) -> None:
    """Let nobody else take administrators away from these tenants until this transaction ends."""
    for tenant in sorted(tenants):
        await writing.lock("administrators", tenant)


async def require_remaining(writing: Writing, tenants: Iterable[str]) -> None:
    """Make sure that each tenant, which is on `hold`, has an administrator who can sign in.

    Raises:
        ConflictError: One has none any more.
    """
    for tenant in tenants:
        if not await writing.value(_REMAINS, tenant):
            raise ConflictError("The tenant would be left without an administrator; name another one first")
