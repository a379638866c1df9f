"""GraphQL as a viewer of the tests asks it: real PostgreSQL, real sign-in, the server's own execution."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLSchema

from core.clock import NEVER
from core.database import Database
from core.settings import Settings
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.execution import Request, render, run
from resolvers.operation import Operation
from resolvers.rows import Read, Rows
from resolvers.ways import Way
from services.sign_in import sign_in


@dataclass(frozen=True)
class Answer:
    """A response, as a client would have parsed it, and what it took."""

    data: Any
    errors: list[dict[str, Any]]
    statements: int
    reads: list[Read]

    @property
    def codes(self) -> list[str]:
        """The codes of the errors, in order."""
        return [error["extensions"]["code"] for error in self.errors]


class Graph:
    """Asks a database as any viewer, in the way that `way` says."""

    def __init__(self, database: Database, way: Way = Way.LOADERS) -> None:
        self.database = database
        self.way = way
        self.schema: GraphQLSchema = bound_schema()[1]
        self._documents = Documents(self.schema)

    async def as_user(self, user_id: str, query: str, **variables: Any) -> Answer:
        """Ask as a user; raises UnauthenticatedError where the user may not sign in."""
        return await self._ask(Identity(ViewerKind.USER, user_id, NEVER), None, query, variables)

    async def as_platform(self, tenant_id: str | None, query: str, **variables: Any) -> Answer:
        """Ask as the platform, with or without a tenant."""
        return await self._ask(Identity(ViewerKind.PLATFORM, "platform", NEVER), tenant_id, query, variables)

    async def as_anonymous(self, query: str, **variables: Any) -> Answer:
        """Ask without a token."""
        return await self._run(Operation(None, None), query, variables)

    async def _ask(
        self, identity: Identity, tenant_id: str | None, query: str, variables: dict[str, Any]
    ) -> Answer:
        platform = identity.kind is ViewerKind.PLATFORM
        async with self.database.snapshot(platform=platform) as snapshot:
            viewer = await sign_in(snapshot.connection, identity, tenant_id)
            return await self._run(Operation(viewer, Rows(viewer, snapshot)), query, variables)

    async def _run(self, operation: Operation, query: str, variables: dict[str, Any]) -> Answer:
        document = self._documents.get(query)
        if document.syntax is None:
            return Answer(None, [render(error) for error in document.errors], 0, [])
        request = Request(query, variables, None)
        response = await run(self.schema, document.syntax, request, operation, self.way)
        parsed = orjson.loads(orjson.dumps(response))
        statements = operation.rows.snapshot.statements if operation.rows else 0
        reads = operation.rows.reads if operation.rows else []
        return Answer(parsed.get("data"), parsed.get("errors", []), statements, reads)


@asynccontextmanager
async def graph(dsn: str) -> AsyncIterator[Graph]:
    """A graph over the database at `dsn`."""
    database = await Database.connect(dsn, Settings())
    try:
        yield Graph(database)
    finally:
        await database.close()
