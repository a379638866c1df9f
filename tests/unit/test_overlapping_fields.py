"""Overlapping fields: what conflicts, how it is reported, and that the work is linear."""

from collections.abc import Callable

import pytest
from graphql import GraphQLError, parse, validate
from graphql.validation import OverlappingFieldsCanBeMergedRule

from core import limits
from core.errors import LimitExceededError
from core.limits import DOCUMENT_COMPARISONS_MAX
from resolvers.documents.cache import DocumentCache
from resolvers.limits.overlapping_fields import FieldMergeCheck, MergeableFieldsRule
from resolvers.loaders.bindings import build_executable_schema
from tests.property.overlapping_documents import SCHEMA as WITH_INTERFACES

SCHEMA = build_executable_schema()[1]


def find_errors(text: str, rule: type, schema: object = WITH_INTERFACES) -> list[dict[str, object]]:
    return [dict(error.formatted) for error in validate(schema, parse(text), [rule])]  # type: ignore[arg-type]


CONFLICTS = {
    "names": "{ a { x: text x: count } }",
    "arguments": "{ a(x: 1) { id } a(x: 2) { id } }",
    "one argument": "{ a(x: 1) { id } a { id } }",
    "block text": '{ a(x: "1") { id } a(x: """1""") { id } }',
    "order in a list": "{ a { next(where: {in: [1, 2]}) { id } next(where: {in: [2, 1]}) { id } } }",
    "subfields": "{ a { b { x: text } } a { b { x: count } } }",
    "two levels": "{ a { b { must { x: text } } } a { b { must { x: count } } } }",
    "in a fragment": "{ a { ...F x: text } } fragment F on A { x: count }",
    "scalars of object types": "{ any { ... on A { x: text } ... on B { x: text } } }",
    "non-null": "{ any { ... on A { x: count } ... on C { y: count } ... on B { x: count } } }",
    "list": "{ any { ... on A { x: texts } ... on B { x: texts } } }",
    "shape below": "{ any { ... on A { x: any { ...C } } ... on B { x: any { ...D } } } } "
    "fragment C on C { y: text } fragment D on C { y: count }",
    "interface": "{ node { x: id ... on A { x: text } } }",
}
MERGES = {
    "order in an object": '{ a { b(x: {name: "a", in: [1]}) { id } b(x: {in: [1], name: "a"}) { id } } }',
    "order of arguments": "{ a { next(first: 1, where: null) { id } next(where: null, first: 1) { id } } }",
    "arguments of object types": "{ any { ... on A { next(first: 1) { id } } ... on B { next(first: 2) { id } } } }",
    "names of object types": "{ any { ... on A { x: b { id } } ... on C { x: node { id } } } }",
    "directives": "query ($v: Boolean!) { a { id @include(if: $v) id @skip(if: $v) } }",
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_overlapping_fields_that_conflict_are_reported_as_graphql_core_does(case: str) -> None:
    ours = find_errors(CONFLICTS[case], MergeableFieldsRule)
    assert ours
    assert ours == find_errors(CONFLICTS[case], OverlappingFieldsCanBeMergedRule)


@pytest.mark.parametrize("case", MERGES)
def test_overlapping_fields_that_merge_are_valid(case: str) -> None:
    assert not find_errors(MERGES[case], MergeableFieldsRule)


CIRCLES = (
    "{ a { ...F } } fragment F on A { b { b { ...F } } }",
    "{ a { ...F ...G } } fragment F on A { b { b { ...F } } } fragment G on A { b { b { b { b { ...G } } } } }",
    "{ a { ...Missing id } } fragment F on A { ...F }",
)


@pytest.mark.parametrize("text", CIRCLES)
def test_overlapping_fields_in_a_fragment_cycle_take_few_steps(text: str) -> None:
    assert count_steps(text) < 20


def count_steps(text: str) -> int:
    found: list[GraphQLError] = []
    merging = FieldMergeCheck(SCHEMA, parse(text), found.append)
    merging.check()
    return merging.steps


def write_fragments(count: int) -> str:
    """Fragments in Relay's style: many with the same fields, spread in one place."""
    each = "".join(f"fragment F{n} on Site {{ id name tenant {{ id name }} }} " for n in range(count))
    return f"{{ sites {{ nodes {{ {' '.join(f'...F{n}' for n in range(count))} }} }} }} {each}"


def write_fragment_chain(count: int) -> str:
    """Each fragment spreads the next one at two places."""
    links = "".join(f"fragment F{n} on Site {{ id ...F{n + 1} ...F{n + 1} }}" for n in range(count))
    return f"{{ sites {{ nodes {{ ...F0 ...F1 }} }} }} {links} fragment F{count} on Site {{ id name }}"


WIDE: dict[str, Callable[[int], str]] = {
    "viewers": lambda n: "{" + " viewer { user { id } }" * n + "}",
    "one field": lambda n: "{ sites { nodes {" + " name" * n + "} } }",
    "one call": lambda n: "{" + ' sites(where: {name: {eq: "a"}}) { totalCount }' * n + "}",
    "conflicts": lambda n: "{" + "".join(f" sites(first: {i}) {{ totalCount }}" for i in range(n)) + "}",
    "object types": lambda n: (
        "{ healthChecks { nodes { resource {"
        + "... on Agent { a: id tenant { id } } ... on DataSource { a: id tenant { name } }" * n
        + "} } } }"
    ),
    "fragments": write_fragments,
    "chain": write_fragment_chain,
}


@pytest.mark.parametrize("shape", WIDE)
def test_overlapping_fields_take_steps_in_proportion_to_the_document(shape: str) -> None:
    small, large = count_steps(WIDE[shape](50)), count_steps(WIDE[shape](200))
    assert large <= 4.1 * small
    assert large < 25 * 200


def test_overlapping_fields_of_the_reported_document_are_valid() -> None:
    """300 times the same field was refused after 0.6 s, 200 times was valid after 0.3 s."""
    document_cache = DocumentCache(SCHEMA)
    for count in (200, 300, 600):
        assert not document_cache.get_or_parse(WIDE["viewers"](count)).errors


def test_overlapping_fields_beyond_the_steps_are_too_complex(monkeypatch: pytest.MonkeyPatch) -> None:
    text = WIDE["one field"](100)
    steps = count_steps(text)
    monkeypatch.setattr("resolvers.limits.overlapping_fields.DOCUMENT_COMPARISONS_MAX", steps)
    assert not DocumentCache(SCHEMA).get_or_parse(text).errors
    monkeypatch.setattr("resolvers.limits.overlapping_fields.DOCUMENT_COMPARISONS_MAX", steps - 1)
    (error,) = DocumentCache(SCHEMA).get_or_parse(text).errors
    cause = error.original_error
    assert isinstance(cause, LimitExceededError)
    assert (cause.limit, cause.allowed) == ("comparisons", steps - 1)


def test_overlapping_fields_within_all_other_limits_stay_below_the_steps() -> None:
    assert count_steps(WIDE["one field"](limits.DOCUMENT_SELECTIONS_MAX)) < DOCUMENT_COMPARISONS_MAX / 2
