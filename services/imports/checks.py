"""What is wrong with staged rows beside others: found for all of them at once, and noted with the row.

In this order, so that a row that is refused stands in nobody's way: ids that are there twice, ids of other tenants,
references that lead nowhere, values that must be unique.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from core.limits import IMPORT_KEY_BYTES_MAX
from services.imports.shapes import Kind, Reference, Scope, Shape, camel

MOVABLE: Final = {
    "users": "email",
    "sites": "slug",
    "agents": "guid",
    "entities": "external_id",
    "global_entities": "external_id",
    "entity_relationships": "relationship_type",
}
"""Tables whose rows can take values over from one another, by the column that is set aside meanwhile (merging.py)."""

_TWICE: Final = """
UPDATE pg_temp.import_{table} s SET import_reason = format('the id is that of line %s, too', d.line)
FROM (SELECT id, min(import_line) AS line FROM pg_temp.import_{table} GROUP BY id HAVING count(*) > 1) d
WHERE s.id = d.id AND s.import_line > d.line
"""
_LONG: Final = """
UPDATE pg_temp.import_{table} s SET import_reason = '{field}: has more than {most} bytes, which its index cannot hold'
WHERE import_reason IS NULL AND octet_length(s.{column}) > {most}
"""
_OTHERS: Final = """
UPDATE pg_temp.import_{table} s SET import_reason = 'the id is that of a row of another tenant'
FROM public.{table} t WHERE t.id = s.id AND t.tenant_id IS DISTINCT FROM s.tenant_id AND s.import_reason IS NULL
"""
_PAST: Final = """
UPDATE pg_temp.import_{table} s
SET import_reason = 'is here already, and says something else: the audit log is only ever added to'
FROM public.{table} t WHERE t.id = s.id AND s.import_reason IS NULL AND ({ours}) IS DISTINCT FROM ({theirs})
"""
_NOWHERE: Final = """
UPDATE pg_temp.import_{table} s
SET import_reason = format('{field}: there is no %L in {target}{whose}', left(s.{column}, 60))
WHERE s.import_reason IS NULL AND s.{column} IS NOT NULL AND {condition}
  AND NOT EXISTS (SELECT FROM {known} p WHERE p.id = s.{column} AND {scope})
"""
_TAKEN: Final = """
UPDATE pg_temp.import_{table} s
SET import_reason = format('{fields}: taken by %L, which is here already', left(t.id, 60))
FROM (SELECT import_line, id, {keys} FROM pg_temp.import_{table} WHERE import_reason IS NULL AND {predicate}) i
JOIN (SELECT id, {keys} FROM {standing} x WHERE {predicate}) t ON t.id <> i.id AND {same}
WHERE s.import_line = i.import_line {unless}
"""
_UNLESS_MOVED: Final = """
  AND NOT EXISTS (SELECT FROM pg_temp.import_{table} x WHERE x.id = t.id AND x.import_reason IS NULL)
"""
_SHARED: Final = """
UPDATE pg_temp.import_{table} s SET import_reason = format('{fields}: the same as in line %s', w.first)
FROM (
    SELECT import_line,
           first_value(import_line) OVER (PARTITION BY {places} ORDER BY stands DESC, import_line) AS first
    FROM (
        SELECT i.*, EXISTS (
            SELECT FROM (SELECT id, {keys} FROM public.{table} x WHERE {predicate}) t WHERE t.id = i.id AND {same}
        ) AS stands
        FROM (
            SELECT k.*, count(*) OVER (PARTITION BY {places}) AS alike
            FROM (SELECT import_line, id, {keys} FROM pg_temp.import_{table}
                  WHERE import_reason IS NULL AND {predicate}) k
            WHERE ({places}) IS NOT NULL
        ) i
        WHERE i.alike > 1
    ) f
) w
WHERE s.import_line = w.import_line AND w.import_line <> w.first
"""
"""Of rows alike the one that has the values here already counts, so that it stays as it is, and else the first."""

_UNIQUE: Final = """
SELECT ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n) AS keys,
       coalesce(pg_get_expr(i.indpred, i.indrelid, true), 'true') AS predicate
