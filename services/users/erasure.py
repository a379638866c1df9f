"""Erases a person: the personal values of a deleted user's row, and of all audit rows that have them.

The audit log is append-only. Its trigger permits one change of values: that texts become "erased". The log keeps who
did what and when, by the user's id.
"""

from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from core.errors import StartupError

ERASED: Final = "erased"

_LOCK: Final = """
SELECT u.id, u.tenant_id, u.email, u.name, u.deleted_at FROM public.users u WHERE u.id = $1 FOR UPDATE
"""

# An id changes when an invitation is accepted, and when a deleted user's id is given to another row.
_FORMER_IDS: Final = """
WITH RECURSIVE known (id) AS (
    SELECT $2::text COLLATE "C"
    UNION
    SELECT former.id COLLATE "C" FROM known k
    JOIN public.audit_log a ON a.tenant_id = $1 AND a.table_name = 'users'
        AND (a.record_id = k.id OR a.changes -> 'id' ->> 1 = k.id) AND a.changes -> 'id' ->> 1 = k.id
    CROSS JOIN LATERAL (VALUES (a.changes -> 'id' ->> 0), (a.record_id)) AS former (id)
    WHERE former.id IS NOT NULL
)
SELECT id FROM known
"""

_ROWS: Final = """
SELECT id, changes, table_name = 'users' AND record_id = ANY ($2::text[]) AS is_own FROM public.audit_log
WHERE tenant_id = $1
  AND ((table_name = 'users' AND record_id = ANY ($2::text[])) OR strpos(lower(changes::text), lower($3)) > 0)
FOR UPDATE
"""

_ERASE_ROW: Final = "UPDATE public.audit_log SET changes = $2::text::jsonb WHERE id = $1"

_ERASE_USER: Final = """
UPDATE public.users SET name = 'erased', email = 'erased-' || id || '@erased.invalid', metadata = '{}',
       updated_at = app.next_updated_at(updated_at)
WHERE id = $1
"""

_AUDIT: Final = """
INSERT INTO public.audit_log (tenant_id, actor_type, table_name, record_id, action, changes)
VALUES ($1, 'system', 'users', $2, 'update', jsonb_build_object(
    'erased', jsonb_build_array(false, true), 'auditRows', jsonb_build_array(null, $3::int)))
"""

_OWN_KEPT: Final = frozenset({"id", "status", "roleId", "tenantId", "createdAt", "updatedAt", "deletedAt"})
"""The fields of a user's audit rows that are not personal."""


class Erasure(NamedTuple):
    """What was erased.

    Attributes:
        audit_rows: The audit rows with values that were erased.
    """

    audit_rows: int


async def erase_person(connection: asyncpg.Connection, user_id: str) -> Erasure:
    """Erase a deleted user, in one transaction. To repeat it changes nothing more.

    Args:
        connection: The owner's, without a transaction.
        user_id: The id of the user's row.

    Raises:
        StartupError: There is no such user, or the user is not deleted.
    """
    async with connection.transaction():
        await connection.execute(
            "SELECT set_config('app.platform', 'on', true), set_config('app.erasure', 'on', true)"
        )
        user = await connection.fetchrow(_LOCK, user_id)
        if user is None:
            raise StartupError("There is no user with this id.")
        if user["deleted_at"] is None:
            raise StartupError("The user is not deleted. Delete the user first (deleteUser).")
        ids = [row["id"] for row in await connection.fetch(_FORMER_IDS, user["tenant_id"], user_id)]
        erased = 0
        for row in await connection.fetch(_ROWS, user["tenant_id"], ids, user["email"]):
            erased += await _erase_row(connection, row, user["email"])
        if user["name"] != ERASED or erased:
            await connection.execute(_ERASE_USER, user_id)
            await connection.execute(_AUDIT, user["tenant_id"], user_id, erased)
    return Erasure(erased)


async def _erase_row(connection: asyncpg.Connection, row: asyncpg.Record, email: str) -> int:
    """Erase the values of one audit row; returns 1 if there were any."""
    before = orjson.loads(row["changes"])
    after = {
        name: _erase_all(value)
        if row["is_own"] and _is_personal(name)
        else _erase_email(value, email.lower())
        for name, value in before.items()
    }
    if after == before:
        return 0
    await connection.execute(_ERASE_ROW, row["id"], orjson.dumps(after).decode())
    return 1


def _is_personal(name: str) -> bool:
    return name not in _OWN_KEPT and name not in ("erased", "auditRows", "credential")


def _erase_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _erase_all(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_erase_all(inner) for inner in value]
    return None if value is None else ERASED


def _erase_email(value: Any, email: str) -> Any:
    if isinstance(value, dict):
        return {name: _erase_email(inner, email) for name, inner in value.items()}
    if isinstance(value, list):
        return [_erase_email(inner, email) for inner in value]
    return ERASED if isinstance(value, str) and email in value.lower() else value
