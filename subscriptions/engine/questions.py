"""What a live query asks, and of whom the answer is true: whoever asks the same shares the run and the message."""

import json
from dataclasses import dataclass
from typing import Final, NamedTuple

from graphql import (
    FragmentDefinitionNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_abstract_type,
    visit,
)

from core.errors import BadUserInputError, ForbiddenError
from core.viewer import Claims, Viewer, ViewerKind
from resolvers.asked import Asked
from resolvers.documents import Document
from resolvers.execution import Request, estimate
from resolvers.live_documents import as_query
from resolvers.planning import Planning
from resolvers.plans import Plan, Values
from resolvers.selection import Syntax
from resolvers.ways import Way, coerced_variables

_PERSONS: Final = frozenset({"Viewer", "User", "Role"})


class Key(NamedTuple):
    """What makes two live queries one.

    Attributes:
        query: The document.
        operation: The name of the operation in it.
        variables: As JSON with sorted names.
        claims: What the viewers may see.
        wants: What the messages tell beside the answer.
        person: Who asks, where the answer can depend on it: user, role, and when the token ends.
    """

    query: str
    operation: str | None
    variables: str
    claims: Claims
    wants: tuple[str, ...]
    person: tuple[str | None, str | None, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A live query as it is run.

    Attributes:
        key: What it has in common with all that are run together with it.
        document: The document it is of, which keeps its plans.
        request: What the first who asked sent.
        asked: The same as a query.
        viewer: The first who asked.
        field: The response key of its one root field.
        plan: What it was compiled to; None where the data loaders answer it.
        values: What the plan's slots are filled with.
        cost: In rows, where the messages are to tell it.
    """

    key: Key
    document: Document
    request: Request
    asked: Asked
    viewer: Viewer
    field: str
    plan: Plan | None
    values: Values
    cost: int | None

    @property
    def wants_snapshot(self) -> bool:
        """Whether each message tells the moment that it is true of."""
        return "snapshot" in self.key.wants


class Asking:
    """Makes questions of requests."""

    def __init__(self, schema: GraphQLSchema, way: Way) -> None:
        self._schema = schema
        self._way = way

    def question(self, document: Document, request: Request, viewer: Viewer) -> Question:
        """The question of a request for a valid document's subscription that is no stream.

        Raises:
            BadUserInputError: There is no such operation, or it cannot be run as is asked for.
            ForbiddenError: It asks for what is the platform's.
            LimitExceededError: It costs too much.
        """
        cost = estimate(document, request)
        definition = document.operation(request.operation_name)
        assert definition is not None  # noqa: S101 - what has been estimated is there
        asked = as_query(self._schema, document, definition, request.variables)
        way = _way(request, viewer) or self._way
        field, plan, values, shared = _planned(asked, viewer, way)
        person = None if shared else (viewer.user_id, viewer.role_id, viewer.expires_at)
        variables = json.dumps(request.variables, sort_keys=True) if request.variables else ""
        key = Key(
            request.query, request.operation_name, variables, viewer.claims, _wants(request, way), person
        )
        told_cost = cost if request.wants_cost else None
        return Question(key, document, request, asked, viewer, field, plan, values, told_cost)


def _planned(asked: Asked, viewer: Viewer, way: Way) -> tuple[str, Plan | None, Values, bool]:
    """The response key, the plan if there is one, its values, and whether all of equal claims may share it."""
    variables = None if way is Way.LOADERS else coerced_variables(asked)
    planning = Planning(asked, viewer, variables, observe=True) if variables is not None else None
    planned = planning.planned() if planning else None
    plan = next(iter(planned.plans.values())) if planned else None
    if planning and planned and plan:
        return next(iter(planned.plans)), plan, planning.values, planned.reusable
    if way is Way.COMPILED:
        raise BadUserInputError("This operation is not compiled")
    return _field(asked), None, {}, not _tells_of_persons(asked)


def _field(asked: Asked) -> str:
    fragments = {d.name.value: d for d in asked.syntax.definitions if isinstance(d, FragmentDefinitionNode)}
    return next(iter(Syntax(fragments, {}).responses_of(asked.definition.selection_set, "Query")))


def _tells_of_persons(asked: Asked) -> bool:
    """Whether a selection tells who asks, or reads what everyone may read their own row of (`access.own_id`)."""
    info = TypeInfo(asked.schema)
    finding = _Persons(asked.schema, info)
    visit(asked.syntax, TypeInfoVisitor(info, finding))
    return finding.found


class _Persons(Visitor):
    """Finds fields that lead to rows which viewers may see as their own."""

    def __init__(self, schema: GraphQLSchema, info: TypeInfo) -> None:
        super().__init__()
        self._schema = schema
        self._info = info
        self.found = False

    def enter_field(self, *_: object) -> None:
        """Look at what a field leads to."""
        type_ = get_named_type(self._info.get_type())
        types = self._schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]
        self.found = self.found or any(led_to and led_to.name in _PERSONS for led_to in types)


def _way(request: Request, viewer: Viewer) -> Way | None:
    if request.wants_explanation:
        raise BadUserInputError("extensions.explain is for queries: ask the same as one")
    way = request.wanted_way
    if way is not None and viewer.kind is not ViewerKind.PLATFORM:
        raise ForbiddenError("extensions.way is for the platform alone")
    return way


def _wants(request: Request, way: Way) -> tuple[str, ...]:
    wanted = [name for name in ("cost", "snapshot") if request.extensions.get(name) is True]
    return (*wanted, way)
