"""Brings the global roles of a database up to date with the roles that this server ships.

    the role is                  never shipped    as it was shipped    changed or renamed    deleted
    then a bootstrap             inserts it       updates it           leaves it             inserts it again
    then a migration             inserts it       updates it           leaves it             leaves it deleted

A side table (`app.shipped_roles`) has the hash of each role as it was shipped last. A migration does nothing
in a database without a bootstrap: its roles were imported, or are those of a demo.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Final

import asyncpg
import orjson

from core.database.database import Connection
from core.database.transactions import WriteTransaction
from models.enums import AuditActor
from services.catalog.content_hash import hash_sql
from services.catalog.roles import ADMINISTRATOR, ROLES, VERSION, ShippedRole
from services.writes.audit import Actor, write_audit_rows
from services.writes.record import Row, WriteVerb
from services.writes.roles import ROLES as ROLE_TABLE

_LOCK: Final = 0x6D73705F726F6C65
"""The advisory lock of an update of the shipped roles: "msp_role" in ASCII."""
ACTOR: Final = Actor(AuditActor.SYSTEM, "roles")
"""The author of the shipped roles, in the audit log."""

_SHIPPED_COLUMNS: Final = ("name", "description", "rights")
_SHIPPED: Final = "jsonb_to_recordset($1::text::jsonb) AS s (name text, description text, rights jsonb)"
_COLUMNS: Final = ", ".join(f"r.{name}" for name in ROLE_TABLE.column_types)
_STATES: Final = f"""
SELECT s.name, {hash_sql("s", _SHIPPED_COLUMNS)} AS shipped, r.id,
       CASE WHEN r.id IS NOT NULL THEN {hash_sql("r", _SHIPPED_COLUMNS)} END AS present,
       k.name IS NOT NULL AS is_recorded, k.role_id, k.content_hash AS recorded, k.version
FROM {_SHIPPED}
LEFT JOIN app.shipped_roles k ON k.name = s.name
LEFT JOIN LATERAL (
    SELECT * FROM public.roles r
    WHERE r.tenant_id IS NULL AND r.deleted_at IS NULL AND (r.id = k.role_id OR r.name = s.name)
    ORDER BY r.id IS NOT DISTINCT FROM k.role_id DESC, r.created_at, r.id
    LIMIT 1
) r ON true
"""  # noqa: S608 - our own names
_BEFORE: Final = f"SELECT {_COLUMNS} FROM public.roles r WHERE r.id = $1 FOR NO KEY UPDATE"  # noqa: S608
_INSERT: Final = f"""
INSERT INTO public.roles AS r (name, description, rights) SELECT s.name, s.description, s.rights FROM {_SHIPPED}
RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names
_UPDATE: Final = f"""
UPDATE public.roles r
SET (description, rights) = ROW (s.description, s.rights), updated_at = app.next_updated_at(r.updated_at)
FROM {_SHIPPED}
WHERE r.id = $2 AND r.deleted_at IS NULL AND {hash_sql("r", _SHIPPED_COLUMNS)} = $3
RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names
_RECORD: Final = """
INSERT INTO app.shipped_roles AS k (name, role_id, content_hash, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET role_id = excluded.role_id, content_hash = excluded.content_hash, version = excluded.version,
    shipped_at = app.now_ms()
"""


@dataclass(frozen=True, slots=True)
class RoleUpdate:
    """The result of an update: the names of the roles that are new, changed, and left as they are."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Roles that the platform has changed, renamed or deleted, or that an import has brought."""


async def update_roles(connection: Connection, *, create: bool) -> RoleUpdate:
    """Insert and update the shipped roles, with audit rows.

    Args:
        connection: The owner's, in a READ COMMITTED transaction of the platform (`app.platform`).
        create: Whether this is a bootstrap, which creates every role that is missing.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    transaction = WriteTransaction(connection)
    states = {row["name"]: row for row in await transaction.fetch(_STATES, (_render_json(*ROLES),))}
    if not create and not _were_shipped(states.values()):
        return RoleUpdate()
    found: dict[str, list[str]] = {"added": [], "updated": [], "kept": []}
    for role in ROLES:
        outcome = await _update_role(transaction, role, states[role.name], create=create)
        if outcome:
            found[outcome].append(role.name)
    return RoleUpdate(**{outcome: tuple(names) for outcome, names in found.items()})


def _were_shipped(states: Collection[asyncpg.Record]) -> bool:
    """Whether a bootstrap has shipped the roles to this database, also if its version did not record it.

    An Administrator that is the same proves nothing: the demo has one.
    """
    return any(
        state["is_recorded"] or (state["name"] != ADMINISTRATOR and state["present"] == state["shipped"])
        for state in states
    )


async def _update_role(
    transaction: WriteTransaction, role: ShippedRole, state: asyncpg.Record, *, create: bool
) -> str | None:
    """Bring one role up to date; returns the list that its name belongs to, None if nothing was to do."""
    if state["present"] is None:
        if state["is_recorded"] and not create:
            return "kept"
        rows = await transaction.fetch(_INSERT, (_render_json(role),))
        return await _finish(transaction, state, None, rows, "added")
    if state["is_recorded"] and state["role_id"] != state["id"]:
        return "kept"
    if state["present"] == state["shipped"]:
        if state["recorded"] != state["shipped"]:
            await transaction.fetch(_RECORD, (role.name, state["id"], state["shipped"], VERSION))
        return None
    if state["recorded"] != state["present"]:
        return "kept"
    if state["version"] > VERSION:
        return None
    before = await transaction.fetch(_BEFORE, (state["id"],))
    rows = await transaction.fetch(_UPDATE, (_render_json(role), state["id"], state["present"]))
    return await _finish(transaction, state, dict(before[0]), rows, "updated")


async def _finish(
    transaction: WriteTransaction,
    state: asyncpg.Record,
    before: Row | None,
    rows: list[asyncpg.Record],
    outcome: str,
) -> str:
    """Record and audit a written role. If another transaction was faster, its row is left as it is."""
    if not rows:
        return "kept"
    await transaction.fetch(_RECORD, (state["name"], rows[0]["id"], state["shipped"], VERSION))
    verb = WriteVerb.CREATE if before is None else WriteVerb.UPDATE
    await write_audit_rows(transaction, ACTOR, ROLE_TABLE, verb, [(before, dict(rows[0]))])
    return outcome


def _render_json(*roles: ShippedRole) -> str:
    return orjson.dumps(
        [asdict(role) | {"rights": dict.fromkeys(role.rights, True)} for role in roles]
    ).decode()
