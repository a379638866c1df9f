"""What a document asks for, read from its syntax: fragments, aliases, directives, and the columns it takes."""

from typing import Any

import pytest
from graphql import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, parse

from resolvers.sql.selection import (
    ConnectionNeeds,
    SelectionReader,
    list_needed_columns,
    read_connection_selection,
)
from schema.core import SITES
from schema.monitoring import HEALTH_CHECKS


def read_syntax(text: str, **variables: Any) -> tuple[SelectionReader, list[FieldNode]]:
    """The document, and its first root field."""
    definitions = parse(text).definitions
    fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
    operation = next(d for d in definitions if isinstance(d, OperationDefinitionNode))
    field = operation.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    return SelectionReader(fragments, variables), [field]


def read_field_names(text: str, type_name: str = "Site", **variables: Any) -> list[str]:
    document, nodes = read_syntax(text, **variables)
    return list(document.collect_fields_by_name(nodes, type_name))


def read_list_selection(text: str, **variables: Any) -> ConnectionNeeds:
    document, nodes = read_syntax(text, **variables)
    return read_connection_selection(document, nodes, SITES)


def read_column_names(text: str, **variables: Any) -> list[str]:
    return [column.name for column in read_list_selection(text, **variables).columns]


def test_selection_fields_are_by_name_and_by_response_key() -> None:
    text = "{ site { a: name b: name id ... on Site { a: name slug } ...F } } fragment F on Site { status }"
    document, nodes = read_syntax(text)
    assert read_field_names(text) == ["name", "id", "slug", "status"]
    found = document.collect_fields_by_response_key(nodes, "Site")
    assert {key: len(fields) for key, fields in found.items()} == {
        "a": 2,
        "b": 1,
        "id": 1,
        "slug": 1,
        "status": 1,
    }


@pytest.mark.parametrize(
    ("fragment", "taken"),
    [
        ("... { name }", True),
        ("... on Site { name }", True),
        ("... on Agent { name }", False),
        ("... on HealthCheckResource { ... on Site { name } }", True),
        ("... on HealthCheckResource { ... on Agent { name } }", False),
    ],
)
def test_selection_fragment_applies_to_its_type_only(fragment: str, taken: bool) -> None:
    assert read_field_names(f"{{ site {{ {fragment} }} }}") == (["name"] if taken else [])


@pytest.mark.parametrize(
    ("directives", "taken"),
    [
        ("@include(if: true)", True), ("@include(if: false)", False),
        ("@skip(if: true)", False), ("@skip(if: false)", True),
        ("@include(if: $yes)", True), ("@include(if: $no)", False),
        ("@skip(if: $yes)", False), ("@skip(if: $no)", True),
        ("@include(if: true) @skip(if: true)", False), ("@skip(if: false) @include(if: false)", False),
        ("@include(if: $yes) @skip(if: $no)", True),
    ],
)  # fmt: skip
def test_selection_directives_apply_to_fields_and_fragments(directives: str, taken: bool) -> None:
    for text in (
        f"{{ site {{ name {directives} }} }}",
        f"{{ site {{ ... {directives} {{ name }} }} }}",
        f"{{ site {{ ...F {directives} }} }} fragment F on Site {{ name }}",
    ):
        assert read_field_names(text, yes=True, no=False) == (["name"] if taken else []), text


def test_selection_repeated_fragment_counts_once_where_not_skipped() -> None:
    text = "{ site { ...F @skip(if: true) ...F ...F } } fragment F on Site { name }"
    document, nodes = read_syntax(text)
    assert len(document.collect_fields_by_response_key(nodes, "Site")["name"]) == 1


def test_selection_columns_are_the_selected_ones_and_keys_of_relations() -> None:
    assert read_column_names("{ sites { nodes { __typename } } }") == ["id"]
    assert read_column_names("{ sites { nodes { slug psaIntegration { id } } } }") == [
        "id",
        "slug",
        "psa_integration_id",
    ]
    assert read_column_names("{ sites { edges { node { status } } nodes { name } } }") == [
        "id",
        "name",
        "status",
    ]
    assert read_column_names("{ sites { nodes { agents { nodes { guid } } } } }") == ["id"]
    choice = [column.name for column in list_needed_columns(HEALTH_CHECKS, {"resource": ()})]
    assert choice == ["id", "resource_type", "resource_id"]


@pytest.mark.parametrize(
    ("fields", "rows", "cursors"),
    [
        ("totalCount", False, False),
        ("__typename", False, False),
        ("nodes { id }", True, False),
        ("edges { node { id } }", True, False),
        ("edges { cursor }", True, True),
        ("edges { __typename }", True, False),
        ("pageInfo { hasNextPage }", True, False),
        ("pageInfo { startCursor }", True, True),
        ("pageInfo { endCursor }", True, True),
        ("... on SiteConnection { x: pageInfo { y: endCursor } }", True, True),
        ("... on AgentConnection { pageInfo { endCursor } }", False, False),
        ("totalCount edges @include(if: $no) { cursor }", False, False),
    ],
)
def test_selection_rows_and_cursors_are_fetched_only_when_selected(
    fields: str, rows: bool, cursors: bool
) -> None:
    found = read_list_selection(f"{{ sites {{ {fields} }} }}", no=False)
    assert (found.rows, found.cursors) == (rows, cursors)
