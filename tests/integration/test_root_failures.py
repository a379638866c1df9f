"""A root field with an internal error: the rest of the response stays if the schema allows null."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from resolvers.execution_strategy import ExecutionStrategy
from tests.http_harness import HttpHarness, error_codes, open_http_harness

pytestmark = pytest.mark.newest

ONE = '{ known: viewer { kind } healthCheck(id: "x") { id } }'
ALONE = '{ healthCheck(id: "x") { id } }'


@pytest_asyncio.fixture
async def http_harness(writable_demo_database_url: str) -> AsyncIterator[HttpHarness]:
    """A server with requests that may not read the table of health checks."""
    owner = await asyncpg.connect(writable_demo_database_url)
    async with open_http_harness(writable_demo_database_url) as made:
        assert (await made.post_query(ALONE)).json() == {"data": {"healthCheck": None}}
        await owner.execute("REVOKE SELECT ON health_checks FROM msp_request")
        yield made
        await owner.execute("GRANT SELECT ON health_checks TO msp_request")
    await owner.close()


@pytest.mark.usefixtures("http_harness")
@pytest.mark.parametrize("way", [ExecutionStrategy.AUTO, ExecutionStrategy.LOADERS])
async def test_failed_nullable_root_field_keeps_the_others(
    writable_demo_database_url: str, way: ExecutionStrategy
) -> None:
    async with open_http_harness(writable_demo_database_url, reads=way.value) as harness:
        response = await harness.post_query(ONE)
    assert response.json()["data"] == {"known": {"kind": "USER"}, "healthCheck": None}
    assert error_codes(response) == ["INTERNAL"]
    assert response.json()["errors"][0]["path"] == ["healthCheck"]


async def test_failed_single_root_field_is_null(http_harness: HttpHarness) -> None:
    response = await http_harness.post_query(ALONE)
    assert response.json()["data"] == {"healthCheck": None}
    assert error_codes(response) == ["INTERNAL"]


async def test_failed_root_list_is_null_and_keeps_the_others(http_harness: HttpHarness) -> None:
    response = await http_harness.post_query("{ known: viewer { kind } healthChecks { totalCount } }")
    assert response.json()["data"] == {"known": {"kind": "USER"}, "healthChecks": None}
    assert error_codes(response) == ["INTERNAL"]


@pytest.mark.usefixtures("http_harness")
@pytest.mark.parametrize("way", [ExecutionStrategy.AUTO, ExecutionStrategy.LOADERS])
async def test_root_field_after_a_failed_statement_has_the_same_error(
    writable_demo_database_url: str, way: ExecutionStrategy
) -> None:
    """PostgreSQL refuses every statement after a failed one. That is no fault of its own."""
    async with open_http_harness(writable_demo_database_url, reads=way.value) as harness:
        response = await harness.post_query("{ healthChecks { totalCount } sites { totalCount } }")
    assert response.json()["data"] == {"healthChecks": None, "sites": None}
    assert error_codes(response) == ["INTERNAL"] * 2
    first, second = (error["extensions"]["errorId"] for error in response.json()["errors"])
    assert first == second
