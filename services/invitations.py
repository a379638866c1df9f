"""Invitations: how a person who was invited comes to the row that waits for them, at their first sign-in.

The row has a generated id and is pending. Who shows the code that was made for it takes it over, and so does who
shows a token with an e-mail address that the identity provider has verified and exactly one pending row has: the
row's id becomes the token's subject.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import asyncpg
import orjson

from core.clock import now_ms
from core.database import Database
from core.encryption import ENVELOPE, SecretKeys
from core.errors import ConflictError
from core.ids import new_id
from core.limits import INVITATION_MS
from core.tokens import Identity
from core.transactions import Transaction, carry_out
from core.viewer import ViewerKind
from models.enums import UserStatus
from services.writes.administrators import require_covered, role_rights
from services.writes.record import Verb
from services.writes.statements import locked
from services.writes.users import USERS
from services.writes.writing import Writing

_PLACE: Final = b"invitation"

_WAITING: Final = """
SELECT u.id FROM public.users u JOIN public.tenants t ON t.id = u.tenant_id
WHERE u.status = 'pending' AND u.deleted_at IS NULL AND t.status = 'active' AND t.deleted_at IS NULL
"""
_BY_CODE: Final = f"{_WAITING} AND u.id = $1::text"
_BY_EMAIL: Final = f"{_WAITING} AND app.fold(u.email) = app.fold($1::text) LIMIT 2"

_TAKE: Final = """
UPDATE public.users SET id = $2::text, status = 'active', updated_at = greatest(app.now_ms(), updated_at + 1)
WHERE id = $1::text AND status = 'pending' AND deleted_at IS NULL
RETURNING tenant_id
"""
_AUDIT: Final = """
INSERT INTO public.audit_log (id, tenant_id, user_id, actor_type, actor_id, table_name, record_id, action, changes)
VALUES ($1, $2, $3, 'user', $3, 'users', $3, 'update', $4::text::jsonb)
"""


@dataclass(frozen=True, slots=True)
class InvitationCode:
    """What the invited person shows at the first sign-in, and until when that is good, in ms since the epoch."""

    code: str
    expires_at: int


async def invitation_code(writing: Writing, user_id: str) -> InvitationCode:
    """A code for a pending user of the viewer's tenant; it is kept nowhere.

    Raises:
        ForbiddenError: The viewer may not write users, or lacks a right that the user is going to have.
        NotFoundError: There is no such user.
        ConflictError: The user is not pending, or the server has no key.
    """
    writing.require("Users.Write", "Inviting users")
    (user,) = await locked(writing, USERS, [user_id], Verb.UPDATE)
    require_covered(writing, await role_rights(writing, user["role_id"]), "Inviting a user of this role")
    if user["status"] != UserStatus.PENDING:
        raise ConflictError("The user has signed in already, or is shut out", {"id": "is not PENDING"})
    if not writing.keys:
        raise ConflictError("This server makes no codes: its operator has set no SECRET_KEYS")
    expires_at = now_ms() + INVITATION_MS
    sealed = writing.keys.seal(orjson.dumps([user_id, expires_at]), _PLACE)
    return InvitationCode(sealed.removeprefix(ENVELOPE), expires_at)


def is_invited(identity: Identity) -> bool:
    """Whether an identity shows anything that may lead it to a pending user."""
    return identity.kind is ViewerKind.USER and bool(identity.invitation or identity.email)


async def take_up(database: Database, identity: Identity, keys: SecretKeys) -> bool:
    """Give an identity that no user has the pending user that waits for it; false where none does.

    Of many who try at once, one succeeds.
    """

    async def work(transaction: Transaction) -> bool:
        found = await _found(transaction, identity, keys)
        return found is not None and await _taken(transaction, found, identity.subject)

    with suppress(asyncpg.UniqueViolationError):  # the subject is somebody already, or has become it just now
        return await carry_out(database, work, platform=True)
    return False


async def _found(transaction: Transaction, identity: Identity, keys: SecretKeys) -> str | None:
    invited = _opened(keys, identity.invitation) if identity.invitation else None
    if invited is not None:
        rows = await transaction.fetch(_BY_CODE, (invited,))
    elif identity.email:
        rows = await transaction.fetch(_BY_EMAIL, (identity.email,))
    else:
        return None
    return rows[0]["id"] if len(rows) == 1 else None


def _opened(keys: SecretKeys, code: str) -> str | None:
    """Whom a code invites; None where it is none of ours, or has expired."""
    opened = keys.open(code, _PLACE)
    if opened is None:
        return None
    user_id, expires_at = orjson.loads(opened)
    return str(user_id) if now_ms() < expires_at else None


async def _taken(transaction: Transaction, user_id: str, subject: str) -> bool:
    rows = await transaction.fetch(_TAKE, (user_id, subject))
    if not rows:
        return False
    changes = {"id": [user_id, subject], "status": [UserStatus.PENDING, UserStatus.ACTIVE]}
    row = (new_id(), rows[0]["tenant_id"], subject, orjson.dumps(changes).decode())
    await transaction.fetch(_AUDIT, row)
    return True
