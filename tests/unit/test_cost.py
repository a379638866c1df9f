"""The estimated cost of operations: the maximum number of rows that they may read."""

from math import ceil
from typing import Any

import pytest
from graphql import GraphQLError

from core.errors import LimitExceededError
from core.limits import (
    COST_COUNT,
    COST_INTROSPECTION,
    COST_MAX,
    COST_SEARCH,
    COST_WRITE,
    PAGE_DEFAULT,
    PAGE_MAX,
)
from resolvers.documents.cache import DocumentCache
from resolvers.limits.cost import check_cost
from schema.build import build_graphql_schema, build_schema

DOCUMENTS = DocumentCache(build_graphql_schema(build_schema()))


def estimate_cost(text: str, **variables: Any) -> int:
    """The cost of the only operation of a valid document."""
    document = DOCUMENTS.get_or_parse(text)
    assert not document.errors
    return document.get_cost(document.operations[0]).estimate(variables)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("{ viewer { kind rights } }", 0),
        ("{ viewer { user { name } tenant { name } } }", 2),
        ('{ site(id: "x") { name } }', 1),
        ('{ site(id: "x") { name tenant { name } } }', 2),
        ('{ site(id: "x", includeDeleted: true) { name } }', 1),
        ('{ siteBySlug(slug: "x", includeDeleted: false) { name } }', 1),
        ('{ siteBySlug(slug: "x", includeDeleted: true) { name } }', 1 + PAGE_DEFAULT),
        ("{ sites(first: 10) { nodes { id } } }", 11),
        ("{ sites(last: 10) { nodes { id } } }", 11),
        ("{ sites(first: 0) { nodes { id tenant { id } } } }", 1),
        ("{ sites { nodes { id } } }", PAGE_DEFAULT + 1),
        ("{ sites(first: null) { nodes { id } } }", PAGE_DEFAULT + 1),
        ("{ sites(first: 10) { pageInfo { hasNextPage } } }", 11),
        ("{ sites(first: 10) { totalCount } }", COST_COUNT),
        ("{ sites(first: 10) { __typename } }", 0),
        ("{ sites(first: 10) { totalCount nodes { id } } }", 11 + COST_COUNT),
        ('{ sites(first: 10, search: "a") { nodes { id } } }', 11 + COST_SEARCH),
        ('{ sites(first: 10, search: "") { nodes { id } } }', 11),
        ("{ sites(first: 10) { nodes { tenant { id } } } }", 11 + 10),
        ("{ sites(first: 10) { edges { cursor node { tenant { id } } } } }", 11 + 10),
        ("{ sites(first: 10) { nodes { tenant { id } } edges { node { tenant { id } } } } }", 11 + 10 + 10),
        ("{ sites(first: 10) { nodes { agents(first: 5) { nodes { id } } } } }", 11 + 10 * 6),
        ("{ sites(first: 10) { nodes { agents { totalCount } } } }", 11 + 10 * COST_COUNT),
        (
            "{ sites(first: 10) { nodes { agents(first: 5) { nodes { healthCheck { id } } } } } }",
            11 + 10 * (6 + 5),
        ),
        ("{ healthChecks(first: 10) { nodes { resource { ... on Site { tenant { id } } } } } }", 11 + 20),
    ],
)
def test_cost_of_nested_lists_multiplies_rows(text: str, rows: int) -> None:
    assert estimate_cost(text) == rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("{ sites(first: 10) { nodes { id } } sites(first: 10) { nodes { name } } }", 11),
        ("{ a: sites(first: 10) { nodes { id } } b: sites(first: 10) { nodes { id } } }", 22),
        ("{ sites(first: 10) { ...F ...F } } fragment F on SiteConnection { nodes { tenant { id } } }", 21),
        (
            "{ sites(first: 10) { ...F ...G } } fragment F on SiteConnection { nodes { tenant { id } } }"
            "fragment G on SiteConnection { nodes { ... { tenant { name } } } }",
            21,
        ),
        ("{ ...F } fragment F on Query { sites(first: 10) { nodes { ... on Site { tenant { id } } } } }", 21),
        (
            "{ healthChecks(first: 10) { nodes { resource { ... on HealthCheckResource { __typename } } } } }",
            21,
        ),
    ],
)
def test_cost_of_merged_fields_counts_once(text: str, rows: int) -> None:
    assert estimate_cost(text) == rows


