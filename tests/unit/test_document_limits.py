"""The limits that a document meets before it runs: each just below and just above, and what hostile ones cost us."""

import gc
import sys
from collections.abc import Callable
from time import process_time
from types import FrameType
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from core.errors import LimitExceededError, QueryTooComplexError
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
    DOCUMENTS_KEPT_TOKENS,
    INTROSPECTION_LISTS_MAX,
    ROOT_FIELDS_MAX,
    VARIABLES_DEPTH_MAX,
)
from resolvers.document_size import check_size
from resolvers.document_text import check_text
from resolvers.documents import Documents
from resolvers.variables import check_variables
from schema.build import build_schema, graphql_schema

SCHEMA = graphql_schema(build_schema())


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(SCHEMA)


def operations(count: int) -> str:
    return " ".join(f"query Q{number} {{ viewer {{ kind }} }}" for number in range(count))


def fields_deep(count: int) -> str:
    """Fields below fields, `count` of them; edges and node make three of each relation."""
    path = ["viewer", *["tenant", "sites", "nodes"] * count][: count - 1]
    return "{" + "{".join(path) + "{__typename" + "}" * count


def doubling(levels: int, below: str = "kind") -> str:
    """A fragment that spreads another one twice, which ...; stands for 2 ** levels fields."""
    chain = "".join(f"fragment F{n} on Viewer {{ ...F{n + 1} ...F{n + 1} }}" for n in range(levels))
    return f"{{ viewer {{ ...F0 }} }} {chain} fragment F{levels} on Viewer {{ {below} }}"


def introspection(lists: int) -> str:
    return "{__schema{types" + "{fields{type" * lists + "{name}" + "}}" * lists + "}}"


