"""The filter compiler: it turns a `where` input into SQL conditions.

It takes the coerced input of graphql-core (dicts by GraphQL names), for lists of any depth. Data loaders and compiler
use it alike. A field of a filter that is null or absent is no condition. An operator is never null, except `eq` and
`neq`, where null means "has no value".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.clock import NEVER
from core.errors import BadUserInputError
from core.limits import FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_VALUES_MAX
from core.storable import dump_storable_json
from resolvers.sql.access import QueryViewer, build_tenant_conditions, require_column, require_right
from resolvers.sql.parameters import Parameters
from schema.table import Column, Kind, Reference, Table
from schema.tables import BY_NAME

Where = Mapping[str, Any]

NULL_OPERATORS: Final = frozenset({"eq", "neq"})
"""The operators that take null. It means "has no value"."""

_COMPARISON_OPERATORS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_TEXT_OPERATORS: Final = {
    "contains": "strpos(app.fold({column}), app.fold({text})) > 0",
    "startsWith": "starts_with(app.fold({column}), app.fold({text}))",
    "endsWith": "right(app.fold({column}), length(app.fold({text}))) = app.fold({text})",
}


@dataclass(frozen=True, slots=True)
class _FilterPath:
    """The path of a filter in its argument: as text for messages, and the number of filters around it."""

    text: str = "where"
    depth: int = 0

    def nest(self, name: str) -> "_FilterPath":
        return _FilterPath(f"{self.text}.{name}", self.depth + 1)


_TOP: Final = _FilterPath()


class FilterCompiler:
    """Compiles the filters of one statement for one viewer. It binds their values as the statement's parameters."""

    def __init__(self, viewer: QueryViewer, parameters: Parameters) -> None:
        self._viewer = viewer
        self._parameters = parameters
        self._aliases = 0
        self._conditions = 0

    def compile_filter(
        self, table: Table, alias: str, where: Where | None, path: _FilterPath = _TOP
    ) -> list[str]:
        """The conditions of `where` on the row `alias` of `table`. All must hold.

        Raises:
            BadUserInputError: A value does not fit its operator, or the filter is too large.
            ForbiddenError: The filter reads a table that the viewer may not read.
        """
        if path.depth > FILTER_DEPTH_MAX:
            raise BadUserInputError(f"A filter must be nested at most {FILTER_DEPTH_MAX} levels deep")
        self._count_condition()
        conditions: list[str] = []
        for name, value in (where or {}).items():
            if value is not None:
                conditions.extend(self._compile_entry(table, alias, name, value, path))
        return conditions

    def _count_condition(self) -> None:
        self._conditions += 1
        if self._conditions > FILTER_CONDITIONS_MAX:
            raise BadUserInputError(f"A filter must have at most {FILTER_CONDITIONS_MAX} conditions")

    def _compile_entry(
        self, table: Table, alias: str, name: str, value: Any, path: _FilterPath
    ) -> Iterator[str]:
        column = table.by_graphql_name.get(name)
        if column is not None:
            require_column(self._viewer, table, column)
            yield from self._compile_operators(column, alias, value, f"{path.text}.{name}")
        elif name == "and":
            for number, nested in enumerate(value):
                yield from self.compile_filter(table, alias, nested, path.nest(f"and.{number}"))
        elif name == "or":
            yield _join_or(
                [
                    _join_and(self.compile_filter(table, alias, nested, path.nest(f"or.{number}")))
                    for number, nested in enumerate(value)
                ]
            )
        elif name == "not":
            yield f"({_join_and(self.compile_filter(table, alias, value, path.nest(name)))}) IS NOT TRUE"
        else:
            reference = next(r for r in table.references if r.one == name)
            yield self._compile_relation(reference, alias, value, path.nest(name))

    def _compile_relation(self, reference: Reference, alias: str, where: Where, path: _FilterPath) -> str:
        target = BY_NAME[reference.table]
        require_right(self._viewer, target)
        self._aliases += 1
        related = f"r{self._aliases}"
        conditions = [
            f"{related}.id = {alias}.{reference.column}",
            *build_tenant_conditions(self._viewer, target, related, self._parameters),
            *([f"{related}.deleted_at IS NULL"] if target.soft_deletes else []),
            *self.compile_filter(target, related, where, path),
        ]
        return f"EXISTS (SELECT FROM {target.name} {related} WHERE {' AND '.join(conditions)})"

    def _compile_operators(self, column: Column, alias: str, operators: Where, path: str) -> Iterator[str]:
        if not operators:
            raise build_operand_error(path, "must have at least one operator")
        for operator, value in operators.items():
            if value is None and operator not in NULL_OPERATORS:
                raise build_operand_error(f"{path}.{operator}", "must not be null")
            yield self._compile_operator(column, column.sql(alias), operator, value)

    def _compile_operator(self, column: Column, sql: str, operator: str, value: Any) -> str:
        self._count_condition()
        if operator == "isNull":
            return _null_condition(column, sql, negated=not value)
        if operator in NULL_OPERATORS:
            return self._compile_equality(column, sql, value, negated=operator == "neq")
        if operator in ("in", "notIn"):
            return self._compile_membership(column, sql, value, negated=operator == "notIn")
        if operator in _COMPARISON_OPERATORS:
            return f"{sql} {_COMPARISON_OPERATORS[operator]} {self._bind_value(column, value)}"
        return self._compile_contains(column, sql, operator, value)

    def _compile_contains(self, column: Column, sql: str, operator: str, value: Any) -> str:
        if column.kind is Kind.JSON:
            return _JSON_OPERATORS[operator](self, sql, value)
        if operator == "has":
            return f"{sql} @> ARRAY[{self._parameters.add(value)}]"
        return _TEXT_OPERATORS[operator].format(column=sql, text=self._parameters.add(value))

    def _compile_equality(self, column: Column, sql: str, value: Any, *, negated: bool) -> str:
        if value is None:
            return _null_condition(column, sql, negated=negated)
        bound = self._bind_value(column, value)
        return f"{sql} IS DISTINCT FROM {bound}" if negated else f"{sql} = {bound}"

    def _compile_membership(self, column: Column, sql: str, values: list[Any], *, negated: bool) -> str:
        if len(values) > FILTER_VALUES_MAX:
            raise BadUserInputError(
                f"A list in a filter must have at most {FILTER_VALUES_MAX} values, not {len(values)}"
            )
        bound = self._parameters.add(list(values), f"{column.kind.sql_type}[]")
        return f"({sql} = ANY({bound})) IS NOT TRUE" if negated else f"{sql} = ANY({bound})"

    def _compile_json_contains(self, sql: str, value: Any) -> str:
        return f"{sql} @> {self._parameters.add(_render_json(value), 'jsonb')}"

    def _compile_json_paths(self, sql: str, path_filters: list[Where]) -> str:
        return _join_and(
            [
                self._compile_json_path(sql, path_filter["path"], path_filter["eq"])
                for path_filter in path_filters
            ]
        )

    def _compile_json_path(self, sql: str, path: list[str], value: Any) -> str:
        self._count_condition()
        found = f"{sql} #> {self._parameters.add(list(path), 'text[]')}"
        return f"{found} = {self._parameters.add(_render_json(value), 'jsonb')}"

    def _bind_value(self, column: Column, value: Any) -> str:
        return self._parameters.add(value, column.kind.sql_type)


