"""Two rules: a tenant always keeps an administrator, and no user grants a right that the user lacks."""

from collections.abc import Iterable
from typing import Any, Final

from core.auth.rights import GLOBAL_ADMIN, expand_rights
from core.errors import ConflictError, ForbiddenError
from core.exact_json import parse_json
from services.writes.write_context import WriteContext

_HAS_ADMINISTRATOR: Final = """
SELECT EXISTS (
    SELECT FROM users u JOIN roles r ON r.id = u.role_id
    WHERE u.tenant_id = $1::text AND u.status = 'active' AND u.deleted_at IS NULL
      AND r.deleted_at IS NULL AND r.rights -> 'Global.Admin' = 'true'
)
"""
_ROLE: Final = "SELECT rights FROM roles WHERE id = $1::text"


def parse_rights(text: str | None) -> frozenset[str]:
    """The rights that a role's JSON grants, including all implied rights."""
    rights: Any = parse_json(text) if text else None
    return expand_rights(rights) if isinstance(rights, dict) else frozenset()


def grants_administration(rights_text: str | None) -> bool:
    """Whether a role's JSON makes its users administrators."""
    return GLOBAL_ADMIN in parse_rights(rights_text)


async def load_role_rights(writing: WriteContext, role_id: str) -> str | None:
    """The JSON of a role's rights; None if the viewer sees no such role."""
    rights: str | None = await writing.fetch_value(_ROLE, role_id)
    return rights


def require_rights_granted(writing: WriteContext, rights_text: str | None, subject: str) -> None:
    """Require that the viewer holds every right of a role.

    Args:
        writing: The write.
        rights_text: The role's JSON.
        subject: The operation for the message, as "Assigning this role".

    Raises:
        ForbiddenError: The viewer lacks one.
    """
    lacking = sorted(parse_rights(rights_text) - writing.viewer.rights)
    if lacking:
        raise ForbiddenError(
            f"{subject} requires all its rights; the viewer lacks {', '.join(lacking[:5])}", lacking[0]
        )


async def lock_administrators(writing: WriteContext, tenants: Iterable[str]) -> None:
    """Lock these tenants' administrators: until this transaction ends, no other transaction removes any."""
    for tenant in sorted(tenants):
        await writing.lock("administrators", tenant)


async def require_administrator_left(writing: WriteContext, tenants: Iterable[str]) -> None:
    """Require that each tenant, locked by `lock_administrators`, has an administrator who can sign in.

    Raises:
        ConflictError: One has none any more.
    """
    for tenant in tenants:
        if not await writing.fetch_value(_HAS_ADMINISTRATOR, tenant):
            raise ConflictError("The tenant must keep an administrator: appoint another one first")
