"""Rows that this server created and that yield to rows of the file with the same unique values.

    ours:  id A, key K  <── events_log, entity_relationships        file:  id B, key K
    after: id B, key K  <── events_log, entity_relationships

The file's id wins. Rows that refer to ours refer to the file's row afterwards.
"""

from collections.abc import Sequence
from typing import Final

import asyncpg

from services.imports.import_tables import ImportTable
from services.imports.row_checks import REASSIGNABLE_COLUMNS, YIELDING, UniqueIndex
from services.imports.source import TableTally

_FIND: Final = """
INSERT INTO pg_temp.import_yielding (old_id, new_id)
SELECT t.id, i.id
FROM (SELECT id, {keys} FROM pg_temp.import_{table} WHERE import_reason IS NULL AND {predicate}) i
JOIN (SELECT id, {keys} FROM public.{table} x WHERE {predicate}) t ON t.id <> i.id AND {same}
WHERE NOT EXISTS (SELECT FROM pg_temp.import_{table} x WHERE x.id = t.id)
ON CONFLICT DO NOTHING
"""
_CREATE: Final = """
CREATE TEMP TABLE IF NOT EXISTS import_yielding (
    old_id text COLLATE "C" PRIMARY KEY, new_id text COLLATE "C" NOT NULL
);
TRUNCATE pg_temp.import_yielding
"""
_REFERENCES: Final = """
SELECT c.conrelid::regclass::text AS table_name, own.attname::text AS column_name
FROM pg_constraint c
CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k (own, other)
JOIN pg_attribute own ON own.attrelid = c.conrelid AND own.attnum = k.own
JOIN pg_attribute other ON other.attrelid = c.confrelid AND other.attnum = k.other AND other.attname = 'id'
WHERE c.contype = 'f' AND c.confrelid = $1::text::regclass AND c.conparentid = 0
ORDER BY 1, 2
"""
_SET_ASIDE: Final = """
UPDATE public.{table} t SET {column} = 'import:' || t.id FROM pg_temp.import_yielding y WHERE t.id = y.old_id
"""

# Of two relationships that would be the same afterwards, the one that changes is deleted.
_SAME: Final = """
    SELECT id FROM (
        SELECT r.id, p.old_id IS NOT NULL OR c.old_id IS NOT NULL AS changes,
               row_number() OVER (
                   PARTITION BY coalesce(p.new_id, r.parent_entity_id), coalesce(c.new_id, r.child_entity_id),
                                r.relationship_type
                   ORDER BY p.old_id IS NULL AND c.old_id IS NULL DESC, r.id
               ) AS place
        FROM public.entity_relationships r
        LEFT JOIN pg_temp.import_yielding p ON p.old_id = r.parent_entity_id
        LEFT JOIN pg_temp.import_yielding c ON c.old_id = r.child_entity_id
        WHERE r.parent_entity_id IN (SELECT unnest(ARRAY[old_id, new_id]) FROM pg_temp.import_yielding)
           OR r.child_entity_id IN (SELECT unnest(ARRAY[old_id, new_id]) FROM pg_temp.import_yielding)
    ) x
    WHERE changes AND place > 1
"""
_DELETE_SAME: Final = f"DELETE FROM public.entity_relationships WHERE id IN ({_SAME})"  # noqa: S608 - our own SQL
_COUNT_SAME: Final = f"SELECT count(*) FROM ({_SAME}) same"  # noqa: S608 - our own SQL
_REFER_ANEW: Final = """
UPDATE {table} r SET {column} = y.new_id FROM pg_temp.import_yielding y WHERE r.{column} = y.old_id
"""
_COUNT_REFERRING: Final = """
SELECT count(*) FROM {table} r JOIN pg_temp.import_yielding y ON r.{column} = y.old_id WHERE {kept}
"""
_DELETE: Final = "DELETE FROM public.{table} t USING pg_temp.import_yielding y WHERE t.id = y.old_id"
_REPLACED: Final = "row that this server created was replaced by the row in the file"

_RELATIONSHIP_DELETED: Final = "relationship that the file has, too, was deleted"
_REFERENCE_CHANGED: Final = "reference of {} was changed to the row in the file"


class YieldingRows:
    """The rows of one table that yield to staged rows."""

    def __init__(self, connection: asyncpg.Connection, shape: ImportTable, tally: TableTally) -> None:
        self._connection = connection
        self._table = shape.table
        self._tally = tally
        self._count = 0
        self._references: Sequence[tuple[str, str]] = ()

    async def find(self, unique: Sequence[UniqueIndex]) -> None:
        """Find and count them, after the checks of the staged rows."""
        if self._table not in YIELDING:
            return
        await self._connection.execute(_CREATE)
        for index in unique:
            self._count += await self._execute(_FIND, **index.names())
        if self._count:
            self._tally.changed.add(_REPLACED, self._count)

    async def make_way(self) -> None:
        """Free their unique values, before the staged rows are written. Rows without references are deleted."""
        if not self._count:
            return
        await self._load_references()
        if self._references:
            await self._execute(_SET_ASIDE, column=REASSIGNABLE_COLUMNS[self._table])
        else:
            await self._execute(_DELETE)

    async def count_changes(self) -> None:
        """Count what `hand_over` would change, for a dry run."""
        if not self._count:
            return
        await self._load_references()
        if self._table == "entities":
            self._count_note(_RELATIONSHIP_DELETED, await self._connection.fetchval(_COUNT_SAME))
        for table, column in self._references:
            kept = f"r.id NOT IN ({_SAME})" if table == "entity_relationships" else "true"
            sql = _COUNT_REFERRING.format(table=table, column=column, kept=kept)
            self._count_note(_REFERENCE_CHANGED.format(table), await self._connection.fetchval(sql))

    async def _load_references(self) -> None:
        rows = await self._connection.fetch(_REFERENCES, f"public.{self._table}")
        self._references = [(row["table_name"], row["column_name"]) for row in rows]

    async def hand_over(self) -> None:
        """Let rows that refer to them refer to the written rows, and delete them."""
        if not self._references:
            return
        if self._table == "entities":
            dropped = await self._execute(_DELETE_SAME)
            self._count_note(_RELATIONSHIP_DELETED, dropped)
        for table, column in self._references:
            done = await self._connection.execute(_REFER_ANEW.format(table=table, column=column))
            changed = int(done.rpartition(" ")[2])
            self._count_note(_REFERENCE_CHANGED.format(table), changed)
        await self._execute(_DELETE)

    def _count_note(self, note: str, times: int) -> None:
        if times:
            self._tally.changed.add(note, times)

    async def _execute(self, sql: str, **names: object) -> int:
        done = await self._connection.execute(sql.format(table=self._table, **names))
        return int(done.rpartition(" ")[2])
