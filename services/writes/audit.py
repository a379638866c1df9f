"""The audit log: one row for each row that a user or the platform writes, in the same transaction."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from core.case_conversion import to_camel_case
from core.clock import NEVER
from core.database.database import ReadTransaction
from core.database.transactions import charge_write, count_bytes
from core.ids import generate_id
from core.limits import AUDIT_STEP_BYTES
from models.enums import AuditAction, AuditActor
from services.writes.json_changes import reduce_to_changes
from services.writes.record import Row, RowOwner, WritableTable, WriteVerb
from services.writes.write_context import WriteContext
from services.writes.write_sql import EXTRA_COLUMNS

_UNCHANGED_MARKER: Final = frozenset({"id", "tenant_id", "created_at", "updated_at"})
"""Columns that the audit row itself already contains."""

_INSERT: Final = """
INSERT INTO audit_log (id, tenant_id, user_id, actor_type, actor_id, table_name, record_id, action, changes)
SELECT e.id, e.tenant_id, $5::text, $6::text, $9::text, $7::text, e.record_id, $8::text, e.changes
FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) AS e (id, tenant_id, record_id, changes)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a write for the audit log, with the user if it is one.

    `credential_id` is the author's credential if the server issued it. The changes in the audit row name it.
    """

    type: AuditActor
    id: str | None = None
    user_id: str | None = None
    credential_id: str | None = None


async def audit_viewer_write(
    writing: WriteContext, record: WritableTable, verb: WriteVerb, written: Sequence[tuple[Row | None, Row]]
) -> None:
    """Write audit rows for a viewer's changes: each row before (None for a new one) and after."""
    await write_audit_rows(writing.transaction, get_actor(writing), record, verb, written)


def get_actor(writing: WriteContext) -> Actor:
    """The author of a write, for the audit log."""
    return Actor(writing.actor_type, writing.actor_id, writing.viewer.user_id)


async def write_audit_rows(
    transaction: ReadTransaction,
    actor: Actor,
    record: WritableTable,
    verb: WriteVerb,
    written: Sequence[tuple[Row | None, Row]],
) -> None:
    """Write audit rows for the changes of any author."""
    if not written:
        return
    changes = await _render_changes(transaction, actor, record, written)
    bound = (
        [generate_id() for _ in written],
        [_find_row_tenant(record, after) for _, after in written],
        [after["id"] for _, after in written],
        changes,
        actor.user_id,
        actor.type.value,
        record.table,
        AuditAction(verb.value).value,
        actor.id,
    )
    await transaction.fetch(_INSERT, bound)


async def _render_changes(
    transaction: ReadTransaction,
    actor: Actor,
    record: WritableTable,
    written: Sequence[tuple[Row | None, Row]],
) -> list[str]:
    """The changes of each row as JSON. Other requests run in between."""
    by = {"credential": [None, actor.credential_id]} if actor.credential_id else {}
    rendered, compared = [], 0
    for before, after in written:
        text = orjson.dumps({**diff_rows(record, before, after), **by}).decode()
        charge_write(transaction, text)
        rendered.append(text)
        compared += count_bytes(list(after.values()))
        if compared > AUDIT_STEP_BYTES:
            compared = 0
            await asyncio.sleep(0)
    return rendered


def diff_rows(record: WritableTable, before: Row | None, after: Row) -> Mapping[str, list[Any]]:
    """The differences, as `{field: [before, after]}`. A secret shows as a marker, and the time `NEVER` as null.

    JSON has only what has changed.
    """
    return {
        to_camel_case(name): _audit_pair(record, before, after, name)
        for name in record.column_types
        if name not in _UNCHANGED_MARKER
        and (_shown(record, name, before[name]) if before else None) != _shown(record, name, after[name])
    }


def _audit_pair(record: WritableTable, before: Row | None, after: Row, name: str) -> list[Any]:
    old, new = before[name] if before else None, after[name]
    if name in record.masked:
        return record.masked[name].shown(old, new, after[f"{EXTRA_COLUMNS}{name}"])
    sql_type = record.column_types[name]
    if sql_type == "jsonb" and old is not None and new is not None:
        old, new = reduce_to_changes(old, new)
    return [_to_json_value(_shown(record, name, value), sql_type) for value in (old, new)]


def _shown(record: WritableTable, name: str, value: Any) -> Any:
    """A value as clients see it: never is null."""
    if value != NEVER:
        return value
    field = record.by_name.get(name)
    return None if field is not None and field.may_be_never else value


def _to_json_value(value: Any, sql_type: str) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return orjson.Fragment(value) if sql_type == "jsonb" and value is not None else value


def _find_row_tenant(record: WritableTable, row: Row) -> str | None:
    if record.owner is RowOwner.ITSELF:
        return str(row["id"])
    return row["tenant_id"] if record.has_tenant else None
