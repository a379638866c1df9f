"""The merge: what is staged and good into the table, by few statements; what is the same is not touched."""

from typing import Final, NamedTuple

import asyncpg

from services.imports.checks import MOVABLE, Unique
from services.imports.shapes import Shape

_COMPLETE: Final = """
UPDATE pg_temp.import_{table} s SET ({names}) = ROW({ours}) FROM public.{table} t WHERE t.id = s.id
"""
_ASIDE: Final = """
UPDATE public.{table} h SET {column} = 'import:' || h.id
FROM (SELECT id, {keys} FROM pg_temp.import_{table} WHERE import_reason IS NULL AND {predicate}) i
JOIN (SELECT id, {keys} FROM public.{table} x WHERE {predicate}) t ON t.id <> i.id AND {same}
WHERE h.id = t.id
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

_TOUCHED: Final = "greatest(app.now_ms(), t.updated_at + 1)"
"""When a row was changed whose file does not say when; never earlier than it says already."""


class Merged(NamedTuple):
    """How many rows were new, changed, and the same."""

    inserted: int
    updated: int
    unchanged: int


class Merge:
    """The merge of one staged table."""

    def __init__(self, connection: asyncpg.Connection, shape: Shape) -> None:
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

    async def complete(self, missing: list[str]) -> None:
        """Give the staged versions of rows that are here what their file has no columns for, from these."""
        self._missing = missing
        if missing:
            ours = ", ".join(f"t.{name}" for name in missing)
            await self._do(_COMPLETE.format(table=self._table, names=", ".join(missing), ours=ours))

    async def counted(self) -> Merged:
        """What the merge would do."""
        row = await self._connection.fetchrow(_COUNT.format(table=self._table, **self._names))
        assert row is not None  # noqa: S101 - an aggregate has one
        return Merged(row["inserted"], row["updated"], row["good"] - row["inserted"] - row["updated"])

    async def merge(self, unique: list[Unique]) -> Merged:
        """Do it."""
        planned = await self.counted()
        if planned.updated:
            await self._set_aside(unique)
            await self._do(_UPDATE.format(table=self._table, news=self._news(), **self._names))
        if planned.inserted:
            await self._do(_INSERT.format(table=self._table, **self._names))
        return planned

    def _news(self) -> str:
        """What rows that change become: as the file has them, and changed now where it does not say when."""
        values = {"updated_at": _TOUCHED} if "updated_at" in self._missing else {}
        return ", ".join(values.get(name, f"s.{name}") for name in self._columns)

    async def _set_aside(self, unique: list[Unique]) -> None:
        """Free the values that one row gives up and another takes, as uniqueness is looked at row by row."""
        column = MOVABLE.get(self._table)
        for each in unique if column else ():
            keys = ", ".join(f"{key} AS k{at}" for at, key in enumerate(each.keys))
            same = " AND ".join(f"t.k{at} = i.k{at}" for at, _ in enumerate(each.keys))
            await self._do(
                _ASIDE.format(
                    table=self._table, column=column, keys=keys, same=same, predicate=each.predicate
                )
            )

    async def _do(self, sql: str) -> None:
        await self._connection.execute(sql)
