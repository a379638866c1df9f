"""The filter compiler: a `where` input into SQL conditions.

Takes the coerced input as graphql-core gives it (dicts by GraphQL names), for lists of any depth and any way of
running them. A null stands for "no condition", save under `eq` and `neq`, where it stands for "has no value".
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from core.errors import BadUserInputError
from core.limits import FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_VALUES_MAX
from core.viewer import Viewer
from resolvers.access import require_column, require_right, scope
from resolvers.parameters import Parameters
from schema.table import Column, Kind, Reference, Table
from schema.tables import BY_NAME

Where = Mapping[str, Any]

_ESCAPED_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_MATCHES: Final = {
    "contains": "strpos(app.fold({column}), app.fold({text})) > 0",
    "startsWith": "starts_with(app.fold({column}), app.fold({text}))",
    "endsWith": "right(app.fold({column}), length(app.fold({text}))) = app.fold({text})",
}


class FilterCompiler:
    """Compiles filters of one statement for one viewer into its parameters."""

    def __init__(self, viewer: Viewer, parameters: Parameters) -> None:
        self._viewer = viewer
        self._parameters = parameters
        self._aliases = 0
        self._conditions = 0

    def compile(self, table: Table, alias: str, where: Where | None, depth: int = 0) -> list[str]:
        """The conditions of `where` on the row `alias` of `table`; all must hold.

        Raises:
            BadUserInputError: A value does not fit its operator, or the filter is too large.
            ForbiddenError: It looks into a table that the viewer may not read.
        """
        if depth > FILTER_DEPTH_MAX:
            raise BadUserInputError(f"A filter nests at most {FILTER_DEPTH_MAX} levels deep")
        self._count()
        conditions: list[str] = []
        for name, value in (where or {}).items():
            if value is not None:
                conditions.extend(self._entry(table, alias, name, value, depth))
        return conditions

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > FILTER_CONDITIONS_MAX:
            raise BadUserInputError(f"A filter has at most {FILTER_CONDITIONS_MAX} conditions")

    def _entry(self, table: Table, alias: str, name: str, value: Any, depth: int) -> Iterator[str]:
        column = table.by_graphql_name.get(name)
        if column is not None:
            require_column(self._viewer, table, column)
            yield from self._operators(column, alias, value)
        elif name == "and":
            for part in value:
                yield from self.compile(table, alias, part, depth + 1)
        elif name == "or":
            yield _any_of([_all_of(self.compile(table, alias, part, depth + 1)) for part in value])
        elif name == "not":
            yield f"({_all_of(self.compile(table, alias, value, depth + 1))}) IS NOT TRUE"
        else:
            reference = next(r for r in table.references if r.one == name)
            yield self._related(reference, alias, value, depth)

    def _related(self, reference: Reference, alias: str, where: Where, depth: int) -> str:
        target = BY_NAME[reference.table]
        require_right(self._viewer, target)
        self._aliases += 1
        related = f"r{self._aliases}"
        conditions = [
            f"{related}.id = {alias}.{reference.column}",
            *scope(self._viewer, target, related, self._parameters),
            *([f"{related}.deleted_at IS NULL"] if target.soft_deletes else []),
            *self.compile(target, related, where, depth + 1),
        ]
        return f"EXISTS (SELECT FROM {target.name} {related} WHERE {' AND '.join(conditions)})"

    def _operators(self, column: Column, alias: str, operators: Where) -> Iterator[str]:
        for operator, value in operators.items():
            if value is None and operator not in ("eq", "neq"):
                continue
            yield self._operator(column, column.sql(alias), operator, value)

    def _operator(self, column: Column, sql: str, operator: str, value: Any) -> str:
        self._count()
        if operator == "isNull":
            held = (
                f"nullif({sql}, 'null')" if column.kind is Kind.JSON else sql
            )  # an answer shows both as null
            return f"{held} IS NULL" if value else f"{held} IS NOT NULL"
        if operator in ("eq", "neq"):
            return self._equality(column, sql, value, negated=operator == "neq")
        if operator in ("in", "notIn"):
            return self._membership(column, sql, value, negated=operator == "notIn")
        if operator in _COMPARISONS:
            return f"{sql} {_COMPARISONS[operator]} {self._add(column, value)}"
        return self._inside(column, sql, operator, value)

    def _inside(self, column: Column, sql: str, operator: str, value: Any) -> str:
        if column.kind is Kind.JSON:
            return _OF_JSON[operator](self, sql, value)
        if operator == "has":
            return f"{sql} @> ARRAY[{self._parameters.add(value)}]"
        return _MATCHES[operator].format(column=sql, text=self._parameters.add(value))

    def _equality(self, column: Column, sql: str, value: Any, *, negated: bool) -> str:
        if value is None:
            return f"{sql} IS NOT NULL" if negated else f"{sql} IS NULL"
        bound = self._add(column, value)
        return f"{sql} IS DISTINCT FROM {bound}" if negated else f"{sql} = {bound}"

    def _membership(self, column: Column, sql: str, values: list[Any], *, negated: bool) -> str:
        if len(values) > FILTER_VALUES_MAX:
            raise BadUserInputError(
                f"A list in a filter has at most {FILTER_VALUES_MAX} values, not {len(values)}"
            )
        bound = self._parameters.add(list(values), f"{column.kind.sql_type}[]")
        return f"({sql} = ANY({bound})) IS NOT TRUE" if negated else f"{sql} = ANY({bound})"

    def _contains_json(self, sql: str, value: Any) -> str:
        return f"{sql} @> {self._parameters.add(json_text(value), 'jsonb')}"

    def _at_json(self, sql: str, places: list[Where]) -> str:
        return _all_of([self._place(sql, place["path"], place["eq"]) for place in places])

    def _place(self, sql: str, path: list[str], value: Any) -> str:
        self._count()
        found = f"{sql} #> {self._parameters.add(list(path), 'text[]')}"
        return f"{found} = {self._parameters.add(json_text(value), 'jsonb')}"

    def _add(self, column: Column, value: Any) -> str:
        return self._parameters.add(value, column.kind.sql_type)


_OF_JSON: Final[Mapping[str, Callable[[FilterCompiler, str, Any], str]]] = {
    "contains": FilterCompiler._contains_json,  # noqa: SLF001 - the class's own table of operators
    "at": FilterCompiler._at_json,  # noqa: SLF001 - the class's own table of operators
}


def json_text(value: Any) -> str:
    """A JSON value as PostgreSQL reads it.

    Raises:
        BadUserInputError: It has a number or a text that PostgreSQL cannot hold, or is nested too deep.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (ValueError, RecursionError) as error:
        raise BadUserInputError(
            "This JSON value cannot be compared: it nests too deep, or has a number too long or not finite"
        ) from error
    if "\\u0000" in text and _ESCAPED_NUL.search(text):  # searching takes forty times as long
        raise BadUserInputError("A text must not contain the NUL character")
    return text


def _all_of(conditions: list[str]) -> str:
    return " AND ".join(f"({condition})" for condition in conditions) or "TRUE"


def _any_of(conditions: list[str]) -> str:
    return "(" + (" OR ".join(f"({condition})" for condition in conditions) or "FALSE") + ")"
