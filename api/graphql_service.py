"""Authenticates, validates and executes the requests of any transport.

A request passes six steps. Each function of its path is named after its step:

    parse          text of HTTP or of a socket → `GraphQLRequest`     api.request_parsing, subscriptions.protocol
    authenticate   credentials → `Caller`                             here
    validate       request → `ExecutableOperation`, or a refusal      here, resolvers.documents.validation
    plan           root fields → compiled statements                  resolvers.compiler.planner
    execute        one statement, one snapshot or one transaction     here, resolvers.executor
    render         result and errors → response                       resolvers.executor, resolvers.graphql_errors
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from graphql import GraphQLSchema, OperationType

from api.caller import Caller
from api.credentials import Credentials
from api.document_reader import DocumentReader
from api.observability.access_log import RequestRecord
from core.auth.agent_tokens import AgentTokens
from core.auth.sealing import TokenSealer, TransactionTokens
from core.auth.tokens import Identity, TokenVerifier
from core.auth.viewer import ViewerKind
from core.database.database import Database
from core.database.single_reads import SingleRead
from core.database.transactions import ignore_commit
from core.encryption import SecretKeys
from core.errors import BadUserInputError, UnauthenticatedError
from core.fair_queue import IS_LONG, STRANGERS
from core.limits import LONG_COST_MIN
from core.metering import METER
from core.settings import Settings
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.context import COMPILED, RequestContext
from resolvers.documents.validation import validate_operation
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.executor import execute_in_one_statement, execute_operation
from resolvers.limits.table_sizes import NO_SIZES, TableSizes
from resolvers.loaders.bindings import build_executable_schema
from resolvers.pending_invitations import is_for_invited
from resolvers.request import GraphQLRequest
from resolvers.sql.data_access import DataAccess
from resolvers.write_transaction import MutationTransactions
from services.platform_tokens import PlatformTokens
from services.table_statistics import TableStatistics
from services.users.invitation_acceptance import pending_invitations
from services.users.invitations import redeem_invitation
from services.users.last_activity import LastActivity
from services.users.sign_in import build_inactive_user_error, sign_in
from services.users.viewer_cache import ViewerCache


def _allow_any_type(_: OperationType) -> None:
    """Any transport runs operations of this type."""


class GraphQLService:
    """The steps between a transport's parsing and its rendering; one for the life of the server."""

    def __init__(
        self,
        database: Database,
        verifier: TokenVerifier,
        settings: Settings,
        on_commit: Callable[[], None] = ignore_commit,
        tokens: AgentTokens | None = None,
        activity: LastActivity | None = None,
        transactions: TransactionTokens | None = None,
        statistics: TableStatistics | None = None,
    ) -> None:
        """Rings `on_commit` after each commit, so that live queries do not wait for the next poll.

        `tokens` issues the tokens of agents. `activity` notes which users are active. `transactions` names committed
        transactions, by default for servers without a live layer. The cost of operations is estimated from
        `statistics`.
        """
        self._transactions = transactions or TransactionTokens(TokenSealer.load(settings), lambda: "")
        self._activity = activity
        self._statistics = statistics or TableStatistics()
        self._tokens = tokens or AgentTokens(None)
        self._database = database
        self._on_commit = on_commit
        self._keys = SecretKeys.load(settings)
        self._verifier = verifier
        self._introspection = settings.introspection
        self._strategy = ExecutionStrategy(settings.reads)
        self._viewer_cache = ViewerCache()
        self._platform_tokens = PlatformTokens(database)
        self.schema: GraphQLSchema = build_executable_schema()[1]
        self.documents = DocumentReader(self.schema, settings)

    async def authenticate(self, credentials: Credentials | None, address: str = "") -> Caller:
        """The caller with these credentials.

        An anonymous caller has none, and is identified by its connection's `address`.

        Raises:
            UnauthenticatedError: The token is invalid.
            UnavailableError: A platform token is new to this server and cannot be recorded.
        """
        if credentials is None:
            return Caller(address=address)
        identity = await self._verifier.verify(credentials.token)
        await self._platform_tokens.record_use(identity)
        if credentials.invitation is not None:
            identity = replace(identity, invitation=credentials.invitation)
        return Caller(identity, credentials.tenant_id, address)

    async def redeem(self, identity: Identity | None) -> bool:
        """Redeem the invitation code that came with the token; returns whether the refused caller may sign in now."""
        if identity is None or identity.kind is not ViewerKind.USER or identity.invitation is None:
            return False
        return await redeem_invitation(self._database, identity, self._keys, self._on_commit)

    async def validate(
        self,
        request: GraphQLRequest,
        caller: Caller,
        record: RequestRecord,
        check_type: Callable[[OperationType], None] = _allow_any_type,
    ) -> ExecutableOperation:
        """The operation of a request, ready to run. Waits while a new document is parsed and validated.

        Args:
            request: The request.
            caller: Its caller.
            record: Gets the caller and the operation's name.
            check_type: Raises an error if the transport does not run operations of this type.

        Raises:
            RateLimitedError: The document is new, and the caller's budget for new ones is used up.
            RefusedOperationError: The operation must not run.
            BadUserInputError: The caller may not use introspection.
        """
        record.identity = caller.identity
        if self._activity and caller.identity and caller.identity.kind is ViewerKind.USER:
            self._activity.note(caller.identity.subject)
        document = await self.documents.read(request.query, caller, record, self._share(caller))
        definition = document.find_operation(request.operation_name)
        if definition is not None:
            record.operation = definition.name.value if definition.name else None
            check_type(definition.operation)
        operation = validate_operation(self.schema, document, definition, request, self._sizes(caller))
        if caller.identity is None and document.uses_introspection and not self._introspection:
            raise BadUserInputError("Introspection requires a bearer token")
        return operation

    def _sizes(self, caller: Caller) -> TableSizes:
        """The sizes of the tables for the caller's tenant; the largest tenant's if it is not known yet."""
        if caller.identity is None:
            return NO_SIZES
        tenant = caller.tenant or self._viewer_cache.get_tenant_of(caller.identity)
        statistics = self._statistics
        return TableSizes(statistics.rows(tenant), statistics.indexed, statistics.shares)

    def _share(self, caller: Caller) -> str:
        """Whose work the documents of a caller are. All anonymous callers have one share."""
        return self._viewer_cache.share_of(caller.identity) if caller.identity else caller.kind

    async def execute(
        self, operation: ExecutableOperation, caller: Caller, record: RequestRecord
    ) -> dict[str, Any]:
        """The response to a query or mutation, as a mapping. `record` gets the statistics.

        Raises:
            ProductError: The caller may not sign in, or the database is away.
        """
        METER.set(partial(self.documents.charge, caller))
        IS_LONG.set(operation.cost >= LONG_COST_MIN)
        if caller.identity is None:
            return await self._execute_and_record(
                operation, record, RequestContext(None, None, record.errors)
            )
        try:
            return await self._execute_signed_in(operation, caller, caller.identity, record)
        except UnauthenticatedError:
            if not await self.redeem(caller.identity):
                return await self._execute_as_invited(operation, caller.identity, record)
        return await self._execute_signed_in(operation, caller, caller.identity, record)

    async def _execute_as_invited(
        self, operation: ExecutableOperation, identity: Identity, record: RequestRecord
    ) -> dict[str, Any]:
        """The response to a person who was refused as a user, but may have an invitation.

        Raises:
            UnauthenticatedError: The operation is not for invited persons, or the person is a user without
                access.
        """
        if identity.kind is not ViewerKind.USER or not is_for_invited(operation):
            raise build_inactive_user_error()
        if operation.type is OperationType.MUTATION:
            writer = MutationTransactions(
                self._database,
                identity,
                None,
                self._keys,
                self._on_commit,
                self._transactions,
                self._tokens,
                self._viewer_cache,
                invited=True,
            )
            return await self._execute_mutation(operation, record, writer)
        async with self._database.read_transaction(platform=True, share=STRANGERS) as snapshot:
            record.snapshot = snapshot
            invitations = await pending_invitations(snapshot, identity)
            context = RequestContext(None, None, record.errors, invitations=invitations)
            return await self._execute_and_record(operation, record, context)

    async def _execute_signed_in(
        self,
        operation: ExecutableOperation,
        caller: Caller,
        identity: Identity,
        record: RequestRecord,
    ) -> dict[str, Any]:
        if operation.type is OperationType.MUTATION:
            writer = MutationTransactions(
                self._database,
                identity,
                caller.tenant,
                self._keys,
                self._on_commit,
                self._transactions,
                self._tokens,
                self._viewer_cache,
            )
            return await self._execute_mutation(operation, record, writer)
        return (await self._execute_in_one_statement(operation, caller, record)) or (
            await self._execute_in_transaction(operation, identity, caller.tenant, record)
        )

    async def _execute_in_one_statement(
        self, operation: ExecutableOperation, caller: Caller, record: RequestRecord
    ) -> dict[str, Any] | None:
        """The response by one statement without a transaction, for a viewer with an earlier sign-in.

        None if the request must run in a snapshot.
        """
        reads = self._database.single_reads
        known = self._viewer_cache.get(caller.identity) if caller.identity and caller.tenant is None else None
        if reads is None or known is None or self._strategy is not ExecutionStrategy.AUTO:
            return None
        read = SingleRead(reads, known.facts)
        response = await execute_in_one_statement(operation, known.viewer, read.fetch, record.errors)
        if response is None:
            if read.statements:
                self._viewer_cache.evict(known)
            return None
        record.snapshot, record.viewer, record.strategy = read, known.viewer, COMPILED
        return response

    async def _execute_in_transaction(
        self,
        operation: ExecutableOperation,
        identity: Identity,
        tenant: str | None,
        record: RequestRecord,
    ) -> dict[str, Any]:
        platform = identity.kind is ViewerKind.PLATFORM
        share = self._viewer_cache.share_of(identity)
        async with self._database.read_transaction(platform=platform, share=share) as snapshot:
            record.snapshot = snapshot
            viewer = record.viewer = await sign_in(snapshot.connection, identity, tenant, self._viewer_cache)
            return await self._execute_and_record(
                operation, record, RequestContext(viewer, DataAccess(viewer, snapshot), record.errors)
            )

    async def _execute_mutation(
        self, operation: ExecutableOperation, record: RequestRecord, writer: MutationTransactions
    ) -> dict[str, Any]:
        """Run a mutation.

        It signs in inside its transactions, so the first of them refuses a viewer without access.
        """
        try:
            return await self._execute_and_record(
                operation, record, RequestContext(None, None, record.errors, writer=writer)
            )
        finally:
            if writer.writing:
                record.viewer, record.snapshot = writer.writing.viewer, writer.writing.transaction

    async def _execute_and_record(
        self, operation: ExecutableOperation, record: RequestRecord, context: RequestContext
    ) -> dict[str, Any]:
        response = await execute_operation(operation, context, self._strategy)
        record.strategy = context.strategy
        return response
