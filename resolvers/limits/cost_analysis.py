"""Computes the cost of a valid operation, as a formula over its variables.

GraphQL merges fields, and a merged field is fetched once and counts once. So selections are merged as in execution:
by type and response key, and here also by their conditions. `document_size` has limited the work.
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
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    value_from_ast_untyped,
)

from core.errors import require_within_limit
from core.limits import (
    COST_COUNT,
    COST_INTROSPECTION,
    COST_SEARCH,
    COST_WRITE,
    INTROSPECTION_LISTS_MAX,
    PAGE_DEFAULT,
    PENDING_INVITATIONS_MAX,
)
from resolvers.limits.cost import (
    ZERO,
    Condition,
    Cost,
    Formula,
    IdList,
    PageSize,
    Variable,
    add_formulas,
    multiply_by,
    multiply_by_page,
    restrict_to,
)
from resolvers.limits.introspection_sizes import NESTED_LISTS, IntrospectionSizes, measure_introspection
from resolvers.limits.scans import Scan
from schema.pending_invitations import PendingInvitation
from schema.streams import STREAMS
from schema.tables import LISTED

_CONNECTION_TYPES: Final = frozenset(f"{table.type_name}Connection" for table in LISTED)
_TABLES: Final = {f"{table.type_name}Connection": table for table in LISTED}
_TYPE_TABLES: Final = {table.type_name: table.relation for table in LISTED}
_ROW_TYPES: Final = frozenset(
    (*(table.type_name for table in LISTED), *(choice.union for table in LISTED for choice in table.choices))
)
_MESSAGE_TYPES: Final = frozenset(stream.messages for stream in STREAMS.values())

Conditions = tuple[Condition, ...]


class MergedField(NamedTuple):
    """A field of the merged selection: its type, its response key, and here also its conditions."""

    type: GraphQLCompositeType
    key: str
    conditions: Conditions


MergedFields = Mapping[MergedField, Sequence[FieldNode]]


class CostAnalyzer:
    """Computes the costs of operations on one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._sizes = measure_introspection(schema)

    def analyze(
        self, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> Cost:
        """The cost of a valid operation.

        Raises:
            LimitExceededError: Its introspection nests too many lists.
        """
        root = self._schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101 - the operation is valid
        formula = _OperationAnalysis(self._schema, self._sizes, fragments).analyze_selections(
            root, [operation.selection_set]
        )
        defaults = {
            definition.variable.name.value: value_from_ast_untyped(definition.default_value)
            for definition in operation.variable_definitions or ()
            if definition.default_value
        }
        return Cost(formula, defaults)


@dataclass(frozen=True, slots=True)
class _OperationAnalysis:
    """The computation for one operation.

    Attributes:
        lists: The introspection lists above, with the innermost last.
    """

    schema: GraphQLSchema
    sizes: IntrospectionSizes
    fragments: Mapping[str, FragmentDefinitionNode]
    lists: tuple[str, ...] = ()

    def analyze_selections(self, type_: GraphQLCompositeType, sets: Iterable[SelectionSetNode]) -> Formula:
        """The cost of selections on a type, for each of its objects."""
        fields = self._merge_fields(type_, sets)
        return add_formulas(
            restrict_to(field.conditions, self._analyze_field(field, nodes))
            for field, nodes in fields.items()
        )

    def _analyze_field(self, field: MergedField, nodes: Sequence[FieldNode]) -> Formula:
        name = nodes[0].name.value
        type_ = self._field_type(field.type, name)
        if type_ is None:
            return ZERO
        if type_.name in _CONNECTION_TYPES:
            return self._analyze_connection(field.type, type_, nodes)
        if type_.name in _MESSAGE_TYPES:
            return self._analyze_message(type_, nodes)
        if type_.name.startswith("__"):
            return self._analyze_introspection(field.type, name, type_, nodes)
        if type_.name == PendingInvitation.__name__:
            return Formula(PENDING_INVITATIONS_MAX)
        inner = self.analyze_selections(type_, _selection_sets(nodes))
        answered = add_formulas((_row_cost(nodes[0]), inner)) if type_.name in _ROW_TYPES else inner
        return _mutation_cost(nodes[0], answered) if field.type is self.schema.mutation_type else answered

    def _analyze_connection(
        self, parent: GraphQLCompositeType, connection: GraphQLCompositeType, nodes: Sequence[FieldNode]
    ) -> Formula:
        arguments = _argument_values(nodes[0])
        page = PageSize(arguments.get("first"), arguments.get("last"))
        merged = self._merge_fields(connection, _selection_sets(nodes))
        names = {fields[0].name.value for fields in merged.values()}
        # One row more than the page is fetched, to find whether others follow.
        fetched = (
            add_formulas((Formula(1), multiply_by_page(page, Formula(1))))
            if names - {"totalCount", "__typename"}
            else ZERO
        )
        formulas = (
            restrict_to(field.conditions, self._analyze_connection_field(field, fields, page))
            for field, fields in merged.items()
        )
        scan = Scan(
            _TABLES[connection.name],
            _TYPE_TABLES.get(parent.name),
            arguments.get("where"),
            arguments.get("orderBy"),
            arguments.get("search"),
            fetched != ZERO,
            "totalCount" in names,
        )
        scanned = Formula(0, (scan,)) if _may_scan(scan) else ZERO
        return add_formulas(
            (fetched, scanned, _cost_if_given(arguments.get("search"), COST_SEARCH), *formulas)
        )

    def _analyze_message(self, message: GraphQLCompositeType, nodes: Sequence[FieldNode]) -> Formula:
        """The cost of a stream's message. It counts as long as a page without a given size."""
        merged = self._merge_fields(message, _selection_sets(nodes))
        events = (self._analyze_events(field, fields) for field, fields in merged.items())
        return multiply_by_page(PageSize(), add_formulas(events))

    def _analyze_events(self, field: MergedField, nodes: Sequence[FieldNode]) -> Formula:
        """The cost of each event of a message: the rows on it, and reading it from the log."""
        type_ = self._field_type(field.type, nodes[0].name.value)
        if type_ is None:
            return ZERO
        return restrict_to(
            field.conditions,
            add_formulas((Formula(1), self.analyze_selections(type_, _selection_sets(nodes)))),
        )

    def _analyze_connection_field(
        self, field: MergedField, nodes: Sequence[FieldNode], page: PageSize
    ) -> Formula:
        name = nodes[0].name.value
        if name == "totalCount":
            return Formula(COST_COUNT)
        type_ = self._field_type(field.type, name)
        if type_ is None or name not in ("nodes", "edges"):
            return ZERO
        return multiply_by_page(
            page,
            self._analyze_edge(type_, nodes)
            if name == "edges"
            else self.analyze_selections(type_, _selection_sets(nodes)),
        )

    def _analyze_edge(self, edge: GraphQLCompositeType, nodes: Sequence[FieldNode]) -> Formula:
        """The cost of an edge without its row, which the list has counted."""
        formulas = []
        for field, fields in self._merge_fields(edge, _selection_sets(nodes)).items():
            row = self._field_type(edge, fields[0].name.value)
            if row:
                formulas.append(
                    restrict_to(field.conditions, self.analyze_selections(row, _selection_sets(fields)))
                )
        return add_formulas(formulas)

    def _field_type(self, parent: GraphQLCompositeType, field: str) -> GraphQLCompositeType | None:
        """The type of a field's objects. None for a field of scalar values."""
        found = self.schema.get_field(parent, field)
        type_ = get_named_type(found.type) if found else None
        return type_ if is_composite_type(type_) else None

    def _analyze_introspection(
        self, parent: GraphQLCompositeType, name: str, type_: GraphQLCompositeType, nodes: Sequence[FieldNode]
    ) -> Formula:
        lists = (*self.lists, name) if name in NESTED_LISTS else self.lists
        require_within_limit(
            "introspectionLists", INTROSPECTION_LISTS_MAX, len(lists), "lists of introspection within lists"
        )
        inner = _OperationAnalysis(self.schema, self.sizes, self.fragments, lists).analyze_selections(
            type_, _selection_sets(nodes)
        )
        size = self.sizes.compute_mean_length(parent.name, name, self.lists[-1] if self.lists else None)
        return (
            inner if size is None else multiply_by(size, add_formulas((Formula(COST_INTROSPECTION), inner)))
        )

    def _merge_fields(self, type_: GraphQLCompositeType, sets: Iterable[SelectionSetNode]) -> MergedFields:
        merged: dict[MergedField, list[FieldNode]] = {}
        seen: set[tuple[str, str, Conditions]] = set()
        for selection_set in sets:
            for field, node in self._iter_fields(type_, selection_set.selections, (), seen):
                merged.setdefault(field, []).append(node)
        return merged

    def _iter_fields(
        self,
        type_: GraphQLCompositeType,
        selections: Sequence[SelectionNode],
        outer_conditions: Conditions,
        seen: set[tuple[str, str, Conditions]],
    ) -> Iterator[tuple[MergedField, FieldNode]]:
        """The fields with their places. A fragment is visited once for each type and conditions."""
        for selection in selections:
            conditions = _read_conditions(selection, outer_conditions)
            if conditions is None:
                continue
            if isinstance(selection, FieldNode):
                yield MergedField(type_, (selection.alias or selection.name).value, conditions), selection
            elif (fragment := self._enter_fragment(selection, type_, conditions, seen)) is not None:
                narrowed = self._narrow_type(type_, fragment)
                if narrowed:
                    yield from self._iter_fields(
                        narrowed, fragment.selection_set.selections, conditions, seen
                    )

    def _enter_fragment(
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

    def _narrow_type(
        self, type_: GraphQLCompositeType, fragment: InlineFragmentNode | FragmentDefinitionNode
    ) -> GraphQLCompositeType | None:
        """The type inside of a fragment on `type_`. None if no object of that type matches the fragment."""
        condition = fragment.type_condition
        if condition is None or condition.name.value == type_.name:
            return type_
        other = cast("GraphQLCompositeType", self.schema.type_map[condition.name.value])
        if isinstance(type_, GraphQLObjectType):
            return type_ if isinstance(other, GraphQLUnionType) and type_ in other.types else None
        return other


def _selection_sets(nodes: Iterable[FieldNode]) -> list[SelectionSetNode]:
    return [node.selection_set for node in nodes if node.selection_set]


def _literal_value(value: ValueNode) -> Any:
    if isinstance(value, VariableNode):
        return Variable(value.name.value)
    if isinstance(value, ObjectValueNode):
        return {field.name.value: _literal_value(field.value) for field in value.fields}
    if isinstance(value, ListValueNode):
        return [_literal_value(each) for each in value.values]
    return value_from_ast_untyped(value)


def _may_scan(scan: Scan) -> bool:
    """Whether a list looks at more rows than its page."""
    return scan.counts or any((scan.where, scan.order_by, scan.search))


def _argument_values(node: FieldNode) -> Mapping[str, Any]:
    return {argument.name.value: _literal_value(argument.value) for argument in node.arguments or ()}


def _row_cost(node: FieldNode) -> Formula:
    """One row. If deleted rows are included, several rows may match a field that does not take the id."""
    arguments = _argument_values(node)
    if "id" in arguments:
        return Formula(1)
    return add_formulas((Formula(1), _cost_if_given(arguments.get("includeDeleted"), PAGE_DEFAULT)))


def _mutation_cost(node: FieldNode, payload_cost: Formula) -> Formula:
    """The cost of a mutation: the write and the answer, for each of its rows."""
    each = add_formulas((Formula(COST_WRITE), payload_cost))
    ids = _argument_values(node).get("ids")
    return each if ids is None else multiply_by_page(IdList(ids), each)


def _cost_if_given(value: Any, rows: int) -> Formula:
    """Rows that count if an argument is neither null, nor false, nor empty."""
    if isinstance(value, Variable):
        return restrict_to((Condition(value.name),), Formula(rows))
    return Formula(rows) if value else ZERO


def _read_conditions(selection: SelectionNode, outer_conditions: Conditions) -> Conditions | None:
    """The conditions for a selection to count, in a fixed order. None if it never counts."""
    conditions = set(outer_conditions)
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
