"""The fast rules report the same errors as graphql-core's, in the same words and order."""

import pytest
from graphql import GraphQLError, Node, Visitor, parse, validate
from graphql.language import ast
from graphql.utilities import TypeInfo
from graphql.validation import MaxIntrospectionDepthRule, ValidationContext, specified_rules

from resolvers.limits.validation_rules import _REPLACED, select_rules
from resolvers.loaders.bindings import build_executable_schema

SCHEMA = build_executable_schema()[1]
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
    "query($a: Site, $b: Int, $b: [Int!]!) { sites(first: $c) { nodes { id id: name ... on Agent { name } } } }",
    "fragment F on Site { ...G } fragment G on Site { ...F } query A { site { id } } query A { viewer }",
    'mutation { createSite(input: {name: null}) { id @include(if: "x", if: 1) @nothing } }',
    "subscription { sites { totalCount } agents { totalCount } }",
    "fragment F on String { id } { viewer { kind } } { viewer { kind } }",
    "{ sites { ...G ... on Agent { id } } }",
    "{ site(id: $id) { id } }",
    "query @skip { viewer { kind @defer @stream } }",
    "{ sites(orderBy: [{field: NAME, field: NOTHING}]) { totalCount { x } nodes } } type T { a: Int }",
)


def find_errors(text: str, rules: list[type]) -> list[dict[str, object]]:
    errors: list[GraphQLError] = validate(SCHEMA, parse(text), rules, 50)
    return [dict(error.formatted) for error in errors]


@pytest.mark.parametrize("text", WRONG)
def test_validation_rules_report_the_errors_of_graphql_core(text: str) -> None:
    found = find_errors(text, select_rules(text))
    assert found
    # Conflicts of overlapping fields are reported last, and not in the order of the document.
    assert sorted(map(str, found)) == sorted(map(str, find_errors(text, OWN)))


PIECES = (
    "query A {{ {}\n}}",
    "query A($a: Int, $a: Site) {{ {}\n}}",
    "query A @nothing {{ {}\n}}",
    "fragment F on Agent {{ {}\n}}",
    "fragment F on Nothing {{ {}\n...F }}",
)
SELECTIONS = (
    "sites { nodes { id } }",
    "sites(first: $b) { nodes { id } }",
    "sites { nodes { ...F ...G ... on Agent { id } } }",
    "sites { nodes { id @skip @skip name @defer @stream } }",
    'sites(search: "$a @skip ...F fragment") { nodes { id } }',
    "sites { nodes { id } } # $a @skip ...F fragment",
)


@pytest.mark.parametrize("second", PIECES)
@pytest.mark.parametrize("first", PIECES)
def test_validation_rules_left_out_by_the_text_find_no_error(first: str, second: str) -> None:
    for selection in SELECTIONS:
        text = f"{first.format(selection)} {second.format('viewer { id }')}"
        chosen = [rule.__name__ for rule in select_rules(text)]
        assert find_errors(text, [rule for rule in OWN if replaced_name(rule) not in chosen]) == []


def replaced_name(rule: type) -> str:
    return _REPLACED.get(rule, rule).__name__


@pytest.mark.parametrize("kind", KINDS)
def test_validation_rules_have_the_methods_of_graphql_core(kind: str) -> None:
    document = parse("{ viewer { kind } }")
    context = ValidationContext(SCHEMA, document, TypeInfo(SCHEMA), lambda _: None)
    for quick, own in zip(select_rules("$ @ ... fragment"), OWN, strict=True):
        own = _REPLACED.get(own, own)
        assert method_names(quick(context), kind) == method_names(own(context), kind)


def method_names(rule: Visitor, kind: str) -> list[str | None]:
    return [method and method.__qualname__ for method in rule.get_enter_leave_for_kind(kind)]


@pytest.mark.parametrize("fields", [10, 1_000])
def test_validation_rules_long_literal_reports_one_error(fields: int) -> None:
    inner = " ".join(f"nam{n}: 1" for n in range(fields))
    found = find_errors(f"{{ sites(where: {{{inner}}}) {{ totalCount }} }}", select_rules("$ @ ... fragment"))
    assert len(found) == (10 if fields == 10 else 1)
    assert "not to include unknown field 'nam0'" in str(found[0]["message"])
