"""Reads from a valid operation what it costs, as a formula over its variables.

Fields that GraphQL merges into one are fetched once and count once, so selections are put together as execution does:
by type, response key, and here the conditions under which they stand. `document_size` has bounded the work.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    value_from_ast_untyped,
)

from core.errors import refuse_beyond
from core.limits import (
    COST_COUNT,
    COST_INTROSPECTION,
    COST_SEARCH,
    COST_WRITE,
    INTROSPECTION_LISTS_MAX,
    PAGE_DEFAULT,
)
from resolvers.cost import (
    NOTHING,
    Condition,
    Cost,
    Formula,
    Named,
    PageSize,
    Variable,
    on_each,
    times,
    total,
    where,
)
from resolvers.introspection_sizes import NESTED_LISTS, IntrospectionSizes, introspection_sizes
from schema.streams import STREAMS
from schema.tables import LISTED

_CONNECTIONS: Final = frozenset(f"{table.type_name}Connection" for table in LISTED)
_ROWS: Final = frozenset(
    (*(table.type_name for table in LISTED), *(choice.union for table in LISTED for choice in table.choices))
)
_MESSAGES: Final = frozenset(stream.messages for stream in STREAMS.values())

Conditions = tuple[Condition, ...]


class Place(NamedTuple):
    """What execution merges: fields of one type with one response key, here under the same conditions, too."""

    type: GraphQLCompositeType
    key: str
    conditions: Conditions


Places = Mapping[Place, Sequence[FieldNode]]


class CostReader:
    """Reads the costs of the operations of a schema's documents."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._sizes = introspection_sizes(schema)

    def cost(
        self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> Cost:
        """The cost of a valid operation.

        Raises:
            LimitExceededError: Its introspection nests too many lists.
        """
        root = self._schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101 - the operation is valid
        formula = _Reading(self._schema, self._sizes, fragments).below(root, [operation.selection_set])
        defaults = {
            definition.variable.name.value: value_from_ast_untyped(definition.default_value)
            for definition in operation.variable_definitions or ()
            if definition.default_value
        }
        return Cost(formula, defaults)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The reading of one operation.

    Attributes:
        lists: The lists of introspection that stand above, the innermost last.
    """

    schema: GraphQLSchema
    sizes: IntrospectionSizes
    fragments: Mapping[str, FragmentDefinitionNode]
    lists: tuple[str, ...] = ()

    def below(self, type_: GraphQLCompositeType, sets: Iterable[SelectionSetNode]) -> Formula:
        """What selections on a type cost for each of its objects."""
        places = self._places(type_, sets)
        return total(where(place.conditions, self._field(place, nodes)) for place, nodes in places.items())

    def _field(self, place: Place, nodes: Sequence[FieldNode]) -> Formula:
        name = nodes[0].name.value
        type_ = self._type(place.type, name)
        if type_ is None:
            return NOTHING
        if type_.name in _CONNECTIONS:
            return self._list(type_, nodes)
        if type_.name in _MESSAGES:
            return self._message(type_, nodes)
        if type_.name.startswith("__"):
            return self._introspection(place.type, name, type_, nodes)
        inner = self.below(type_, _sets(nodes))
        answered = total((_row(nodes[0]), inner)) if type_.name in _ROWS else inner
        return _of_mutation(nodes[0], answered) if place.type is self.schema.mutation_type else answered

    def _list(self, connection: GraphQLCompositeType, nodes: Sequence[FieldNode]) -> Formula:
        arguments = _arguments(nodes[0])
        page = PageSize(arguments.get("first"), arguments.get("last"))
        places = self._places(connection, _sets(nodes))
        names = {fields[0].name.value for fields in places.values()}
        # One row more than the page tells whether others follow.
        fetched = (
            total((Formula(1), on_each(page, Formula(1))))
            if names - {"totalCount", "__typename"}
            else NOTHING
        )
        parts = (
            where(place.conditions, self._of_list(place, fields, page)) for place, fields in places.items()
        )
        return total((fetched, _if_given(arguments.get("search"), COST_SEARCH), *parts))

    def _message(self, message: GraphQLCompositeType, nodes: Sequence[FieldNode]) -> Formula:
        """What a message of a stream costs, taken for as long as a page that names no size."""
        places = self._places(message, _sets(nodes))
        events = (self._events(place, fields) for place, fields in places.items())
        return on_each(PageSize(), total(events))

    def _events(self, place: Place, nodes: Sequence[FieldNode]) -> Formula:
        """What each event of a message costs: what hangs on it, and reading it from the log."""
        type_ = self._type(place.type, nodes[0].name.value)
        if type_ is None:
            return NOTHING
        return where(place.conditions, total((Formula(1), self.below(type_, _sets(nodes)))))

    def _of_list(self, place: Place, nodes: Sequence[FieldNode], page: PageSize) -> Formula:
        name = nodes[0].name.value
        if name == "totalCount":
            return Formula(COST_COUNT)
        type_ = self._type(place.type, name)
        if type_ is None or name not in ("nodes", "edges"):
            return NOTHING
        return on_each(page, self._edge(type_, nodes) if name == "edges" else self.below(type_, _sets(nodes)))

    def _edge(self, edge: GraphQLCompositeType, nodes: Sequence[FieldNode]) -> Formula:
        """What an edge costs beside its row, which the list has counted."""
        formulas = []
        for place, fields in self._places(edge, _sets(nodes)).items():
            row = self._type(edge, fields[0].name.value)
            if row:
                formulas.append(where(place.conditions, self.below(row, _sets(fields))))
        return total(formulas)

    def _type(self, parent: GraphQLCompositeType, field: str) -> GraphQLCompositeType | None:
        """The type of a field's objects; None for one that has values only."""
        found = self.schema.get_field(parent, field)
        type_ = get_named_type(found.type) if found else None
        return type_ if is_composite_type(type_) else None

    def _introspection(
        self, parent: GraphQLCompositeType, name: str, type_: GraphQLCompositeType, nodes: Sequence[FieldNode]
    ) -> Formula:
        lists = (*self.lists, name) if name in NESTED_LISTS else self.lists
        refuse_beyond(
            "introspectionLists", INTROSPECTION_LISTS_MAX, len(lists), "lists of introspection within lists"
        )
        inner = _Reading(self.schema, self.sizes, self.fragments, lists).below(type_, _sets(nodes))
        size = self.sizes.of(parent.name, name, self.lists[-1] if self.lists else None)
        return inner if size is None else times(size, total((Formula(COST_INTROSPECTION), inner)))

    def _places(self, type_: GraphQLCompositeType, sets: Iterable[SelectionSetNode]) -> Places:
        places: dict[Place, list[FieldNode]] = {}
        seen: set[tuple[str, str, Conditions]] = set()
        for selection_set in sets:
            for place, node in self._walk(type_, selection_set.selections, (), seen):
                places.setdefault(place, []).append(node)
        return places

    def _walk(
        self,
        type_: GraphQLCompositeType,
        selections: Sequence[SelectionNode],
        above: Conditions,
        seen: set[tuple[str, str, Conditions]],
    ) -> Iterator[tuple[Place, FieldNode]]:
        """The fields with their places; a fragment is entered once for each type and conditions."""
        for selection in selections:
            conditions = _conditions(selection, above)
            if conditions is None:
                continue
            if isinstance(selection, FieldNode):
                yield Place(type_, (selection.alias or selection.name).value, conditions), selection
            elif (fragment := self._entered(selection, type_, conditions, seen)) is not None:
                narrowed = self._narrowed(type_, fragment)
                if narrowed:
                    yield from self._walk(narrowed, fragment.selection_set.selections, conditions, seen)

    def _entered(
        self,
        selection: SelectionNode,
        type_: GraphQLCompositeType,
        conditions: Conditions,
        seen: set[tuple[str, str, Conditions]],
    ) -> InlineFragmentNode | FragmentDefinitionNode | None:
        if isinstance(selection, InlineFragmentNode):
            return selection
        assert isinstance(selection, FragmentSpreadNode)  # noqa: S101 - the third and last kind
        visit = (selection.name.value, type_.name, conditions)
        if visit in seen:
            return None
        seen.add(visit)
        return self.fragments[selection.name.value]

    def _narrowed(
        self, type_: GraphQLCompositeType, fragment: InlineFragmentNode | FragmentDefinitionNode
    ) -> GraphQLCompositeType | None:
        """The type inside of a fragment on `type_`; None where no object of that type enters it."""
        condition = fragment.type_condition
        if condition is None or condition.name.value == type_.name:
            return type_
        other = cast("GraphQLCompositeType", self.schema.type_map[condition.name.value])
        if isinstance(type_, GraphQLObjectType):
            return type_ if isinstance(other, GraphQLUnionType) and type_ in other.types else None
        return other


def _sets(nodes: Iterable[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set]


def _written(value: ValueNode) -> Any:
    return Variable(value.name.value) if isinstance(value, VariableNode) else value_from_ast_untyped(value)


def _arguments(node: FieldNode) -> Mapping[str, Any]:
    return {argument.name.value: _written(argument.value) for argument in node.arguments or ()}


def _row(node: FieldNode) -> Formula:
    """One row; with deleted ones several may have what the field finds them by, unless it is the id."""
    arguments = _arguments(node)
    if "id" in arguments:
        return Formula(1)
    return total((Formula(1), _if_given(arguments.get("includeDeleted"), PAGE_DEFAULT)))


def _of_mutation(node: FieldNode, answered: Formula) -> Formula:
    """A mutation: the write and the answer, for each of the rows that it names."""
    each = total((Formula(COST_WRITE), answered))
    ids = _arguments(node).get("ids")
    return each if ids is None else on_each(Named(ids), each)


def _if_given(value: Any, rows: int) -> Formula:
    """Rows that count where an argument is neither null, nor false, nor empty."""
    if isinstance(value, Variable):
        return where((Condition(value.name),), Formula(rows))
    return Formula(rows) if value else NOTHING


def _conditions(selection: SelectionNode, above: Conditions) -> Conditions | None:
    """What must hold for a selection to count, in a fixed order; None where it never does."""
    conditions = set(above)
    for directive in selection.directives or ():
        if directive.name.value not in ("include", "skip"):
            continue
        wanted = directive.name.value == "include"
        value = next(iter(directive.arguments or ())).value
        if isinstance(value, VariableNode):
            conditions.add(Condition(value.name.value, wanted))
        elif isinstance(value, BooleanValueNode) and value.value is not wanted:
            return None
    return tuple(sorted(conditions))
