"""/metrics on a real pool: its counters, and a bounded number of series."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from api.observability.metrics import OTHER, UNNAMED
from tests.http_harness import HttpHarness, open_http_harness

pytestmark = pytest.mark.newest


@pytest_asyncio.fixture(loop_scope="session")
async def http_harness(demo_database_url: str) -> AsyncIterator[HttpHarness]:
    """An application with all counters at zero."""
    async with open_http_harness(demo_database_url, pool_size=3) as made:
        yield made


async def _read_metrics(http_harness: HttpHarness) -> dict[tuple[str, ...], float]:
    """Name and label values to value."""
    response = await http_harness.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(response.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_metrics_count_requests_by_operation_and_outcome(http_harness: HttpHarness) -> None:
    for _ in range(2):
        await http_harness.post_query("query Sites { sites(first: 3) { nodes { id } } }")
    await http_harness.post_query("query Sites { nothing }")
    await http_harness.post_query('query Partly { __typename site(id: "\\u0000") { id } }')
    read = await _read_metrics(http_harness)
    assert read["msp_requests_total", "Sites", "ok"] == 2
    assert read["msp_requests_total", "Sites", "refused"] == 1
    assert read["msp_requests_total", "Partly", "partial"] == 1
    assert read["msp_execution_strategies_total", "Sites", "compiled"] == 2
    assert read["msp_execution_strategies_total", "Partly", "loaders"] == 1
    assert read["msp_statements_total", "Sites"] == 2
    assert read["msp_rows_total", "Sites"] >= 2
    assert read["msp_request_duration_seconds_count", "Sites"] == 3
    assert 0 < read["msp_request_duration_seconds_sum", "Sites"] < 30


async def test_metrics_count_unnamed_operations_together(http_harness: HttpHarness) -> None:
    await http_harness.post_query("{ __typename }")
    await http_harness.client.post("/graphql", content=b"null")
    read = await _read_metrics(http_harness)
    assert read["msp_requests_total", UNNAMED, "ok"] == 1
    assert read["msp_requests_total", UNNAMED, "refused"] == 1


async def test_metrics_operation_names_over_the_limit_are_counted_as_other(
    http_harness: HttpHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.observability.metrics.OPERATION_NAMES_MAX", 2)
    for name in ("A", "B", "C", "D", "A"):
        await http_harness.post_query(f"query {name} {{ __typename }}")
    read = await _read_metrics(http_harness)
    assert read["msp_requests_total", "A", "ok"] == 2
    assert read["msp_requests_total", "B", "ok"] == 1
    assert read["msp_requests_total", OTHER, "ok"] == 2


async def test_metrics_operation_name_of_anonymous_is_counted_as_other(http_harness: HttpHarness) -> None:
    await http_harness.client.post("/graphql", json={"query": "query Mine { __typename }"})
    read = await _read_metrics(http_harness)
    assert read["msp_requests_total", OTHER, "ok"] == 1
    assert not [key for key in read if "Mine" in key]


async def test_metrics_show_busy_and_idle_connections(http_harness: HttpHarness) -> None:
    async with http_harness.database.pool.acquire(), http_harness.database.pool.acquire():
        read = await _read_metrics(http_harness)
    assert read["msp_pool_connections", "busy"] == 2
    assert read["msp_pool_connections_max",] == 2 * 3
    idle = await _read_metrics(http_harness)
    assert (idle["msp_pool_connections", "busy"], idle["msp_pool_connections", "idle"]) == (0, 2)


async def test_metrics_disabled_is_not_found(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url, metrics=False) as without:
        assert (await without.client.get("/metrics")).status_code == 404
        assert (await without.post_query("{ __typename }")).status_code == 200
