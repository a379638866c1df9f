"""Subjects of tokens: the user that has one, and how an abandoned row gives its subject up.

    users.id      a deleted row        the invitation            after `release` and `claim`
    'user_2S'     tenant A, deleted                              'user_2S' is tenant B's row, active
    0198...-7     ...                  tenant B, pending         a new id is tenant A's row, deleted and pending

A subject is a user's id in one tenant at a time. A row is abandoned if it or its tenant is deleted, or if no
person has signed in as it. Such a row keeps its history: the foreign keys of the audit log follow it to its
new id.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import orjson

from core.database.database import ReadTransaction
from core.database.watchdog import extend_deadline
from core.ids import generate_id
from core.limits import DATABASE_WATCH_S, RELEASE_TIMEOUT_MS, STATEMENT_TIMEOUT_MS
from models.enums import AuditAction, AuditActor, UserStatus

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('subject' || chr(31) || $1::text, 0))"
_TIMEOUT: Final = "SELECT set_config('statement_timeout', $1::text, true)"

_STATUS: Final = """
SELECT u.status = 'active' AND t.status = 'active' AND r.deleted_at IS NULL AS active
FROM public.users u
JOIN public.tenants t ON t.id = u.tenant_id
JOIN public.roles r ON r.id = u.role_id
WHERE u.id = $1::text AND u.deleted_at IS NULL AND t.deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM app.unclaimed_users c WHERE c.id = u.id)
"""
_FREE: Final = """
SELECT u.tenant_id, u.status
FROM public.users u
JOIN public.tenants t ON t.id = u.tenant_id
WHERE u.id = $1::text
  AND (u.deleted_at IS NOT NULL OR t.deleted_at IS NOT NULL
       OR EXISTS (SELECT FROM app.unclaimed_users c WHERE c.id = u.id))
FOR UPDATE OF u
"""
_RENAME: Final = """
UPDATE public.users SET id = $2::text, status = $3::text, updated_at = app.next_updated_at(updated_at)
WHERE id = $1::text
"""
_MARK: Final = """
INSERT INTO app.unclaimed_users (id, tenant_id) VALUES ($1::text, $2::text) ON CONFLICT (id) DO NOTHING
"""
_AUDIT: Final = """
INSERT INTO public.audit_log (id, tenant_id, user_id, actor_type, actor_id, table_name, record_id, action, changes)
VALUES ($1, $2, $3, $4, $3, 'users', $5, $6, $7::text::jsonb)
"""


class SubjectStatus(StrEnum):
    """The state of a subject."""

    UNKNOWN = "no user has this subject"
    ACTIVE = "a user who may sign in"
    INACTIVE = "a user who may not sign in"


async def lock_subject(snapshot: ReadTransaction, subject: str) -> None:
    """Lock the subject: until this transaction ends, no other transaction gives it to a row."""
    await snapshot.fetch(_LOCK, (subject,))


async def read_subject_status(snapshot: ReadTransaction, subject: str) -> SubjectStatus:
    """The state of the subject. The snapshot must bypass the policies."""
    rows = await snapshot.fetch(_STATUS, (subject,))
    if not rows:
        return SubjectStatus.UNKNOWN
    return SubjectStatus.ACTIVE if rows[0]["active"] else SubjectStatus.INACTIVE


async def release(snapshot: ReadTransaction, subject: str) -> None:
    """Make an abandoned row give its subject up. Without such a row nothing happens.

    The row gets a generated id. If it was ACTIVE it becomes PENDING: restored, it is an invitation. The
    transaction must bypass the policies: the row may belong to another tenant.
    """
    rows = await snapshot.fetch(_FREE, (subject,))
    if not rows:
        return
    tenant_id, before = rows[0]["tenant_id"], rows[0]["status"]
    after = UserStatus.PENDING.value if before == UserStatus.ACTIVE else before
    generated = generate_id()
    # This statement also updates all foreign keys to the person's row.
    with extend_deadline(snapshot.connection, RELEASE_TIMEOUT_MS / 1000 + DATABASE_WATCH_S):
        await snapshot.fetch(_TIMEOUT, (str(RELEASE_TIMEOUT_MS),))
        await snapshot.fetch(_RENAME, (subject, generated, after))
        await snapshot.fetch(_TIMEOUT, (str(STATEMENT_TIMEOUT_MS),))
    await snapshot.fetch(_MARK, (generated, tenant_id))
    changes = {"id": [subject, generated]} | ({"status": [before, after]} if before != after else {})
    await record_identity_change(snapshot, tenant_id, generated, changes, user_id=None)


async def record_identity_change(
    snapshot: ReadTransaction,
    tenant_id: str,
    record_id: str,
    changes: Mapping[str, object],
    *,
    user_id: str | None,
) -> None:
    """Add the audit row of a `users` row with a new id. The author is the system unless a user did it."""
    actor = AuditActor.USER if user_id else AuditActor.SYSTEM
    text = orjson.dumps(changes).decode()
    bound = (generate_id(), tenant_id, user_id, actor.value, record_id, AuditAction.UPDATE.value, text)
    await snapshot.fetch(_AUDIT, bound)
