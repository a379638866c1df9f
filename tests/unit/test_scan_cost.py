"""The cost of scanned rows: what a list looks at, in a tenant of known size."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from core.limits import (
    COST_COUNT,
    COST_MAX,
    COST_SCANNED_COMPUTED,
    COST_SCANNED_CONDITION,
    COST_SCANNED_COUNT,
    COST_SCANNED_RELATION,
    COST_SCANNED_TEXT,
    COST_SEARCH,
)
from resolvers.documents.cache import DocumentCache
from resolvers.limits.table_sizes import TableSizes
from schema.build import build_graphql_schema, build_schema
from schema.tables import TABLES

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = DocumentCache(build_graphql_schema(build_schema()))
ENTITIES: Final = 40_000
SITES: Final = 400
SIZES: Final = TableSizes(
    {**{table.name: 5_000 for table in TABLES}, "entities": ENTITIES, "sites": SITES, "tenants": 1},
    {"entities": frozenset({"site_id", "entity_type", "external_id"}), "sites": frozenset({"name", "slug"})},
    {("entities", "entity_type", "companies"): 0.02},
)
BOTH: Final = COST_SCANNED_CONDITION + COST_SCANNED_TEXT
OF_SITE: Final = 4 * (1 + ENTITIES // SITES)
"""The rows that one site is expected to have at most."""


def estimate_cost(text: str, sizes: TableSizes = SIZES, **variables: Any) -> float:
    document = DOCUMENTS.get_or_parse(text)
    assert not document.errors, (text, document.errors)
    return document.get_cost(document.operations[0]).estimate(variables, sizes)


def _list_entities(where: str, more: str = "") -> str:
    return "{ entities(first: 1, where: " + where + more + ") { nodes { id } } }"


@pytest.mark.parametrize(
    ("where", "rows", "each"),
    [
        ("{}", ENTITIES, 0),
        ('{externalId: {contains: "a"}}', ENTITIES, COST_SCANNED_TEXT),
        ('{externalId: {contains: "a", startsWith: "b"}}', ENTITIES, 2 * COST_SCANNED_TEXT),
        ('{externalId: {neq: "a"}}', ENTITIES, COST_SCANNED_CONDITION),
        ('{or: [{externalId: {neq: "a"}}, {not: {externalId: {neq: "b"}}}]}', ENTITIES, 2 * COST_SCANNED_CONDITION),
        ('{id: {eq: "a"}, externalId: {contains: "a"}}', 1, BOTH),
        ('{id: {in: ["a", "b"]}, externalId: {contains: "a"}}', 2, BOTH),
        ('{siteId: {eq: "a"}, externalId: {contains: "a"}}', OF_SITE, BOTH),
        ('{and: [{siteId: {eq: "a"}}, {externalId: {contains: "a"}}]}', OF_SITE, BOTH),
        ('{or: [{siteId: {eq: "a"}}, {externalId: {contains: "a"}}]}', ENTITIES, BOTH),
        ('{siteId: {neq: "a"}}', ENTITIES, COST_SCANNED_CONDITION),
        ('{site: {name: {contains: "a"}}}', ENTITIES, COST_SCANNED_RELATION + COST_SCANNED_TEXT),
        ('{rawData: {contains: {a: 1}}}', ENTITIES, COST_SCANNED_TEXT),
        ('{rawData: {at: [{path: ["a"], eq: 1}, {path: ["b"], eq: 2}]}}', ENTITIES, 2 * COST_SCANNED_TEXT),
    ],
)  # fmt: skip
def test_cost_of_filter_is_scanned_rows_times_conditions(where: str, rows: int, each: float) -> None:
    assert estimate_cost(_list_entities(where)) == pytest.approx(2 + rows * each, abs=1)
    assert estimate_cost(_list_entities(where), TableSizes()) == 2


def test_cost_of_computed_column_in_many_conditions_is_over_the_limit() -> None:
    one = '{linkedSiteName: {contains: "x"}}'
    text = "{ psaCompaniesView(first: 1, where: {or: [" + ",".join([one] * 450) + "]}) { nodes { id } } }"
    assert estimate_cost(text) > COST_MAX
    single = "{ psaCompaniesView(first: 1, where: " + one + ") { nodes { id } } }"
    assert estimate_cost(single) == pytest.approx(
        2 + 0.08 * ENTITIES * (COST_SCANNED_TEXT + COST_SCANNED_COMPUTED), abs=1
    )


def test_cost_with_filter_in_variables_equals_the_literal() -> None:
    where = {"siteId": {"in": ["a", "b"]}, "externalId": {"contains": "x"}}
    literal = estimate_cost(_list_entities('{siteId: {in: ["a", "b"]}, externalId: {contains: "x"}}'))
    text = "query($w: EntityFilter) { entities(first: 1, where: $w) { nodes { id } } }"
    assert estimate_cost(text, w=where) == literal
    text = "query($s: [ID!], $x: String) " + _list_entities("{siteId: {in: $s}, externalId: {contains: $x}}")
    assert estimate_cost(text, s=["a", "b"], x="x") == literal
    refused: tuple[Any, ...] = (None, 3, "x", [], {"siteId": 4}, {"or": "x"}, {"site": 1}, {"unknown": {}})
    for invalid in refused:
        assert (
            estimate_cost(
                "query($w: EntityFilter) { entities(first: 1, where: $w) { nodes { id } } }", w=invalid
            )
            < COST_MAX
        )


@pytest.mark.parametrize(
    ("order", "each"),
    [
        ("{field: ID}", 0),
        ("{field: ENTITY_TYPE}", 0),
        ("{field: UPDATED_AT}", COST_SCANNED_CONDITION),
        ("[{field: UPDATED_AT}, {field: CREATED_AT}]", 2 * COST_SCANNED_CONDITION),
    ],
)
def test_cost_of_order_without_an_index_is_that_of_a_sort(order: str, each: float) -> None:
    text = "{ entities(first: 1, orderBy: " + order + ") { nodes { id } } }"
    assert estimate_cost(text) == pytest.approx(2 + ENTITIES * each, abs=1)


def test_cost_of_total_count_is_that_of_counting_the_rows() -> None:
    assert estimate_cost("{ entities { totalCount } }") == COST_COUNT + ENTITIES * COST_SCANNED_COUNT
    text = "{ sites(first: 10) { nodes { entities { totalCount } } } }"
    assert estimate_cost(text) == pytest.approx(11 + 10 * (COST_COUNT + OF_SITE * COST_SCANNED_COUNT), abs=1)


def test_cost_of_search_is_that_of_its_fields() -> None:
    text = "query($s: String) { sites(first: 10, search: $s) { nodes { id } } }"
    without = estimate_cost(text)
    assert without == 11
    assert estimate_cost(text, s="a") >= without + COST_SEARCH + SITES * COST_SCANNED_TEXT


def test_cost_of_live_query_equals_that_of_the_query() -> None:
    query = _list_entities('{externalId: {contains: "a"}}')
    assert estimate_cost(f"subscription {query}") == estimate_cost(query)


_EXAMPLE: Final = re.compile(r"^```graphql\n(.*?)^```$(?:\n```json\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
_COST_PAGE: Final = ROOT / "docs" / "limits.md"
"""Its document shows how rows multiply, and is no dashboard's."""

_PAGES: Final = (*sorted({*ROOT.glob("docs/**/*.md")} - {_COST_PAGE}), ROOT / "README.md")


def test_cost_of_documents_of_the_docs_is_below_a_tenth_of_the_limit() -> None:
    count = 0
    for page in _PAGES:
        for match in _EXAMPLE.finditer(page.read_text("utf-8")):
            document = DOCUMENTS.get_or_parse(match[1])
            if document.errors:  # a part of a document, or one that is refused on purpose
                continue
            variables = json.loads(match[2] or "{}")
            for operation in document.operations:
                cost = document.get_cost(operation).estimate(variables, SIZES)
                assert cost < COST_MAX / 10, (page.name, match[1], cost)
                count += 1
    assert count > 40
