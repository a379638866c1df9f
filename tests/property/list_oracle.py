"""A reference for lists in plain Python over all rows: no SQL, only the declarations."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import asyncpg

from core.clock import NEVER
from demo.load import AS_PLATFORM
from schema.table import Column, Kind, Scope, Table
from schema.tables import BY_NAME, LISTED, TABLES
from tests.property.computed_columns import RENAMED_COLUMNS, ColumnComputer

Row = Mapping[str, Any]
Where = Mapping[str, Any]


class ListOracle:
    """Every row of a database, and the part that one tenant (None: the platform) may see."""

    def __init__(self, rows: Mapping[str, Sequence[Row]], tenant_id: str | None) -> None:
        self.rows = rows
        self.tenant_id = tenant_id
        self._by_id = {name: {row["id"]: row for row in found} for name, found in rows.items()}

    @classmethod
    async def read(cls, connection: asyncpg.Connection, tenant_id: str | None) -> "ListOracle":
        """All rows, read as the owner, with their computed columns; `app.clock_ms` has the time."""
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(
                kind, schema="pg_catalog", encoder=json.dumps, decoder=_parse_exact_json
            )
        async with connection.transaction():
            await connection.execute(AS_PLATFORM)
            found = {
                t.name: [dict(row) for row in await connection.fetch(f"SELECT * FROM {t.name}")]
                for t in TABLES
            }
            clock_ms = int(await connection.fetchval("SELECT current_setting('app.clock_ms')"))
        computing = ColumnComputer(found, tenant_id, clock_ms)
        whole = {
            name: [{**row, **computing.compute(name, row)} for row in rows] for name, rows in found.items()
        }
        return cls({table.name: _view_rows(table, whole[table.relation]) for table in LISTED}, tenant_id)

    def is_visible(self, table: Table, row: Row) -> bool:
        """Whether the row is the viewer's, deleted or not."""
        match table.scope:
            case Scope.EVERYONE | Scope.PLATFORM:
                return True
            case Scope.ITSELF:
                return bool(row["id"] == self.tenant_id)
            case Scope.TENANT_OR_GLOBAL:
                return row["tenant_id"] in (None, self.tenant_id)
            case Scope.TENANT:
                return bool(row["tenant_id"] == self.tenant_id)

    def find_live_row(self, table: Table, row_id: str | None) -> Row | None:
        """The row of this id if the viewer sees it and it is not deleted."""
        row = self._by_id[table.name].get(row_id) if row_id is not None else None
        alive = row is not None and self.is_visible(table, row) and row.get("deleted_at") is None
        return row if alive else None

    def list_visible_rows(self, table: Table, *, deleted: bool = False) -> list[Row]:
        """The rows of a table's list without arguments."""
        return [
            row
            for row in self.rows[table.name]
            if self.is_visible(table, row) and (deleted or row.get("deleted_at") is None)
        ]

    def list_rows(self, table: Table, arguments: Mapping[str, Any]) -> list[Row]:
        """The whole list that `where`, `search`, `includeDeleted` and `orderBy` make, in order."""
        text = arguments.get("search") or ""
        rows = [
            row
            for row in self.list_visible_rows(table, deleted=arguments.get("includeDeleted", False))
            if self.matches_filter(table, row, arguments.get("where") or {})
            and matches_search(table, row, text)
        ]
        return sort_rows(table, rows, arguments.get("orderBy") or [])

    def matches_filter(self, table: Table, row: Row, where: Where) -> bool:
        """The whole list for `where`, `search`, `includeDeleted` and `orderBy`, in order."""
        return all(
            self._matches_entry(table, row, name, value) for name, value in where.items() if value is not None
        )

    def _matches_entry(self, table: Table, row: Row, name: str, value: Any) -> bool:
        column = table.by_graphql_name.get(name)
        if column is not None:
            return all(matches_operator(column, row[column.name], *entry) for entry in value.items())
        match name:
            case "and":
                return all(self.matches_filter(table, row, part) for part in value)
            case "or":
                return any(self.matches_filter(table, row, part) for part in value)
            case "not":
                return not self.matches_filter(table, row, value)
        reference = next(r for r in table.references if r.one == name)
        target = BY_NAME[reference.table]
        related = self.find_live_row(target, row[reference.column])
        return related is not None and self.matches_filter(target, related, value)


