"""What tests of lists share: the demo's people asking a database of the module's own, in either way."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from resolvers.ways import Way
from services.demo import demo_viewers
from services.demo.load import AS_PLATFORM
from tests.graph import Answer, Graph, graph


@dataclass
class Asking:
    """A graph, its owner's connection, and who is there to ask."""

    graph: Graph
    owner: asyncpg.Connection
    administrator: str
    technician: str
    stranger: str
    tenant_id: str = ""

    def by(self, way: Way) -> "Asking":
        """The same, asked in this way from here on."""
        self.graph.way = way
        return self

    async def ask(self, query: str, **variables: Any) -> Answer:
        """Ask as the tenant's administrator."""
        return await self.graph.as_user(self.administrator, query, **variables)

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of an answer that must have no errors."""
        answer = await self.ask(query, **variables)
        assert not answer.errors, (answer.errors, answer.fault)
        return answer.data

    async def write(self, statement: str, *values: object) -> Any:
        """Run one statement as the owner; gives the first value that it returns."""
        async with self.owner.transaction():
            await self.owner.execute(AS_PLATFORM)
            return await self.owner.fetchval(statement, *values)


@asynccontextmanager
async def asking(dsn: str) -> AsyncIterator[Asking]:
    """Everything that it takes to ask the demo database at `dsn`."""
    owner = await asyncpg.connect(dsn)
    try:
        people = [viewer.user_id for viewer in await demo_viewers(owner)]
        async with graph(dsn) as made:
            found = Asking(made, owner, *people)
            found.tenant_id = await found.write("SELECT tenant_id FROM users WHERE id = $1", people[0])
            yield found
    finally:
        await owner.close()


def taken_apart(cursor: str) -> list[Any]:
    """What a cursor says."""
    parts: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return parts


def put_together(text: str) -> str:
    """A cursor that says this JSON."""
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")
