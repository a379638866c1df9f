"""Converts an identity to a viewer, from the rows that every request reads again.

So a user, role or tenant that is deleted or not active is refused at once, whatever the token.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from core import limits
from core.auth.rights import RIGHTS, expand_rights
from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.database.database import Connection, ReadTransaction, Record
from core.database.single_reads import SignInFacts
from core.errors import AccessRefusal, BadUserInputError, ForbiddenError, UnauthenticatedError
from core.exact_json import parse_json
from services.users.viewer_cache import SignedIn, ViewerCache

_SELECT_SIGN_IN: Final = """
SELECT s.user_id, s.tenant_id, s.role_id, s.rights::text AS rights,
       coalesce(s.user_status = 'active' AND s.tenant_status = 'active'
                AND NOT (s.user_deleted OR s.role_deleted OR s.tenant_deleted), false) AS acceptable
"""

_USER: Final = f"{_SELECT_SIGN_IN}, set_config('app.tenant_id', s.tenant_id, true) FROM app.sign_in($1) AS s"

_USERS: Final = (
    f"{_SELECT_SIGN_IN} FROM unnest($1::text[]) AS subject CROSS JOIN LATERAL app.sign_in(subject) AS s"
)

_TENANTS: Final = "SELECT id FROM public.tenants WHERE id = ANY($1::text[]) AND deleted_at IS NULL"

_REVOKED: Final = (
    "EXISTS (SELECT FROM public.issued_credentials c WHERE c.id = $1 AND c.revoked_at IS NOT NULL)"
)

_TOKEN: Final = f"SELECT {_REVOKED} AS is_revoked"

_TENANT: Final = f"""
SELECT {_REVOKED} AS is_revoked, t.id, set_config('app.tenant_id', t.id, true)
FROM (VALUES (true)) AS one LEFT JOIN public.tenants AS t ON t.id = $2 AND t.deleted_at IS NULL
"""  # noqa: S608 - our own text

_REVOKED_TOKENS: Final = """
SELECT id FROM public.issued_credentials WHERE id = ANY($1::text[]) AND revoked_at IS NOT NULL
"""


async def sign_in(
    connection: Connection,
    identity: Identity,
    tenant_header: str | None,
    cache: ViewerCache | None = None,
) -> Viewer:
    """The viewer of an identity. The transaction's `app.tenant_id` is set to the viewer's tenant.

    Args:
        connection: One in a transaction: under the request role for a user, as the tables' owner for the platform. If
            this raises, the transaction must be rolled back.
        identity: The verified token.
        tenant_header: X-Tenant-Id, which only a platform may send.
        cache: The cache for the user's viewer, if any.

    Raises:
        UnauthenticatedError: The user may not sign in; one message for all reasons. Or the platform's
            token is revoked.
        ForbiddenError: A user names a tenant.
        BadUserInputError: The platform names a tenant that does not exist or is deleted.
    """
    if identity.kind is ViewerKind.PLATFORM:
        return await _sign_in_platform(connection, identity, tenant_header)
    if tenant_header is not None:
        raise ForbiddenError(
            "The header X-Tenant-Id is only for platform tokens. A user's requests are in the tenant of the "
            "user."
        )
    signed_in = await _sign_in_user(connection, identity)
    if cache is not None:
        cache.put(signed_in)
    return signed_in.viewer


def build_inactive_user_error() -> UnauthenticatedError:
    """The error for a user who may not sign in, the same for all reasons."""
    return UnauthenticatedError("There is no active user for this token.", AccessRefusal.INACTIVE)


def build_token_revoked_error() -> UnauthenticatedError:
    """The error for a platform token that is revoked."""
    return UnauthenticatedError("The platform token is revoked.", AccessRefusal.INACTIVE)


async def load_users(snapshot: ReadTransaction, subjects: Sequence[str]) -> dict[str, Viewer]:
    """The current viewers of users, by subject. Users who may no longer sign in are left out.

    Args:
        snapshot: One as the tables' owner. No tenant is set in it.
        subjects: The subjects of their tokens. The caller fills in the expiry.
    """
    rows = await snapshot.fetch(_USERS, (list(subjects),))
    return {row["user_id"]: _build_viewer(row, NEVER) for row in rows if row["acceptable"]}


async def load_tenants(snapshot: ReadTransaction, tenant_ids: Sequence[str]) -> set[str]:
    """The given tenants that the platform may name."""
    return {row["id"] for row in await snapshot.fetch(_TENANTS, (list(tenant_ids),))}


async def list_revoked_tokens(snapshot: ReadTransaction, token_ids: Sequence[str]) -> set[str]:
    """The given platform tokens, by `jti`, that are revoked."""
    return {row["id"] for row in await snapshot.fetch(_REVOKED_TOKENS, (list(token_ids),))}


async def _sign_in_user(connection: Connection, identity: Identity) -> SignedIn:
    row = await connection.fetchrow(_USER, identity.subject)
    if row is None or not row["acceptable"]:
        raise build_inactive_user_error()
    facts = SignInFacts(identity.subject, row["tenant_id"], row["role_id"], row["rights"])
    return SignedIn(_build_viewer(row, identity.expires_at), facts)


def _build_viewer(row: Record, expires_at: int) -> Viewer:
    return Viewer(
        kind=ViewerKind.USER,
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        role_id=row["role_id"],
        rights=_parse_rights(row["rights"]),
        expires_at=expires_at,
    )


def _parse_rights(stored: str | None) -> frozenset[str]:
    """The closed set of a role's JSON; anything but an object grants nothing."""
    try:
        rights: Any = parse_json(stored) if stored else None
    except orjson.JSONDecodeError:  # PostgreSQL stores it but orjson cannot parse it: a thousand levels deep
        rights = None
    return expand_rights(rights) if isinstance(rights, dict) else frozenset()


async def _sign_in_platform(connection: Connection, identity: Identity, tenant_id: str | None) -> Viewer:
    """The platform's viewer.

    A suspended or inactive tenant is allowed, since the platform must be able to correct it.
    """
    named = tenant_id is not None and tenant_id.isprintable() and len(tenant_id) <= limits.SUBJECT_MAX_CHARS
    if named:
        row = await connection.fetchrow(_TENANT, identity.token_id, tenant_id)
    else:
        row = await connection.fetchrow(_TOKEN, identity.token_id)
    if row is None or row["is_revoked"]:
        raise build_token_revoked_error()
    if tenant_id is not None and (not named or row["id"] is None):
        raise BadUserInputError("The header X-Tenant-Id must be the id of an existing tenant.")
    return Viewer(
        kind=ViewerKind.PLATFORM,
        tenant_id=tenant_id,
        user_id=None,
        role_id=None,
        rights=RIGHTS,
        expires_at=identity.expires_at,
        token_id=identity.token_id,
    )
