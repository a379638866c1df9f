"""GraphQL requests of a test's viewer: real PostgreSQL, real sign-in, the server's own execution."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import GraphQLSchema, OperationType

from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey
from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.database.database import Database, ReadTransaction
from core.database.single_reads import SingleRead
from core.encryption import SecretKey, SecretKeys
from core.exact_json import parse_json
from core.settings import Settings
from resolvers.context import RequestContext
from resolvers.documents.cache import DocumentCache
from resolvers.documents.validation import RefusedOperationError
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.executor import execute_in_one_statement, execute_operation
from resolvers.graphql_errors import ErrorCollector, render_errors
from resolvers.loaders.bindings import build_executable_schema
from resolvers.request import GraphQLRequest
from resolvers.sql.data_access import DataAccess, RecordedRead
from resolvers.write_transaction import MutationTransactions
from services.users.sign_in import sign_in
from services.users.viewer_cache import SignedIn, ViewerCache
from tests.issuers import make_ec_key
from tests.operations import validate_request
from tests.sealed_tokens import TRANSACTIONS


@dataclass(frozen=True)
class GraphqlResponse:
    """A response as a client parses it, and how it was made.

    Attributes:
        body: The bytes of the response; empty if the document is not valid.
        compiled_fields: The root fields that were compiled, by their response keys.
        traceback: The internal error, which the response does not show.
        extensions: The `extensions` of the response.
    """

    data: Any
    errors: list[dict[str, Any]]
    statements: int
    reads: list[RecordedRead]
    body: bytes = b""
    compiled_fields: tuple[str, ...] = ()
    traceback: BaseException | None = None
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def codes(self) -> list[str]:
        """The codes of the errors, in order."""
        return [error["extensions"]["code"] for error in self.errors]


@dataclass(frozen=True)
class Principal:
    """The viewer of a request; anonymous if `kind` is None."""

    label: str
    kind: ViewerKind | None = None
    subject: str = "platform"
    tenant_id: str | None = None


SECRET_KEYS = SecretKeys([SecretKey.from_bytes(bytes(range(32)))])
"""The keys for secrets in tests."""

AGENT_TOKENS = AgentTokens(SigningKey._from_private_key(make_ec_key("agents")))
"""The issuer of agents' tokens in tests."""