@pytest.mark.parametrize(
    ("page", "rows"),
    [
        ({"n": 10}, 11),
        ({}, 8),
        ({"n": None}, PAGE_DEFAULT + 1),
        ({"n": 10.0}, 11),
        ({"n": -5}, 1),
        ({"n": PAGE_MAX + 1}, PAGE_MAX + 1),
        ({"n": 10**400}, PAGE_MAX + 1),
        ({"n": 1e308}, PAGE_MAX + 1),
        ({"n": "10"}, PAGE_MAX + 1),
        ({"n": True}, PAGE_MAX + 1),
        ({"n": [1]}, PAGE_MAX + 1),
    ],
)
def test_cost_with_page_size_variable_uses_its_value(page: dict[str, Any], rows: int) -> None:
    assert estimate_cost("query($n: Int = 7) { sites(first: $n) { nodes { id } } }", **page) == rows


def test_cost_with_missing_page_size_variable_uses_the_default() -> None:
    assert estimate_cost("query($n: Int) { sites(first: $n) { nodes { id } } }") == PAGE_DEFAULT + 1


def test_cost_of_nested_lists_multiplies_variables() -> None:
    text = """query($n: Int!, $m: Int!) {
        sites(first: $n) { nodes { tenant { id } agents(last: $m) { totalCount nodes { healthCheck { id } } } } }
    }"""
    assert estimate_cost(text, n=3, m=4) == 4 + 3 * (1 + 5 + COST_COUNT + 4)
    assert estimate_cost(text, n=0, m=1000) == 1


@pytest.mark.parametrize(("sought", "weight"), [("a", COST_SEARCH), ("", 0), (None, 0)])
def test_cost_with_search_variable_adds_the_search(sought: str | None, weight: int) -> None:
    text = "query($s: String) { sites(first: 10, search: $s) { nodes { id } } }"
    assert estimate_cost(text, s=sought) == 11 + weight


def test_cost_of_skipped_fields_is_zero() -> None:
    text = """query($with: Boolean!, $without: Boolean = false) {
        sites(first: 10) @skip(if: $without) {
            totalCount @include(if: false)
            nodes {
                tenant @include(if: true) { id }
                ... @include(if: $with) { agents(first: 5) { nodes { id } } }
            }
        }
    }"""
    assert estimate_cost(text, **{"with": True}) == 11 + 10 + 10 * 6
    assert estimate_cost(text, **{"with": False}) == 11 + 10
    assert estimate_cost(text, **{"with": True, "without": True}) == 0


def test_cost_of_field_under_two_conditions_counts_for_each() -> None:
    text = """query($a: Boolean!, $b: Boolean!) { sites(first: 10) {
        nodes { tenant @include(if: $a) { id } tenant @include(if: $b) { id name } }
    } }"""
    assert [estimate_cost(text, a=a, b=b) for a in (True, False) for b in (True, False)] == [31, 21, 21, 11]


def test_cost_of_document_is_per_operation() -> None:
    document = DOCUMENTS.get_or_parse(
        "query A { sites(first: 1) { nodes { id } } } query B { sites(first: 2) { nodes { id } } }"
    )
    assert [document.get_cost(operation).estimate({}) for operation in document.operations] == [2, 3]


