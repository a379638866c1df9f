"""Finds the plans of an operation. They are compiled once for a document, a set of rights and a shape of variables.

The shape has two parts: which variables are parameters, and the values of all others. A variable is a parameter if it
is present, and used only where its value is bound unchanged. The SQL may contain the values of the others. Plans that
depend on more than the shape are cached for the exact values.

    cache key   (shape)            any tenant, any values of the parameters          `OperationPlans.is_reusable`
                (shape, values)    this viewer and these values only                 otherwise
"""

from collections.abc import Generator, Hashable
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

from core.auth.viewer import Viewer, ViewerOf
from core.exact_json import build_json_key
from core.metering import meter_cpu_time
from resolvers.compiler.compiler import compile_root_field
from resolvers.compiler.connection_sql import NotCompilableError
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.compiler.plan import TENANT_SOURCE, OperationPlans, Plan, are_storable
from resolvers.sql.parameters import Param
from resolvers.sql.selection import SelectionReader
from schema.filters import OPERATORS
from schema.table import Kind

_PARAM_TYPES: Final = frozenset({"ID", "String", "Int", "Timestamp"})
_OPERATOR_INPUTS: Final = frozenset(
    operators.__name__ for kind, operators in OPERATORS.items() if kind not in (Kind.JSON, Kind.TEXTS)
)
_PLAIN_ARGUMENTS: Final = frozenset({"id", "slug", "search"})


class Planner:
    """The planning of one request. With `observe` its plans return the facts of their reads.

    Attributes:
        values: The values of the parameters, by source.
    """

    def __init__(
        self,
        executable: ExecutableOperation,
        viewer: Viewer,
        variables: VariableValues,
        *,
        track_reads: bool = False,
    ) -> None:
        self._executable = executable
        self._track_reads = track_reads
        self._viewer = viewer
        self._variables = variables
        self.values: dict[str, Any] = {
            name: value
            for name, value in variables.coerced.items()
            if name in self._get_param_variables()
            and type(value) in (str, int)
            and value != ""  # an empty search means no search
        }
        if viewer.tenant_id is not None:
            self.values[TENANT_SOURCE] = viewer.tenant_id

    def plan(self) -> OperationPlans | None:
        """The operation's plans.

        None if a value cannot be bound or put into a key. The data loaders refuse it then.
        """
        steps = self.plan_in_steps()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                plans: OperationPlans | None = end.value
                return plans

    def plan_in_steps(self) -> Generator[None, None, OperationPlans | None]:
        """As `plan`. The caller may do other work between two `yield`s: a document may have fifty root fields."""
        if not are_storable(self.values):
            return None
        try:
            document_plans, shape = self._executable.plans, self._cache_key()
        except (RecursionError, ValueError):
            return None
        plans = document_plans.get(shape) or document_plans.get((shape, self._build_exact_cache_key()))
        if plans is None:
            plans = yield from self._compile()
            document_plans.put(shape if plans.is_reusable else (shape, self._build_exact_cache_key()), plans)
        return plans

    def _cache_key(self) -> Hashable:
        viewer, name = self._viewer, self._executable.definition.name
        others = {n: value for n, value in self._variables.coerced.items() if n not in self.values}
        known = build_json_key(others)
        return (
            self._track_reads,
            name and name.value,
            viewer.kind,
            viewer.rights,
            frozenset(self.values),
            known,
        )

    def _build_exact_cache_key(self) -> Hashable:
        viewer = self._viewer
        return viewer.user_id, viewer.role_id, viewer.expires_at, tuple(sorted(self.values.items()))

    def _compile(self) -> Generator[None, None, OperationPlans]:
        params = {source: Param(source, value) for source, value in self.values.items()}
        viewer = _with_tenant(self._viewer, params.pop(TENANT_SOURCE, None))
        coerced = {**self._variables.coerced, **params}
        variables = self._variables._replace(coerced=coerced)
        syntax = SelectionReader(self._executable.fragments, coerced)
        roots = syntax.collect_by_response_key(self._executable.definition.selection_set, "Query")
        plans: dict[str, Plan | None] = {}
        reusable = True
        for key, nodes in roots.items():
            if plans:
                yield
            try:
                with meter_cpu_time():
                    plans[key], good = compile_root_field(
                        self._executable.schema,
                        syntax,
                        variables,
                        viewer,
                        nodes,
                        track_reads=self._track_reads,
                    )
            except (NotCompilableError, RecursionError):
                plans[key] = None
            else:
                reusable = reusable and good
        return OperationPlans(roots, plans, reusable)

    def _get_param_variables(self) -> frozenset[str]:
        book, definition = self._executable.plans, self._executable.definition
        name = definition.name.value if definition.name else None
        if name not in book.param_variables:
            book.param_variables[name] = _find_param_variables(self._executable)
        return book.param_variables[name]


def _with_tenant(viewer: Viewer, tenant_id: Param | None) -> ViewerOf[Param]:
    return ViewerOf(
        viewer.kind,
        tenant_id,
        viewer.user_id,
        viewer.role_id,
        viewer.rights,
        viewer.expires_at,
        viewer.token_id,
    )


def _find_param_variables(executable: ExecutableOperation) -> frozenset[str]:
    """The variables that are used only as an id, as a search or as the operand of a filter."""
    names = {d.variable.name.value for d in executable.definition.variable_definitions or ()}
    unfit: set[str] = set()
    for definition in executable.syntax.definitions:
        if definition is executable.definition or isinstance(definition, FragmentDefinitionNode):
            unfit |= _find_unfit_variables(executable.schema, definition)
    return frozenset(names - unfit)


def _find_unfit_variables(
    schema: GraphQLSchema, definition: OperationDefinitionNode | FragmentDefinitionNode
) -> set[str]:
    info = TypeInfo(schema)
    visitor = _VariableUses(info)
    visit(definition, TypeInfoVisitor(info, visitor))
    return visitor.unfit


class _VariableUses(Visitor):
    """Finds the variables that are used where their value might be inspected."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self._info = info
        self.unfit: set[str] = set()

    def enter_variable_definition(self, *_: Any) -> Any:
        """Skip a definition: it is no use of the variable."""
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Check where a variable is used."""
        if not self._is_fit():
            self.unfit.add(node.name.value)

    def _is_fit(self) -> bool:
        input_type = self._info.get_input_type()
        if input_type is None or get_named_type(input_type).name not in _PARAM_TYPES:
            return False
        around = self._info.get_parent_input_type()
        if around is not None:
            return get_named_type(around).name in _OPERATOR_INPUTS
        argument = self._info.get_argument()
        found = argument and self._info.get_field_def()
        return bool(found and any(found.args.get(name) is argument for name in _PLAIN_ARGUMENTS))
