"""Shared parts of tests of lists: users of the demo and a database of the module's own, for either strategy."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from demo import load_demo_viewers
from demo.load import AS_PLATFORM
from resolvers.execution_strategy import ExecutionStrategy
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, open_graphql_harness


@dataclass
class Client:
    """A graph, its owner's connection, and the users."""

    graphql: GraphqlHarness
    owner: asyncpg.Connection
    administrator: str
    technician: str
    stranger: str
    tenant_id: str = ""

    def with_strategy(self, strategy: ExecutionStrategy) -> "Client":
        """The same, with this strategy from now on."""
        self.graphql.strategy = strategy
        return self

    async def execute(self, query: str, **variables: Any) -> GraphqlResponse:
        """Send a request as the tenant's administrator."""
        return await self.graphql.execute_as_user(self.administrator, query, **variables)

    async def fetch_data(self, query: str, **variables: Any) -> Any:
        """The data of an answer that must have no errors."""
        answer = await self.execute(query, **variables)
        assert not answer.errors, (answer.errors, answer.traceback)
        return answer.data

    async def execute_sql(self, statement: str, *values: object) -> Any:
        """Run one statement as the owner; returns its first value."""
        async with self.owner.transaction():
            await self.owner.execute(AS_PLATFORM)
            return await self.owner.fetchval(statement, *values)


@asynccontextmanager
async def open_client(dsn: str) -> AsyncIterator[Client]:
    """A graph and users for the demo database at `dsn`."""
    owner = await asyncpg.connect(dsn)
    try:
        people = [viewer.user_id for viewer in await load_demo_viewers(owner)]
        async with open_graphql_harness(dsn) as graphql:
            found = Client(graphql, owner, *people)
            found.tenant_id = await found.execute_sql("SELECT tenant_id FROM users WHERE id = $1", people[0])
            yield found
    finally:
        await owner.close()


def decode_cursor(cursor: str) -> list[Any]:
    """The content of a cursor."""
    parts: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return parts


def encode_cursor(text: str) -> str:
    """A cursor with this JSON."""
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")
