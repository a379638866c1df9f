"""The quick rules say what graphql-core's own say: of each document, in the same words and order."""

import pytest
from graphql import GraphQLError, Node, Visitor, parse, validate
from graphql.language import ast
from graphql.utilities import TypeInfo
from graphql.validation import MaxIntrospectionDepthRule, ValidationContext, specified_rules

from resolvers.binding import bound_schema
from resolvers.validation_rules import rules_for

SCHEMA = bound_schema()[1]
OWN = [rule for rule in specified_rules if rule is not MaxIntrospectionDepthRule]
KINDS = sorted(
    {
        each.kind
        for each in vars(ast).values()
        if isinstance(each, type) and issubclass(each, Node) and each.kind
    }
)
WRONG = (
    "{ sites(first: 1.5, after: true, where: {name: {eq: RED}, nothing: 1}) { nodes { ...F @skip } } }",
    "query($a: Site, $b: Int, $b: [Int!]!) { sites(first: $c) { nodes { id id: name ... on Agent { id } } } }",
    "fragment F on Site { ...G } fragment G on Site { ...F } query A { site { id } } query A { viewer }",
    'mutation { createSite(input: {name: null}) { id @include(if: "x", if: 1) @nothing } }',
    "subscription { sites { totalCount } agents { totalCount } }",
    "fragment F on String { id } { viewer { kind } } { viewer { kind } }",
    "{ sites { ...G ... on Agent { id } } }",
    "{ site(id: $id) { id } }",
    "query @skip { viewer { kind @defer @stream } }",
    "{ sites(orderBy: [{field: NAME, field: NOTHING}]) { totalCount { x } nodes } } type T { a: Int }",
)


def told(text: str, rules: list[type]) -> list[dict[str, object]]:
    errors: list[GraphQLError] = validate(SCHEMA, parse(text), rules, 50)
    return [dict(error.formatted) for error in errors]


@pytest.mark.parametrize("text", WRONG)
def test_they_find_what_is_wrong(text: str) -> None:
    found = told(text, rules_for(text))
    assert found
    assert found == told(text, OWN)


@pytest.mark.parametrize("kind", KINDS)
def test_they_have_the_same_methods(kind: str) -> None:
    document = parse("{ viewer { kind } }")
    context = ValidationContext(SCHEMA, document, TypeInfo(SCHEMA), lambda _: None)
    for quick, own in zip(rules_for("$ @ ... fragment"), OWN, strict=True):
        assert names(quick(context), kind) == names(own(context), kind)


def names(rule: Visitor, kind: str) -> list[str | None]:
    return [method and method.__qualname__ for method in rule.get_enter_leave_for_kind(kind)]
