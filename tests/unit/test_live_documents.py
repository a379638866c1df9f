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

from core.errors import LimitExceededError
from core.limits import COST_COUNT, COST_MAX, PAGE_DEFAULT
from resolvers.binding import bound_schema
from resolvers.documents import Document, Documents
from resolvers.execution import Request, estimate
from resolvers.live_documents import as_query, stream_of
from schema.streams import STREAMS

SCHEMA: Final = bound_schema()[1]
DOCUMENTS: Final = Documents(SCHEMA)


def roots() -> tuple[GraphQLObjectType, GraphQLObjectType]:
    query, subscription = SCHEMA.query_type, SCHEMA.subscription_type
    assert query is not None
    assert subscription is not None
    return query, subscription


def read(text: str) -> tuple[Document, OperationDefinitionNode]:
    """A valid document of one operation."""
    document = DOCUMENTS.get(text)
    assert not document.errors, document.errors
    return document, document.operations[0]


def test_every_query_can_be_live_and_beside_them_are_the_streams() -> None:
    query, subscription = roots()
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


def test_a_live_query_is_run_as_the_query_of_the_same_fields() -> None:
    text = """
        subscription Live($n: Int = 3, $w: SiteFilter) { ...A }
        fragment A on Subscription { ... on Subscription { s: sites(first: $n, where: $w) { ...B } } }
        fragment B on SiteConnection { nodes { __typename id } }
    """
    document, operation = read(text)
    asked = as_query(SCHEMA, document, operation, {"n": 2})
    assert validate(SCHEMA, asked.syntax) == []
    written = print_ast(asked.syntax)
    assert written.startswith("query Live($n: Int = 3, $w: SiteFilter)")
    assert "Subscription" not in written
    assert written.replace("query", "subscription").replace(" Query", " Subscription") == print_ast(
        document.syntax  # type: ignore[arg-type]  # it is valid
    )
    assert (asked.variables, asked.plans, asked.definition) == (
        {"n": 2},
        document.plans,
        asked.syntax.definitions[0],
    )


def test_its_syntax_is_made_once() -> None:
    document, operation = read("subscription { sites { totalCount } }")
    first, second = (as_query(SCHEMA, document, operation, {}) for _ in range(2))
    assert first.syntax is second.syntax
    assert document.syntax is not first.syntax


def test_each_operation_of_a_document_is_another_query() -> None:
    text = """
        subscription A { ...F } subscription B { sites { totalCount } } query C { sites { totalCount } }
        fragment F on Subscription { agents { totalCount } }
    """
    document = DOCUMENTS.get(text)
    a, b = (as_query(SCHEMA, document, document.operations[n], {}) for n in (0, 1))
    assert [len(separate_operations(asked.syntax)) for asked in (a, b)] == [1, 1]
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
def test_streams_are_told_from_live_queries(text: str, stream: str | None) -> None:
    nodes = stream_of(*read(text))
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
def test_what_is_no_subscription_is_not_valid(text: str) -> None:
    assert DOCUMENTS.get(text).errors


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
def test_a_subscription_costs_what_a_run_or_a_message_does(text: str, rows: int) -> None:
    document, operation = read(text)
    assert document.cost(operation).estimate({}) == rows


@pytest.mark.parametrize(
    "text",
    [
        "subscription { sites(first: 1000) { nodes { agents(first: 30) { nodes { id } } } } }",
        "subscription { agentCheckins { events { site { agents(first: 1000) { nodes { id } } } } } }",
    ],
)
def test_one_that_costs_too_much_is_refused(text: str) -> None:
    with pytest.raises(LimitExceededError, match="cost"):
        estimate(DOCUMENTS.get(text), Request(text, {}, None))


def test_one_with_long_variables_is_refused() -> None:
    text = "subscription ($s: String) { sites(search: $s) { totalCount } }"
    with pytest.raises(LimitExceededError, match="variablesCharacters"):
        estimate(DOCUMENTS.get(text), Request(text, {"s": "x" * 300_000}, None))


def test_one_that_nests_too_deep_is_refused() -> None:
    inner = "site { agents { nodes { " * 8 + "id" + " } } }" * 8
    errors = DOCUMENTS.get(f"subscription {{ agents {{ nodes {{ {inner} }} }} }}").errors
    assert "the limit depth allows" in errors[0].message


def test_the_whole_schema_may_still_be_asked_for_several_times() -> None:
    options: dict[str, Any] = {"input_value_deprecation": True, "directive_is_repeatable": True}
    document, operation = read(get_introspection_query(specified_by_url=True, **options))
    assert document.cost(operation).estimate({}) * 3 < COST_MAX
