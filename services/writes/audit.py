"""The trail: for each row that a person or the platform writes one row in the audit log, in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson

from core.database import Snapshot
from core.ids import new_id
from models.enums import AuditAction, AuditActor
from services.writes.complaints import graphql_name
from services.writes.record import Owner, Record, Row, Verb
from services.writes.statements import NEEDS
from services.writes.writing import Writing

_UNSAID: Final = frozenset({"id", "tenant_id", "created_at", "updated_at"})
"""Columns that say nothing beside what the audit row says itself."""

_INSERT: Final = """
INSERT INTO audit_log (id, tenant_id, user_id, actor_type, actor_id, table_name, record_id, action, changes)
SELECT e.id, e.tenant_id, $5::text, $6::text, $9::text, $7::text, e.record_id, $8::text, e.changes
FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[]) AS e (id, tenant_id, record_id, changes)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes, as the audit log has it; the user, too, where it is one."""

    type: AuditActor
    id: str | None = None
    user_id: str | None = None


async def audit(
    writing: Writing, record: Record, verb: Verb, written: Sequence[tuple[Row | None, Row]]
) -> None:
    """Leave the trail of rows that a viewer wrote: each as it was (None for a new one) and as it is."""
    user = writing.viewer.user_id
    await leave_trail(writing.transaction, Actor(writing.actor_type, user, user), record, verb, written)


async def leave_trail(
    transaction: Snapshot,
    actor: Actor,
    record: Record,
    verb: Verb,
    written: Sequence[tuple[Row | None, Row]],
) -> None:
    """Leave the trail of rows that were written by whomever."""
    if not written:
        return
    bound = (
        [new_id() for _ in written],
        [_tenant_of(record, after) for _, after in written],
        [after["id"] for _, after in written],
        [orjson.dumps(changes(record, before, after)).decode() for before, after in written],
        actor.user_id,
        actor.type.value,
        record.table,
        AuditAction(verb.value).value,
        actor.id,
    )
    await transaction.fetch(_INSERT, bound)


def changes(record: Record, before: Row | None, after: Row) -> Mapping[str, list[Any]]:
    """What differs, as `{field: [before, after]}`; a secret shows as a marker."""
    return {
        graphql_name(name): _shown(record, before, after, name)
        for name in record.types
        if name not in _UNSAID and (before[name] if before else None) != after[name]
    }


def _shown(record: Record, before: Row | None, after: Row, name: str) -> list[Any]:
    old, new = before[name] if before else None, after[name]
    if name in record.masked:
        return record.masked[name].shown(old, new, after[f"{NEEDS}{name}"])
    return [_plain(old, record.types[name]), _plain(new, record.types[name])]


def _plain(value: Any, sql_type: str) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return orjson.Fragment(value) if sql_type == "jsonb" and value is not None else value


def _tenant_of(record: Record, row: Row) -> str | None:
    if record.owner is Owner.ITSELF:
        return str(row["id"])
    return row["tenant_id"] if record.has_tenant else None
