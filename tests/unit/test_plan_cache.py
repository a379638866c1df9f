"""The cache of compiled plans: its limit, and no plan of an evicted document."""

from collections.abc import Generator
from typing import Any

import pytest

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from core.limits import DOCUMENTS_CACHED_MAX, PLAN_CACHED_CHARS_MAX, PLANS_CACHED_CHARS_MAX
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.compiler.plan import OperationPlans
from resolvers.compiler.planner import Planner
from resolvers.documents.cache import Document, DocumentCache
from resolvers.loaders.bindings import build_executable_schema
from resolvers.queries import coerce_query_variables
from resolvers.request import GraphQLRequest

SCHEMA = build_executable_schema()[1]
VIEWER = Viewer(ViewerKind.USER, "a tenant", "a user", "a role", RIGHTS, 1)
FILTERED = "query ($where: SiteFilter) { sites(where: $where) { totalCount } }"
BY_ID = "query ($id: ID!) { site(id: $id) { name } }"


@pytest.fixture
def document_cache() -> DocumentCache:
    return DocumentCache(SCHEMA)


def build_planner(document: Document, **variables: Any) -> Planner:
    assert document.syntax is not None
    operation = ExecutableOperation(
        SCHEMA,
        GraphQLRequest("", variables, None),
        document.syntax,
        document.operations[0],
        document.plans,
        cost=0,
    )
    coerced = coerce_query_variables(operation)
    assert coerced is not None
    return Planner(operation, VIEWER, coerced)


def plan_operation(document: Document, **variables: Any) -> OperationPlans | None:
    return build_planner(document, **variables).plan()


def build_metadata_filter(size: int, number: int = 0) -> dict[str, Any]:
    return {"metadata": {"contains": ["x" * size, number]}}


def cached_weight(document_cache: DocumentCache) -> int:
    return sum(weight for _, (_, weight) in document_cache._plan_cache._plans.items())


def test_planner_pauses_between_root_fields_of_a_new_document_only(document_cache: DocumentCache) -> None:
    fields = " ".join(f"a{number}: sites {{ totalCount }}" for number in range(5))
    document = document_cache.get_or_parse(f"{{ {fields} }}")
    assert len(list(build_planner(document).plan_in_steps())) == 4
    assert list(build_planner(document).plan_in_steps()) == []
    plans = plan_operation(document)
    assert plans is not None
    assert list(plans.plans) == [f"a{number}" for number in range(5)]


def test_plan_cache_operation_with_other_values_reuses_the_plan(document_cache: DocumentCache) -> None:
    document = document_cache.get_or_parse(BY_ID)
    assert plan_operation(document, id="one") is plan_operation(document, id="another")


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        (FILTERED, {"where": build_metadata_filter(PLAN_CACHED_CHARS_MAX)}),
        (BY_ID, {"id": "x" * PLAN_CACHED_CHARS_MAX}),
    ],
    ids=["known", "parameter"],
)
def test_plan_cache_plan_with_a_large_value_is_not_cached(
    document_cache: DocumentCache, query: str, variables: dict[str, Any]
) -> None:
    planned = plan_operation(document_cache.get_or_parse(query), **variables)
    assert planned is not None
    assert all(planned.plans.values())
    assert cached_weight(document_cache) == 0


def test_plan_cache_limit_covers_all_documents(document_cache: DocumentCache) -> None:
    first = plan_operation(document_cache.get_or_parse(BY_ID), id="one")
    size = PLAN_CACHED_CHARS_MAX // 4
    for number in range(2 * PLANS_CACHED_CHARS_MAX // size):
        plan_operation(
            document_cache.get_or_parse(FILTERED.replace("query", f"query Q{number % 9}")),
            where=build_metadata_filter(size, number),
        )
        assert plan_operation(document_cache.get_or_parse(BY_ID), id="another") is first
    assert (
        PLANS_CACHED_CHARS_MAX * 0.9
        < cached_weight(document_cache)
        == document_cache._plan_cache._plans.weight
        <= PLANS_CACHED_CHARS_MAX
    )
    assert (
        plan_operation(
            document_cache.get_or_parse(FILTERED.replace("query", "query Q0")),
            where=build_metadata_filter(size),
        )
        is not None
    )


def test_plan_cache_evicted_document_leaves_no_plan(document_cache: DocumentCache) -> None:
    document = document_cache.get_or_parse(BY_ID)
    plan_operation(document, id="one")
    assert cached_weight(document_cache) > 0
    for number in range(DOCUMENTS_CACHED_MAX):
        document_cache.get_or_parse(f"{{ x{number} }}")
    assert cached_weight(document_cache) == document_cache._plan_cache._plans.weight == 0
    assert plan_operation(document, id="one") is not None
    assert cached_weight(document_cache) == 0


def test_plan_cache_plan_for_given_values_is_compiled_once_for_them(
    document_cache: DocumentCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Planner] = []
    compile_ = Planner._compile

    def record_and_compile(planner: Planner) -> Generator[None, None, OperationPlans]:
        compiled.append(planner)
        return compile_(planner)

    monkeypatch.setattr(Planner, "_compile", record_and_compile)
    document = document_cache.get_or_parse(
        "query ($text: String) { sites(search: $text) { edges { cursor } } }"
    )
    for text in ("one", "another"):
        first = plan_operation(document, text=text)
        assert first is not None
        assert not first.is_reusable
        assert plan_operation(document, text=text) is first
    assert len(compiled) == 2
