"""Carries out what a client asks for: each request in one snapshot, for one viewer."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType
from starlette.datastructures import Headers

from api.bearer import credentials
from api.http_request import RefusedRequestError
from api.request_record import RequestRecord
from core.database import Database
from core.encryption import SecretKeys
from core.errors import BadUserInputError, LimitExceededError
from core.settings import Settings
from core.tokens import Identity, TokenVerifier
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Document, Documents
from resolvers.execution import Request, estimate, refusal, render, run
from resolvers.operation import Operation
from resolvers.rows import Rows
from resolvers.ways import Way
from resolvers.writer import Writer
from services.sign_in import sign_in


class NotByGetError(RefusedRequestError):
    """A GET must not change anything."""

    status = 405
    headers: ClassVar[Mapping[str, str]] = {"Allow": "POST"}


def _nobody() -> None:
    """Rings for nobody."""


class Operations:
    """What answers requests, however they came; one for the life of the server."""

    def __init__(
        self,
        database: Database,
        verifier: TokenVerifier,
        settings: Settings,
        bell: Callable[[], None] = _nobody,
    ) -> None:
        """Rings `bell` after each commit, so that live queries need not wait until they look themselves."""
        self._database = database
        self._bell = bell
        self._keys = SecretKeys.load(settings)
        self._verifier = verifier
        self._introspection = settings.introspection
        self._way = Way(settings.reads)
        self.schema: GraphQLSchema = bound_schema()[1]
        self._documents = Documents(self.schema)
        self._of_strangers = (
            self._documents if settings.introspection else Documents(self.schema, suggest=False)
        )

    async def answer(
        self, request: Request, headers: Headers, record: RequestRecord, *, queries_only: bool
    ) -> dict[str, Any]:
        """The response's map, without `data` where nothing was executed; `record` learns what it took.

        Raises:
            ProductError: the request is refused as a whole.
        """
        identity, tenant = await self._identity(headers)
        record.identity = identity
        document = (self._documents if identity else self._of_strangers).get(request.query)
        operation = document.operation(request.operation_name)
        record.operation = operation.name.value if operation and operation.name else None
        _check_kind(operation, queries_only=queries_only)
        if document.errors:
            return {"errors": [render(error) for error in document.errors]}
        if operation is None:
            return {"errors": [render(_unknown(request))]}
        try:
            estimate(document, request)
        except LimitExceededError as error:
            return refusal(error)
        if identity is None:
            return await self._run_anonymous(document, request, record)
        if operation.operation is OperationType.MUTATION:
            return await self._write(
                document, request, record, Writer(self._database, identity, tenant, self._keys, self._bell)
            )
        return await self._run(document, request, record, identity, tenant)

    async def knows(self, headers: Headers) -> bool:
        """Whether a request with these headers shows a token.

        Raises:
            UnauthenticatedError: It shows one that is not good.
        """
        return (await self._identity(headers))[0] is not None

    async def _identity(self, headers: Headers) -> tuple[Identity | None, str | None]:
        shown = credentials(headers)
        if shown is None:
            return None, None
        return await self._verifier.verify(shown.token), shown.tenant_id

    async def _run_anonymous(
        self, document: Document, request: Request, record: RequestRecord
    ) -> dict[str, Any]:
        if document.introspects and not self._introspection:
            raise BadUserInputError("Introspection is not open to anonymous callers")
        return await self._execute(document, request, record, Operation(None, None, record.faults))

    async def _run(
        self,
        document: Document,
        request: Request,
        record: RequestRecord,
        identity: Identity,
        tenant: str | None,
    ) -> dict[str, Any]:
        async with self._database.snapshot(platform=identity.kind is ViewerKind.PLATFORM) as snapshot:
            record.snapshot = snapshot
            viewer = record.viewer = await sign_in(snapshot.connection, identity, tenant)
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
        response = await run(self.schema, document, request, operation, self._way)
        record.way = operation.way
        return response


def _check_kind(operation: OperationDefinitionNode | None, *, queries_only: bool) -> None:
    if operation is None or operation.operation is OperationType.QUERY:
        return
    if operation.operation is OperationType.SUBSCRIPTION:
        raise BadUserInputError("Subscriptions are not answered over HTTP")
    if queries_only:
        raise NotByGetError("A mutation goes by POST")


def _unknown(request: Request) -> GraphQLError:
    problem = (
        f"named {request.operation_name!r:.80}"
        if request.operation_name
        else "without a name, or more than one: say which by operationName"
    )
    return GraphQLError(f"The document has no operation {problem}")
