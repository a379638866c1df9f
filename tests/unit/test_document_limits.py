"""The limits that a document meets before it runs: values just below and above them, and the cost of hostile ones."""

from collections.abc import Callable
from typing import Final

import pytest
from graphql import parse

from core.errors import LimitExceededError
from core.limits import (
    ALIASES_MAX,
    COST_MAX,
    DEPTH_MAX,
    DOCUMENT_CHARS_MAX,
    DOCUMENT_ERRORS_MAX,
    DOCUMENT_NESTING_MAX,
    DOCUMENT_OPERATIONS_MAX,
    DOCUMENT_SELECTIONS_MAX,
    DOCUMENT_TOKENS_MAX,
    DOCUMENTS_CACHED_TOKENS_MAX,
    INTROSPECTION_LISTS_MAX,
    ROOT_FIELDS_MAX,
    VARIABLES_DEPTH_MAX,
)
from resolvers.documents.cache import DocumentCache
from resolvers.limits.depth_and_size import check_document_size
from resolvers.limits.lexer_limits import check_document_text
from resolvers.limits.variable_limits import check_variables
from schema.build import build_graphql_schema, build_schema
from tests.counted_work import count_calls, fail_if_hung
from tests.large_documents import (
    HOSTILE,
    STANDARD,
    nest_value,
    write_doubling_fragments,
    write_fragment_mesh,
    write_operations,
)

SCHEMA = build_graphql_schema(build_schema())


@pytest.fixture(scope="module")
def document_cache() -> DocumentCache:
    return DocumentCache(SCHEMA)


def write_deep_fields(count: int) -> str:
    """Fields below fields, `count` of them; edges and node make three of each relation."""
    path = ["viewer", *["tenant", "sites", "nodes"] * count][: count - 1]
    return "{" + "{".join(path) + "{__typename" + "}" * count


def write_introspection(lists: int) -> str:
    return "{__schema{types" + "{fields{type" * lists + "{name}" + "}}" * lists + "}}"


