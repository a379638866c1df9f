"""Finds invalid staged rows that depend on other rows, by one statement for all, and records the reason in each row.

The order of the checks matters, so that a refused row does not block another: duplicate ids, ids of other
tenants, broken references, values that must be unique.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from core.case_conversion import to_camel_case
from core.limits import IMPORT_KEY_BYTES_MAX
from services.imports.import_tables import ColumnKind, ImportReference, ImportTable, ReferenceScope

REASSIGNABLE_COLUMNS: Final = {
    "users": "email",
    "sites": "slug",
    "agents": "guid",
    "entities": "external_id",
    "global_entities": "external_id",
    "entity_relationships": "relationship_type",
}
"""Tables with rows that may exchange unique values: the column that the merge sets aside meanwhile (merging.py)."""

YIELDING: Final = frozenset(
    {"health_checks", "data_source_to_site", "entities", "global_entities", "entity_relationships"}
)
"""Tables in which the server creates rows by itself, or for an integration. No token and no person depends on their
ids. Such a row yields to the file's row with the same unique values (yielding.py)."""

_DUPLICATE_REASON: Final = """
UPDATE pg_temp.import_{table} s SET import_reason = format('the id occurs in line %s already', d.line)
FROM (SELECT id, min(import_line) AS line FROM pg_temp.import_{table} GROUP BY id HAVING count(*) > 1) d
WHERE s.id = d.id AND s.import_line > d.line
"""
_TOO_LONG_REASON: Final = """
UPDATE pg_temp.import_{table} s SET import_reason = '{field}: must have at most {most} bytes, the limit of its index'
WHERE import_reason IS NULL AND octet_length(s.{column}) > {most}
"""
_OTHERS: Final = """
UPDATE pg_temp.import_{table} s SET import_reason = 'the id belongs to a row of another tenant'
FROM public.{table} t WHERE t.id = s.id AND t.tenant_id IS DISTINCT FROM s.tenant_id AND s.import_reason IS NULL
"""
_PAST: Final = """
UPDATE pg_temp.import_{table} s
SET import_reason = 'already exists with other values: entries of the audit log cannot be changed'
FROM public.{table} t WHERE t.id = s.id AND s.import_reason IS NULL AND ({ours}) IS DISTINCT FROM ({theirs})
"""
_MISSING_REASON: Final = """
UPDATE pg_temp.import_{table} s
SET import_reason = format('{field}: no %L in {target}{whose}', left(s.{column}, 60))
WHERE s.import_reason IS NULL AND s.{column} IS NOT NULL AND {condition}
  AND NOT EXISTS (SELECT FROM {known} p WHERE p.id = s.{column} AND {scope})
"""
_TAKEN: Final = """
UPDATE pg_temp.import_{table} s
SET import_reason = format('{fields}: already in use by %L', left(t.id, 60))
FROM (SELECT import_line, id, {keys} FROM pg_temp.import_{table} WHERE import_reason IS NULL AND {predicate}) i
JOIN (SELECT id, {keys} FROM {standing} x WHERE {predicate}) t ON t.id <> i.id AND {same}
WHERE s.import_line = i.import_line {unless}
"""
_UNLESS_MOVED: Final = """
  AND NOT EXISTS (SELECT FROM pg_temp.import_{table} x WHERE x.id = t.id AND x.import_reason IS NULL)
"""
_UNLESS_YIELDING: Final = """
  AND EXISTS (SELECT FROM pg_temp.import_{table} x WHERE x.id = t.id)
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
"""Of several equal rows, the one with values that are in the database already is kept unchanged, else the first."""

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
class UniqueIndex:
    """A unique index of a table.

    Attributes:
        keys: The SQL of each part.
        predicate: The SQL of the rows that it applies to.
    """

    keys: Sequence[str]
    predicate: str

    def names(self) -> dict[str, str]:
        """The parts of SQL that compares staged rows `i` with existing rows `t` by their unique values."""
        numbered = list(enumerate(self.keys))
        return {
            "keys": ", ".join(f"{key} AS k{at}" for at, key in numbered),
            "same": " AND ".join(f"t.k{at} = i.k{at}" for at, _ in numbered),
            "predicate": self.predicate,
        }


class RowChecks:
    """The checks of one staged table.

    Attributes:
        unique: The table's unique indexes, apart from the id's.
    """

    def __init__(self, connection: asyncpg.Connection, shape: ImportTable, known: "ReferenceTargets") -> None:
        self._connection = connection
        self._shape = shape
        self._known = known
        self.unique: list[UniqueIndex] = []

    async def check_all(self) -> None:
        """Record the reason in each row that is refused."""
        await self._execute(_DUPLICATE_REASON)
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
            if column.name in indexed and column.kind is ColumnKind.TEXT and not column.values:
                await self._execute(
                    _TOO_LONG_REASON, field=column.field, column=column.name, most=IMPORT_KEY_BYTES_MAX
                )

    async def _check_owners(self) -> None:
        if self._shape.has_tenant:
            await self._execute(_OTHERS)
        if self._shape.table == "audit_log":
            names = [column.name for column in self._shape.columns]
            await self._execute(
                _PAST,
                ours=", ".join(f"t.{name}" for name in names),
                theirs=", ".join(f"s.{name}" for name in names),
            )

    async def _check_reference(self, reference: ImportReference) -> None:
        whose = "" if reference.scope is ReferenceScope.EVERYWHERE else " of its tenant"
        await self._execute(
            _MISSING_REASON,
            field=to_camel_case(reference.column),
            column=reference.column,
            target=reference.table,
            whose=whose + (" or global" if reference.scope is ReferenceScope.OWN_OR_GLOBAL else ""),
            condition=reference.condition,
            known=self._known.sql(reference.table),
            scope=_SCOPES[reference.scope],
        )

    async def _check_unique(self) -> None:
        """Check until no more rows are refused.

        The existing version of a row keeps its values if its new version is refused. This may block other rows.
        """
        rows = await self._connection.fetch(_UNIQUE, f"public.{self._shape.table}")
        self.unique = [UniqueIndex(row["keys"], row["predicate"]) for row in rows if "id" not in row["keys"]]
        moved = _unless(self._shape.table)
        while any([await self._refuse_duplicates(unique, moved) for unique in self.unique]):
            pass

    async def _refuse_duplicates(self, unique: UniqueIndex, unless: str) -> int:
        """Refuse rows that share unique values with others; returns how many."""
        names = unique.names() | {
            "places": ", ".join(f"k{at}" for at, _ in enumerate(unique.keys)),
            "fields": _field_names(self._shape, unique),
        }
        standing = f"public.{self._shape.table}"
        taken = await self._execute(_TAKEN, standing=standing, unless=unless, **names)
        return taken + await self._execute(_SHARED, **names)

    async def _execute(self, sql: str, **names: object) -> int:
        done = await self._connection.execute(sql.format(table=self._shape.table, **names))
        return int(done.rpartition(" ")[2])


def _unless(table: str) -> str:
    """SQL: the existing rows that do not block a value of the file."""
    moved = _UNLESS_MOVED if table in REASSIGNABLE_COLUMNS else ""
    yielding = _UNLESS_YIELDING if table in YIELDING else ""
    return (moved + yielding).format(table=table)


_SCOPES: Final = {
    ReferenceScope.EVERYWHERE: "true",
    ReferenceScope.TENANT: "p.tenant_id = s.tenant_id",
    ReferenceScope.OWN_OR_GLOBAL: "(p.tenant_id = s.tenant_id OR p.tenant_id IS NULL)",
}


def _field_names(shape: ImportTable, unique: UniqueIndex) -> str:
    """The fields that must be unique together, as Convex and GraphQL name them."""
    names = {_column_of(key) for key in unique.keys}
    said = (column.field for column in shape.columns if column.name in names)
    return ", ".join(field for field in said if field != "tenantId")


def _column_of(key: str) -> str:
    """The column of a part of an index, which may be a function of it: `app.email_identity(email)`."""
    return key.removesuffix(")").rpartition("(")[2]


class ReferenceTargets:
    """The rows that references may name: those in the tables, and in a dry run also the staged ones."""

    def __init__(self) -> None:
        self._staged: set[str] = set()

    def add_staged(self, shape: ImportTable) -> None:
        """From now on, include the staged rows of a table."""
        self._staged.add(shape.table)

    def sql(self, table: str, columns: str | None = None) -> str:
        """The SQL source of a table's rows, for a FROM with an alias after it."""
        if table not in self._staged:
            return f"public.{table}"
        owner = columns or ("id" if table in ("tenants", "integrations") else "id, tenant_id")
        staged = f"pg_temp.import_{table} WHERE import_reason IS NULL"
        return f"(SELECT {owner} FROM {staged} UNION ALL SELECT {owner} FROM public.{table})"
