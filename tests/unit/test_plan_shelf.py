"""Compiled plans that are kept: never more of them than there is room for, and none of a forgotten document."""

from typing import Any

import pytest

from core.limits import DOCUMENTS_KEPT, PLAN_KEPT_CHARS, PLANS_KEPT_CHARS
from core.rights import RIGHTS
from core.viewer import Viewer, ViewerKind
from resolvers.asked import Asked
from resolvers.binding import bound_schema
from resolvers.documents import Document, Documents
from resolvers.planning import Planning
from resolvers.plans import Planned
from resolvers.ways import coerced_variables

SCHEMA = bound_schema()[1]
VIEWER = Viewer(ViewerKind.USER, "a tenant", "a user", "a role", RIGHTS, 1)
FILTERED = "query ($where: SiteFilter) { sites(where: $where) { totalCount } }"
BY_ID = "query ($id: ID!) { site(id: $id) { name } }"


@pytest.fixture
def documents() -> Documents:
    return Documents(SCHEMA)


def plan(document: Document, **variables: Any) -> Planned | None:
    assert document.syntax is not None
    asked = Asked(SCHEMA, document.syntax, document.operations[0], variables, document.plans)
    coerced = coerced_variables(asked)
    assert coerced is not None
    return Planning(asked, VIEWER, coerced).planned()


def metadata(size: int, number: int = 0) -> dict[str, Any]:
    return {"metadata": {"contains": ["x" * size, number]}}


def weight(documents: Documents) -> int:
    return sum(weight for _, weight in documents._shelf._kept.values())


def test_a_plan_is_kept_for_its_like(documents: Documents) -> None:
    document = documents.get(BY_ID)
    assert plan(document, id="one") is plan(document, id="another")


@pytest.mark.parametrize(
    ("query", "variables"),
    [(FILTERED, {"where": metadata(PLAN_KEPT_CHARS)}), (BY_ID, {"id": "x" * PLAN_KEPT_CHARS})],
    ids=["known", "held"],
)
def test_a_plan_that_knows_a_large_value_is_not_kept(
    documents: Documents, query: str, variables: dict[str, Any]
) -> None:
    planned = plan(documents.get(query), **variables)
    assert planned is not None
    assert all(planned.plans.values())
    assert weight(documents) == 0


def test_the_plans_of_all_documents_have_one_limit(documents: Documents) -> None:
    first = plan(documents.get(BY_ID), id="one")
    size = PLAN_KEPT_CHARS // 4
    for number in range(2 * PLANS_KEPT_CHARS // size):
        plan(documents.get(FILTERED.replace("query", f"query Q{number % 9}")), where=metadata(size, number))
        assert plan(documents.get(BY_ID), id="another") is first
    assert PLANS_KEPT_CHARS * 0.9 < weight(documents) == documents._shelf._weight <= PLANS_KEPT_CHARS
    assert plan(documents.get(FILTERED.replace("query", "query Q0")), where=metadata(size)) is not None


def test_a_forgotten_document_leaves_no_plan_behind(documents: Documents) -> None:
    document = documents.get(BY_ID)
    plan(document, id="one")
    assert weight(documents) > 0
    for number in range(DOCUMENTS_KEPT):
        documents.get(f"{{ x{number} }}")
    assert weight(documents) == documents._shelf._weight == 0
    assert plan(document, id="one") is not None
    assert weight(documents) == 0


def test_a_plan_that_knows_its_values_is_compiled_once_for_them(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Planning] = []
    compile_ = Planning._compile
    monkeypatch.setattr(
        Planning, "_compile", lambda planning: compiled.append(planning) or compile_(planning)
    )
    document = documents.get("query ($text: String) { sites(search: $text) { edges { cursor } } }")
    for text in ("one", "another"):
        first = plan(document, text=text)
        assert first is not None
        assert not first.reusable
        assert plan(document, text=text) is first
    assert len(compiled) == 2