LIMITS: dict[str, tuple[int, Callable[[int], str]]] = {
    "characters": (DOCUMENT_CHARS_MAX, lambda n: "{ viewer { kind } }" + " " * (n - 19)),
    "tokens": (DOCUMENT_TOKENS_MAX, lambda n: "{ viewer { kind } }" + "#\n" * (n - 6)),
    "nesting": (DOCUMENT_NESTING_MAX, lambda n: "{" + "...{" * (n - 2) + "viewer {kind}" + "}" * (n - 1)),
    "operations": (DOCUMENT_OPERATIONS_MAX, write_operations),
    "depth": (DEPTH_MAX, write_deep_fields),
    "selections": (
        DOCUMENT_SELECTIONS_MAX,
        lambda n: (
            "{ viewer {" + "...H " * 23 + "kind " * (n - 1 - 23 * 211) + "} } fragment F on Viewer { kind } "
            "fragment G on Viewer {" + "...F " * 10 + "} fragment H on Viewer {" + "...G " * 10 + "}"
        ),
    ),
    "aliases": (
        ALIASES_MAX,
        lambda n: "{ viewer {" + "".join(f"a{i}: kind " for i in range(n)) + "kind: kind } }",
    ),
    "rootFields": (
        ROOT_FIELDS_MAX,
        lambda n: "{" + "".join(f"a{i}: viewer {{kind}} " for i in range(n)) + "}",
    ),
    "introspectionLists": (INTROSPECTION_LISTS_MAX, write_introspection),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_document_at_limit_passes_and_beyond_it_is_refused(document_cache: DocumentCache, limit: str) -> None:
    allowed, write = LIMITS[limit]
    assert not [
        e
        for e in document_cache.get_or_parse(write(allowed)).errors
        if isinstance(e.original_error, LimitExceededError)
    ]
    (error,) = document_cache.get_or_parse(write(allowed + 1)).errors
    cause = error.original_error
    assert isinstance(cause, LimitExceededError)
    assert (cause.limit, cause.allowed, cause.actual) == (limit, allowed, allowed + 1)
    assert all(part in cause.message for part in (limit, str(allowed), str(allowed + 1)))
    assert cause.extensions() == {
        "code": "QUERY_TOO_COMPLEX", "limit": limit, "allowed": allowed, "actual": allowed + 1
    }  # fmt: skip


def test_document_aliases_of_a_fragment_count_for_each_spread(document_cache: DocumentCache) -> None:
    spreads = "".join("... on Viewer @skip(if: false) { ...F } " for _ in range(ALIASES_MAX // 2 + 1))
    document = document_cache.get_or_parse(
        f"{{ viewer {{ {spreads} }} }} fragment F on Viewer {{ a: kind b: kind }}"
    )
    cause = document.errors[0].original_error
    assert isinstance(cause, LimitExceededError)
    assert (cause.limit, cause.actual) == ("aliases", ALIASES_MAX + 2)


def test_document_root_fields_count_once_for_each_response_key(document_cache: DocumentCache) -> None:
    repeated = " ".join("viewer { kind }" for _ in range(ROOT_FIELDS_MAX + 1))
    assert not document_cache.get_or_parse(f"{{ {repeated} }}").errors
    behind = "".join(f"a{i}: viewer {{kind}} " for i in range(ROOT_FIELDS_MAX + 1))
    document = document_cache.get_or_parse(f"{{ ...F }} fragment F on Query {{ {behind} }}")
    assert isinstance(document.errors[0].original_error, LimitExceededError)


def test_document_validation_errors_are_capped(document_cache: DocumentCache) -> None:
    errors = document_cache.get_or_parse("{" + " ".join(f"x{i}" for i in range(40)) + "}").errors
    assert len(errors) == DOCUMENT_ERRORS_MAX + 1
    assert "Too many validation errors" in errors[-1].message


@pytest.mark.parametrize(
    "text",
    [
        '{ site(id: "a \\" # { [ b") { id } }',
        '{ site(id: """a \\""" "" { [ ( "b" # c\n""") { id } }',
        '{ site(id: "" ) { id } } # { " [',
        '{ sites(where: {name: {in: ["a", "b"]}}, first: -1) { totalCount, ...F } } fragment F on X { a }',
        "query A($a: Int = 1.5e+3, $b: [ID!]! = []) @d(e: $f) { a: b ...@include(if: true) { c } }",
    ],
)
def test_check_text_counts_tokens_as_the_parser(text: str) -> None:
    tokens = check_document_text(text)
    parse(text, max_tokens=tokens)
    with pytest.raises(Exception, match=f"more than {tokens - 1} tokens"):
        parse(text, max_tokens=tokens - 1)


CIRCLES = [
    "{ ...A } fragment A on Query { ...A }",
    "{ ...A } fragment A on Query { viewer { kind } ...B } fragment B on Query { ...C } fragment C on Query { ...A }",
    "{ viewer { kind } } fragment A on Viewer { user { ...B } } fragment B on User { tenant { id } ...B }",
]


@pytest.mark.parametrize("text", CIRCLES)
def test_document_with_fragment_cycle_fails_validation(document_cache: DocumentCache, text: str) -> None:
    check_document_size(parse(text))
    assert "spread" in document_cache.get_or_parse(text).errors[0].message


def write_fragment_chain(length: int) -> str:
    links = "".join(f"fragment F{n} on Viewer {{ ...F{n + 1} }}" for n in range(length))
    return f"{{ viewer {{ ...F0 }} }} {links} fragment F{length} on Viewer {{ kind }}"


def measure_check_calls(text: str) -> int:
    """The work of checking a document that is refused or not."""
    syntax = parse(text)

    def check() -> None:
        try:
            check_document_text(text)
            check_document_size(syntax)
        except LimitExceededError:
            pass

    return count_calls(check)


@pytest.mark.parametrize(
    "write",
    [write_doubling_fragments, write_fragment_chain, write_fragment_mesh],
    ids=["doubling", "chain", "mesh"],
)
def test_document_checks_take_linear_work(write: Callable[[int], str]) -> None:
    small, large = write(30), write(60)
    assert measure_check_calls(large) / measure_check_calls(small) < 1.2 * len(large) / len(small)
    assert measure_check_calls(large) < 5 * len(large)


HOSTILE_CALLS_MAX: Final = 1_500_000
"""The dearest of them, one field often, takes a third of it: about a quarter of a second."""


@pytest.mark.parametrize("name", HOSTILE)
def test_document_that_is_hostile_takes_little_work(name: str) -> None:
    document_cache = DocumentCache(SCHEMA)
    with fail_if_hung():
        calls = count_calls(lambda: document_cache.get_or_parse(HOSTILE[name]))
    assert calls < HOSTILE_CALLS_MAX
    document = document_cache.get_or_parse(HOSTILE[name])
    assert (document.syntax is None) is bool(document.errors)


def test_document_cache_is_bounded_by_tokens() -> None:
    document_cache = DocumentCache(SCHEMA)
    first = document_cache.get_or_parse("{ viewer { kind } }")
    text = "a" * (DOCUMENT_CHARS_MAX // 2)  # of which a hundred count as a token
    for number in range(100 * DOCUMENTS_CACHED_TOKENS_MAX // len(text) + 1):
        document_cache.get_or_parse(f'query Q{number} {{ site(id: "{text}") {{ id }} }}')
    assert document_cache._documents.weight <= DOCUMENTS_CACHED_TOKENS_MAX
    assert document_cache.get_or_parse("{ viewer { kind } }") is not first


def test_check_variables_beyond_depth_limit_is_refused() -> None:
    check_variables({"a": nest_value(VARIABLES_DEPTH_MAX), "b": None})
    with pytest.raises(LimitExceededError) as caught:
        check_variables({"b": 1, "a": nest_value(VARIABLES_DEPTH_MAX + 1)})
    assert (caught.value.limit, caught.value.actual) == ("variablesDepth", VARIABLES_DEPTH_MAX + 1)
    with pytest.raises(LimitExceededError):
        check_variables({"a": nest_value(100_000)})


@pytest.mark.parametrize("name", STANDARD)
def test_document_of_standard_introspection_costs_under_half_the_limit(
    document_cache: DocumentCache, name: str
) -> None:
    document = document_cache.get_or_parse(STANDARD[name])
    assert not document.errors
    assert document.get_cost(document.operations[0]).estimate({}) < COST_MAX / 2
