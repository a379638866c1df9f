"""Credentials that the server issues: recorded at creation, checked at each use, and revoked one by one.

A row of `issued_credentials` stands for one token or code. It holds the data that the credential is bound to,
and never the credential itself. The functions here run in the caller's transaction, and they write the audit
rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from core.auth.rights import RIGHTS, expand_rights
from core.database.database import ReadTransaction
from core.errors import UnauthenticatedError
from core.exact_json import parse_json
from models.enums import AuditActor, CredentialKind
from services.writes.audit import Actor, write_audit_rows
from services.writes.record import Row, WritableTable, WriteVerb

REVOKED: Final = "revoked"
"""The revocation reason if a person or the operator revoked the credential."""

CREDENTIALS: Final = WritableTable(
    "issued_credentials", "credential", "Agents", (),
    verbs=frozenset({WriteVerb.UPDATE}),
    extra={
        "kind": "text",
        "site_id": "text",
        "agent_id": "text",
        "user_id": "text",
        "issuer_type": "text",
        "issued_by": "text",
        "binding": "jsonb",
        "expires_at": "bigint",
        "first_used_at": "bigint",
        "revoked_at": "bigint",
        "revoked_by": "text",
        "revoke_reason": "text",
        "replacement_requested_at": "bigint",
        "replacement_approved_at": "bigint",
        "replacement_approved_by": "text",
    },
)  # fmt: skip
"""The columns of a row as the audit log shows it."""

_ISSUED_WITH: Final = "platformToken"
"""In `binding`, the `jti` of the platform token that issued a credential: it ends when that is revoked."""

_COLUMNS: Final = ", ".join(f'c."{name}"' for name in CREDENTIALS.column_types)

_RECORD: Final = f"""
INSERT INTO public.issued_credentials AS c (
    id, tenant_id, kind, site_id, agent_id, user_id, issuer_type, issued_by, binding, expires_at, first_used_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10, CASE WHEN $11::boolean THEN app.now_ms() END)
ON CONFLICT (id) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names

# A user's rights count only while the user may sign in, the platform's while the token that it showed is not revoked.
_IN_FORCE: Final = f"""
SELECT {_COLUMNS}, r.rights::text AS issuer_rights,
       u.status = 'active' AND u.deleted_at IS NULL AND r.deleted_at IS NULL
       AND t.status = 'active' AND t.deleted_at IS NULL AS issuer_is_active,
       EXISTS (
           SELECT FROM public.issued_credentials p
           WHERE p.id = c.binding ->> '{_ISSUED_WITH}' AND p.kind = 'platform' AND p.revoked_at IS NOT NULL
       ) AS issuer_is_revoked
FROM public.issued_credentials c
LEFT JOIN public.users u ON u.id = c.issued_by AND u.tenant_id = c.tenant_id
LEFT JOIN public.roles r ON r.id = u.role_id
LEFT JOIN public.tenants t ON t.id = c.tenant_id
WHERE c.id = $1 AND c.kind = $2 AND c.tenant_id IS NOT DISTINCT FROM $3 AND c.revoked_at IS NULL
  AND c.expires_at > app.now_ms()
"""  # noqa: S608 - declared names

_USE: Final = """
UPDATE public.issued_credentials SET first_used_at = app.now_ms() WHERE id = $1 AND first_used_at IS NULL
"""

_ENROLLMENTS_OF: Final = """
SELECT id FROM public.issued_credentials
WHERE tenant_id = $1 AND issued_by = $2 AND kind = 'enrollment' AND revoked_at IS NULL
"""

_LOCKED: Final = f"""
SELECT {_COLUMNS} FROM public.issued_credentials c
WHERE c.id = ANY($1::text[]) AND c.revoked_at IS NULL ORDER BY c.id FOR NO KEY UPDATE
"""  # noqa: S608 - declared names