_JSON_OPERATORS: Final[Mapping[str, Callable[[FilterCompiler, str, Any], str]]] = {
    "contains": FilterCompiler._compile_json_contains,  # noqa: SLF001 - the class's own table of operators
    "at": FilterCompiler._compile_json_paths,  # noqa: SLF001 - the class's own table of operators
}


def build_operand_error(path: str, problem: str) -> BadUserInputError:
    """The error of an operator, or of an operator input, at `path`."""
    return BadUserInputError(f"Invalid filter: `{path}` {problem}", {path: problem})


def _render_json(value: Any) -> str:
    """A JSON value in the form that PostgreSQL reads.

    Raises:
        BadUserInputError: PostgreSQL cannot store a number or text in it, or the value is nested too deep.
    """
    try:
        return dump_storable_json(value)
    except ValueError as error:
        raise BadUserInputError(f"Invalid filter: a JSON value {error}") from error


def _null_condition(column: Column, sql: str, *, negated: bool) -> str:
    """The condition that an answer shows the value as null: SQL's null, JSON's, or the time that stands for never."""
    if column.never:
        if negated:
            return f"{sql} <> {NEVER}"
        return f"({sql} IS NULL OR {sql} = {NEVER})" if column.nullable else f"{sql} = {NEVER}"
    shown = f"nullif({sql}, 'null')" if column.kind is Kind.JSON else sql
    return f"{shown} IS NOT NULL" if negated else f"{shown} IS NULL"


def _join_and(conditions: list[str]) -> str:
    return " AND ".join(f"({condition})" for condition in conditions) or "TRUE"


def _join_or(conditions: list[str]) -> str:
    return "(" + (" OR ".join(f"({condition})" for condition in conditions) or "FALSE") + ")"
