"""GraphQL as a viewer of the tests asks it: real PostgreSQL, real sign-in, the server's own execution."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLSchema, OperationType

from core.agent_tokens import AgentTokens
from core.clock import NEVER
from core.database import Database, Snapshot
from core.encryption import SecretKey, SecretKeys
from core.settings import Settings
from core.signing import SigningKey
from core.single_reads import SingleRead
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.execution import Request, render, run, run_single
from resolvers.faults import Faults
from resolvers.operation import Operation
from resolvers.rows import Read, Rows
from resolvers.ways import Way
from resolvers.writer import Writer
from services.remembered import RememberedViewers, SignedIn
from services.sign_in import sign_in
from tests.issuers import ec_key


@dataclass(frozen=True)
class Answer:
    """A response, as a client would have parsed it, and what it took.

    Attributes:
        body: The same as it is sent; empty where the document is not valid.
        compiled: The root fields that were compiled, by their response keys.
        fault: What failed by our own fault, which the response does not tell.
        extensions: What the response tells beside data and errors.
    """

    data: Any
    errors: list[dict[str, Any]]
    statements: int
    reads: list[Read]
    body: bytes = b""
    compiled: tuple[str, ...] = ()
    fault: BaseException | None = None
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def codes(self) -> list[str]:
        """The codes of the errors, in order."""
        return [error["extensions"]["code"] for error in self.errors]


@dataclass(frozen=True)
class Who:
    """Who is asking; nobody where `kind` is None."""

    label: str
    kind: ViewerKind | None = None
    subject: str = "platform"
    tenant_id: str | None = None


KEYS = SecretKeys([SecretKey.of(bytes(range(32)))])
"""What secrets are sealed with in tests."""

TOKENS = AgentTokens(SigningKey._of(ec_key("agents")))
"""What agents' tokens are issued by in tests."""


class Graph:
    """Asks a database as any viewer, in the way that `way` says."""

    def __init__(self, database: Database, way: Way = Way.LOADERS) -> None:
        self.database = database
        self.way = way
        self.schema: GraphQLSchema = bound_schema()[1]
        self._documents = Documents(self.schema)
        self._remembered = RememberedViewers()
        self.commits = 0

    async def as_user(self, user_id: str, query: str, **variables: Any) -> Answer:
        """Ask as a user; raises UnauthenticatedError where the user may not sign in."""
        return await self._ask(Identity(ViewerKind.USER, user_id, NEVER), None, query, variables)

    async def as_platform(self, tenant_id: str | None, query: str, **variables: Any) -> Answer:
        """Ask as the platform, with or without a tenant."""
        return await self._ask(Identity(ViewerKind.PLATFORM, "platform", NEVER), tenant_id, query, variables)

    async def as_anonymous(self, query: str, **variables: Any) -> Answer:
        """Ask without a token."""
        return await self._run(Operation(None, None), query, variables)

    async def both_ways(
        self, who: Who, query: str, variables: dict[str, Any], operation_name: str | None = None
    ) -> tuple[Answer, Answer]:
        """Ask one snapshot the same twice: through the loaders, then compiled."""
        request = Request(query, variables, operation_name)
        if who.kind is None:
            through_loaders = await self._answer(Operation(None, None), request, Way.LOADERS)
            return through_loaders, await self._answer(Operation(None, None), request, Way.AUTO)
        platform = who.kind is ViewerKind.PLATFORM
        async with self.database.snapshot(platform=platform) as snapshot:
            viewer = await sign_in(snapshot.connection, Identity(who.kind, who.subject, NEVER), who.tenant_id)
            through_loaders = await self._apart(snapshot, viewer, request, Way.LOADERS)
            return through_loaders, await self._apart(snapshot, viewer, request, Way.AUTO)

    async def alone(
        self, who: Who, query: str, variables: dict[str, Any], operation_name: str | None = None
    ) -> Answer | None:
        """Ask by one statement without a transaction; None where it takes more than that."""
        request, faults = Request(query, variables, operation_name), Faults()
        document, known = self._documents.get(query), await self.known(who)
        if known is None or document.syntax is None or self.database.single_reads is None:
            return None
        read = SingleRead(self.database.single_reads, known.facts)
        response = await run_single(self.schema, document, request, known.viewer, read.fetch, faults)
        if response is None:
            return None
        body = orjson.dumps(response)
        parsed = orjson.loads(body)
        return Answer(
            parsed.get("data"), parsed.get("errors", []), read.statements, [], body, fault=faults.story()
        )

    async def known(self, who: Who) -> SignedIn | None:
        """A user, signed in and remembered; None for anybody else."""
        if who.kind is not ViewerKind.USER:
            return None
        identity = Identity(who.kind, who.subject, NEVER)
        if self._remembered.recall(identity) is None:
            async with self.database.snapshot() as snapshot:
                await sign_in(snapshot.connection, identity, None, self._remembered)
        return self._remembered.recall(identity)

    async def _apart(self, snapshot: Snapshot, viewer: Viewer, request: Request, way: Way) -> Answer:
        """Answer such that a statement which fails leaves the snapshot as it was."""
        await snapshot.connection.execute("SAVEPOINT apart")
        try:
            return await self._answer(Operation(viewer, Rows(viewer, snapshot)), request, way)
        finally:
            async with snapshot._turn:  # behind the loaders that an early failure left behind
                await snapshot.connection.execute("ROLLBACK TO apart; RELEASE apart")

    async def _ask(
        self, identity: Identity, tenant_id: str | None, query: str, variables: dict[str, Any]
    ) -> Answer:
        if self._writes(query):
            writer = Writer(self.database, identity, tenant_id, KEYS, self._count_commit, TOKENS)
            return await self._run(Operation(None, None, writer=writer), query, variables)
        platform = identity.kind is ViewerKind.PLATFORM
        async with self.database.snapshot(platform=platform) as snapshot:
            viewer = await sign_in(snapshot.connection, identity, tenant_id)
            return await self._run(Operation(viewer, Rows(viewer, snapshot)), query, variables)

    def _writes(self, query: str) -> bool:
        asked = self._documents.get(query).operation(None)
        return asked is not None and asked.operation is OperationType.MUTATION

    def _count_commit(self) -> None:
        self.commits += 1

    async def _run(self, operation: Operation, query: str, variables: dict[str, Any]) -> Answer:
        return await self._answer(operation, Request(query, variables, None), self.way)

    async def _answer(self, operation: Operation, request: Request, way: Way) -> Answer:
        document = self._documents.get(request.query)
        if document.syntax is None:
            return Answer(None, [render(error) for error in document.errors], 0, [])
        before = operation.rows.snapshot.statements if operation.rows else 0
        body = orjson.dumps(await run(self.schema, document, request, operation, way))
        parsed = orjson.loads(body)
        statements = operation.rows.snapshot.statements - before if operation.rows else 0
        reads = operation.rows.reads if operation.rows else []
        data, errors = parsed.get("data"), parsed.get("errors", [])
        compiled, fault = tuple(operation.compiled), operation.faults.story()
        told = parsed.get("extensions", {})
        return Answer(data, errors, statements, reads, body, compiled, fault, told)


@asynccontextmanager
async def graph(dsn: str) -> AsyncIterator[Graph]:
    """A graph over the database at `dsn`."""
    database = await Database.connect(dsn, Settings())
    try:
        yield Graph(database)
    finally:
        await database.close()
