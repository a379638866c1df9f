"""Brings the catalog of a database up to date with the entries that this server ships.

    the row is                       no entry yet     as it was shipped     changed or imported
    then                             inserted         updated               left as it is, and reported

A side table (`app.shipped_integrations`) has the hash of each entry as it was shipped last. `is_active` belongs
to the platform: it is set in a new row only, and it is no part of the hash.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

import asyncpg
import orjson
import structlog

from core.database.database import Connection
from core.database.transactions import WriteTransaction
from core.limits import STATEMENT_TIMEOUT_MS
from models.enums import AuditActor
from services.catalog.content_hash import hash_sql
from services.catalog.entries import CATALOG, VERSION, CatalogEntry
from services.catalog.role_updates import RoleUpdate, update_roles
from services.configs.written_order import add_written_order
from services.import_lock import TRY_BACKGROUND
from services.writes.audit import Actor, write_audit_rows
from services.writes.integrations import INTEGRATIONS
from services.writes.record import Row, WriteVerb

_LOCK: Final = 0x6D73705F6361746C
"""The advisory lock of a catalog's update: "msp_catl" in ASCII."""
ACTOR: Final = Actor(AuditActor.SYSTEM, "catalog")
"""The author of what the product ships, in the audit log."""

_SHIPPED_COLUMNS: Final = (
    "name", "description", "category", "supported_types", "icon_url", "color", "level", "product_url",
    "config_schema",
)  # fmt: skip


_ENTRIES: Final = """jsonb_to_recordset($1::text::jsonb) AS s (
    id text, name text, description text, category text, supported_types text[], icon_url text, color text,
    level text, product_url text, config_schema jsonb, is_active boolean
)"""
_COLUMNS: Final = ", ".join(f"i.{name}" for name in INTEGRATIONS.column_types)
_STATES: Final = f"""
SELECT s.id, {hash_sql("s", _SHIPPED_COLUMNS)} AS shipped,
       CASE WHEN i.id IS NOT NULL THEN {hash_sql("i", _SHIPPED_COLUMNS)} END AS present,
       k.content_hash AS recorded, k.version
FROM {_ENTRIES}
LEFT JOIN public.integrations i ON i.id = s.id
LEFT JOIN app.shipped_integrations k ON k.integration_id = s.id
"""  # noqa: S608 - our own names
_BEFORE: Final = f"SELECT {_COLUMNS} FROM public.integrations i WHERE i.id = $1 FOR NO KEY UPDATE"  # noqa: S608
_INSERT: Final = f"""
INSERT INTO public.integrations AS i (id, is_active, {", ".join(_SHIPPED_COLUMNS)})
SELECT s.id, s.is_active, {", ".join(f"s.{name}" for name in _SHIPPED_COLUMNS)} FROM {_ENTRIES}
ON CONFLICT (id) DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names
_UPDATE: Final = f"""
UPDATE public.integrations i
SET ({", ".join(_SHIPPED_COLUMNS)}) = ROW ({", ".join(f"s.{name}" for name in _SHIPPED_COLUMNS)}),
    updated_at = app.next_updated_at(i.updated_at)
FROM {_ENTRIES}
WHERE i.id = s.id AND {hash_sql("i", _SHIPPED_COLUMNS)} = $2
RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names
_RECORD: Final = """
INSERT INTO app.shipped_integrations AS k (integration_id, content_hash, version) VALUES ($1, $2, $3)
ON CONFLICT (integration_id) DO UPDATE
SET content_hash = excluded.content_hash, version = excluded.version, shipped_at = app.now_ms()
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CatalogUpdate:
    """The result of an update: the ids of the entries that are new, changed, and left as they are."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Entries that the platform or an import has changed, so that they differ from the shipped ones."""


async def update_catalog(connection: Connection) -> CatalogUpdate | None:
    """Insert and update entries, with audit rows. Returns None, without any effect, while an import runs.

    Args:
        connection: The owner's, in a READ COMMITTED transaction of the platform (`app.platform`).
    """
    if not await connection.fetchval(f"SELECT {TRY_BACKGROUND}"):
        return None
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    transaction = WriteTransaction(connection)
    found: dict[str, list[str]] = {"added": [], "updated": [], "kept": []}
    states = {row["id"]: row for row in await transaction.fetch(_STATES, (_render_json(*CATALOG),))}
    for entry in CATALOG:
        outcome = await _update_entry(transaction, entry, states[entry.id])
        if outcome:
            found[outcome].append(entry.id)
    return CatalogUpdate(**{name: tuple(ids) for name, ids in found.items()})


async def refresh_catalog(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Update the catalog and the global roles in a transaction, and log what changed and what was left as it is."""
    roles = RoleUpdate()
    async with connection.transaction(isolation="read_committed"):
        await connection.execute(
            f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}; SELECT set_config('app.platform', 'on', true)"
        )
        done = await update_catalog(connection)
        if done is not None:
            roles = await update_roles(connection, create=False)
    if done is None:
        _log.warning("catalog not updated: an import is running")
        return
    if done.added or done.updated:
        _log.info("catalog updated", added=done.added, updated=done.updated)
    if done.kept:
        _log.info("catalog entries left as they are: changed by the platform or imported", ids=done.kept)
    if roles.added or roles.updated:
        _log.info("global roles updated", added=roles.added, updated=roles.updated)
    if roles.kept:
        _log.info("global roles left as they are: changed by the platform or imported", names=roles.kept)


async def _update_entry(
    transaction: WriteTransaction, entry: CatalogEntry, state: asyncpg.Record
) -> str | None:
    """Bring one entry up to date; returns the list that its id belongs to, None if nothing was to do."""
    if state["present"] is None:
        rows = await transaction.fetch(_INSERT, (_render_json(entry),))
        return await _finish(transaction, entry, state, None, rows, "added")
    if state["present"] == state["shipped"]:
        if state["recorded"] != state["shipped"]:
            await transaction.fetch(_RECORD, (entry.id, state["shipped"], VERSION))
        return None
    if state["recorded"] != state["present"]:
        return "kept"
    if state["version"] > VERSION:
        return None
    before = await transaction.fetch(_BEFORE, (entry.id,))
    rows = await transaction.fetch(_UPDATE, (_render_json(entry), state["present"]))
    return await _finish(transaction, entry, state, dict(before[0]), rows, "updated")


async def _finish(
    transaction: WriteTransaction,
    entry: CatalogEntry,
    state: asyncpg.Record,
    before: Row | None,
    rows: list[asyncpg.Record],
    outcome: str,
) -> str:
    """Record and audit a written entry. If another transaction was faster, its row is left as it is."""
    if not rows:
        return "kept"
    await transaction.fetch(_RECORD, (entry.id, state["shipped"], VERSION))
    verb = WriteVerb.CREATE if before is None else WriteVerb.UPDATE
    await write_audit_rows(transaction, ACTOR, INTEGRATIONS, verb, [(before, dict(rows[0]))])
    return outcome


def _render_json(*entries: CatalogEntry) -> str:
    shown: list[dict[str, Any]] = [
        {name: value for name, value in asdict(entry).items() if name != "schedules"}
        | {"config_schema": add_written_order(entry.config_schema)}
        for entry in entries
    ]
    return orjson.dumps(shown).decode()
