"""What a document asks for, read from its syntax: fragments, aliases, directives, and the columns it takes."""

from typing import Any

import pytest
from graphql import FieldNode, FragmentDefinitionNode, OperationDefinitionNode, parse

from resolvers.selection import ListSelection, Syntax, columns_of, list_selection
from schema.core import SITES
from schema.monitoring import HEALTH_CHECKS


def read(text: str, **variables: Any) -> tuple[Syntax, list[FieldNode]]:
    """The document, and its first root field."""
    definitions = parse(text).definitions
    fragments = {d.name.value: d for d in definitions if isinstance(d, FragmentDefinitionNode)}
    operation = next(d for d in definitions if isinstance(d, OperationDefinitionNode))
    field = operation.selection_set.selections[0]
    assert isinstance(field, FieldNode)
    return Syntax(fragments, variables), [field]


def names(text: str, type_name: str = "Site", **variables: Any) -> list[str]:
    document, nodes = read(text, **variables)
    return list(document.fields(nodes, type_name))


def selection(text: str, **variables: Any) -> ListSelection:
    document, nodes = read(text, **variables)
    return list_selection(document, nodes, SITES)


def columns(text: str, **variables: Any) -> list[str]:
    return [column.name for column in selection(text, **variables).columns]


def test_fields_by_name_and_by_response_key() -> None:
    text = "{ site { a: name b: name id ... on Site { a: name slug } ...F } } fragment F on Site { status }"
    document, nodes = read(text)
    assert names(text) == ["name", "id", "slug", "status"]
    found = document.responses(nodes, "Site")
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
def test_fragments_are_taken_on_the_type_at_hand(fragment: str, taken: bool) -> None:  # noqa: FBT001 - a case
    assert names(f"{{ site {{ {fragment} }} }}") == (["name"] if taken else [])


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
def test_directives_are_heeded_on_fields_and_fragments(directives: str, taken: bool) -> None:  # noqa: FBT001
    for text in (
        f"{{ site {{ name {directives} }} }}",
        f"{{ site {{ ... {directives} {{ name }} }} }}",
        f"{{ site {{ ...F {directives} }} }} fragment F on Site {{ name }}",
    ):
        assert names(text, yes=True, no=False) == (["name"] if taken else []), text


def test_the_same_fragment_twice_counts_once_and_left_out_first_counts_later() -> None:
    text = "{ site { ...F @skip(if: true) ...F ...F } } fragment F on Site { name }"
    document, nodes = read(text)
    assert len(document.responses(nodes, "Site")["name"]) == 1


def test_columns_are_those_selected_and_those_that_lead_on() -> None:
    assert columns("{ sites { nodes { __typename } } }") == ["id"]
    assert columns("{ sites { nodes { slug psaIntegration { id } } } }") == [
        "id",
        "slug",
        "psa_integration_id",
    ]
    assert columns("{ sites { edges { node { status } } nodes { name } } }") == ["id", "name", "status"]
    assert columns("{ sites { nodes { agents { nodes { guid } } } } }") == ["id"]
    choice = [column.name for column in columns_of(HEALTH_CHECKS, {"resource": ()})]
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
def test_rows_and_cursors_are_fetched_only_where_asked_for(fields: str, rows: bool, cursors: bool) -> None:  # noqa: FBT001
    found = selection(f"{{ sites {{ {fields} }} }}", no=False)
    assert (found.rows, found.cursors) == (rows, cursors)