class GraphqlHarness:
    """Sends requests to a database as any viewer, with the execution strategy `strategy`."""

    def __init__(self, database: Database, strategy: ExecutionStrategy = ExecutionStrategy.LOADERS) -> None:
        self.database = database
        self.strategy = strategy
        self.schema: GraphQLSchema = build_executable_schema()[1]
        self._document_cache = DocumentCache(self.schema)
        self._viewer_cache = ViewerCache()
        self.commit_count = 0

    async def execute_as_user(self, user_id: str, query: str, **variables: Any) -> GraphqlResponse:
        """Send a request as a user; raises UnauthenticatedError if the user may not sign in."""
        return await self._execute_as(Identity(ViewerKind.USER, user_id, NEVER), None, query, variables)

    async def execute_as_platform(
        self, tenant_id: str | None, query: str, **variables: Any
    ) -> GraphqlResponse:
        """Send a request as the platform, with or without a tenant."""
        return await self._execute_as(
            Identity(ViewerKind.PLATFORM, "platform", NEVER), tenant_id, query, variables
        )

    async def execute_as_anonymous(self, query: str, **variables: Any) -> GraphqlResponse:
        """Send a request without a token."""
        return await self._execute_request(RequestContext(None, None), query, variables)

    async def execute_with_both_strategies(
        self, principal: Principal, query: str, variables: dict[str, Any], operation_name: str | None = None
    ) -> tuple[GraphqlResponse, GraphqlResponse]:
        """Run one request twice in one snapshot: through the loaders, then compiled."""
        request = GraphQLRequest(query, variables, operation_name)
        if principal.kind is None:
            through_loaders = await self._respond(
                RequestContext(None, None), request, ExecutionStrategy.LOADERS
            )
            return through_loaders, await self._respond(
                RequestContext(None, None), request, ExecutionStrategy.AUTO
            )
        platform = principal.kind is ViewerKind.PLATFORM
        async with self.database.read_transaction(platform=platform) as snapshot:
            viewer = await sign_in(
                snapshot.connection, Identity(principal.kind, principal.subject, NEVER), principal.tenant_id
            )
            through_loaders = await self._execute_in_savepoint(
                snapshot, viewer, request, ExecutionStrategy.LOADERS
            )
            return through_loaders, await self._execute_in_savepoint(
                snapshot, viewer, request, ExecutionStrategy.AUTO
            )

    async def execute_single_statement(
        self, principal: Principal, query: str, variables: dict[str, Any], operation_name: str | None = None
    ) -> GraphqlResponse | None:
        """Run a request as one statement without a transaction; None if it needs more than that."""
        request, faults = GraphQLRequest(query, variables, operation_name), ErrorCollector()
        document, cached = self._document_cache.get_or_parse(query), await self.find_cached_viewer(principal)
        if cached is None or document.syntax is None or self.database.single_reads is None:
            return None
        read = SingleRead(self.database.single_reads, cached.facts)
        response = await execute_in_one_statement(
            validate_request(self.schema, document, request), cached.viewer, read.fetch, faults
        )
        if response is None:
            return None
        body = orjson.dumps(response)
        parsed = parse_json(body)
        return GraphqlResponse(
            parsed.get("data"),
            parsed.get("errors", []),
            read.statements,
            [],
            body,
            traceback=faults.build_traceback(),
        )

    async def find_cached_viewer(self, principal: Principal) -> SignedIn | None:
        """A user, signed in and cached; None for any other viewer."""
        if principal.kind is not ViewerKind.USER:
            return None
        identity = Identity(principal.kind, principal.subject, NEVER)
        if self._viewer_cache.get(identity) is None:
            async with self.database.read_transaction() as snapshot:
                await sign_in(snapshot.connection, identity, None, self._viewer_cache)
        return self._viewer_cache.get(identity)

    async def _execute_in_savepoint(
        self, snapshot: ReadTransaction, viewer: Viewer, request: GraphQLRequest, strategy: ExecutionStrategy
    ) -> GraphqlResponse:
        """Run a request so that a failing statement leaves the snapshot usable."""
        await snapshot.connection.execute("SAVEPOINT apart")
        try:
            return await self._respond(
                RequestContext(viewer, DataAccess(viewer, snapshot)), request, strategy
            )
        finally:
            async with snapshot._lock:  # after loaders that an early failure left running
                await snapshot.connection.execute("ROLLBACK TO apart; RELEASE apart")

    async def _execute_as(
        self, identity: Identity, tenant_id: str | None, query: str, variables: dict[str, Any]
    ) -> GraphqlResponse:
        if self._is_mutation(query):
            writer = MutationTransactions(
                self.database,
                identity,
                tenant_id,
                SECRET_KEYS,
                self._count_commit,
                TRANSACTIONS,
                AGENT_TOKENS,
            )
            return await self._execute_request(RequestContext(None, None, writer=writer), query, variables)
        platform = identity.kind is ViewerKind.PLATFORM
        async with self.database.read_transaction(platform=platform) as snapshot:
            viewer = await sign_in(snapshot.connection, identity, tenant_id)
            return await self._execute_request(
                RequestContext(viewer, DataAccess(viewer, snapshot)), query, variables
            )

    def _is_mutation(self, query: str) -> bool:
        operation = self._document_cache.get_or_parse(query).find_operation(None)
        return operation is not None and operation.operation is OperationType.MUTATION

    def _count_commit(self) -> None:
        self.commit_count += 1

    async def _execute_request(
        self, operation: RequestContext, query: str, variables: dict[str, Any]
    ) -> GraphqlResponse:
        return await self._respond(operation, GraphQLRequest(query, variables, None), self.strategy)

    async def _respond(
        self, operation: RequestContext, request: GraphQLRequest, strategy: ExecutionStrategy
    ) -> GraphqlResponse:
        document = self._document_cache.get_or_parse(request.query)
        try:
            executable = validate_request(self.schema, document, request)
        except RefusedOperationError as refusal:
            return GraphqlResponse(None, render_errors(refusal.errors)["errors"], 0, [])
        before = operation.rows.snapshot.statements if operation.rows else 0
        body = orjson.dumps(await execute_operation(executable, operation, strategy))
        parsed = parse_json(body)
        statements = operation.rows.snapshot.statements - before if operation.rows else 0
        reads = operation.rows.reads if operation.rows else []
        data, errors = parsed.get("data"), parsed.get("errors", [])
        compiled, fault = tuple(operation.compiled_fields), operation.errors.build_traceback()
        extensions = parsed.get("extensions", {})
        return GraphqlResponse(data, errors, statements, reads, body, compiled, fault, extensions)


@asynccontextmanager
async def open_graphql_harness(dsn: str) -> AsyncIterator[GraphqlHarness]:
    """A graph over the database at `dsn`."""
    database = await Database.connect(dsn, Settings())
    try:
        yield GraphqlHarness(database)
    finally:
        await database.close()
