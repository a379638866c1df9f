"""The SQL of a write. It finds and locks rows that the viewer may write, then changes them by id.

Row-level security enforces the same again, except for the platform.
"""

from collections.abc import Sequence
from typing import Final

from core.database.transactions import count_bytes
from core.errors import ForbiddenError, NotFoundError
from core.ids import generate_id
from services.writes.record import Row, RowOwner, Values, WritableTable, WriteVerb
from services.writes.write_context import WriteContext, build_placeholders

EXTRA_COLUMNS: Final = "needs:"
"""The prefix of a value in a read row that the mask of a column needs."""

_STAMP: Final = "updated_at = app.next_updated_at(t.updated_at)"
_LOCKS: Final = {WriteVerb.DELETE: "FOR UPDATE"}
"""A delete locks its rows against transactions that are about to refer to them."""


async def lock_rows(
    writing: WriteContext, record: WritableTable, ids: Sequence[str], verb: WriteVerb
) -> list[Row]:
    """The rows of these ids in their order, locked. A restore finds deleted rows, too.

    Raises:
        ForbiddenError: A row is shared by all tenants, and the viewer belongs to a tenant.
        NotFoundError: A row does not exist, or belongs to another tenant.
    """
    conditions = ["t.id = ANY($1::text[])", *build_tenant_conditions(writing, record, "$2")]
    if record.soft_deletes and verb is not WriteVerb.RESTORE:
        conditions.append("t.deleted_at IS NULL")
    lock = _LOCKS.get(verb, "FOR NO KEY UPDATE")
    sql = f"SELECT {_build_returning(record)} FROM {record.table} t WHERE {' AND '.join(conditions)} ORDER BY t.id {lock}"  # noqa: E501
    bound = [writing.viewer.tenant_id] if "$2" in sql else []
    found = {row["id"]: dict(row) for row in await writing.fetch_rows(sql, list(ids), *bound)}
    missing = [row_id for row_id in dict.fromkeys(ids) if row_id not in found]
    if missing:
        await _refuse_global(writing, record, missing)
        raise NotFoundError(f"No such {record.one}: {', '.join(map(repr, missing[:10]))}")
    return [found[row_id] for row_id in dict.fromkeys(ids)]


def build_tenant_conditions(writing: WriteContext, record: WritableTable, tenant: str) -> list[str]:
    """The conditions under which the viewer may write a row `t`; `tenant` is the placeholder of the tenant.

    Raises:
        BadUserInputError: The platform names no tenant although one is needed.
    """
    match record.owner:
        case RowOwner.PLATFORM:
            return []
        case RowOwner.ITSELF:
            return [] if writing.is_platform else [f"t.id = {tenant}::text"]
        case RowOwner.TENANT_OR_GLOBAL if writing.is_platform:
            if writing.viewer.tenant_id is None:
                return ["t.tenant_id IS NULL"]
            return [f"(t.tenant_id = {tenant}::text OR t.tenant_id IS NULL)"]
        case _:
            writing.require_tenant()
            return [f"t.tenant_id = {tenant}::text"]


async def _refuse_global(writing: WriteContext, record: WritableTable, ids: Sequence[str]) -> None:
    if record.owner is not RowOwner.TENANT_OR_GLOBAL or writing.is_platform:
        return
    offered = "t.tenant_id IS NULL AND t.deleted_at IS NULL"
    sql = f"SELECT FROM {record.table} t WHERE t.id = ANY($1::text[]) AND {offered}"
    if await writing.fetch_rows(sql, list(ids)):
        raise ForbiddenError(f"Only the platform may change a global {record.one}")


async def insert_row(writing: WriteContext, record: WritableTable, values: Values) -> Row:
    """Insert a row. It gets a new id if the values have none."""
    row = {"id": generate_id(), **_build_owner_values(writing, record), **values}
    writing.transaction.charge_bytes(count_bytes(list(row.values())))
    placeholders = build_placeholders([record.column_types[name] for name in row])
    columns = ", ".join(f'"{name}"' for name in row)
    sql = f"INSERT INTO {record.table} AS t ({columns}) VALUES ({', '.join(placeholders)}) RETURNING {_build_returning(record)}"  # noqa: E501
    return dict((await writing.fetch_rows(sql, *row.values()))[0])


def _build_owner_values(writing: WriteContext, record: WritableTable) -> Values:
    if not record.has_tenant:
        return {}
    if record.owner is RowOwner.TENANT_OR_GLOBAL and writing.is_platform:
        return {"tenant_id": writing.viewer.tenant_id}
    return {"tenant_id": writing.require_tenant()}


async def update_columns(
    writing: WriteContext, record: WritableTable, ids: Sequence[str], values: Values
) -> list[Row]:
    """Set the same values in locked rows; returns them in the order of their ids."""
    writing.transaction.charge_bytes(len(ids) * count_bytes(list(values.values())))
    placeholders = build_placeholders([record.column_types[name] for name in values], first=2)
    sets = [f'"{name}" = {placeholder}' for name, placeholder in zip(values, placeholders, strict=True)]
    return await _update_rows(writing, record, ids, sets, *values.values())


async def mark_deleted(
    writing: WriteContext, record: WritableTable, ids: Sequence[str], *, deleted: bool
) -> list[Row]:
    """Mark locked rows as deleted or as undeleted; returns them in the order of their ids."""
    return await _update_rows(writing, record, ids, [f"deleted_at = {'app.now_ms()' if deleted else 'NULL'}"])


async def _update_rows(
    writing: WriteContext, record: WritableTable, ids: Sequence[str], sets: list[str], *bound: object
) -> list[Row]:
    if record.stamped:
        sets = [*sets, _STAMP]
    sql = f"UPDATE {record.table} t SET {', '.join(sets)} WHERE t.id = ANY($1::text[]) RETURNING {_build_returning(record)}"  # noqa: E501
    written = {row["id"]: dict(row) for row in await writing.fetch_rows(sql, list(ids), *bound)}
    return [written[row_id] for row_id in ids]


def _build_returning(record: WritableTable) -> str:
    columns = [f't."{name}"' for name in record.column_types]
    needs = [f'{mask.needs} AS "{EXTRA_COLUMNS}{name}"' for name, mask in record.masked.items()]
    return ", ".join((*columns, *needs))
