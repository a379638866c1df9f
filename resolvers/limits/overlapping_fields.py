"""The rule "overlapping fields can be merged", in time linear in the document with its fragments expanded.

graphql-core compares fields of equal response keys in pairs. Here the selection sets of one response path are merged
first, as in execution. Each response key is then checked once:

    { a { x }  a { y }  ... on T { a { z } } }    →    a: { x, y, z }    →    x, y, z: nothing to compare

Two checks go down the merged sets:

- Fields of one response key must have one shape (lists, non-null, the scalar).
- Fields of objects that may be the same must have one name and equal arguments.

Different object types are never the same object. Below them the second check continues for each type alone. Simon
Adameit described the method in "A vastly more performant algorithm for GraphQL field selection merging" (2019).
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    type_from_ast,
)
from graphql.validation import ValidationRule

from core.errors import require_within_limit
from core.limits import DOCUMENT_COMPARISONS_MAX
from resolvers.limits.depth_and_size import Fragments, list_spreads_of, order_inner_first
from resolvers.sql.selection import collect_fragments

_ADVICE: Final = "Use different aliases on the fields to fetch both if this was intentional."
_NAME_SHOWN_CHARS: Final = 100


class MergeableFieldsRule(ValidationRule):
    """Overlapping fields can be merged.

    It accepts what graphql-core's rule accepts, with fewer errors for one conflict. Other rules refuse fragments in a
    cycle, and fragments that no operation spreads.
    """

    def leave_document(self, node: DocumentNode, *_args: Any) -> None:
        """Check all operations, unless the other rules have found too many errors before."""
        FieldMergeCheck(self.context.schema, node, self.report_error).check()


class _Field(NamedTuple):
    """A field node with its parent type and its own type. It is compared by the identity of the node."""

    node: FieldNode
    parent: GraphQLNamedType | None
    type: GraphQLOutputType | None


class _Occurrence(NamedTuple):
    """A field in a merged set. `below` is the occurrence that has its selection set."""

    field: _Field
    below: "_Occurrence | None"


class _Selections(NamedTuple):
    """A selection set with flattened inline fragments."""

    fields: list[tuple[str, _Field]]
    spreads: list[str]


class _Source(NamedTuple):
    """A selection set to merge with others: its node, its type, and the occurrence that has it."""

    node: SelectionSetNode
    type: GraphQLNamedType | None
    below: _Occurrence | None


_Sources = Sequence[_Source]
_Group = Sequence[_Occurrence]


class FieldMergeCheck:
    """The check of one document.

    Attributes:
        steps: How many fields were merged and compared.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, report: Callable[[GraphQLError], None]
    ) -> None:
        """Prepare the check. `report` is called with each conflict."""
        self.steps = 0
        self._schema = schema
        self._document = document
        self._report = report
        self._fragments = collect_fragments(document)
        self._selections: dict[int, _Selections] = {}
        self._calls: dict[int, Hashable] = {}
        self._shapes: dict[int, Hashable] = {}
        self._done: set[tuple[bool, Hashable]] = set()
        self._reported: set[tuple[int, int]] = set()

    def check(self) -> None:
        """Check all operations, set by set from the root down.

        Raises:
            LimitExceededError: It takes more than `DOCUMENT_COMPARISONS_MAX` steps.
        """
        if _has_cycle(self._fragments):
            return
        for definition in self._document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                root = self._schema.get_root_type(definition.operation)
                self._check_below([_Source(definition.selection_set, root, None)])

    def _check_below(self, sources: _Sources) -> None:
        waiting: list[tuple[bool, _Sources]] = [(True, sources)]
        while waiting:
            same_objects, sources = waiting.pop()
            work = (same_objects, _identify(sources))
            if work in self._done:
                continue
            self._done.add(work)
            for group in self._merge_sources(sources).values():
                waiting.extend(self._check_group(group, same_objects=same_objects))

    def _check_group(self, group: _Group, *, same_objects: bool) -> Iterable[tuple[bool, _Sources]]:
        """Check the fields of one response key. Returns the sets below them that remain to be checked."""
        if len(group) > 1:
            self._count_steps(len(group))
        abstract, by_type = _group_by_object_type(group) if same_objects else (group, ())
        if same_objects and self._calls_differ(abstract, by_type):
            return ()
        if len(group) > 1 and (
            self._is_streamed(group) or self._differs(group, self._shape, _describe_type_problem)
        ):
            return ()
        if same_objects:
            return self._iter_child_groups(group, abstract, by_type)
        return [(False, below)] if (below := _list_child_sources(group)) else ()

    def _calls_differ(self, abstract: _Group, by_type: Sequence[_Group]) -> bool:
        groups = (abstract, *([*abstract[:1], *group] for group in by_type))
        return any(len(group) > 1 and self._differs(group, self._call, _call_problem) for group in groups)

    def _iter_child_groups(
        self, group: _Group, abstract: _Group, by_type: Sequence[_Group]
    ) -> Iterable[tuple[bool, _Sources]]:
        """Below fields of several object types: the objects of each type, and the shape of all together."""
        if len(by_type) <= 1:
            return [(True, below)] if (below := _list_child_sources(group)) else ()
        everything = _list_child_sources(group)
        shared = _list_child_sources(abstract)
        self._count_steps(len(shared) * len(by_type))
        children = [[*shared, *_list_child_sources(child)] for child in by_type]
        return [
            *((True, child) for child in children if child),
            *([(False, everything)] if everything else []),
        ]

    def _merge_sources(self, sources: _Sources) -> dict[str, list[_Occurrence]]:
        """The fields of all sources by response key, with each fragment once."""
        merged: dict[str, list[_Occurrence]] = {}
        seen: set[str] = set()
        waiting = list(reversed(sources))
        while waiting:
            node, type_, below = waiting.pop()
            selections = self._get_selections(node, type_)
            self._count_steps(len(selections.fields) + len(selections.spreads) + 1)
            for key, field in selections.fields:
                if key in merged:
                    merged[key].append(_Occurrence(field, below))
                else:
                    merged[key] = [_Occurrence(field, below)]
            for name in selections.spreads:
                if name not in seen and name in self._fragments:
                    seen.add(name)
                    waiting.append(self._build_fragment_source(name, below))
        return merged

    def _build_fragment_source(self, name: str, below: _Occurrence | None) -> _Source:
        fragment = self._fragments[name]
        return _Source(fragment.selection_set, type_from_ast(self._schema, fragment.type_condition), below)

    def _get_selections(self, node: SelectionSetNode, type_: GraphQLNamedType | None) -> _Selections:
        found = self._selections.get(id(node))
        if found is None:
            found = self._selections[id(node)] = self._flatten_new(node, type_)
        return found

    def _flatten_new(self, node: SelectionSetNode, type_: GraphQLNamedType | None) -> _Selections:
        flat = _Selections([], [])
        self._flatten(node, type_, flat)
        return flat

    def _flatten(self, node: SelectionSetNode, type_: GraphQLNamedType | None, flat: _Selections) -> None:
        known = type_.fields if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) else {}
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                name = selection.name.value
                definition = known.get(name)
                field = _Field(selection, type_, definition.type if definition else None)
                flat.fields.append((selection.alias.value if selection.alias else name, field))
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = type_from_ast(self._schema, condition) if condition else type_
                self._flatten(selection.selection_set, inner, flat)
            elif isinstance(selection, FragmentSpreadNode):
                flat.spreads.append(selection.name.value)

    def _is_streamed(self, group: _Group) -> bool:
        """Report a field that is streamed and occurs more than once."""
        streamed = next((o for o in group if _has_stream_directive(o.field.node)), None)
        if streamed is None:
            return False
        other = group[1] if streamed is group[0] else group[0]
        self._report_conflict(other, streamed, "they have overlapping stream directives")
        return True

    def _differs(
        self,
        group: _Group,
        trait: Callable[[_Field], Hashable],
        problem: Callable[[_Field, _Field], str],
    ) -> bool:
        """Report fields with a trait that differs from the first one's. A trait of None fits any other."""
        first: _Occurrence | None = None
        seen: set[Hashable] = set()
        for occurrence in group:
            found = trait(occurrence.field)
            if found is None or found in seen:
                continue
            seen.add(found)
            if first is None:
                first = occurrence
            else:
                self._report_conflict(first, occurrence, problem(first.field, occurrence.field))
        return len(seen) > 1

    def _shape(self, field: _Field) -> Hashable:
        """The form of the values in the answer. None if the schema does not have the field."""
        type_ = field.type
        if type_ is None:
            return None
        found = self._shapes.get(id(type_))
        if found is None:
            found = self._shapes[id(type_)] = _describe_shape(type_)
        return found

    def _call(self, field: _Field) -> Hashable:
        """The field's name with its arguments."""
        node = field.node
        if not node.arguments:
            return node.name.value
        found = self._calls.get(id(node))
        if found is None:
            arguments = sorted((a.name.value, repr(_normalize_value(a.value))) for a in node.arguments)
            found = self._calls[id(node)] = (node.name.value, *arguments)
        return found

    def _report_conflict(self, one: _Occurrence, other: _Occurrence, reason: str) -> None:
        """Report two fields. The message names the conflict at the first difference on the path to them."""
        pair = (id(one.field.node), id(other.field.node))
        if pair in self._reported:
            return
        self._reported.add(pair)
        nodes, others = [one.field.node], [other.field.node]
        while one.below is not None and other.below is not None and one.below is not other.below:
            reason = f"subfields '{_key(nodes[0])}' conflict because {reason}"
            one, other = one.below, other.below
            nodes.insert(0, one.field.node)
            others.insert(0, other.field.node)
        message = f"Fields '{_key(nodes[0])}' conflict because {reason}. {_ADVICE}"
        self._report(GraphQLError(message, nodes + others))

    def _count_steps(self, steps: int) -> None:
        self.steps += steps
        require_within_limit(
            "comparisons", DOCUMENT_COMPARISONS_MAX, self.steps, "fields to merge and compare"
        )


