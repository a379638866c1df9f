"""The endpoint `/graphql` over HTTP."""

from typing import Any, Final

import orjson
from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode
from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.bearer import credentials
from api.http_request import LEGACY_TYPE, RESPONSE_TYPE, read_request, response_type
from core.database import Database
from core.errors import BadUserInputError, ProductError
from core.settings import Settings
from core.tokens import Identity, TokenVerifier
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Document, Documents, is_query
from resolvers.execution import Request, refusal, render, run
from resolvers.operation import Operation
from resolvers.rows import Rows
from services.sign_in import sign_in

_METHODS: Final = ("GET", "POST")


class MethodError(BadUserInputError):
    """The HTTP method is not for this."""

    status = 405


class GraphQLApp:
    """Answers GraphQL over HTTP: one request, one snapshot, one viewer."""

    def __init__(self, database: Database, verifier: TokenVerifier, settings: Settings) -> None:
        self._database = database
        self._verifier = verifier
        self._settings = settings
        self.schema: GraphQLSchema = bound_schema()[1]
        self._documents = Documents(self.schema)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        response = await self._respond(HttpRequest(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, http: HttpRequest) -> Response:
        media_type = LEGACY_TYPE
        try:
            media_type = response_type(http.headers)
            if http.method not in _METHODS:
                raise MethodError(f"{http.method} is not a method of GraphQL over HTTP")
            return await self._answer(http, media_type)
        except ProductError as error:
            return _json(refusal(error), media_type, error.status)

    async def _answer(self, http: HttpRequest, media_type: str) -> Response:
        request = await read_request(http)
        identity, tenant = await self._identity(http.headers)
        document = self._documents.get(request.query)
        if document.errors:
            errors = [render(error) for error in document.errors]
            return _json({"errors": errors}, media_type, 400 if media_type == RESPONSE_TYPE else 200)
        operation = self._operation(document, request, http.method, anonymous=identity is None)
        if operation is None:
            return _json(_unknown_operation(request), media_type, 400 if media_type == RESPONSE_TYPE else 200)
        response = await self._run(document, request, identity, tenant)
        failed = "data" not in response and media_type == RESPONSE_TYPE
        return _json(response, media_type, 400 if failed else 200)

    async def _identity(self, headers: Headers) -> tuple[Identity | None, str | None]:
        shown = credentials(headers)
        if shown is None:
            return None, None
        return await self._verifier.verify(shown.token), shown.tenant_id

    def _operation(
        self, document: Document, request: Request, method: str, *, anonymous: bool
    ) -> OperationDefinitionNode | None:
        operation = document.operation(request.operation_name)
        if operation and method == "GET" and not is_query(operation):
            raise MethodError("A GET can only query")
        if anonymous and document.introspects and not self._settings.introspection:
            raise BadUserInputError("Introspection is not open to anonymous callers")
        return operation

    async def _run(
        self, document: Document, request: Request, identity: Identity | None, tenant: str | None
    ) -> dict[str, Any]:
        assert document.syntax is not None  # noqa: S101 - a document without errors has its syntax
        if identity is None:
            return await run(self.schema, document.syntax, request, Operation(None, None))
        async with self._database.snapshot(platform=identity.kind is ViewerKind.PLATFORM) as snapshot:
            viewer = await sign_in(snapshot.connection, identity, tenant)
            operation = Operation(viewer, Rows(viewer, snapshot))
            return await run(self.schema, document.syntax, request, operation)


def _unknown_operation(request: Request) -> dict[str, Any]:
    problem = (
        f"named {request.operation_name!r}" if request.operation_name else "without a name, or more than one"
    )
    return {"errors": [render(GraphQLError(f"The document has no operation {problem}"))]}


def _json(value: object, media_type: str, status: int) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status == 405:
        headers["Allow"] = ", ".join(_METHODS)
    body = orjson.dumps(value)
    return Response(body, status, headers, media_type=f"{media_type}; charset=utf-8")