DASHBOARDS = {
    "sites with agents and their health": """{ sites(first: 100) { totalCount nodes {
        name status tenant { name } agents(first: 20) { totalCount nodes { hostname version healthCheck { status } } }
    } } }""",
    "agents with site and tenant": """{ agents(first: 1000, search: "lt") { totalCount pageInfo { endCursor }
        nodes { hostname site { name } tenant { name } healthCheck { status } } } }""",
    "a table page": """{
        sites(first: 50, search: "a", offset: 100) { totalCount nodes { name agents { totalCount } } }
    }""",
    "one site": """{ site(id: "x") { name tenant { name } agents(first: 200) { nodes { hostname healthCheck { status }
        apiLogs(first: 5) { nodes { endpoint } } } } } }""",
    "the catalogue": """{
        integrations(first: 200) { nodes { name dataSources(first: 5) { totalCount nodes { status } } } }
    }""",
}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_cost_of_dashboards_is_under_a_third_of_the_limit(name: str) -> None:
    assert estimate_cost(DASHBOARDS[name]) < COST_MAX / 3


ABUSES = [
    "{ sites(first: 1000) { nodes { agents(first: 1000) { nodes { id } } } } }",
    "{ sites { nodes { agents { nodes { apiLogs { nodes { id } } } } } } }",
    "{ agents(first: 1000) { nodes { site { agents(first: 1000) { nodes { site { id } } } } } } }",
    '{ sites(first: 1000) { nodes { agents(search: "a", first: 1) { nodes { id } } } } }',
    "{" + "".join(f"a{n}: agents(first: 1000) {{ nodes {{ id }} }}" for n in range(30)) + "}",
    "{" + "".join(f"a{n}: __schema {{ types {{ fields {{ args {{ name }} }} }} }}" for n in range(30)) + "}",
]


@pytest.mark.parametrize("text", ABUSES)
def test_check_cost_of_abusive_document_is_refused(text: str) -> None:
    with pytest.raises(LimitExceededError) as caught:
        check_cost(estimate_cost(text))
    assert (caught.value.limit, caught.value.allowed) == ("cost", COST_MAX)
    assert str(COST_MAX) in caught.value.message
    assert str(estimate_cost(text)) in caught.value.message


def test_check_cost_at_the_limit_is_allowed() -> None:
    check_cost(COST_MAX)
    with pytest.raises(LimitExceededError):
        check_cost(COST_MAX + 1)


def test_cost_of_introspection_grows_with_types_and_fields() -> None:
    types = DOCUMENTS._schema.type_map.values()
    fields = [
        len(type_.fields) for type_ in types if hasattr(type_, "fields") and hasattr(type_, "interfaces")
    ]
    assert estimate_cost("{ __schema { types { name } } }") == ceil(len(types) * COST_INTROSPECTION)
    in_all = ceil((len(types) + sum(fields)) * COST_INTROSPECTION)
    assert estimate_cost("{ __schema { types { fields { name type { name ofType { name } } } } } }") in (
        in_all,
        in_all + 1,
    )
    assert estimate_cost("{ __schema { queryType { name } } __typename }") == 0


def test_cost_of_invalid_document_has_no_formula() -> None:
    document = DOCUMENTS.get_or_parse("{ sites { nothing } }")
    assert isinstance(document.errors[0], GraphQLError)
    assert not document.costs


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ('mutation { createSite(input: {name: "x"}) { id } }', {}, COST_WRITE + 1),
        ('mutation { deleteSite(id: "x") { tenant { id } } }', {}, COST_WRITE + 2),
        ('mutation { deleteSites(ids: ["a", "b"]) { tenant { id } } }', {}, 2 * (COST_WRITE + 2)),
        (
            "mutation($ids: [ID!]!) { deleteSites(ids: $ids) { id } }",
            {"ids": ["a"] * 7},
            7 * (COST_WRITE + 1),
        ),
        ("mutation { __typename }", {}, 0),
    ],
)
def test_cost_of_mutation_counts_writes_and_response(
    text: str, variables: dict[str, Any], expected: int
) -> None:
    assert estimate_cost(text, **variables) == expected
