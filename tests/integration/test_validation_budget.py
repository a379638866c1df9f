"""The budget for new documents: refused callers, their error, and callers that are not affected."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.routing import Route

from api.caller import Caller
from api.graphql_service import GraphQLService
from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.cpu_budgets import CpuBudgets
from core.errors import RateLimitedError
from core.limits import ANONYMOUS_DOCUMENT_TOKENS_MAX, DOCUMENT_CPU_BURST_S, DOCUMENTS_WAITING_MAX
from core.metering import METER, meter_cpu_time
from tests.http_harness import RESPONSE_TYPE, HttpHarness, error_codes, open_http_harness
from tests.scripted_live import ScriptedServer, start_scripted_server
from tests.websocket_client import connect_websocket

pytestmark = pytest.mark.newest

SMALL = "{ viewer { kind } }"
_numbers = count()


def make_new_document() -> str:
    """A document that was never sent before."""
    return f"query Q{next(_numbers)} {SMALL}"


@pytest_asyncio.fixture
async def http_harness(demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(demo_database_url, demo=False) as made:
        yield made


@pytest_asyncio.fixture
async def server(demo_database_url: str) -> AsyncIterator[ScriptedServer]:
    async with start_scripted_server(demo_database_url) as server:
        yield server


@pytest.fixture
def cpu_charge(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The cost that each step of a new document reports, instead of its real CPU time: under `each`."""
    said = {"each": 0.0}
    charge = CpuBudgets.charge
    monkeypatch.setattr(
        CpuBudgets, "charge", lambda self, caller, cpu_s: charge(self, caller, max(cpu_s, said["each"]))
    )
    return said


