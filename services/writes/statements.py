"""The SQL of a write: rows are found and locked among those that are the viewer's, then changed by their ids.

Row-level security says the same once more for all but the platform.
"""

from collections.abc import Sequence
from typing import Final

from core.errors import ForbiddenError, NotFoundError
from core.ids import new_id
from services.writes.record import Owner, Record, Row, Values, Verb
from services.writes.writing import Writing, placeholders

NEEDS: Final = "needs:"
"""Marks what the mask of a column needs, in a row that was read."""

_STAMP: Final = "updated_at = greatest(app.now_ms(), t.updated_at + 1)"
_LOCKS: Final = {Verb.DELETE: "FOR UPDATE"}
"""Rows to delete are locked against those that are just going to refer to them."""


async def locked(writing: Writing, record: Record, ids: Sequence[str], verb: Verb) -> list[Row]:
    """The rows of these ids in their order, locked; a restore finds deleted rows, too.

    Raises:
        ForbiddenError: A row is offered to all tenants, and the viewer is one of them.
        NotFoundError: A row is not there, or another tenant's.
    """
    conditions = ["t.id = ANY($1::text[])", *scope(writing, record, "$2")]
    if record.soft_deletes and verb is not Verb.RESTORE:
        conditions.append("t.deleted_at IS NULL")
    lock = _LOCKS.get(verb, "FOR NO KEY UPDATE")
    sql = f"SELECT {_returned(record)} FROM {record.table} t WHERE {' AND '.join(conditions)} ORDER BY t.id {lock}"
    bound = [writing.viewer.tenant_id] if "$2" in sql else []
    found = {row["id"]: dict(row) for row in await writing.rows(sql, list(ids), *bound)}
    missing = [row_id for row_id in dict.fromkeys(ids) if row_id not in found]
    if missing:
        await _refuse_global(writing, record, missing)
        raise NotFoundError(f"There is no such {record.one}: {', '.join(map(repr, missing[:10]))}")
    return [found[row_id] for row_id in dict.fromkeys(ids)]


def scope(writing: Writing, record: Record, tenant: str) -> list[str]:
    """The conditions under which a row `t` is the viewer's to write; `tenant` is the tenant's placeholder.

    Raises:
        BadUserInputError: The platform names no tenant where one is needed.
    """
    match record.owner:
        case Owner.PLATFORM:
            return []
        case Owner.ITSELF:
            return [] if writing.is_platform else [f"t.id = {tenant}::text"]
        case Owner.TENANT_OR_GLOBAL if writing.is_platform:
            if writing.viewer.tenant_id is None:
                return ["t.tenant_id IS NULL"]
            return [f"(t.tenant_id = {tenant}::text OR t.tenant_id IS NULL)"]
        case _:
            writing.tenant()
            return [f"t.tenant_id = {tenant}::text"]


async def _refuse_global(writing: Writing, record: Record, ids: Sequence[str]) -> None:
    if record.owner is not Owner.TENANT_OR_GLOBAL or writing.is_platform:
        return
    offered = "t.tenant_id IS NULL AND t.deleted_at IS NULL"
    sql = f"SELECT FROM {record.table} t WHERE t.id = ANY($1::text[]) AND {offered}"
    if await writing.rows(sql, list(ids)):
        raise ForbiddenError(f"A global {record.one} is changed by the platform alone")


async def insert(writing: Writing, record: Record, values: Values) -> Row:
    """Insert a row; ids that are not among the values are new ones."""
    row = {"id": new_id(), **_whose(writing, record), **values}
    places = placeholders([record.types[name] for name in row])
    columns = ", ".join(f'"{name}"' for name in row)
    sql = f"INSERT INTO {record.table} AS t ({columns}) VALUES ({', '.join(places)}) RETURNING {_returned(record)}"
    return dict((await writing.rows(sql, *row.values()))[0])


def _whose(writing: Writing, record: Record) -> Values:
    if not record.has_tenant:
        return {}
    if record.owner is Owner.TENANT_OR_GLOBAL and writing.is_platform:
        return {"tenant_id": writing.viewer.tenant_id}
    return {"tenant_id": writing.tenant()}


async def change(writing: Writing, record: Record, ids: Sequence[str], values: Values) -> list[Row]:
    """Set the same values in rows that are locked; returns them in the order of their ids."""
    places = placeholders([record.types[name] for name in values], first=2)
    sets = [f'"{name}" = {place}' for name, place in zip(values, places, strict=True)]
    return await _set(writing, record, ids, sets, *values.values())


async def mark(writing: Writing, record: Record, ids: Sequence[str], *, deleted: bool) -> list[Row]:
    """Mark locked rows as deleted, or no longer; returns them in the order of their ids."""
    return await _set(writing, record, ids, [f"deleted_at = {'app.now_ms()' if deleted else 'NULL'}"])


async def _set(
    writing: Writing, record: Record, ids: Sequence[str], sets: list[str], *bound: object
) -> list[Row]:
    if record.stamped:
        sets = [*sets, _STAMP]
    sql = f"UPDATE {record.table} t SET {', '.join(sets)} WHERE t.id = ANY($1::text[]) RETURNING {_returned(record)}"
    written = {row["id"]: dict(row) for row in await writing.rows(sql, list(ids), *bound)}
    return [written[row_id] for row_id in ids]


def _returned(record: Record) -> str:
    columns = [f't."{name}"' for name in record.types]
    needs = [f'{mask.needs} AS "{NEEDS}{name}"' for name, mask in record.masked.items()]
    return ", ".join((*columns, *needs))
