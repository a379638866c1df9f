"""Carries out what a client asks for: each request in one snapshot, for one viewer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType

from api.bearer import Credentials
from api.http_request import RefusedRequestError
from api.request_record import RequestRecord
from core.agent_tokens import AgentTokens
from core.database import Database
from core.encryption import SecretKeys
from core.errors import BadUserInputError, LimitExceededError, UnauthenticatedError
from core.settings import Settings
from core.single_reads import SingleRead
from core.tokens import Identity, TokenVerifier
from core.transactions import unheard
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Document, Documents
from resolvers.execution import Request, estimate, refusal, render, run, run_single
from resolvers.operation import COMPILED, Operation
from resolvers.rows import Rows
from resolvers.ways import Way
from resolvers.writer import Writer
from services.invitations import is_invited, take_up
from services.remembered import RememberedViewers
from services.sign_in import sign_in


class NotByGetError(RefusedRequestError):
    """A GET must not change anything."""

    status = 405
    headers: ClassVar[Mapping[str, str]] = {"Allow": "POST"}


class Caller(NamedTuple):
    """Whose request or socket it is, by a verified token; anonymous without one. A platform may name a tenant."""

    identity: Identity | None = None
    tenant: str | None = None


class Operations:
    """What answers requests, however they came; one for the life of the server."""

    def __init__(
        self,
        database: Database,
        verifier: TokenVerifier,
        settings: Settings,
        bell: Callable[[], None] = unheard,
        tokens: AgentTokens | None = None,
    ) -> None:
        """Rings `bell` after each commit, so that live queries need not wait until they look themselves.

        `tokens` issues those of agents.
        """
        self._tokens = tokens or AgentTokens(None)
        self._database = database
        self._bell = bell
        self._keys = SecretKeys.load(settings)
        self._verifier = verifier
        self._introspection = settings.introspection
        self._way = Way(settings.reads)
        self._viewers = RememberedViewers()
        self.schema: GraphQLSchema = bound_schema()[1]
        self._documents = Documents(self.schema)
        self._of_strangers = (
            self._documents if settings.introspection else Documents(self.schema, suggest=False)
        )

    async def caller(self, shown: Credentials | None) -> Caller:
        """Who shows this; an anonymous caller shows nothing.

        Raises:
            UnauthenticatedError: The token proves nobody.
        """
        if shown is None:
            return Caller()
        identity = await self._verifier.verify(shown.token)
        if shown.invitation is not None:
            identity = replace(identity, invitation=shown.invitation)
        return Caller(identity, shown.tenant_id)

    async def take_up(self, identity: Identity | None) -> bool:
        """Whether it is worth trying again to sign in who was refused: an invitation may have been taken up."""
        if identity is None or not is_invited(identity):
            return False
        if await take_up(self._database, identity, self._keys):
            self._bell()
        return True  # also where another request was faster

    async def answer(
        self, request: Request, caller: Caller, record: RequestRecord, *, queries_only: bool
    ) -> dict[str, Any]:
        """The response's map, without `data` where nothing was executed; `record` learns what it took.

        Raises:
            ProductError: the request is refused as a whole.
        """
        document, operation = self.look_up(request, caller, record)
        _check_kind(operation, queries_only=queries_only)
        refused = self.refused(request, caller, document, operation)
        return refused or await self.run(document, request, caller, record)

    def look_up(
        self, request: Request, caller: Caller, record: RequestRecord
    ) -> tuple[Document, OperationDefinitionNode | None]:
        """The request's document, and of its operations the one that is asked for."""
        record.identity = caller.identity
        document = (self._documents if caller.identity else self._of_strangers).get(request.query)
        operation = document.operation(request.operation_name)
        record.operation = operation.name.value if operation and operation.name else None
        return document, operation

    def refused(
        self,
        request: Request,
        caller: Caller,
        document: Document,
        operation: OperationDefinitionNode | None,
    ) -> dict[str, Any] | None:
        """The response to what is not going to be run, of whatever kind; None where nothing speaks against it.

        Raises:
            BadUserInputError: Introspection is not for this caller.
        """
        if document.errors:
            return {"errors": [render(error) for error in document.errors]}
        if operation is None:
            return {"errors": [render(_unknown(request))]}
        try:
            estimate(document, request)
        except LimitExceededError as error:
            return refusal(error)
        if caller.identity is None and document.introspects and not self._introspection:
            raise BadUserInputError("Introspection is not open to anonymous callers")
        return None

    async def run(
        self, document: Document, request: Request, caller: Caller, record: RequestRecord
    ) -> dict[str, Any]:
        """The response to a query or mutation that is not refused.

        Raises:
            ProductError: the caller may not sign in, or the database is away.
        """
        if caller.identity is None:
            return await self._execute(document, request, record, Operation(None, None, record.faults))
        try:
            return await self._run_signed_in(document, request, caller, caller.identity, record)
        except UnauthenticatedError:
            if not await self.take_up(caller.identity):
                raise
        return await self._run_signed_in(document, request, caller, caller.identity, record)

    async def _run_signed_in(
        self, document: Document, request: Request, caller: Caller, identity: Identity, record: RequestRecord
    ) -> dict[str, Any]:
        if _kind(document, request) is OperationType.MUTATION:
            writer = Writer(self._database, identity, caller.tenant, self._keys, self._bell, self._tokens)
            return await self._write(document, request, record, writer)
        return (await self._run_single(document, request, caller, record)) or (
            await self._run_in_snapshot(document, request, identity, caller.tenant, record)
        )

    async def _run_single(
        self, document: Document, request: Request, caller: Caller, record: RequestRecord
    ) -> dict[str, Any] | None:
        """The answer by one statement without a transaction, to a viewer who has been signed in before."""
        reads = self._database.single_reads
        known = self._viewers.recall(caller.identity) if caller.identity and caller.tenant is None else None
        if reads is None or known is None or self._way is not Way.AUTO:
            return None
        read = SingleRead(reads, known.facts)
        response = await run_single(self.schema, document, request, known.viewer, read.fetch, record.faults)
        if response is None:
            if read.statements:
                self._viewers.forget(known)
            return None
        record.snapshot, record.viewer, record.way = read, known.viewer, COMPILED
        return response

    async def _run_in_snapshot(
        self,
        document: Document,
        request: Request,
        identity: Identity,
        tenant: str | None,
        record: RequestRecord,
    ) -> dict[str, Any]:
        platform = identity.kind is ViewerKind.PLATFORM
        async with self._database.snapshot(platform=platform) as snapshot:
            record.snapshot = snapshot
            viewer = record.viewer = await sign_in(snapshot.connection, identity, tenant, self._viewers)
            return await self._execute(
                document, request, record, Operation(viewer, Rows(viewer, snapshot), record.faults)
            )

    async def _write(
        self, document: Document, request: Request, record: RequestRecord, writer: Writer
    ) -> dict[str, Any]:
        """A mutation signs in inside of its transactions: whoever may not is refused by the first of them."""
        try:
            return await self._execute(
                document, request, record, Operation(None, None, record.faults, writer=writer)
            )
        finally:
            if writer.writing:
                record.viewer, record.snapshot = writer.writing.viewer, writer.writing.transaction

    async def _execute(
        self, document: Document, request: Request, record: RequestRecord, operation: Operation
    ) -> dict[str, Any]:
        response = await run(self.schema, document, request, operation, self._way, estimated=True)
        record.way = operation.way
        return response


def _check_kind(operation: OperationDefinitionNode | None, *, queries_only: bool) -> None:
    if operation is None or operation.operation is OperationType.QUERY:
        return
    if operation.operation is OperationType.SUBSCRIPTION:
        raise BadUserInputError("Subscriptions are not answered over HTTP")
    if queries_only:
        raise NotByGetError("A mutation goes by POST")


def _kind(document: Document, request: Request) -> OperationType | None:
    operation = document.operation(request.operation_name)
    return operation.operation if operation else None


def _unknown(request: Request) -> GraphQLError:
    problem = (
        f"named {request.operation_name!r:.80}"
        if request.operation_name
        else "without a name, or more than one: say which by operationName"
    )
    return GraphQLError(f"The document has no operation {problem}")
