"""Random writes of one row each, and the changes that a log would contain."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

import asyncpg

from schema.table import Kind, Table
from schema.tables import BY_NAME, TABLES
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin

Row = dict[str, Any]

_REFUSED: Final = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.RaiseError,
    asyncpg.InsufficientPrivilegeError,  # the audit log is append-only
)


async def load_single_writes(connection: asyncpg.Connection) -> "SingleWrites":
    """Read the columns and the ids of every table."""
    columns: dict[str, tuple[str, ...]] = {}
    for record in await connection.fetch(_COLUMNS_SQL):
        columns[record["table_name"]] = tuple(record["names"])
    ids = {
        table.name: [r["id"] for r in await connection.fetch(f"SELECT id FROM {table.name} ORDER BY md5(id)")]
        for table in TABLES
    }
    return SingleWrites(columns, ids)


_COLUMNS_SQL: Final = """
SELECT table_name, array_agg(column_name::text ORDER BY column_name) AS names FROM information_schema.columns
WHERE table_schema = 'public' AND is_generated = 'NEVER' GROUP BY table_name
"""


@dataclass
class SingleWrites:
    """Writes single rows of any table.

    Attributes:
        columns: The columns of each table that can be written.
        ids: The ids of its rows.
    """

    columns: dict[str, tuple[str, ...]]
    ids: dict[str, list[str]]

    async def write_row(
        self,
        connection: asyncpg.Connection,
        random: Random,
        table: str,
        row_id: str | None = None,
        preferred: frozenset[str] = frozenset(),
    ) -> Change | None:
        """Write a row of a table, mostly by an update; None if the database refuses it.

        The caller rolls the write back. `preferred` columns are among those that an update writes.
        """
        row_id = row_id or random.choice(self.ids[table])
        kind = random.choices((ChangeKind.UPDATE, ChangeKind.DELETE, ChangeKind.INSERT), (70, 15, 15))[0]
        try:
            async with connection.transaction():
                match kind:
                    case ChangeKind.UPDATE:
                        return await self._update_row(connection, random, table, row_id, preferred)
                    case ChangeKind.DELETE:
                        return await self._delete_row(connection, table, row_id)
                    case _:
                        return await self._insert_copy(connection, random, table, row_id)
        except _REFUSED:
            return None

    async def _update_row(
        self,
        connection: asyncpg.Connection,
        random: Random,
        table: str,
        row_id: str,
        preferred: frozenset[str],
    ) -> Change | None:
        columns = [name for name in self.columns[table] if name != "id"]
        likely = [name for name in columns if name in preferred] or columns
        chosen = {*random.sample(columns, random.choice((0, 0, 1, 2))), random.choice(likely)}
        other = random.choice(self.ids[table][:40])
        values = ", ".join(self._new_value_sql(random, BY_NAME[table], name) for name in chosen)
        names = ", ".join(f'"{name}"' for name in chosen)
        before = await _read_row(connection, table, row_id)
        sql = f"UPDATE {table} t SET ({names}) = (SELECT {values} FROM {table} o WHERE o.id = $2) WHERE t.id = $1"
        await connection.execute(sql, row_id, other)
        return _build_change(
            table, ChangeKind.UPDATE, row_id, before, await _read_row(connection, table, row_id)
        )

    def _new_value_sql(self, random: Random, table: Table, name: str) -> str:
        """Mostly another row's value; now and then none, or a change of the row's own."""
        column = table.columns.get(name)
        kind = column.kind if column else Kind.ID
        dice = random.random()
        if dice < 0.1 and (column is None or column.nullable):
            return f'CASE WHEN FALSE THEN o."{name}" END'
        if dice < 0.3 and kind is Kind.TEXT:
            return f"""t."{name}" || '{random.choice("aZ~é")}'"""
        if dice < 0.4 and kind in (Kind.TIMESTAMP, Kind.INT):
            return f't."{name}" + {random.choice((-1, 1, 100_000))}'
        if dice < 0.4 and kind is Kind.BOOLEAN:
            return f'NOT t."{name}"'
        return f'o."{name}"'

    async def _delete_row(self, connection: asyncpg.Connection, table: str, row_id: str) -> Change | None:
        before = await _read_row(connection, table, row_id)
        await connection.execute(f"DELETE FROM {table} WHERE id = $1", row_id)
        return _build_change(table, ChangeKind.DELETE, row_id, before, None)

    async def _insert_copy(
        self, connection: asyncpg.Connection, random: Random, table: str, row_id: str
    ) -> Change | None:
        """A copy of a row under another id, which sorts ahead of it or behind."""
        generate_id = f"{row_id}~" if random.random() < 0.5 else f"0{row_id}"
        columns = [name for name in self.columns[table] if name != "id"]
        changed = random.sample(columns, min(2, len(columns)))
        values = ", ".join(
            self._new_value_sql(random, BY_NAME[table], name).replace("o.", "t.")
            if name in changed
            else f't."{name}"'
            for name in columns
        )
        names = ", ".join(f'"{name}"' for name in columns)
        sql = f"INSERT INTO {table} (id, {names}) SELECT $2, {values} FROM {table} t WHERE t.id = $1"
        await connection.execute(sql, row_id, generate_id)
        return _build_change(
            table, ChangeKind.INSERT, generate_id, None, await _read_row(connection, table, generate_id)
        )


async def _read_row(connection: asyncpg.Connection, table: str, row_id: str) -> Row | None:
    record = await connection.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row_id)
    return None if record is None else dict(record)


def _build_change(
    table: str, kind: ChangeKind, row_id: str, before: Row | None, after: Row | None
) -> Change | None:
    both = {**(before or {}), **(after or {})}
    if before is None and after is None:
        return None
    columns = {n for n in both if before is None or after is None or before[n] != after[n]}
    if "last_checkin_at" in columns and table == "agents":
        columns.add("is_online")  # like the clock of live answers
    if not columns:
        return None
    row = ChangedRow(
        row_id, _logged_columns(table, before), _logged_columns(table, after), frozenset(columns)
    )
    return Change(table, kind, ChangeOrigin(1, 1, 1), (row,))


def _logged_columns(table: str, row: Row | None) -> Row | None:
    """The columns of a row that a change contains: no JSON, no lists, no long texts."""
    declared = BY_NAME[table].columns
    if row is None:
        return None
    return {
        name: str(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
        if name not in declared
        or (declared[name].kind not in (Kind.JSON, Kind.TEXTS) and name not in _LONG_COLUMNS)
    }


_LONG_COLUMNS: Final = frozenset({"description", "body", "response_body", "error_message", "reason"})
