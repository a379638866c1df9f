"""Subscriptions as documents: the same fields as queries, validated, sized and costed, and run as queries."""

from typing import Any, Final

import pytest
from graphql import (
    GraphQLObjectType,
    OperationDefinitionNode,
    get_introspection_query,
    print_ast,
    separate_operations,
    validate,
)

from core.limits import COST_COUNT, COST_MAX, PAGE_DEFAULT
from resolvers.documents.cache import Document, DocumentCache
from resolvers.documents.live import build_live_query, find_stream_nodes
from resolvers.documents.validation import RefusedOperationError
from resolvers.loaders.bindings import build_executable_schema
from schema.streams import STREAMS
from tests.operations import validate_text

SCHEMA: Final = build_executable_schema()[1]
DOCUMENTS: Final = DocumentCache(SCHEMA)


def root_types() -> tuple[GraphQLObjectType, GraphQLObjectType]:
    query, subscription = SCHEMA.query_type, SCHEMA.subscription_type
    assert query is not None
    assert subscription is not None
    return query, subscription


def read_document(text: str) -> tuple[Document, OperationDefinitionNode]:
    """A valid document of one operation."""
    document = DOCUMENTS.get_or_parse(text)
    assert not document.errors, document.errors
    return document, document.operations[0]


def test_subscription_type_has_every_query_and_the_streams() -> None:
    query, subscription = root_types()
    assert set(subscription.fields) == set(query.fields) | set(STREAMS)
    assert not set(query.fields) & set(STREAMS)
    for name, field in query.fields.items():
        live = subscription.fields[name]
        assert str(live.type) == str(field.type)
        assert {n: (str(a.type), a.default_value) for n, a in live.args.items()} == {
            n: (str(a.type), a.default_value) for n, a in field.args.items()
        }
        assert live.resolve is field.resolve
        assert (live.description or "").startswith(field.description or "?")
        assert "Live: " in (live.description or "")


def test_as_query_of_subscription_selects_the_same_fields() -> None:
    text = """
        subscription Live($n: Int = 3, $w: SiteFilter) { ...A }
        fragment A on Subscription { ... on Subscription { s: sites(first: $n, where: $w) { ...B } } }
        fragment B on SiteConnection { nodes { __typename id } }
    """
    operation = validate_text(DOCUMENTS, text, {"n": 2})
    query = build_live_query(operation)
    assert validate(SCHEMA, query.syntax) == []
    written = print_ast(query.syntax)
    assert written.startswith("query Live($n: Int = 3, $w: SiteFilter)")
    assert "Subscription" not in written
    assert written.replace("query", "subscription").replace(" Query", " Subscription") == print_ast(
        operation.syntax
    )
    assert (query.variables, query.plans, query.definition) == (
        {"n": 2},
        operation.plans,
        query.syntax.definitions[0],
    )


def test_as_query_repeated_builds_syntax_once() -> None:
    operation = validate_text(DOCUMENTS, "subscription { sites { totalCount } }")
    first, second = (build_live_query(operation) for _ in range(2))
    assert first.syntax is second.syntax
    assert operation.syntax is not first.syntax


def test_as_query_of_each_operation_is_a_separate_query() -> None:
    text = """
        subscription A { ...F } subscription B { sites { totalCount } } query C { sites { totalCount } }
        fragment F on Subscription { agents { totalCount } }
    """
    a, b = (build_live_query(validate_text(DOCUMENTS, text, operation_name=name)) for name in "AB")
    assert [len(separate_operations(query.syntax)) for query in (a, b)] == [1, 1]
    assert "agents" in print_ast(a.syntax)
    assert print_ast(b.definition) == "query B {\n  sites {\n    totalCount\n  }\n}"


@pytest.mark.parametrize(
    ("text", "stream"),
    [
        ("subscription { sites { totalCount } }", None),
        ("subscription { viewer { kind } }", None),
        ("subscription { a: agentCheckins { cursor } }", "agentCheckins"),
        (
            "subscription { ...F } fragment F on Subscription { healthCheckChanges { cursor } }",
            "healthCheckChanges",
        ),
    ],
)
def test_stream_of_document_finds_streams_only(text: str, stream: str | None) -> None:
    nodes = find_stream_nodes(validate_text(DOCUMENTS, text))
    assert (nodes[0].name.value if nodes else None) == stream


@pytest.mark.parametrize(
    "text",
    [
        "subscription { sites { totalCount } agents { totalCount } }",
        "subscription { a: sites { totalCount } b: sites { totalCount } }",
        "subscription { __typename }",
        "subscription { __schema { types { name } } }",
        "subscription { sites { totalCount } __typename }",
        "subscription ($on: Boolean!) { sites @include(if: $on) { totalCount } }",
        "subscription { sites @skip(if: true) { totalCount } }",
        "subscription { ... @include(if: true) { sites { totalCount } } }",
        "{ agentCheckins { cursor } }",
        "subscription { nothing }",
        "subscription { ...F } fragment F on Query { sites { totalCount } }",
    ],
)
def test_subscription_document_invalid_has_errors(text: str) -> None:
    assert DOCUMENTS.get_or_parse(text).errors


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("subscription { sites(first: 10) { nodes { tenant { id } } totalCount } }", 21 + COST_COUNT),
        ('subscription { site(id: "x") { name } }', 1),
        ("subscription { agentCheckins { cursor } }", 0),
        ("subscription { agentCheckins { __typename cursor events { agentId } } }", PAGE_DEFAULT),
        (
            "subscription { agentCheckins { events { agent { site { id } } site { name } } } }",
            PAGE_DEFAULT * 4,
        ),
        (
            "subscription { healthCheckChanges { events { healthCheck { resource { ... on Agent { id } } } } } }",
            PAGE_DEFAULT * 3,
        ),
    ],
)
def test_subscription_cost_is_that_of_a_run_or_a_message(text: str, rows: int) -> None:
    document, operation = read_document(text)
    assert document.get_cost(operation).estimate({}) == rows


@pytest.mark.parametrize(
    "text",
    [
        "subscription { sites(first: 1000) { nodes { agents(first: 30) { nodes { id } } } } }",
        "subscription { agentCheckins { events { site { agents(first: 1000) { nodes { id } } } } } }",
    ],
)
def test_subscription_beyond_cost_limit_is_refused(text: str) -> None:
    with pytest.raises(RefusedOperationError, match="cost"):
        validate_text(DOCUMENTS, text)


def test_subscription_with_long_variables_is_refused() -> None:
    text = "subscription ($s: String) { sites(search: $s) { totalCount } }"
    with pytest.raises(RefusedOperationError, match="variablesCharacters"):
        validate_text(DOCUMENTS, text, {"s": "x" * 300_000})


def test_subscription_beyond_depth_limit_is_refused() -> None:
    inner = "site { agents { nodes { " * 8 + "id" + " } } }" * 8
    errors = DOCUMENTS.get_or_parse(f"subscription {{ agents {{ nodes {{ {inner} }} }} }}").errors
    assert "the limit depth allows" in errors[0].message


def test_introspection_cost_allows_three_full_schemas() -> None:
    options: dict[str, Any] = {"input_value_deprecation": True, "directive_is_repeatable": True}
    document, operation = read_document(get_introspection_query(specified_by_url=True, **options))
    assert document.get_cost(operation).estimate({}) * 3 < COST_MAX
