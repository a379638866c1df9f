"""Reads the selection below a field from the document's syntax, before any row is fetched."""

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


def collect_fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document, by their names."""
    return {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}


@dataclass(frozen=True, slots=True)
class SelectionReader:
    """The fragments and variables that are needed to read a selection."""

    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    @classmethod
    def from_info(cls, info: GraphQLResolveInfo[Any]) -> "SelectionReader":
        """The syntax of the operation that is being resolved."""
        return cls(info.fragments, info.variable_values.coerced)

    def collect_fields_by_name(
        self, nodes: Iterable[FieldNode], type_name: str
    ) -> dict[str, list[FieldNode]]:
        """The fields below `nodes` on the object type `type_name`, by name. Aliases of one field share an entry."""
        found: dict[str, list[FieldNode]] = {}
        for field in self._iter_fields(nodes, type_name):
            found.setdefault(field.name.value, []).append(field)
        return found

    def collect_fields_by_response_key(
        self, nodes: Iterable[FieldNode], type_name: str
    ) -> dict[str, list[FieldNode]]:
        """The same by response key, in the answer's order. GraphQL merges the nodes of one key into one field."""
        found: dict[str, list[FieldNode]] = {}
        for field in self._iter_fields(nodes, type_name):
            found.setdefault((field.alias or field.name).value, []).append(field)
        return found

    def collect_by_response_key(
        self, selection: SelectionSetNode, type_name: str
    ) -> dict[str, list[FieldNode]]:
        """The fields of a selection set by response key, in the answer's order."""
        found: dict[str, list[FieldNode]] = {}
        for field in self._iter_selections(selection.selections, type_name, set()):
            found.setdefault((field.alias or field.name).value, []).append(field)
        return found

    def _iter_fields(self, nodes: Iterable[FieldNode], type_name: str) -> Iterator[FieldNode]:
        seen: set[str] = set()
        for node in nodes:
            if node.selection_set:
                yield from self._iter_selections(node.selection_set.selections, type_name, seen)

    def _iter_selections(
        self, selections: Sequence[SelectionNode], type_name: str, seen: set[str]
    ) -> Iterator[FieldNode]:
        """The fields of a selection set on an object type. A fragment in `seen` is not visited again."""
        for selection in selections:
            if not self._is_included(selection):
                continue
            if isinstance(selection, FieldNode):
                yield selection
            elif (fragment := self._enter_fragment(selection, seen)) and _applies_to(fragment, type_name):
                yield from self._iter_selections(fragment.selection_set.selections, type_name, seen)

    def _enter_fragment(
        self, node: SelectionNode, seen: set[str]
    ) -> InlineFragmentNode | FragmentDefinitionNode | None:
        if isinstance(node, InlineFragmentNode):
            return node
        if not isinstance(node, FragmentSpreadNode) or node.name.value in seen:
            return None
        seen.add(node.name.value)
        return self.fragments.get(node.name.value)

    def _is_included(self, node: SelectionNode) -> bool:
        for directive in node.directives or ():
            if directive.name.value in ("skip", "include"):
                condition = next(iter(directive.arguments or ()))
                if self._evaluate_condition(condition.value) is (directive.name.value == "skip"):
                    return False
        return True

    def _evaluate_condition(self, value: object) -> bool:
        if isinstance(value, VariableNode):
            return bool(self.variables.get(value.name.value))
        return isinstance(value, BooleanValueNode) and value.value


def _applies_to(fragment: InlineFragmentNode | FragmentDefinitionNode, type_name: str) -> bool:
    condition = fragment.type_condition
    return condition is None or condition.name.value in (type_name, *_UNIONS)


def list_needed_columns(table: Table, selected: Mapping[str, object]) -> tuple[Column, ...]:
    """The columns for the selected fields of `table`: those of the fields, and those that refer to other rows.

    The id is always among them, because relations from the other side refer to it.
    """
    names = {"id"}
    names.update(table.by_graphql_name[name].name for name in selected if name in table.by_graphql_name)
    names.update(r.column for r in table.references if r.one in selected)
    for choice in table.choices:
        if choice.field in selected:
            names.update((choice.discriminator, choice.column))
    return tuple(column for name, column in table.columns.items() if name in names)


@dataclass(frozen=True, slots=True)
class ConnectionNeeds:
    """The selected parts of a connection."""

    columns: tuple[Column, ...]
    rows: bool
    cursors: bool


def read_connection_selection(
    reader: SelectionReader, nodes: Iterable[FieldNode], table: Table
) -> ConnectionNeeds:
    """Read the selection of a connection of `table`."""
    fields = reader.collect_fields_by_name(nodes, f"{table.type_name}Connection")
    edges = reader.collect_fields_by_name(fields.get("edges", ()), f"{table.type_name}Edge")
    info = reader.collect_fields_by_name(fields.get("pageInfo", ()), "PageInfo")
    row_nodes = [*fields.get("nodes", ()), *edges.get("node", ())]
    return ConnectionNeeds(
        list_needed_columns(table, reader.collect_fields_by_name(row_nodes, table.type_name)),
        rows=bool(row_nodes or edges or fields.get("edges") or info),
        cursors="cursor" in edges or "startCursor" in info or "endCursor" in info,
    )
