"""Fixtures that the integration tests share. A module may define one of its own under the same name."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from core.database.request_role import RoleMode
from resolvers.execution_strategy import ExecutionStrategy
from tests.agent_api_harness import AgentApiHarness, open_agent_api_harness
from tests.exports.exported_world import ExportedWorld, make_exported_world, without_secrets
from tests.graphql_harness import GraphqlHarness, open_graphql_harness
from tests.http_harness import HttpHarness, open_http_harness
from tests.integration.client import Client, open_client
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.mutation_harness import MutationHarness, NewMutationHarness, open_mutation_harnesses
from tests.transaction_harness import TransactionHarness, open_transaction_harness


@pytest.fixture
def log_lines() -> Iterator[list[Any]]:
    """The lines of the log, as they are written."""
    with capture_logs() as logged:
        yield logged


@pytest_asyncio.fixture
async def owner(writable_demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the owner to the writable demo database."""
    connection = await asyncpg.connect(writable_demo_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def agent_api(shared_database_url: str) -> AsyncIterator[AgentApiHarness]:
    """The agents' API over a database that the tests of one module share."""
    async with open_agent_api_harness(shared_database_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_agent_api(database_url: str) -> AsyncIterator[AgentApiHarness]:
    """The agents' API over a database of the test's own."""
    async with open_agent_api_harness(database_url) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def transaction_harness(database_url: str) -> AsyncIterator[TransactionHarness]:
    """Transactions in a database of the test's own."""
    async with open_transaction_harness(database_url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_mutation_harness(
    shared_database_url: str, role_mode: RoleMode
) -> AsyncIterator[NewMutationHarness]:
    """Makes harnesses with two new tenants each, in a database that the tests of one module share."""
    async with open_mutation_harnesses(shared_database_url, forced=role_mode is RoleMode.FORCED) as new:
        yield new


@pytest_asyncio.fixture
async def mutation_harness(new_mutation_harness: NewMutationHarness) -> MutationHarness:
    """Two new tenants that write."""
    return await new_mutation_harness()


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    """A live layer of the test's own over the writable demo database."""
    async with open_live_engine(writable_demo_database_url) as opened:
        yield opened
        opened.live.registry.validate()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_client(writable_demo_database_url: str) -> AsyncIterator[Client]:
    """A client of the writable demo database that the tests of one module share."""
    async with open_client(writable_demo_database_url) as opened:
        yield opened


@pytest.fixture(params=[ExecutionStrategy.AUTO, ExecutionStrategy.LOADERS], ids=str)
def graphql_client(shared_client: Client, request: pytest.FixtureRequest) -> Client:
    """The client, once with compiled statements and once with loaders."""
    return shared_client.with_strategy(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def graphql_harness(demo_database_url: str) -> AsyncIterator[GraphqlHarness]:
    """GraphQL over the demo data, read-only."""
    async with open_graphql_harness(demo_database_url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http_harness(demo_database_url: str) -> AsyncIterator[HttpHarness]:
    """HTTP over the demo data, read-only."""
    async with open_http_harness(demo_database_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def exported_world() -> ExportedWorld:
    """An exported world without secrets."""
    return without_secrets(make_exported_world())