def _view_rows(table: Table, rows: Sequence[Row]) -> list[Row]:
    """The rows of a table or a view, of those of the table that has them."""
    renamed = RENAMED_COLUMNS.get(table.name, {})
    return [
        {**row, **{name: row[own] for name, own in renamed.items()}}
        for row in rows
        if all(row[name] == value for name, value in table.only)
    ]


def _parse_exact_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def fold_case(text: str) -> str:
    """Lower case, character by character. In the tests' texts no lower case depends on neighboring characters."""
    return "".join(character.lower()[0] for character in text)


def matches_search(table: Table, row: Row, text: str) -> bool:
    """Whether `search` finds the row."""
    texts = (row[column.name] for column in table.searched)
    return not text or any(value is not None and fold_case(text) in fold_case(value) for value in texts)


def matches_operator(column: Column, value: Any, operator: str, given: Any) -> bool:
    """Whether one operator of a column holds for its value."""
    shows_null = value is None or (column.never and value == NEVER)
    match operator, given:
        case ("eq", None) | ("isNull", True):
            return shows_null
        case ("neq", None) | ("isNull", False):
            return not shows_null
        case "at", []:
            return True
        case "contains", _ if column.kind is Kind.JSON:
            return value is not None and contains_json(value, given)
        case "neq" | "notIn", _:
            return not matches_operator(column, value, {"neq": "eq", "notIn": "in"}[operator], given)
    return value is not None and _VALUED[operator](value, _convert_operand(column, given))


def _convert_operand(column: Column, given: Any) -> Any:
    if isinstance(given, list) and column.kind is not Kind.JSON:
        return [_convert_operand(column, member) for member in given]
    match column.kind:
        case Kind.DECIMAL:
            return Decimal(given)
        case Kind.ENUM:
            return given.lower()
    return given


def equals_json(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: numbers by value, true is no number."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equals_json(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equals_json, a, b))
    if isinstance(a, float | Decimal | int) and isinstance(b, float | Decimal | int):
        return Decimal(str(a)) == Decimal(str(b))
    return type(a) is type(b) and bool(a == b)


def contains_json(a: Any, b: Any, *, top: bool = True) -> bool:
    """Whether `a @> b` as PostgreSQL's manual has it."""
    if isinstance(b, dict):
        return isinstance(a, dict) and all(k in a and contains_json(a[k], v, top=False) for k, v in b.items())
    if isinstance(b, list):
        return isinstance(a, list) and all(any(contains_json(x, y, top=False) for x in a) for y in b)
    if top and isinstance(a, list):
        return any(equals_json(x, b) for x in a)
    return equals_json(a, b)


_MISSING: Final = object()


def value_at_path(value: Any, path: Sequence[str]) -> Any:
    """What stands at a path, or a value that equals nothing."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step, _MISSING)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _MISSING
    return value


_VALUED: Final[Mapping[str, Any]] = {
    "eq": lambda value, given: value == given,
    "in": lambda value, given: value in given,
    "gt": lambda value, given: value > given,
    "gte": lambda value, given: value >= given,
    "lt": lambda value, given: value < given,
    "lte": lambda value, given: value <= given,
    "startsWith": lambda value, given: fold_case(value).startswith(fold_case(given)),
    "endsWith": lambda value, given: fold_case(value).endswith(fold_case(given)),
    "has": lambda value, given: given in value,
    "contains": lambda value, given: fold_case(given) in fold_case(value),
    "at": lambda value, given: all(equals_json(value_at_path(value, at["path"]), at["eq"]) for at in given),
}


def sort_rows(table: Table, rows: Sequence[Row], order_by: Sequence[Mapping[str, str]]) -> list[Row]:
    """The rows in the requested order: terms, nulls, and the id in the direction of the last term."""
    name, direction = table.default_order
    terms = order_by or [{"field": name.upper(), "direction": direction.upper()}]
    down = terms[-1].get("direction") == "DESC"
    found = sorted(rows, key=lambda row: str(row["id"]), reverse=down)
    for term in reversed(terms):
        column = term["field"].lower()
        nulls = [row for row in found if row[column] is None]
        valued = [row for row in found if row[column] is not None]
        valued.sort(key=lambda row: row[column], reverse=term.get("direction") == "DESC")
        found = [*nulls, *valued] if term.get("nulls") == "FIRST" else [*valued, *nulls]
    return found
