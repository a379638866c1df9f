"""Invitation codes. A person with a valid code becomes its pending user, whatever the person's e-mail address.

A code is valid once. It is bound to the state of the user at the time of issue: row, role and the role's
rights, e-mail address, version. If any of these changes, or another code is issued, the code is no longer
valid. Its issuer must still be allowed to invite that user when it is redeemed.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.auth.tokens import Identity
from core.clock import now_ms
from core.database.database import Database, Record
from core.database.transactions import WriteTransaction, ignore_commit, run_in_transaction
from core.encryption import ENVELOPE, SecretKeys
from core.errors import ConflictError, UnauthenticatedError
from core.fair_queue import STRANGERS
from core.ids import generate_id
from core.limits import INVITATION_MS
from models.enums import CredentialKind, UserStatus
from services.users.invitation_acceptance import claim
from services.writes.administrator_rules import load_role_rights, parse_rights, require_rights_granted
from services.writes.audit import get_actor
from services.writes.issued_credentials import (
    ActiveCredential,
    Credential,
    mark_used,
    record_credential,
    require_active,
    revoke_recorded,
)
from services.writes.record import WriteVerb
from services.writes.subjects import SubjectStatus, lock_subject, read_subject_status
from services.writes.users import USERS
from services.writes.write_context import WriteContext
from services.writes.write_sql import lock_rows

SUPERSEDED: Final = "another code was made"
"""The revocation reason of a code that a newer one replaced."""

_RIGHT: Final = "Users.Write"
_SECRET_CONTEXT: Final = b"invitation"

_FORMER: Final = """
SELECT id FROM issued_credentials WHERE user_id = $1::text AND kind = 'invitation' AND revoked_at IS NULL
"""
_INVITED: Final = """
SELECT u.id, u.tenant_id, u.role_id, u.email, u.updated_at, r.rights::text AS rights
FROM public.users u
JOIN public.tenants t ON t.id = u.tenant_id
JOIN public.roles r ON r.id = u.role_id
WHERE u.id = $1::text AND u.status = 'pending' AND u.deleted_at IS NULL
  AND t.status = 'active' AND t.deleted_at IS NULL AND r.deleted_at IS NULL
FOR UPDATE OF u
"""


@dataclass(frozen=True, slots=True)
class InvitationCode:
    """The code that the invited person sends at the first sign-in, and its expiry in ms since the epoch.

    The id is that of the credential, by which the code is listed and revoked.
    """

    id: str
    code: str
    expires_at: int


async def issue_invitation_code(writing: WriteContext, user_id: str) -> InvitationCode:
    """Issue a code for a pending user of the viewer's tenant. Earlier codes are revoked.

    Raises:
        ForbiddenError: The viewer may not write users, or lacks a right that the user will have.
        NotFoundError: There is no such user.
        ConflictError: The user is not pending, or the server has no key.
    """
    writing.require_right(_RIGHT, "Inviting users")
    (user,) = await lock_rows(writing, USERS, [user_id], WriteVerb.UPDATE)
    rights = await load_role_rights(writing, user["role_id"])
    require_rights_granted(writing, rights, "Inviting a user with this role")
    if user["status"] != UserStatus.PENDING:
        raise ConflictError("The user has signed in already or was deactivated", {"id": "must be PENDING"})
    if not writing.keys:
        raise ConflictError("The server cannot create codes: the operator must set SECRET_KEYS")
    credential = Credential(
        generate_id(),
        CredentialKind.INVITATION,
        now_ms() + INVITATION_MS,
        user_id=user_id,
        binding={"digest": _compute_binding(user, rights)},
    )
    await _record_code(writing, user["tenant_id"], credential)
    sealed = writing.keys.seal(orjson.dumps([credential.id, user["tenant_id"]]), _SECRET_CONTEXT)
    return InvitationCode(credential.id, sealed.removeprefix(ENVELOPE), credential.expires_at)


async def _record_code(writing: WriteContext, tenant_id: str, credential: Credential) -> None:
    actor = get_actor(writing)
    former = [row["id"] for row in await writing.fetch_rows(_FORMER, credential.user_id)]
    await revoke_recorded(writing.transaction, actor, former, SUPERSEDED)
    await record_credential(writing.transaction, tenant_id, actor, credential)


async def redeem_invitation(
    database: Database, identity: Identity, keys: SecretKeys, committed: Callable[[], None] = ignore_commit
) -> bool:
    """Redeem the identity's code if it is valid; returns whether the subject then belongs to a user who may sign in.

    Of several concurrent attempts, one succeeds.
    """
    code = _read_code(keys, identity.invitation) if identity.invitation else None

    async def redeem_in_transaction(transaction: WriteTransaction) -> bool:
        await lock_subject(transaction, identity.subject)
        now = await read_subject_status(transaction, identity.subject)
        if now is not SubjectStatus.UNKNOWN or code is None:
            return now is SubjectStatus.ACTIVE
        try:
            await _redeem_code(transaction, identity.subject, *code)
        except UnauthenticatedError:
            return False
        return True

    return await run_in_transaction(
        database, redeem_in_transaction, platform=True, share=STRANGERS, on_commit=committed
    )


async def _redeem_code(
    transaction: WriteTransaction, subject: str, credential_id: str, tenant_id: str
) -> None:
    """Give the subject to the user that a code invites.

    Raises:
        UnauthenticatedError: The code is not valid, or no longer.
    """
    kind = CredentialKind.INVITATION
    seen = await require_active(transaction, tenant_id, credential_id, kind)
    user = await _load_pending_user(transaction, seen.row["user_id"])
    # The user is locked before the credential, as in the transaction that issues another code.
    code = await require_active(transaction, tenant_id, credential_id, kind, lock=True)
    if not _is_good(code, user):
        raise UnauthenticatedError("The invitation code is no longer valid.")
    await claim(transaction, user, subject, credential_id)
    await mark_used(transaction, credential_id)


async def _load_pending_user(transaction: WriteTransaction, user_id: str) -> Record:
    rows = await transaction.fetch(_INVITED, (user_id,))
    if not rows:
        raise UnauthenticatedError("The invitation no longer exists.")
    return rows[0]


def _is_good(code: ActiveCredential, user: Record) -> bool:
    """Whether a valid code fits the present state of the user, and its issuer may still invite that user."""
    needed = parse_rights(user["rights"]) | {_RIGHT}
    return (
        code.row["first_used_at"] is None
        and code.binding.get("digest") == _compute_binding(dict(user), user["rights"])
        and needed <= code.issuer_rights
    )


def _compute_binding(user: Mapping[str, Any], rights: str | None) -> str:
    """The data that a code is bound to, as SHA-256 in hex."""
    bound = [user["id"], user["role_id"], rights, user["email"], user["updated_at"]]
    return hashlib.sha256(orjson.dumps(bound)).hexdigest()


def _read_code(keys: SecretKeys, code: str) -> tuple[str, str] | None:
    """The credential and tenant of a code; None if this server did not issue it."""
    opened = keys.open(code, _SECRET_CONTEXT)
    read = orjson.loads(opened) if opened is not None else None
    # Codes of former versions contained the user and a time.
    if not isinstance(read, list) or not all(isinstance(field, str) for field in read):
        return None
    credential_id, tenant_id = read
    return credential_id, tenant_id