async def post_anonymously(
    http_harness: HttpHarness, query: str, address: str = "203.0.113.7"
) -> httpx.Response:
    transport = httpx.ASGITransport(http_harness.app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://msp.test") as client:
        return await client.post("/graphql", json={"query": query})


async def test_new_documents_over_budget_are_rate_limited_with_the_time_to_retry(
    http_harness: HttpHarness, cpu_charge: dict[str, float]
) -> None:
    cpu_charge["each"] = (DOCUMENT_CPU_BURST_S + 1) / 4  # for three steps of validation, and for compiling
    assert (await http_harness.post_query(make_new_document())).status_code == 200
    refused = await http_harness.post_query(make_new_document())
    assert (refused.status_code, error_codes(refused)) == (429, ["RATE_LIMITED"])
    retry_after = int(refused.headers["Retry-After"])
    assert refused.json()["errors"][0]["extensions"]["retryAfter"] == retry_after
    assert 4 <= retry_after <= 6  # a second too much, at a fifth of a second a second
    assert (await http_harness.post_query(make_new_document(), user=1)).status_code == 200


async def test_cached_documents_over_budget_are_answered(
    http_harness: HttpHarness, cpu_charge: dict[str, float]
) -> None:
    kept = make_new_document()
    assert (await http_harness.post_query(kept)).status_code == 200
    cpu_charge["each"] = 100.0
    assert (await http_harness.post_query(make_new_document())).status_code == 200
    assert (await http_harness.post_query(make_new_document())).status_code == 429
    for _ in range(20):
        assert (await http_harness.post_query(kept)).status_code == 200


async def test_anonymous_callers_share_a_budget_by_address_and_in_total(
    http_harness: HttpHarness, cpu_charge: dict[str, float]
) -> None:
    cpu_charge["each"] = 0.2  # for three steps; one address may have 0.5 s at once, all of them together 1 s
    assert (await post_anonymously(http_harness, make_new_document(), "203.0.113.1")).status_code == 200
    refused = await post_anonymously(http_harness, make_new_document(), "203.0.113.1")
    assert (refused.status_code, error_codes(refused)) == (429, ["RATE_LIMITED"])
    assert (await post_anonymously(http_harness, make_new_document(), "203.0.113.2")).status_code == 200
    assert (await post_anonymously(http_harness, make_new_document(), "203.0.113.3")).status_code == 429
    assert (await http_harness.post_query(make_new_document())).status_code == 200


async def test_anonymous_sockets_share_a_budget_by_address(
    server: ScriptedServer, cpu_charge: dict[str, float]
) -> None:
    async def execute(address: str) -> str:
        headers = {"X-Forwarded-For": address}
        async with connect_websocket(server.url, additional_headers=headers) as client:
            await client.init()
            return str((await client.execute(make_new_document()))["type"])

    cpu_charge["each"] = 0.2  # for three steps; one address may have 0.5 s at once
    assert await execute("203.0.113.1") == "next"
    assert await execute("203.0.113.1") == "error"
    assert await execute("203.0.113.2") == "next"


async def test_forged_token_is_refused_before_its_document_is_validated(http_harness: HttpHarness) -> None:
    headers = http_harness.build_headers() | {"Authorization": "Bearer e30.e30.AAAA"}
    response = await http_harness.client.post(
        "/graphql", json={"query": make_new_document()}, headers=headers
    )
    assert response.status_code == 401
    shown = (await http_harness.client.get("/metrics")).text
    assert 'msp_documents_validated_total{caller="user"} 0.0' in shown


async def test_metrics_count_validated_and_refused_documents(
    http_harness: HttpHarness, cpu_charge: dict[str, float]
) -> None:
    cpu_charge["each"] = 100.0
    for _ in range(2):
        await http_harness.post_query(make_new_document())
        await post_anonymously(http_harness, make_new_document())
    shown = (await http_harness.client.get("/metrics")).text
    for caller in ("user", "anonymous"):
        assert f'msp_documents_validated_total{{caller="{caller}"}} 1.0' in shown
        assert f'msp_documents_refused_total{{caller="{caller}"}} 1.0' in shown
        assert f'msp_documents_cpu_seconds_total{{caller="{caller}"}} 0.0\n' not in shown
    assert "msp_documents_waiting 0.0" in shown


async def test_recompiling_a_cached_document_is_charged(
    http_harness: HttpHarness, cpu_charge: dict[str, float]
) -> None:
    query = "query ($first: Int) { sites(first: $first) { totalCount } }"
    assert (await http_harness.post_query(query, variables={"first": 1})).status_code == 200
    cpu_charge["each"] = 100.0
    assert (await http_harness.post_query(query, variables={"first": 2})).status_code == 200
    assert (await http_harness.post_query(query, variables={"first": 2})).status_code == 200
    assert (await http_harness.post_query(query, variables={"first": 3})).status_code == 200
    assert error_codes(await http_harness.post_query(make_new_document())) == ["RATE_LIMITED"]


async def test_socket_operation_over_budget_is_an_error_and_socket_stays_open(
    server: ScriptedServer, cpu_charge: dict[str, float]
) -> None:
    kept = make_new_document()
    async with connect_websocket(server.url) as client:
        await client.init()
        assert (await client.execute(kept))["type"] == "next"
        cpu_charge["each"] = 100.0
        assert (await client.execute(make_new_document()))["type"] == "next"
        refused = await client.execute(make_new_document())
        assert refused["type"] == "error"
        (error,) = refused["payload"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfter"] > 0
        assert (await client.execute(kept))["type"] == "next"


async def test_documents_of_anonymous_callers_have_a_lower_token_limit(http_harness: HttpHarness) -> None:
    for tokens, status in ((ANONYMOUS_DOCUMENT_TOKENS_MAX, 200), (ANONYMOUS_DOCUMENT_TOKENS_MAX + 1, 400)):
        query = SMALL + "#\n" * (tokens - 6)
        headers = {"Accept": RESPONSE_TYPE}
        response = await http_harness.client.post("/graphql", json={"query": query}, headers=headers)
        assert response.status_code == status
        assert (await http_harness.post_query(query)).status_code == 200


class _Record:
    validation_s = 0.0


async def test_new_documents_of_several_callers_are_validated_in_turn(http_harness: HttpHarness) -> None:
    reader = _get_document_reader(http_harness)
    order: list[str] = []
    users = [Caller(Identity(ViewerKind.USER, name, 0)) for name in ("ann", "bob")]

    async def read(caller: Caller) -> None:
        await reader.read(make_new_document(), caller, _Record(), caller.name)
        order.append(caller.name)

    await reader.turns.acquire("somebody", "somebody")
    tasks = [asyncio.create_task(read(users[0])) for _ in range(4)] + [asyncio.create_task(read(users[1]))]
    await asyncio.sleep(0)
    reader.turns.release("somebody", 0)
    await asyncio.gather(*tasks)
    assert order.index("user:bob") <= 1


async def test_new_documents_waiting_over_the_limit_are_rate_limited(http_harness: HttpHarness) -> None:
    reader = _get_document_reader(http_harness)
    caller = Caller(Identity(ViewerKind.USER, "ann", 0))
    await reader.turns.acquire("somebody", "somebody")
    record: Any = _Record()
    tasks = [
        asyncio.create_task(reader.read(make_new_document(), caller, record, caller.name))
        for _ in range(DOCUMENTS_WAITING_MAX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(RateLimitedError):
        await reader.read(make_new_document(), caller, record, caller.name)
    reader.turns.release("somebody", 0)
    await asyncio.gather(*tasks)


def _get_document_reader(http_harness: HttpHarness) -> Any:
    (route,) = [r for r in http_harness.app.routes if isinstance(r, Route) and r.path == "/graphql"]
    operations: GraphQLService = route.endpoint._service  # type: ignore[attr-defined]
    return operations.documents


def test_cpu_meter_without_caller_charges_nothing() -> None:
    assert METER.get() is None
    with meter_cpu_time():
        pass