LIMITS: dict[str, tuple[int, Callable[[int], str]]] = {
    "characters": (DOCUMENT_CHARS_MAX, lambda n: "{ viewer { kind } }" + " " * (n - 19)),
    "tokens": (DOCUMENT_TOKENS_MAX, lambda n: "{ viewer { kind } }" + "#\n" * (n - 6)),
    "nesting": (DOCUMENT_NESTING_MAX, lambda n: "{" + "...{" * (n - 2) + "viewer {kind}" + "}" * (n - 1)),
    "operations": (DOCUMENT_OPERATIONS_MAX, operations),
    "depth": (DEPTH_MAX, fields_deep),
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
    "introspectionLists": (INTROSPECTION_LISTS_MAX, introspection),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_document_may_have_as_much_as_the_limit_and_no_more(documents: Documents, limit: str) -> None:
    allowed, write = LIMITS[limit]
    assert not [
        e for e in documents.get(write(allowed)).errors if isinstance(e.original_error, LimitExceededError)
    ]
    (error,) = documents.get(write(allowed + 1)).errors
    cause = error.original_error
    assert isinstance(cause, LimitExceededError)
    assert (cause.limit, cause.allowed, cause.actual) == (limit, allowed, allowed + 1)
    assert all(part in cause.message for part in (limit, str(allowed), str(allowed + 1)))
    assert cause.extensions() == {
        "code": "QUERY_TOO_COMPLEX", "limit": limit, "allowed": allowed, "actual": allowed + 1
    }  # fmt: skip


def test_aliases_of_a_fragment_count_once_for_each_spread(documents: Documents) -> None:
    spreads = "".join("... on Viewer @skip(if: false) { ...F } " for _ in range(ALIASES_MAX // 2 + 1))
    document = documents.get(f"{{ viewer {{ {spreads} }} }} fragment F on Viewer {{ a: kind b: kind }}")
    cause = document.errors[0].original_error
    assert isinstance(cause, LimitExceededError)
    assert (cause.limit, cause.actual) == ("aliases", ALIASES_MAX + 2)


def test_root_fields_are_counted_as_the_answer_has_them(documents: Documents) -> None:
    repeated = " ".join("viewer { kind }" for _ in range(ROOT_FIELDS_MAX + 1))
    assert not documents.get(f"{{ {repeated} }}").errors
    behind = "".join(f"a{i}: viewer {{kind}} " for i in range(ROOT_FIELDS_MAX + 1))
    document = documents.get(f"{{ ...F }} fragment F on Query {{ {behind} }}")
    assert isinstance(document.errors[0].original_error, LimitExceededError)


def test_errors_of_validation_are_told_up_to_a_number(documents: Documents) -> None:
    errors = documents.get("{" + " ".join(f"x{i}" for i in range(40)) + "}").errors
    assert len(errors) == DOCUMENT_ERRORS_MAX + 1
    assert "Too many validation errors" in errors[-1].message


def test_fields_that_are_too_many_to_compare_are_too_complex(documents: Documents) -> None:
    document = documents.get("{ sites { nodes {" + "name " * 2_000 + "} } }")
    assert isinstance(document.errors[-1].original_error, QueryTooComplexError)
    hundred = "".join(f"fragment F{i} on Site {{ id name tenant {{ id name }} }}" for i in range(100))
    spreads = " ".join(f"...F{i}" for i in range(100))
    assert not documents.get(f"{{ sites {{ nodes {{ {spreads} }} }} }} {hundred}").errors


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
def test_tokens_are_counted_as_the_parser_counts_them(text: str) -> None:
    tokens = check_text(text)
    parse(text, max_tokens=tokens)
    with pytest.raises(Exception, match=f"more than {tokens - 1} tokens"):
        parse(text, max_tokens=tokens - 1)


CIRCLES = [
    "{ ...A } fragment A on Query { ...A }",
    "{ ...A } fragment A on Query { viewer { kind } ...B } fragment B on Query { ...C } fragment C on Query { ...A }",
    "{ viewer { kind } } fragment A on Viewer { user { ...B } } fragment B on User { tenant { id } ...B }",
]


@pytest.mark.parametrize("text", CIRCLES)
def test_fragments_in_circles_are_left_to_validation(documents: Documents, text: str) -> None:
    check_size(parse(text))
    assert "spread" in documents.get(text).errors[0].message


def chain(length: int) -> str:
    links = "".join(f"fragment F{n} on Viewer {{ ...F{n + 1} }}" for n in range(length))
    return f"{{ viewer {{ ...F0 }} }} {links} fragment F{length} on Viewer {{ kind }}"


def mesh(size: int) -> str:
    """Fragments that each spread all those behind them."""
    every = (" ".join(f"...F{n}" for n in range(m + 1, size)) for m in range(size))
    return "{ viewer { ...F0 } }" + "".join(
        f"fragment F{m} on Viewer {{ kind {s} }}" for m, s in enumerate(every)
    )


def calls_of(work: Callable[[], object]) -> int:
    """How many Python functions are called: the same on any machine."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    gc.disable()  # a collection in between would count, too
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def work_of(text: str) -> int:
    """The work of checking a document that is refused or not."""
    syntax = parse(text)

    def check() -> None:
        try:
            check_text(text)
            check_size(syntax)
        except LimitExceededError:
            pass

    return calls_of(check)


@pytest.mark.parametrize("write", [doubling, chain, mesh], ids=["doubling", "chain", "mesh"])
def test_the_work_is_linear_in_the_document(write: Callable[[int], str]) -> None:
    small, large = write(30), write(60)
    assert work_of(large) / work_of(small) < 1.2 * len(large) / len(small)
    assert work_of(large) < 5 * len(large)


HOSTILE = {
    "doubling fragments": doubling(20),
    "many doublings": doubling(60),
    "doubling below the limit": doubling(11),
    "fivefold": "{ viewer { ...F0 } }" + "".join(
        f"fragment F{n} on Viewer {{ {f'...F{n + 1} ' * 5} }}" for n in range(100)
    ) + "fragment F100 on Viewer { kind }",
    "nothing inside": doubling(40, ""),
    "mesh": mesh(40),
    "conditions": "query($a: Boolean!, $b: Boolean!) { viewer { ...F0 } }" + "".join(
        f"fragment F{n} on Viewer {{ ...F{n + 1} @skip(if: $a) ...F{n + 1} @skip(if: $b) }}" for n in range(10)
    ) + "fragment F10 on Viewer { kind }",
    "one field often": "{ sites { nodes {" + "name " * 4_900 + "} } }",
    "one list often": "{" + "sites(first: 1) { nodes { name } }" * 400 + "}",
    "one list in many ways": "{" + "".join(f"sites(first: {n}) {{ nodes {{ name }} }}" for n in range(400)) + "}",
    "filters to compare": "{" + 'sites(where: {and: [{name: {eq: "a"}}]}) { totalCount }' * 200 + "}",
    "unknown fields": "{ sites { nodes {" + "".join(f"nam{n} " for n in range(4_900)) + "} } }",
    "unknown arguments": "{ sites(" + "".join(f"frst{n}: 1 " for n in range(1_600)) + ") { totalCount } }",
    "unknown inputs": "{ sites(where: {" + "".join(f"nam{n}: 1 " for n in range(1_600)) + "}) { totalCount } }",
    "unknown types": "{ sites {" + "".join(f"... on Site{n} {{ id }} " for n in range(800)) + "} }",
    "unused variables": "query(" + "".join(f"$v{n}: Int " for n in range(1_200)) + ") { viewer { kind } }",
    "many operations": operations(700),
    "a long name": "{" + "a" * 99_000 + "}",
    "a long text": '{ site(id: "' + "a" * 99_000 + '") { id } }',
    "quotes": '{ site(id: ' + '"' * 99_000 + ") { id } }",
    "an open block": '{ site(id: """' + '\\"""' * 24_000,
    "backslashes": '{ site(id: "' + "\\" * 99_000,
    "comments": "{ viewer { kind } }" + "#" * 99_000,
    "commas": "{ viewer { kind } }" + "," * 99_000,
    "a list": "{ sites(where: {name: {in: [" + '"a" ' * 4_900 + "]}}) { totalCount } }",
    "a wrong list": "{ sites(where: {name: {in: [" + "1 " * 4_900 + "]}}) { totalCount } }",
    "deep lists": "{ sites(where: " + "[" * 2_000 + "]" * 2_000 + ") { totalCount } }",
    "deep inputs": "{ sites(where: " + "{not: " * 1_600 + "{}" + "}" * 1_600 + ") { totalCount } }",
    "inputs as deep as may be": "{ sites(where: " + "{not: " * 61 + "{}" + "}" * 61 + ") { totalCount } }",
    "brackets alone": "{" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_costs_little(name: str) -> None:
    documents = Documents(SCHEMA)
    began = process_time()
    document = documents.get(HOSTILE[name])
    assert process_time() - began < 2  # seconds of CPU; the dearest takes a quarter of one
    assert (document.syntax is None) is bool(document.errors)


def test_what_is_kept_is_bounded_by_its_tokens_too() -> None:
    documents = Documents(SCHEMA)
    first = documents.get("{ viewer { kind } }")
    text = "a" * (DOCUMENT_CHARS_MAX // 2)  # of which a hundred count as a token
    for number in range(100 * DOCUMENTS_KEPT_TOKENS // len(text) + 1):
        documents.get(f'query Q{number} {{ site(id: "{text}") {{ id }} }}')
    assert documents._weight <= DOCUMENTS_KEPT_TOKENS
    assert documents.get("{ viewer { kind } }") is not first


def nested(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = [value, 2] if level % 2 else {"a": value, "b": 2}
    return value


def test_variables_nest_only_so_deep() -> None:
    check_variables({"a": nested(VARIABLES_DEPTH_MAX), "b": None})
    with pytest.raises(LimitExceededError) as caught:
        check_variables({"b": 1, "a": nested(VARIABLES_DEPTH_MAX + 1)})
    assert (caught.value.limit, caught.value.actual) == ("variablesDepth", VARIABLES_DEPTH_MAX + 1)
    with pytest.raises(LimitExceededError):
        check_variables({"a": nested(100_000)})


STANDARD = {
    "least": get_introspection_query(descriptions=False),
    "all": get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True,
        input_value_deprecation=True, one_of=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STANDARD)
def test_standard_introspection_passes_twice_over(documents: Documents, name: str) -> None:
    document = documents.get(STANDARD[name])
    assert not document.errors
    assert document.cost(document.operations[0]).estimate({}) < COST_MAX / 2
