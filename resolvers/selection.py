"""What a document asks for below a field: read from its syntax, before any row is fetched."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)

from schema.table import Column, Table
from schema.tables import TABLES

_UNIONS: Final = tuple(choice.union for table in TABLES for choice in table.choices)


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments that a document defines, by their names."""
    return {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}


@dataclass(frozen=True, slots=True)
class Syntax:
    """What reading a selection takes beside its nodes."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    @classmethod
    def of(cls, info: GraphQLResolveInfo[Any]) -> "Syntax":
        """The document of the operation that is being resolved."""
        return cls(info.fragments, info.variable_values.coerced)

    def fields(self, nodes: Iterable[FieldNode], type_name: str) -> dict[str, list[FieldNode]]:
        """The fields selected below `nodes` on the object type `type_name`, by name; aliases fall together."""
        found: dict[str, list[FieldNode]] = {}
        for field in self._below(nodes, type_name):
            found.setdefault(field.name.value, []).append(field)
        return found

    def responses(self, nodes: Iterable[FieldNode], type_name: str) -> dict[str, list[FieldNode]]:
        """The same by response key: what GraphQL merges into one field of the answer, in the answer's order."""
        found: dict[str, list[FieldNode]] = {}
        for field in self._below(nodes, type_name):
            found.setdefault((field.alias or field.name).value, []).append(field)
        return found

    def responses_of(self, selection: SelectionSetNode, type_name: str) -> dict[str, list[FieldNode]]:
        """The fields of a selection set by response key, in the answer's order."""
        found: dict[str, list[FieldNode]] = {}
        for field in self._walk(selection.selections, type_name, set()):
            found.setdefault((field.alias or field.name).value, []).append(field)
        return found

    def _below(self, nodes: Iterable[FieldNode], type_name: str) -> Iterator[FieldNode]:
        seen: set[str] = set()
        for node in nodes:
            if node.selection_set:
                yield from self._walk(node.selection_set.selections, type_name, seen)

    def _walk(
        self, selections: Sequence[SelectionNode], type_name: str, seen: set[str]
    ) -> Iterator[FieldNode]:
        """The fields of a selection set on an object type; a fragment in `seen` is not entered again."""
        for selection in selections:
            if not self._included(selection):
                continue
            if isinstance(selection, FieldNode):
                yield selection
            elif (fragment := self._fragment(selection, seen)) and _is_on(fragment, type_name):
                yield from self._walk(fragment.selection_set.selections, type_name, seen)

    def _fragment(
        self, node: SelectionNode, seen: set[str]
    ) -> InlineFragmentNode | FragmentDefinitionNode | None:
        if isinstance(node, InlineFragmentNode):
            return node
        if not isinstance(node, FragmentSpreadNode) or node.name.value in seen:
            return None
        seen.add(node.name.value)
        return self.fragments.get(node.name.value)

    def _included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            if directive.name.value in ("skip", "include"):
                condition = next(iter(directive.arguments or ()))
                if self._boolean(condition.value) is (directive.name.value == "skip"):
                    return False
        return True

    def _boolean(self, value: object) -> bool:
        if isinstance(value, VariableNode):
            return bool(self.variables.get(value.name.value))
        return isinstance(value, BooleanValueNode) and value.value


def _is_on(fragment: InlineFragmentNode | FragmentDefinitionNode, type_name: str) -> bool:
    condition = fragment.type_condition
    return condition is None or condition.name.value in (type_name, *_UNIONS)


def columns_of(table: Table, selected: Mapping[str, object]) -> tuple[Column, ...]:
    """The columns that the selected fields of `table` need: their own, and those that lead to other rows.

    The id is always among them: relations from the other side go by it.
    """
    names = {"id"}
    names.update(table.by_graphql_name[name].name for name in selected if name in table.by_graphql_name)
    names.update(r.column for r in table.references if r.one in selected)
    for choice in table.choices:
        if choice.field in selected:
            names.update((choice.discriminator, choice.column))
    return tuple(column for name, column in table.columns.items() if name in names)


@dataclass(frozen=True, slots=True)
class ListSelection:
    """What of a connection is asked for."""

    columns: tuple[Column, ...]
    rows: bool
    cursors: bool


def list_selection(syntax: Syntax, nodes: Iterable[FieldNode], table: Table) -> ListSelection:
    """Read the selection of a connection of `table`."""
    fields = syntax.fields(nodes, f"{table.type_name}Connection")
    edges = syntax.fields(fields.get("edges", ()), f"{table.type_name}Edge")
    info = syntax.fields(fields.get("pageInfo", ()), "PageInfo")
    row_nodes = [*fields.get("nodes", ()), *edges.get("node", ())]
    return ListSelection(
        columns_of(table, syntax.fields(row_nodes, table.type_name)),
        rows=bool(row_nodes or edges or fields.get("edges") or info),
        cursors="cursor" in edges or "startCursor" in info or "endCursor" in info,
    )