_REVOKE: Final = f"""
UPDATE public.issued_credentials c
SET revoked_at = app.now_ms(), revoked_by = $2, revoke_reason = $3,
    updated_at = app.next_updated_at(c.updated_at)
WHERE c.id = ANY($1::text[])
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential to record. The id is the token's `jti`, and `expires_at` is in ms since the epoch.

    Attributes:
        binding: Further data that it is bound to, as JSON without secrets.
        is_used: Whether its first use is the reason for recording it.
    """

    id: str
    kind: CredentialKind
    expires_at: int
    site_id: str | None = None
    agent_id: str | None = None
    user_id: str | None = None
    binding: Mapping[str, Any] = field(default_factory=dict)
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class ActiveCredential:
    """A credential that is valid now.

    Attributes:
        row: Its row, by column name; `binding` is text.
        issuer_rights: The issuer's present rights; empty for a user who may no longer sign in.
    """

    row: Row
    issuer_rights: frozenset[str]

    @property
    def binding(self) -> dict[str, Any]:
        """The further data that it is bound to."""
        read: dict[str, Any] = orjson.loads(self.row["binding"])
        return read


async def record_credential(
    transaction: ReadTransaction, tenant_id: str | None, actor: Actor, credential: Credential
) -> Row | None:
    """Record an issued credential with its audit row. Returns None if its id is recorded already."""
    bound = (
        credential.id,
        tenant_id,
        credential.kind.value,
        credential.site_id,
        credential.agent_id,
        credential.user_id,
        actor.type.value,
        actor.user_id,
        orjson.dumps({**credential.binding, **_build_issuer_binding(actor)}).decode(),
        credential.expires_at,
        credential.is_used,
    )
    rows = await transaction.fetch(_RECORD, bound)
    if not rows:
        return None
    row = dict(rows[0])
    await write_audit_rows(transaction, actor, CREDENTIALS, WriteVerb.CREATE, [(None, row)])
    return row


def _build_issuer_binding(actor: Actor) -> dict[str, str]:
    return {_ISSUED_WITH: actor.id} if actor.type is AuditActor.PLATFORM and actor.id else {}


async def require_active(
    transaction: ReadTransaction,
    tenant_id: str | None,
    credential_id: str,
    kind: CredentialKind,
    *,
    lock: bool = False,
) -> ActiveCredential:
    """Return a credential that is recorded, not revoked and not expired, with its issuer's present rights.

    Args:
        transaction: One as the tables' owner.
        tenant_id: The tenant of the credential; None for a platform token.
        credential_id: The token's `jti`.
        kind: The kind that it must have.
        lock: Whether to lock its row until the transaction ends, for a credential that is used only once.

    Raises:
        UnauthenticatedError: There is no such valid credential. The message does not say why.
    """
    sql = f"{_IN_FORCE} FOR NO KEY UPDATE OF c" if lock else _IN_FORCE
    rows = await transaction.fetch(sql, (credential_id, kind.value, tenant_id))
    if not rows:
        raise UnauthenticatedError("The token is revoked or has expired.")
    row = dict(rows[0])
    return ActiveCredential(row, _read_issuer_rights(row))


def _read_issuer_rights(row: Row) -> frozenset[str]:
    match AuditActor(row["issuer_type"]):
        case AuditActor.USER:
            rights = parse_json(row["issuer_rights"]) if row["issuer_is_active"] else None
            return expand_rights(rights) if isinstance(rights, dict) else frozenset()
        case AuditActor.PLATFORM:
            return frozenset() if row["issuer_is_revoked"] else RIGHTS
        case _:
            return frozenset()


async def end_enrollments_of(
    transaction: ReadTransaction, actor: Actor, tenant_id: str, user_id: str, reason: str
) -> None:
    """Revoke the enrollment tokens that a user has made: restored, the user does not bring them back."""
    ids = [row["id"] for row in await transaction.fetch(_ENROLLMENTS_OF, (tenant_id, user_id))]
    await revoke_recorded(transaction, actor, ids, reason)


async def mark_used(transaction: ReadTransaction, credential_id: str) -> None:
    """Record the first use of a credential. Later uses write nothing."""
    await transaction.fetch(_USE, (credential_id,))


async def revoke_recorded(
    transaction: ReadTransaction, actor: Actor, credential_ids: Sequence[str], reason: str = REVOKED
) -> list[Row]:
    """Revoke credentials, with an audit row each. Returns the rows of those that were not revoked before."""
    before = [dict(row) for row in await transaction.fetch(_LOCKED, (list(credential_ids),))]
    if not before:
        return []
    ids = [row["id"] for row in before]
    after = {row["id"]: dict(row) for row in await transaction.fetch(_REVOKE, (ids, actor.user_id, reason))}
    pairs = [(row, after[row["id"]]) for row in before]
    await write_audit_rows(transaction, actor, CREDENTIALS, WriteVerb.UPDATE, pairs)
    return list(after.values())
