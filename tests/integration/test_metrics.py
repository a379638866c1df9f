"""/metrics on a real pool: what it counts, and that nobody can make it grow."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import OTHER, UNNAMED
from tests.face import Face, face


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(demo_database_url: str) -> AsyncIterator[Face]:
    """An application that has counted nothing yet."""
    async with face(demo_database_url, pool_size=3) as made:
        yield made


async def _read(fresh: Face) -> dict[tuple[str, ...], float]:
    """Name and label values to value."""
    response = await fresh.client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(response.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_requests_are_counted_by_operation_and_outcome(fresh: Face) -> None:
    for _ in range(2):
        await fresh.ask("query Sites { sites(first: 3) { nodes { id } } }")
    await fresh.ask("query Sites { nothing }")
    await fresh.ask('query Partly { __typename site(id: "\\u0000") { id } }')
    read = await _read(fresh)
    assert read["msp_requests_total", "Sites", "ok"] == 2
    assert read["msp_requests_total", "Sites", "refused"] == 1
    assert read["msp_requests_total", "Partly", "partial"] == 1
    assert read["msp_ways_total", "Sites", "compiled"] == 2
    assert read["msp_ways_total", "Partly", "loaders"] == 1
    assert read["msp_statements_total", "Sites"] == 2
    assert read["msp_rows_total", "Sites"] >= 2
    assert read["msp_request_duration_seconds_count", "Sites"] == 3
    assert 0 < read["msp_request_duration_seconds_sum", "Sites"] < 30


async def test_what_has_no_name_is_counted_together(fresh: Face) -> None:
    await fresh.ask("{ __typename }")
    await fresh.client.post("/graphql", content=b"null")
    read = await _read(fresh)
    assert read["msp_requests_total", UNNAMED, "ok"] == 1
    assert read["msp_requests_total", UNNAMED, "refused"] == 1


async def test_names_are_bounded(fresh: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.metrics.OPERATION_NAMES_MAX", 2)
    for name in ("A", "B", "C", "D", "A"):
        await fresh.ask(f"query {name} {{ __typename }}")
    read = await _read(fresh)
    assert read["msp_requests_total", "A", "ok"] == 2
    assert read["msp_requests_total", "B", "ok"] == 1
    assert read["msp_requests_total", OTHER, "ok"] == 2


async def test_a_caller_whom_we_do_not_know_names_nothing(fresh: Face) -> None:
    await fresh.client.post("/graphql", json={"query": "query Mine { __typename }"})
    read = await _read(fresh)
    assert read["msp_requests_total", OTHER, "ok"] == 1
    assert not [key for key in read if "Mine" in key]


async def test_the_use_of_the_pool(fresh: Face) -> None:
    async with fresh.database.pool.acquire(), fresh.database.pool.acquire():
        read = await _read(fresh)
    assert read["msp_pool_connections", "busy"] == 2
    assert read["msp_pool_connections_max",] == 2 * 3
    idle = await _read(fresh)
    assert (idle["msp_pool_connections", "busy"], idle["msp_pool_connections", "idle"]) == (0, 2)


async def test_it_can_be_switched_off(demo_database_url: str) -> None:
    async with face(demo_database_url, metrics=False) as without:
        assert (await without.client.get("/metrics")).status_code == 404
        assert (await without.ask("{ __typename }")).status_code == 200
