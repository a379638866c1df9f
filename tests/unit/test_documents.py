"""Documents: read once, remembered, and never more of them than there is room for."""

import pytest

from core.limits import DOCUMENT_TOKENS_MAX, DOCUMENTS_KEPT
from resolvers.documents import Documents
from schema.build import build_schema, graphql_schema


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(graphql_schema(build_schema()))


def test_a_document_is_remembered(documents: Documents) -> None:
    first = documents.get("{ viewer { kind } }")
    assert documents.get("{ viewer { kind } }") is first
    assert documents.get("{ viewer {kind} }") is not first


def test_the_longest_unused_is_forgotten() -> None:
    documents = Documents(graphql_schema(build_schema()))
    kept, unused = documents.get("{ kept }"), documents.get("{ unused }")
    for number in range(DOCUMENTS_KEPT - 1):
        documents.get(f"{{ x{number} }}")
        documents.get("{ kept }")
    assert documents.get("{ kept }") is kept
    assert documents.get("{ unused }") is not unused


@pytest.mark.parametrize(
    "text", ["", "{", "{ viewer { kind }", "\x00", "{ \ud800 }", "{ nothing }", "mutation { x }"]
)
def test_what_cannot_be_executed_has_errors_and_no_syntax(documents: Documents, text: str) -> None:
    document = documents.get(text)
    assert document.errors
    assert document.syntax is None


@pytest.mark.parametrize("depth", [150, 200, 300, 1_000, 3_000])
@pytest.mark.parametrize(
    "parts",
    [
        ("{sites(where: ", "{not: ", "{}", "}", ") {totalCount}}"),
        ("{sites(where: {metadata: {contains: ", "[", "1", "]", "}}) {totalCount}}"),
        ("{sites {nodes ", "{tenant {sites {nodes ", "{id}", "}}}", "}}"),
        ("{ ", "... {", "viewer {kind}", "}", "}"),
    ],
    ids=["input", "json", "fields", "fragments"],
)
def test_a_deep_document_is_read_or_refused(documents: Documents, parts: tuple[str, ...], depth: int) -> None:
    before, opening, inner, closing, after = parts
    document = documents.get(before + opening * depth + inner + closing * depth + after)
    assert (document.syntax is None) is bool(document.errors)


def test_a_long_document_is_refused(documents: Documents) -> None:
    assert not documents.get("{" + " viewer {kind}" * 200 + "}").errors
    assert documents.get("{" + " viewer {kind}" * (DOCUMENT_TOKENS_MAX // 4 + 1) + "}").errors


def test_whether_it_asks_for_the_schema(documents: Documents) -> None:
    assert documents.get("{ __schema { types { name } } }").introspects
    assert documents.get(
        '{ viewer { kind } ...F } fragment F on Query { __type(name: "X") { name } }'
    ).introspects
    assert not documents.get("{ __typename viewer { __typename kind } }").introspects


def test_an_operation_by_name_or_the_only_one(documents: Documents) -> None:
    two = documents.get("query A { viewer { kind } } query B { viewer { kind } }")
    found = two.operation("B")
    assert found is not None
    assert found.name is not None
    assert found.name.value == "B"
    assert two.operation(None) is None
    assert two.operation("C") is None
    assert documents.get("{ viewer { kind } }").operation(None) is not None