def _has_cycle(fragments: Fragments) -> bool:
    order = {name: number for number, name in enumerate(order_inner_first(fragments))}
    return any(
        order[inner] >= order[name] for name in fragments for inner in list_spreads_of(fragments, name)
    )


def _identify(sources: _Sources) -> Hashable:
    if len(sources) == 1:
        return id(sources[0].node)
    return frozenset(id(source.node) for source in sources)


def _list_child_sources(group: _Group) -> list[_Source]:
    """The selection sets of fields."""
    return [
        _Source(selections, get_named_type(o.field.type) if o.field.type else None, o)
        for o in group
        if (selections := o.field.node.selection_set)
    ]


def _group_by_object_type(group: _Group) -> tuple[_Group, Sequence[_Group]]:
    """The fields that any object may have (of an interface or an unknown type), and those of each object type."""
    if len(group) == 1:
        return group, ()
    abstract: list[_Occurrence] = []
    by_type: dict[str, list[_Occurrence]] = {}
    for occurrence in group:
        parent = occurrence.field.parent
        if isinstance(parent, GraphQLObjectType):
            by_type.setdefault(parent.name, []).append(occurrence)
        else:
            abstract.append(occurrence)
    return abstract, tuple(by_type.values())


def _has_stream_directive(node: FieldNode) -> bool:
    return any(directive.name.value == "stream" for directive in node.directives or ())


