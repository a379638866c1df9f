"""Accepting an invitation: lists a person's invitations, and gives the chosen pending row to the person.

The person presents a token. No user has its subject. The identity provider has verified the e-mail address
in it. Accepting takes an explicit choice: each invitation is listed with its tenant, and the person picks
one.
"""

from dataclasses import dataclass
from typing import Final

from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.database.database import ReadTransaction, Record
from core.database.transactions import WriteTransaction
from core.errors import ConflictError, NotFoundError
from core.limits import PENDING_INVITATIONS_MAX
from models.enums import AuditActor, UserStatus
from services.users.sign_in import build_inactive_user_error
from services.writes.audit import Actor
from services.writes.issued_credentials import revoke_recorded
from services.writes.subjects import (
    SubjectStatus,
    lock_subject,
    read_subject_status,
    record_identity_change,
    release,
)
from services.writes.validation_errors import require_storable_texts
from services.writes.write_context import WriteContext

ACCEPTED: Final = "the invitation was accepted"
"""The revocation reason of codes that are no longer needed."""

_WAITING: Final = """
FROM public.users u
JOIN public.tenants t ON t.id = u.tenant_id
JOIN public.roles r ON r.id = u.role_id
WHERE u.status = 'pending' AND u.deleted_at IS NULL
  AND t.status = 'active' AND t.deleted_at IS NULL AND r.deleted_at IS NULL
"""
_MINE: Final = "AND app.email_identity(u.email) = app.email_identity($1::text)"

_LISTED: Final = f"""
SELECT u.id, t.name AS tenant_name, r.name AS role_name, u.created_at AS invited_at,
       (SELECT p.name FROM public.audit_log a
        JOIN public.users p ON p.tenant_id = a.tenant_id AND p.id = a.user_id
        WHERE a.table_name = 'users' AND a.tenant_id = u.tenant_id AND a.record_id = u.id
          AND a.action IN ('create', 'restore')
        ORDER BY a.created_at DESC, a.id DESC LIMIT 1) AS inviter_name
{_WAITING} {_MINE}
ORDER BY u.created_at, u.id LIMIT {PENDING_INVITATIONS_MAX}
"""  # noqa: S608 - our own words
_ONE: Final = f"""
SELECT u.id, u.tenant_id, t.name AS tenant_name, r.name AS role_name
{_WAITING} {_MINE} AND u.id = $2::text FOR UPDATE OF u
"""
_CODES: Final = """
SELECT id FROM public.issued_credentials
WHERE user_id = $1::text AND tenant_id = $2::text AND kind = 'invitation'
  AND revoked_at IS NULL AND first_used_at IS NULL
"""
_CLAIM: Final = """
UPDATE public.users SET id = $2::text, status = 'active', updated_at = app.next_updated_at(updated_at)
WHERE id = $1::text
"""


@dataclass(frozen=True, slots=True)
class PendingInvitation:
    """An invitation that a person may accept.

    Attributes:
        id: The id of the pending user.
        tenant_name: The tenant that invites.
        role_name: The role that the person will have.
        inviter_name: The user who invited; None where it was the platform or an import.
        invited_at: The time of the invitation, in ms since the epoch.
    """

    id: str
    tenant_name: str
    role_name: str
    inviter_name: str | None
    invited_at: int


@dataclass(frozen=True, slots=True)
class AcceptedInvitation:
    """The user that a person has become: its id, which is the token's subject, and its tenant and role."""

    user_id: str
    tenant_name: str
    role_name: str


async def pending_invitations(snapshot: ReadTransaction, identity: Identity) -> list[PendingInvitation]:
    """The invitations of a person, oldest first, at most `PENDING_INVITATIONS_MAX`.

    Args:
        snapshot: One that bypasses the policies: the rows are of any tenant.
        identity: The verified token. Without a verified e-mail address there are no invitations.

    Raises:
        UnauthenticatedError: The subject belongs to a user, who may not sign in.
    """
    if await read_subject_status(snapshot, identity.subject) is not SubjectStatus.UNKNOWN:
        raise build_inactive_user_error()
    if identity.email is None:
        return []
    return [PendingInvitation(**row) for row in await snapshot.fetch(_LISTED, (identity.email,))]


async def build_invited_viewer(transaction: WriteTransaction, identity: Identity) -> Viewer:
    """The viewer of a person who is no user yet. A lock on the token's subject keeps it so.

    Raises:
        UnauthenticatedError: The subject belongs to a user, who may not sign in.
        ConflictError: A concurrent request has just given the subject to a user.
    """
    await lock_subject(transaction, identity.subject)
    match await read_subject_status(transaction, identity.subject):
        case SubjectStatus.INACTIVE:
            raise build_inactive_user_error()
        case SubjectStatus.ACTIVE:
            raise _build_one_tenant_error()
    return Viewer(ViewerKind.INVITED, None, None, None, frozenset(), identity.expires_at)


async def accept(writing: WriteContext, invitation_id: str) -> AcceptedInvitation:
    """Give the pending row of this id to the person.

    Raises:
        ConflictError: The viewer is a user already.
        NotFoundError: The person has no such invitation.
    """
    identity = writing.identity
    if writing.viewer.kind is not ViewerKind.INVITED or identity is None:
        raise _build_one_tenant_error()
    require_storable_texts(id=invitation_id)
    found = await _load_invitation(writing.transaction, identity, invitation_id)
    await claim(writing.transaction, found, identity.subject)
    return AcceptedInvitation(identity.subject, found["tenant_name"], found["role_name"])


async def claim(
    transaction: WriteTransaction, row: Record, subject: str, credential_id: str | None = None
) -> None:
    """Give the subject to a locked pending row. The subject is locked, and no row has it.

    Args:
        transaction: One that bypasses the policies.
        row: The row's `id` and `tenant_id`.
        subject: The token's subject.
        credential_id: The id of the code that the person used. All other codes of the row are revoked.
    """
    waiting, tenant_id = row["id"], row["tenant_id"]
    codes = [code["id"] for code in await transaction.fetch(_CODES, (waiting, tenant_id))]
    if waiting != subject:
        await release(transaction, subject)
    await transaction.fetch(_CLAIM, (waiting, subject))
    named = {} if waiting == subject else {"id": [waiting, subject]}
    used = {} if credential_id is None else {"credential": [None, credential_id]}
    changes = {**named, "status": [UserStatus.PENDING, UserStatus.ACTIVE], **used}
    await record_identity_change(transaction, tenant_id, subject, changes, user_id=subject)
    actor = Actor(AuditActor.USER, subject, subject)
    await revoke_recorded(transaction, actor, [code for code in codes if code != credential_id], ACCEPTED)


async def _load_invitation(transaction: WriteTransaction, identity: Identity, invitation_id: str) -> Record:
    rows = await transaction.fetch(_ONE, (identity.email, invitation_id)) if identity.email else []
    if not rows:
        raise NotFoundError(f"No such invitation: {invitation_id!r}")
    return rows[0]


def _build_one_tenant_error() -> ConflictError:
    return ConflictError("The viewer is a user already: a person can be a user of only one tenant")
