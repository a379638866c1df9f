"""Finds the plans of an operation: compiled once for a document, a set of rights and a shape of variables.

The shape: which variables are held (present, and standing where their value is bound as it is), and the values of all
others, which the SQL may know. Plans that know more than that are kept for the same values alone.
"""

import json
from collections.abc import Hashable
from dataclasses import replace
from typing import Any, Final

from graphql import (
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)
from graphql.execution.values import VariableValues

from core.viewer import Viewer
from resolvers.asked import Asked
from resolvers.compiled_lists import NotCompilableError
from resolvers.compiler import compile_root
from resolvers.plans import TENANT, Plan, Planned, hold, storable
from resolvers.selection import Syntax, fragments_of
from schema.filters import OPERATORS
from schema.table import Kind

_HELD_TYPES: Final = frozenset({"ID", "String", "Int", "Timestamp"})
_OPERATOR_INPUTS: Final = frozenset(
    operators.__name__ for kind, operators in OPERATORS.items() if kind not in (Kind.JSON, Kind.TEXTS)
)
_PLAIN_ARGUMENTS: Final = frozenset({"id", "slug", "guid", "search"})


class Planning:
    """The planning of one request; with `observe` its plans tell facts of what they read.

    Attributes:
        values: The values of what is held, by source.
    """

    def __init__(
        self, asked: Asked, viewer: Viewer, variables: VariableValues, *, observe: bool = False
    ) -> None:
        self._asked = asked
        self._observe = observe
        self._viewer = viewer
        self._variables = variables
        self.values: dict[str, Any] = {
            name: value
            for name, value in variables.coerced.items()
            if name in self._holdable()
            and type(value) in (str, int)
            and value != ""  # an empty search is none
        }
        if viewer.tenant_id is not None:
            self.values[TENANT] = viewer.tenant_id

    def planned(self) -> Planned | None:
        """The operation's plans; None where a value cannot be bound or told, which the data loaders refuse."""
        if not storable(self.values):
            return None
        try:
            book, shape = self._asked.plans, self._shape()
        except (RecursionError, ValueError):
            return None
        planned = book.get(shape) or book.get((shape, self._exact()))
        if planned is None:
            planned = self._compile()
            book.keep(shape if planned.reusable else (shape, self._exact()), planned)
        return planned

    def _shape(self) -> Hashable:
        viewer, name = self._viewer, self._asked.definition.name
        others = {n: value for n, value in self._variables.coerced.items() if n not in self.values}
        known = json.dumps(others, sort_keys=True, default=repr)
        return self._observe, name and name.value, viewer.kind, viewer.rights, frozenset(self.values), known

    def _exact(self) -> Hashable:
        viewer = self._viewer
        return viewer.user_id, viewer.role_id, viewer.expires_at, tuple(sorted(self.values.items()))

    def _compile(self) -> Planned:
        held = {source: hold(value, source) for source, value in self.values.items()}
        coerced = {**self._variables.coerced, **{n: v for n, v in held.items() if n != TENANT}}
        variables = self._variables._replace(coerced=coerced)
        tenant_id = held.get(TENANT)
        viewer = replace(self._viewer, tenant_id=tenant_id) if isinstance(tenant_id, str) else self._viewer
        syntax = Syntax(fragments_of(self._asked.syntax), coerced)
        roots = syntax.responses_of(self._asked.definition.selection_set, "Query")
        plans: dict[str, Plan | None] = {}
        reusable = True
        for key, nodes in roots.items():
            try:
                plans[key], good = compile_root(
                    self._asked.schema, syntax, variables, viewer, nodes, observe=self._observe
                )
            except (NotCompilableError, RecursionError):
                plans[key] = None
            else:
                reusable = reusable and good
        return Planned(roots, plans, reusable)

    def _holdable(self) -> frozenset[str]:
        book, definition = self._asked.plans, self._asked.definition
        name = definition.name.value if definition.name else None
        if name not in book.holdable:
            book.holdable[name] = _holdable(self._asked)
        return book.holdable[name]


def _holdable(asked: Asked) -> frozenset[str]:
    """The variables that stand nowhere but as an id, a search or the operand of a filter."""
    names = {d.variable.name.value for d in asked.definition.variable_definitions or ()}
    unfit: set[str] = set()
    for definition in asked.syntax.definitions:
        if definition is asked.definition or isinstance(definition, FragmentDefinitionNode):
            unfit |= _unfit(asked.schema, definition)
    return frozenset(names - unfit)


def _unfit(schema: GraphQLSchema, definition: OperationDefinitionNode | FragmentDefinitionNode) -> set[str]:
    info = TypeInfo(schema)
    places = _Places(info)
    visit(definition, TypeInfoVisitor(info, places))
    return places.unfit


class _Places(Visitor):
    """Finds the variables that stand somewhere where their value might be looked at."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.unfit: set[str] = set()

    def enter_variable_definition(self, *_: Any) -> Any:
        """A definition is no use."""
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Look at where a variable stands."""
        if not self._fits():
            self.unfit.add(node.name.value)

    def _fits(self) -> bool:
        input_type = self._info.get_input_type()
        if input_type is None or get_named_type(input_type).name not in _HELD_TYPES:
            return False
        around = self._info.get_parent_input_type()
        if around is not None:
            return get_named_type(around).name in _OPERATOR_INPUTS
        argument = self._info.get_argument()
        found = argument and self._info.get_field_def()
        return bool(found and any(found.args.get(name) is argument for name in _PLAIN_ARGUMENTS))
