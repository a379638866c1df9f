"""Documents: parsed once, cached, and bounded in number."""

import pytest

from core.limits import DOCUMENT_TOKENS_MAX, DOCUMENTS_CACHED_MAX
from resolvers.documents.cache import DocumentCache
from schema.build import build_graphql_schema, build_schema


@pytest.fixture(scope="module")
def document_cache() -> DocumentCache:
    return DocumentCache(build_graphql_schema(build_schema()))


def test_document_cache_same_text_gives_the_same_document(document_cache: DocumentCache) -> None:
    first = document_cache.get_or_parse("{ viewer { kind } }")
    assert document_cache.get_or_parse("{ viewer { kind } }") is first
    assert document_cache.get_or_parse("{ viewer {kind} }") is not first


def test_document_cache_when_full_evicts_the_least_recently_used() -> None:
    document_cache = DocumentCache(build_graphql_schema(build_schema()))
    kept, unused = document_cache.get_or_parse("{ kept }"), document_cache.get_or_parse("{ unused }")
    for number in range(DOCUMENTS_CACHED_MAX - 1):
        document_cache.get_or_parse(f"{{ x{number} }}")
        document_cache.get_or_parse("{ kept }")
    assert document_cache.get_or_parse("{ kept }") is kept
    assert document_cache.get_or_parse("{ unused }") is not unused


@pytest.mark.parametrize(
    "text", ["", "{", "{ viewer { kind }", "\x00", "{ \ud800 }", "{ nothing }", "mutation { x }"]
)
def test_document_that_is_invalid_has_errors_and_no_syntax(document_cache: DocumentCache, text: str) -> None:
    document = document_cache.get_or_parse(text)
    assert document.errors
    assert document.syntax is None


@pytest.mark.parametrize("depth", [150, 200, 300, 1_000, 3_000])
@pytest.mark.parametrize(
    "pieces",
    [
        ("{sites(where: ", "{not: ", "{}", "}", ") {totalCount}}"),
        ("{sites(where: {metadata: {contains: ", "[", "1", "]", "}}) {totalCount}}"),
        ("{sites {nodes ", "{tenant {sites {nodes ", "{id}", "}}}", "}}"),
        ("{ ", "... {", "viewer {kind}", "}", "}"),
    ],
    ids=["input", "json", "fields", "fragments"],
)
def test_document_that_nests_deep_has_syntax_or_errors(
    document_cache: DocumentCache, pieces: tuple[str, ...], depth: int
) -> None:
    before, opening, inner, closing, after = pieces
    document = document_cache.get_or_parse(before + opening * depth + inner + closing * depth + after)
    assert (document.syntax is None) is bool(document.errors)


def test_document_beyond_token_limit_is_refused(document_cache: DocumentCache) -> None:
    assert not document_cache.get_or_parse("{" + " viewer {kind}" * 200 + "}").errors
    assert document_cache.get_or_parse("{" + " viewer {kind}" * (DOCUMENT_TOKENS_MAX // 4 + 1) + "}").errors


def test_document_with_schema_fields_is_marked_as_introspection(document_cache: DocumentCache) -> None:
    assert document_cache.get_or_parse("{ __schema { types { name } } }").uses_introspection
    assert document_cache.get_or_parse(
        '{ viewer { kind } ...F } fragment F on Query { __type(name: "X") { name } }'
    ).uses_introspection
    assert not document_cache.get_or_parse("{ __typename viewer { __typename kind } }").uses_introspection


def test_document_operation_is_found_by_name_or_as_the_only_one(document_cache: DocumentCache) -> None:
    two = document_cache.get_or_parse("query A { viewer { kind } } query B { viewer { kind } }")
    found = two.find_operation("B")
    assert found is not None
    assert found.name is not None
    assert found.name.value == "B"
    assert two.find_operation(None) is None
    assert two.find_operation("C") is None
    assert document_cache.get_or_parse("{ viewer { kind } }").find_operation(None) is not None
