"""From an identity to a viewer: the rows behind it, read anew in every request.

A user, role or tenant that is deleted or not active is therefore refused at once, whatever token it shows.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from core import limits
from core.clock import NEVER
from core.database import Connection, Record, Snapshot
from core.errors import BadUserInputError, ForbiddenError, UnauthenticatedError
from core.rights import RIGHTS, closure
from core.single_reads import Facts
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from services.remembered import RememberedViewers, SignedIn

_FOUND: Final = """
SELECT s.user_id, s.tenant_id, s.role_id, s.rights::text AS rights,
       coalesce(s.user_status = 'active' AND s.tenant_status = 'active'
                AND NOT (s.user_deleted OR s.role_deleted OR s.tenant_deleted), false) AS acceptable
"""

_USER: Final = f"{_FOUND}, set_config('app.tenant_id', s.tenant_id, true) FROM app.sign_in($1) AS s"

_USERS: Final = f"{_FOUND} FROM unnest($1::text[]) AS subject CROSS JOIN LATERAL app.sign_in(subject) AS s"

_TENANTS: Final = "SELECT id FROM public.tenants WHERE id = ANY($1::text[]) AND deleted_at IS NULL"

_TENANT: Final = """
SELECT t.id, set_config('app.tenant_id', t.id, true)
FROM public.tenants AS t
WHERE t.id = $1 AND t.deleted_at IS NULL
"""


async def sign_in(
    connection: Connection,
    identity: Identity,
    tenant_header: str | None,
    remembered: RememberedViewers | None = None,
) -> Viewer:
    """Who is asking, with the transaction's `app.tenant_id` set to the viewer's tenant.

    Args:
        connection: inside a transaction already; under the request role for a user, as the tables' owner
            for the platform. If this raises, the transaction is to be rolled back.
        identity: what the token proved.
        tenant_header: X-Tenant-Id, which a platform alone may send.
        remembered: where a user is to be remembered, if at all.

    Raises:
        UnauthenticatedError: if the user may not sign in; one message, whatever the reason.
        ForbiddenError: if a user names a tenant.
        BadUserInputError: if the platform names a tenant that is not there, or deleted.
    """
    if identity.kind is ViewerKind.PLATFORM:
        return await _platform(connection, identity, tenant_header)
    if tenant_header is not None:
        raise ForbiddenError("X-Tenant-Id is for platform tokens; a user's tenant is that of the user.")
    signed_in = await _user(connection, identity)
    if remembered is not None:
        remembered.keep(signed_in)
    return signed_in.viewer


def not_active() -> UnauthenticatedError:
    """What a user is told who may not sign in, whatever the reason."""
    return UnauthenticatedError("There is no active user for this token.")


async def users_now(snapshot: Snapshot, subjects: Sequence[str]) -> dict[str, Viewer]:
    """The viewers that users are now, by their subjects; who may not sign in any more is not among them.

    Args:
        snapshot: As the tables' owner. No tenant is set in it.
        subjects: The subjects of their tokens; when those end is for the caller to fill in.
    """
    rows = await snapshot.fetch(_USERS, (list(subjects),))
    return {row["user_id"]: _viewer(row, NEVER) for row in rows if row["acceptable"]}


async def tenants_now(snapshot: Snapshot, tenant_ids: Sequence[str]) -> set[str]:
    """Those tenants that the platform may name, as the platform sees them."""
    return {row["id"] for row in await snapshot.fetch(_TENANTS, (list(tenant_ids),))}


async def _user(connection: Connection, identity: Identity) -> SignedIn:
    row = await connection.fetchrow(_USER, identity.subject)
    if row is None or not row["acceptable"]:
        raise not_active()
    facts = Facts(identity.subject, row["tenant_id"], row["role_id"], row["rights"])
    return SignedIn(_viewer(row, identity.expires_at), facts)


def _viewer(row: Record, expires_at: int) -> Viewer:
    return Viewer(
        kind=ViewerKind.USER,
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        role_id=row["role_id"],
        rights=_rights(row["rights"]),
        expires_at=expires_at,
    )


def _rights(stored: str | None) -> frozenset[str]:
    """The closed set of a role's JSON; anything but an object grants nothing."""
    try:
        rights: Any = orjson.loads(stored) if stored else None
    except orjson.JSONDecodeError:  # what PostgreSQL keeps and orjson does not read: a thousand levels deep
        rights = None
    return closure(rights) if isinstance(rights, dict) else frozenset()


async def _platform(connection: Connection, identity: Identity, tenant_id: str | None) -> Viewer:
    """A suspended or inactive tenant may be operated on: that is how it is put right."""
    if tenant_id is not None and not await _entered(connection, tenant_id):
        raise BadUserInputError("X-Tenant-Id names no tenant.")
    return Viewer(
        kind=ViewerKind.PLATFORM,
        tenant_id=tenant_id,
        user_id=None,
        role_id=None,
        rights=RIGHTS,
        expires_at=identity.expires_at,
    )


async def _entered(connection: Connection, tenant_id: str) -> bool:
    """Sets the transaction's tenant, if there is one of that id."""
    if not tenant_id.isprintable() or len(tenant_id) > limits.SUBJECT_MAX_CHARS:
        return False
    return await connection.fetchrow(_TENANT, tenant_id) is not None
