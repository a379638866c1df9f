"""A live query in normalized form, and its key. Subscriptions with equal keys share the runs and the messages."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from graphql import (
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_abstract_type,
    visit,
)

from core.auth.viewer import Claims, Viewer, ViewerKind
from core.errors import BadUserInputError, ForbiddenError
from core.exact_json import build_json_key
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.compiler.params import ParamValues
from resolvers.compiler.plan import Plan
from resolvers.compiler.planner import Planner
from resolvers.documents.live import build_live_query
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.queries import coerce_query_variables
from resolvers.request import GraphQLRequest
from resolvers.sql.selection import SelectionReader

_PERSONS: Final = frozenset({"Viewer", "User", "Role"})


class LiveQueryKey(NamedTuple):
    """Two live queries with equal keys are the same shared query.

    Attributes:
        query: The document.
        operation: The name of the operation in it.
        variables: As JSON with sorted names.
        claims: The access rights of the viewers.
        wants: The extensions that the messages carry, and the execution strategy.
        person: The viewer's user, role and token expiry, if the answer can depend on them. Else None.
    """

    query: str
    operation: str | None
    variables: bytes
    claims: Claims
    wants: tuple[str, ...]
    person: tuple[str | None, str | None, int] | None


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """How a live query is answered.

    Attributes:
        field: The response key of the single root field.
        plan: The compiled plan. None if the data loaders answer the query.
        values: The values of the plan's parameters.
        is_shareable: Whether viewers of equal claims get the same answer.
    """

    field: str
    plan: Plan | None
    values: ParamValues
    is_shareable: bool


@dataclass(frozen=True, slots=True, eq=False)
class LiveQuery:
    """A live query, ready to run.

    Attributes:
        key: The same for all subscriptions that share it.
        subscription: The operation of the first subscriber.
        executable: The same operation, rewritten as a query.
        viewer: The first subscriber's viewer.
        planned: The plan, and its values.
        cost: The estimated rows, if the messages have to carry the cost.
    """

    key: LiveQueryKey
    subscription: ExecutableOperation
    executable: ExecutableOperation
    viewer: Viewer
    planned: PlannedRead
    cost: int | None

    @property
    def wants_snapshot(self) -> bool:
        """Whether each message carries the snapshot that it shows."""
        return "snapshot" in self.key.wants


class LiveQueryFactory:
    """Makes live queries from requests."""

    def __init__(self, strategy: ExecutionStrategy) -> None:
        self._strategy = strategy

    def build(self, subscription: ExecutableOperation, viewer: Viewer) -> LiveQuery:
        """Make the live query of a subscription that is no stream.

        Raises:
            BadUserInputError: It cannot run in the requested way.
            ForbiddenError: The request uses an extension that only the platform may use.
        """
        request, executable = subscription.request, build_live_query(subscription)
        strategy = _choose_strategy(request, viewer) or self._strategy
        planned = _plan_query(executable, viewer, strategy)
        person = None if planned.is_shareable else (viewer.user_id, viewer.role_id, viewer.expires_at)
        variables = build_json_key(request.variables) if request.variables else b""
        key = LiveQueryKey(
            request.query,
            request.operation_name,
            variables,
            viewer.claims,
            _list_requested_extensions(request, strategy),
            person,
        )
        shown_cost = subscription.cost if request.wants_cost else None
        return LiveQuery(key, subscription, executable, viewer, planned, shown_cost)


def _plan_query(executable: ExecutableOperation, viewer: Viewer, strategy: ExecutionStrategy) -> PlannedRead:
    """Plan the single root field: compiled if it can be and the strategy allows it, else by the data loaders."""
    variables = None if strategy is ExecutionStrategy.LOADERS else coerce_query_variables(executable)
    planner = Planner(executable, viewer, variables, track_reads=True) if variables is not None else None
    plans = planner.plan() if planner else None
    plan = next(iter(plans.plans.values())) if plans else None
    if planner and plans and plan:
        return PlannedRead(next(iter(plans.plans)), plan, planner.values, plans.is_reusable)
    if strategy is ExecutionStrategy.COMPILED:
        raise BadUserInputError("This operation cannot be compiled")
    return PlannedRead(_find_root_field_name(executable), None, {}, not _depends_on_person(executable))


def _find_root_field_name(executable: ExecutableOperation) -> str:
    reader = SelectionReader(executable.fragments, {})
    return next(iter(reader.collect_by_response_key(executable.definition.selection_set, "Query")))


def _depends_on_person(executable: ExecutableOperation) -> bool:
    """Whether the answer can depend on the user: it selects the viewer, or rows of `access.find_own_id`."""
    info = TypeInfo(executable.schema)
    visitor = _PersonalFields(executable.schema, info)
    visit(executable.syntax, TypeInfoVisitor(info, visitor))
    return visitor.found


class _PersonalFields(Visitor):
    """Finds fields that lead to rows which each viewer may read if they are the viewer's own."""

    def __init__(self, schema: GraphQLSchema, info: TypeInfo) -> None:
        super().__init__()
        self._schema = schema
        self._info = info
        self.found = False

    def enter_field(self, *_: object) -> None:
        """Check the types to which the field leads."""
        type_ = get_named_type(self._info.get_type())
        types = self._schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]
        self.found = self.found or any(target_type and target_type.name in _PERSONS for target_type in types)


def _choose_strategy(request: GraphQLRequest, viewer: Viewer) -> ExecutionStrategy | None:
    if request.wants_explanation:
        raise BadUserInputError("extensions.explain is only for queries: send the operation as a query")
    strategy = request.requested_strategy
    if strategy is not None and viewer.kind is not ViewerKind.PLATFORM:
        raise ForbiddenError("Only the platform may use extensions.way")
    return strategy


def _list_requested_extensions(request: GraphQLRequest, strategy: ExecutionStrategy) -> tuple[str, ...]:
    wanted = [name for name in ("cost", "snapshot") if request.extensions.get(name) is True]
    return (*wanted, strategy)