def _describe_shape(type_: GraphQLOutputType) -> str:
    if isinstance(type_, GraphQLList):
        return f"[{_describe_shape(type_.of_type)}]"
    if isinstance(type_, GraphQLNonNull):
        return f"{_describe_shape(type_.of_type)}!"
    return type_.name if is_leaf_type(type_) else "{}"


def _describe_type_problem(one: _Field, other: _Field) -> str:
    return f"they return conflicting types '{one.type}' and '{other.type}'"


def _call_problem(one: _Field, other: _Field) -> str:
    if one.node.name.value != other.node.name.value:
        return f"'{_format_name(one.node.name.value)}' and '{_format_name(other.node.name.value)}' are different fields"  # noqa: E501
    return "they have differing arguments"


def _normalize_value(value: ValueNode) -> tuple[object, ...]:
    """A value's structure. The fields of objects are sorted by their names."""
    if isinstance(value, VariableNode):
        return ("$", value.name.value)
    if isinstance(value, ObjectValueNode):
        fields = sorted(value.fields, key=lambda field: field.name.value)
        return ("{", *((field.name.value, _normalize_value(field.value)) for field in fields))
    if isinstance(value, ListValueNode):
        return ("[", *map(_normalize_value, value.values))
    if isinstance(value, NullValueNode):
        return ("null",)
    return (value.kind, value.value, isinstance(value, StringValueNode) and value.block is True)  # type: ignore[attr-defined]  # of the kinds that are left


def _key(node: FieldNode) -> str:
    return _format_name((node.alias or node.name).value)


def _format_name(name: str) -> str:
    return name if len(name) <= _NAME_SHOWN_CHARS else f"{name[:_NAME_SHOWN_CHARS]}..."
