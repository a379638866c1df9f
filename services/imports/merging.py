"""Merges the valid staged rows into the table by few statements. Equal rows are not touched."""

from typing import Final, NamedTuple

import asyncpg

from services.imports.import_tables import ImportTable
from services.imports.row_checks import REASSIGNABLE_COLUMNS, UniqueIndex
from services.imports.yielding import YieldingRows

_COMPLETE: Final = """
UPDATE pg_temp.import_{table} s SET ({names}) = ROW({ours}) FROM public.{table} t WHERE t.id = s.id
"""
_SET_ASIDE: Final = """
UPDATE public.{table} h SET {column} = 'import:' || h.id
FROM (SELECT id, {keys} FROM pg_temp.import_{table} WHERE import_reason IS NULL AND {predicate}) i
JOIN (SELECT id, {keys} FROM public.{table} x WHERE {predicate}) t ON t.id <> i.id AND {same}
WHERE h.id = t.id
"""

# A deleted row without changes is not marked again, so that a nightly import does not postpone its purge.
_MARK_DELETED: Final = """
INSERT INTO app.imported_deletions (data_source_id, imported_at)
SELECT s.id, app.now_ms() FROM pg_temp.import_data_sources s LEFT JOIN public.data_sources t ON t.id = s.id
WHERE s.import_reason IS NULL AND s.deleted_at IS NOT NULL AND s.status = 'inactive'
  AND (t.deleted_at, t.status) IS DISTINCT FROM (s.deleted_at, s.status)
ON CONFLICT (data_source_id) DO UPDATE SET imported_at = excluded.imported_at
"""
_COUNT: Final = """
SELECT count(*) FILTER (WHERE t.id IS NULL) AS inserted,
       count(*) FILTER (WHERE t.id IS NOT NULL AND ({ours}) IS DISTINCT FROM ({theirs})) AS updated,
       count(*) AS good
FROM pg_temp.import_{table} s LEFT JOIN public.{table} t ON t.id = s.id
WHERE s.import_reason IS NULL
"""
_UPDATE: Final = """
UPDATE public.{table} t SET ({names}) = ROW({news}) FROM pg_temp.import_{table} s
WHERE s.id = t.id AND s.import_reason IS NULL AND ({ours}) IS DISTINCT FROM ({theirs})
"""
_INSERT: Final = """
INSERT INTO public.{table} ({all_names})
SELECT {all_theirs} FROM pg_temp.import_{table} s
WHERE s.import_reason IS NULL AND NOT EXISTS (SELECT FROM public.{table} t WHERE t.id = s.id)
"""

_TOUCHED: Final = "app.next_updated_at(t.updated_at)"
"""The `updated_at` of a changed row if its file has none. It is never earlier than the stored one."""


class MergeCounts(NamedTuple):
    """The number of rows that were new, changed, and equal."""

    inserted: int
    updated: int
    unchanged: int


class TableMerge:
    """The merge of one staged table."""

    def __init__(self, connection: asyncpg.Connection, shape: ImportTable) -> None:
        self._connection = connection
        self._table = shape.table
        every = [column.name for column in shape.columns]
        names = [name for name in every if name not in ("id", "tenant_id")]
        self._columns = names
        self._missing: list[str] = []
        self._names = {
            "names": ", ".join(names),
            "ours": ", ".join(f"t.{name}" for name in names),
            "theirs": ", ".join(f"s.{name}" for name in names),
            "all_names": ", ".join(every),
            "all_theirs": ", ".join(f"s.{name}" for name in every),
        }

    async def fill_missing_columns(self, missing: list[str]) -> None:
        """Fill the columns that the file does not have: staged versions of existing rows take the stored values."""
        self._missing = missing
        if missing:
            ours = ", ".join(f"t.{name}" for name in missing)
            await self._execute(_COMPLETE.format(table=self._table, names=", ".join(missing), ours=ours))

    async def count_changes(self) -> MergeCounts:
        """The result of a merge, without writing it."""
        row = await self._connection.fetchrow(_COUNT.format(table=self._table, **self._names))
        assert row is not None  # noqa: S101 - an aggregate has one
        return MergeCounts(row["inserted"], row["updated"], row["good"] - row["inserted"] - row["updated"])

    async def execute(self, unique: list[UniqueIndex], yielding: YieldingRows) -> MergeCounts:
        """Merge the rows. Rows that yield to them make way."""
        planned = await self.count_changes()
        if self._table == "data_sources":
            await self._execute(_MARK_DELETED)
        await yielding.make_way()
        if planned.updated:
            await self._set_aside(unique)
            await self._execute(
                _UPDATE.format(table=self._table, news=self._changed_values_sql(), **self._names)
            )
        if planned.inserted:
            await self._execute(_INSERT.format(table=self._table, **self._names))
        await yielding.hand_over()
        return planned

    def _changed_values_sql(self) -> str:
        """The new values of changed rows: those of the file. If it has no `updated_at`, that is the present time."""
        values = {"updated_at": _TOUCHED} if "updated_at" in self._missing else {}
        return ", ".join(values.get(name, f"s.{name}") for name in self._columns)

    async def _set_aside(self, unique: list[UniqueIndex]) -> None:
        """Free the values that one row gives up and another takes, since PostgreSQL checks uniqueness row by row."""
        column = REASSIGNABLE_COLUMNS.get(self._table)
        for each in unique if column else ():
            await self._execute(_SET_ASIDE.format(table=self._table, column=column, **each.names()))

    async def _execute(self, sql: str) -> None:
        await self._connection.execute(sql)
