"""The endpoint `/graphql` over HTTP."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, NamedTuple

import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.bearer import credentials
from api.departures import unless_client_leaves
from api.http_request import RefusedRequestError, declared_length, read_request
from api.negotiation import preferred
from api.operations import Operations
from api.request_record import REQUEST_ID, TRACEPARENT, RequestRecord, request_id
from core.errors import BadUserInputError, ProductError
from core.limits import BODY_MAX_BYTES, BULK_BODY_MAX_BYTES
from resolvers.execution import Request, refusal

RESPONSE_TYPE: Final = "application/graphql-response+json"
LEGACY_TYPE: Final = "application/json"
PAGE_TYPE: Final = "text/html"

Page = Callable[[HttpRequest], Response]
Observer = Callable[[RequestRecord], None]

_ALWAYS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization",
    "X-Content-Type-Options": "nosniff",
}
_OF_STATUS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": "5"},
}


class NotAcceptableError(BadUserInputError):
    """The client accepts none of our media types."""

    status = 406


class MethodError(RefusedRequestError):
    """Not a method of this endpoint."""

    status = 405
    headers: ClassVar[Mapping[str, str]] = {"Allow": "GET, POST, OPTIONS"}


class _Answer(NamedTuple):
    body: Mapping[str, Any]
    text: bytes
    status: int
    headers: Mapping[str, str] = {}


class GraphQLApp:
    """Speaks HTTP for the operations behind it."""

    def __init__(self, operations: Operations, observe: Observer, page: Page | None = None) -> None:
        """Tells `observe` of each request that has ended; shows `page`, if there is one, to browsers."""
        self._operations = operations
        self._observe = observe
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        http = HttpRequest(scope, receive)
        media_type = self._media_type(http)
        if http.method == "OPTIONS":
            response: Response | None = Response(status_code=204, headers={**_ALWAYS, **MethodError.headers})
        elif media_type == PAGE_TYPE and self._page:
            response = self._page(http)
        else:
            response = await self._respond(http, media_type)
        if response:
            await response(scope, receive, send)

    def _media_type(self, http: HttpRequest) -> str | None:
        page = [PAGE_TYPE] if self._page and http.method in ("GET", "HEAD") else []
        return preferred(http.headers.getlist("Accept"), [LEGACY_TYPE, RESPONSE_TYPE, *page])

    async def _respond(self, http: HttpRequest, media_type: str | None) -> Response | None:
        """The response, None for nobody; observers are told of it."""
        record = RequestRecord(request_id(http.headers), http.headers.get(TRACEPARENT))
        try:
            answer = await self._answer(http, media_type, record)
            response = _response(answer, media_type or LEGACY_TYPE, record)
            record.end(answer.body, answer.status)
        except ClientDisconnect:
            response = None
            record.end(None, None)
        self._observe(record)
        return response

    async def _answer(self, http: HttpRequest, media_type: str | None, record: RequestRecord) -> _Answer:
        try:
            return await self._asked(http, media_type, record)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: the caller gets an id, the log the story
            return _refused(record.told(error))

    async def _asked(self, http: HttpRequest, media_type: str | None, record: RequestRecord) -> _Answer:
        if media_type is None:
            raise NotAcceptableError(f"Accept {RESPONSE_TYPE} or {LEGACY_TYPE}")
        if http.method not in ("GET", "POST"):
            raise MethodError(f"{http.method} is not a method of GraphQL over HTTP: use GET or POST")
        request = await read_request(http, await self._room(http))
        work = self._answered(request, http, record)
        body = await unless_client_leaves(work, http.receive)
        # Where nothing was executed it was the client's error; for plain JSON the specification wants 200 then, too.
        return _Answer(body, orjson.dumps(body), 200 if "data" in body or media_type == LEGACY_TYPE else 400)

    async def _room(self, http: HttpRequest) -> int:
        """How long the body may be, in bytes: bulk writes are long, and only who shows a good token sends any."""
        if declared_length(http.headers) <= BODY_MAX_BYTES:
            return BODY_MAX_BYTES
        caller = await self._operations.caller(credentials(http.headers))
        return BULK_BODY_MAX_BYTES if caller.identity else BODY_MAX_BYTES

    async def _answered(self, request: Request, http: HttpRequest, record: RequestRecord) -> dict[str, Any]:
        caller = await self._operations.caller(credentials(http.headers))
        return await self._operations.answer(request, caller, record, queries_only=http.method == "GET")


def _refused(error: ProductError) -> _Answer:
    headers = error.headers if isinstance(error, RefusedRequestError) else {}
    body = refusal(error)
    return _Answer(body, orjson.dumps(body), error.status, headers)


def _response(answer: _Answer, media_type: str, record: RequestRecord) -> Response:
    headers = {
        **_ALWAYS,
        **_OF_STATUS.get(answer.status, {}),
        **answer.headers,
        REQUEST_ID: record.request_id,
    }
    return Response(answer.text, answer.status, headers, media_type=f"{media_type}; charset=utf-8")