FROM pg_index i
WHERE i.indrelid = $1::regclass AND i.indisunique AND NOT i.indisprimary
"""
_INDEXED: Final = """
SELECT DISTINCT a.attname::text
FROM pg_index i
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid AND a.atttypid = 'text'::regtype
WHERE i.indrelid = $1::regclass
"""


@dataclass(frozen=True, slots=True)
class Unique:
    """What no two rows of a table may have alike.

    Attributes:
        keys: SQL of each part.
        predicate: SQL of the rows that it is about.
    """

    keys: Sequence[str]
    predicate: str


class Checks:
    """The checks of one staged table.

    Attributes:
        unique: What must be unique in it, beside the id.
    """

    def __init__(self, connection: asyncpg.Connection, shape: Shape, known: "Known") -> None:
        self._connection = connection
        self._shape = shape
        self._known = known
        self.unique: list[Unique] = []

    async def run(self) -> None:
        """Note with each row that is refused why."""
        await self._do(_TWICE)
        await self._check_lengths()
        await self._check_owners()
        for reference in self._shape.references:
            await self._check_reference(reference)
        await self._check_unique()

    async def _check_lengths(self) -> None:
        indexed = {
            row[0] for row in await self._connection.fetch(_INDEXED, f"public.{self._shape.table}")
        } | {"id"}
        for column in self._shape.columns:
            if column.name in indexed and column.kind is Kind.TEXT and not column.values:
                await self._do(_LONG, field=column.field, column=column.name, most=IMPORT_KEY_BYTES_MAX)

    async def _check_owners(self) -> None:
        if self._shape.has_tenant:
            await self._do(_OTHERS)
        if self._shape.table == "audit_log":
            names = [column.name for column in self._shape.columns]
            await self._do(
                _PAST,
                ours=", ".join(f"t.{name}" for name in names),
                theirs=", ".join(f"s.{name}" for name in names),
            )

    async def _check_reference(self, reference: Reference) -> None:
        whose = "" if reference.scope is Scope.EVERYWHERE else " of its tenant"
        await self._do(
            _NOWHERE,
            field=camel(reference.column),
            column=reference.column,
            target=reference.table,
            whose=whose + (" or for all" if reference.scope is Scope.OWN_OR_GLOBAL else ""),
            condition=reference.condition,
            known=self._known.sql(reference.table),
            scope=_SCOPES[reference.scope],
        )

    async def _check_unique(self) -> None:
        """Again and again: the row that stands here stays as it is where its newer version is refused."""
        rows = await self._connection.fetch(_UNIQUE, f"public.{self._shape.table}")
        self.unique = [Unique(row["keys"], row["predicate"]) for row in rows if "id" not in row["keys"]]
        moved = _UNLESS_MOVED.format(table=self._shape.table) if self._shape.table in MOVABLE else ""
        while any([await self._refused(unique, moved) for unique in self.unique]):
            pass

    async def _refused(self, unique: Unique, unless: str) -> int:
        """How many rows were refused for what they share with others."""
        names = {
            "keys": ", ".join(f"{key} AS k{at}" for at, key in enumerate(unique.keys)),
            "places": ", ".join(f"k{at}" for at, _ in enumerate(unique.keys)),
            "same": " AND ".join(f"t.k{at} = i.k{at}" for at, _ in enumerate(unique.keys)),
            "predicate": unique.predicate,
            "fields": _fields(self._shape, unique),
        }
        standing = f"public.{self._shape.table}"
        taken = await self._do(_TAKEN, standing=standing, unless=unless, **names)
        return taken + await self._do(_SHARED, **names)

    async def _do(self, sql: str, **names: object) -> int:
        done = await self._connection.execute(sql.format(table=self._shape.table, **names))
        return int(done.rpartition(" ")[2])


_SCOPES: Final = {
    Scope.EVERYWHERE: "true",
    Scope.TENANT: "p.tenant_id = s.tenant_id",
    Scope.OWN_OR_GLOBAL: "(p.tenant_id = s.tenant_id OR p.tenant_id IS NULL)",
}


def _fields(shape: Shape, unique: Unique) -> str:
    """The fields that must be unique together, as Convex and GraphQL name them."""
    said = [
        column.field for column in shape.columns for key in unique.keys if column.name in (key, key[9:-1])
    ]
    return ", ".join(field for field in said if field != "tenantId")


class Known:
    """Where rows that can be referred to are: in the tables, and in a trial in what is staged beside them."""

    def __init__(self) -> None:
        self._staged: set[str] = set()

    def keep(self, shape: Shape) -> None:
        """Count what is staged for a table among its rows from now on."""
        self._staged.add(shape.table)

    def sql(self, table: str, columns: str | None = None) -> str:
        """SQL of where a table's rows are, for a FROM with an alias behind it."""
        if table not in self._staged:
            return f"public.{table}"
        owner = columns or ("id" if table in ("tenants", "integrations") else "id, tenant_id")
        staged = f"pg_temp.import_{table} WHERE import_reason IS NULL"
        return f"(SELECT {owner} FROM {staged} UNION ALL SELECT {owner} FROM public.{table})"
