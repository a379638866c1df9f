"""The endpoint `/graphql` over HTTP: parses requests and renders responses.

`api.graphql_service` lists the steps between the two.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson
from graphql import OperationType
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.caller import read_client_address
from api.client_disconnect import run_until_disconnect
from api.content_negotiation import choose_media_type
from api.credentials import AUTHORIZATION, read_credentials
from api.graphql_service import GraphQLService
from api.http_errors import MethodNotAllowedError, RefusedRequestError
from api.http_protocol import UNFINISHED
from api.middleware import REQUEST_ID, TRACEPARENT, read_request_id
from api.observability.access_log import Observer, RequestRecord
from api.request_parsing import parse_request, read_content_length
from api.shutdown import Shutdown
from core.errors import BadUserInputError, ProductError, RateLimitedError
from core.limits import BODY_MAX_BYTES, BULK_BODY_MAX_BYTES, EARLY_CHECK_BYTES
from resolvers.documents.validation import RefusedOperationError
from resolvers.graphql_errors import render_errors, render_refusal
from resolvers.request import GraphQLRequest

RESPONSE_TYPE: Final = "application/graphql-response+json"
LEGACY_TYPE: Final = "application/json"
PAGE_TYPE: Final = "text/html"

Page = Callable[[HttpRequest], Response]

_COMMON_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization",
    "X-Content-Type-Options": "nosniff",
}
_STATUS_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": "5"},
}


_METHODS: Final = ("GET", "POST", "OPTIONS")


class NotAcceptableError(BadUserInputError):
    """The client accepts none of the supported media types."""

    status = 406


class NotByGetError(RefusedRequestError):
    """A GET must not change data."""

    status = 405
    headers: Mapping[str, str] = {"Allow": "POST"}


class _RenderedResponse(NamedTuple):
    body: Mapping[str, Any]
    text: bytes
    status: int
    headers: Mapping[str, str] = {}


class GraphQLEndpoint:
    """Translates between HTTP and the operations."""

    def __init__(
        self,
        service: GraphQLService,
        observe: Observer,
        page: Page | None = None,
        shutdown: Shutdown | None = None,
    ) -> None:
        """Calls `observe` with each finished request; serves `page`, if there is one, to browsers."""
        self._shutdown = shutdown or Shutdown()
        self._service = service
        self._observe = observe
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        http = HttpRequest(scope, receive)
        media_type = self._negotiate_media_type(http)
        if http.method == "OPTIONS":
            response: Response | None = Response(
                status_code=204, headers={**_COMMON_HEADERS, "Allow": ", ".join(_METHODS)}
            )
        elif media_type == PAGE_TYPE and self._page:
            response = _redirect_to_page(http) or self._page(http)
        else:
            response = await self._handle(http, media_type)
        if response:
            await response(scope, receive, send)

    def _negotiate_media_type(self, http: HttpRequest) -> str | None:
        page = [PAGE_TYPE] if self._page and http.method in ("GET", "HEAD") else []
        return choose_media_type(http.headers.getlist("Accept"), [LEGACY_TYPE, RESPONSE_TYPE, *page])

    async def _handle(self, http: HttpRequest, media_type: str | None) -> Response | None:
        """The response, or None if the client has disconnected. Observers get its record."""
        record = RequestRecord(read_request_id(http.headers), http.headers.get(TRACEPARENT))
        try:
            rendered = await self._render(http, media_type, record)
            response = _build_http_response(rendered, media_type or LEGACY_TYPE, record)
            record.finish(rendered.body, rendered.status)
        except ClientDisconnect:
            response = None
            record.finish(None, None)
        self._observe(record)
        return response

    async def _render(
        self, http: HttpRequest, media_type: str | None, record: RequestRecord
    ) -> _RenderedResponse:
        """The rendered result of the request, or the rendered error that ended it."""
        try:
            request = await self._parse(http, media_type)
            body = await run_until_disconnect(self._execute(request, http, record), http.receive)
            # If nothing was executed, the error was the client's. For plain JSON the specification requires 200
            # even then.
            status = 200 if "data" in body or media_type == LEGACY_TYPE else 400
            return _RenderedResponse(body, orjson.dumps(body), status)
        except ClientDisconnect:
            raise
        except asyncio.CancelledError as error:
            return _render_error(record.report_error(self._shutdown.take_cancellation(error)))
        except Exception as error:  # noqa: BLE001 - any error: the caller gets an id, the log the traceback
            return _render_error(record.report_error(error))

    async def _parse(self, http: HttpRequest, media_type: str | None) -> GraphQLRequest:
        if media_type is None:
            raise NotAcceptableError(
                f"Not acceptable: the header Accept must allow {RESPONSE_TYPE} or {LEGACY_TYPE}"
            )
        if http.method not in ("GET", "POST"):
            raise MethodNotAllowedError(http.method, *_METHODS)
        return await parse_request(http, await self._choose_body_limit(http))

    async def _choose_body_limit(self, http: HttpRequest) -> int:
        """How many bytes the body may have. Bulk writes are long, and only callers with a valid token send any.

        A long body that is still arriving is then counted as one of a signed-in caller.
        """
        if read_content_length(http.headers) <= EARLY_CHECK_BYTES or AUTHORIZATION not in http.headers:
            return BODY_MAX_BYTES
        caller = await self._service.authenticate(read_credentials(http.headers))
        if caller.identity is None:
            return BODY_MAX_BYTES
        if UNFINISHED in http.scope:
            http.scope[UNFINISHED].mark_verified()
        return BULK_BODY_MAX_BYTES

    async def _execute(
        self, request: GraphQLRequest, http: HttpRequest, record: RequestRecord
    ) -> dict[str, Any]:
        """Authenticate, validate and execute a request. Returns the response as a mapping."""
        caller = await self._service.authenticate(
            read_credentials(http.headers), read_client_address(http.scope)
        )
        check_type = _check_get_type if http.method == "GET" else _check_post_type
        try:
            operation = await self._service.validate(request, caller, record, check_type)
        except RefusedOperationError as refusal:
            return render_errors(refusal.errors)
        return await self._service.execute(operation, caller, record)


def _redirect_to_page(http: HttpRequest) -> Response | None:
    """A redirect of a browser that has a slash too many. The page's links are relative to the address without it."""
    if not http.url.path.endswith("/"):
        return None
    query = f"?{http.url.query}" if http.url.query else ""
    return Response(status_code=308, headers={**_COMMON_HEADERS, "Location": f"../graphql{query}"})


def _check_post_type(type_: OperationType) -> None:
    if type_ is OperationType.SUBSCRIPTION:
        raise BadUserInputError("Subscriptions are not available over HTTP: use a WebSocket")


def _check_get_type(type_: OperationType) -> None:
    _check_post_type(type_)
    if type_ is OperationType.MUTATION:
        raise NotByGetError("Mutations require POST")


def _render_error(error: ProductError) -> _RenderedResponse:
    headers = error.headers if isinstance(error, RefusedRequestError) else {}
    if isinstance(error, RateLimitedError) and error.retry_after_s is not None:
        headers = {**headers, "Retry-After": str(error.retry_after_s)}
    body = render_refusal(error)
    return _RenderedResponse(body, orjson.dumps(body), error.status, headers)


def _build_http_response(rendered: _RenderedResponse, media_type: str, record: RequestRecord) -> Response:
    headers = {
        **_COMMON_HEADERS,
        **_STATUS_HEADERS.get(rendered.status, {}),
        **rendered.headers,
        REQUEST_ID: record.request_id,
    }
    return Response(rendered.text, rendered.status, headers, media_type=f"{media_type}; charset=utf-8")
