"""GraphQL over HTTP: from an HTTP request to what the client asks for.

Follows the GraphQL-over-HTTP specification (https://graphql.github.io/graphql-over-http/draft/).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request as HttpRequest

from core.errors import BadUserInputError
from core.limits import BODY_MAX_BYTES
from resolvers.execution import Request

_UTF8: Final = ("utf-8", "utf8")
_PARAMETERS: Final = ("query", "variables", "operationName", "extensions")


class RefusedRequestError(BadUserInputError):
    """Refused for its HTTP; `headers` are for the response."""

    headers: ClassVar[Mapping[str, str]] = {}


class UnsupportedMediaTypeError(RefusedRequestError):
    """The body is not JSON in UTF-8."""

    status = 415
    headers: ClassVar[Mapping[str, str]] = {"Accept-Post": "application/json"}


class UnsupportedEncodingError(RefusedRequestError):
    """The body is compressed (RFC 9110, section 12.5.3)."""

    status = 415
    headers: ClassVar[Mapping[str, str]] = {"Accept-Encoding": "identity"}


class BodyTooLargeError(RefusedRequestError):
    """The body exceeds its room; the rest of it is not read."""

    status = 413
    headers: ClassVar[Mapping[str, str]] = {"Connection": "close"}


class AddressTooLongError(RefusedRequestError):
    """The query string exceeds `BODY_MAX_BYTES`."""

    status = 414


async def read_request(http: HttpRequest, room: int = BODY_MAX_BYTES) -> Request:
    """What the client asks for, in a body of `room` bytes at most.

    Raises:
        BadUserInputError: The request is malformed; its class gives the HTTP status.
    """
    if http.method == "GET":
        return _from_query(http)
    _check_content(http.headers)
    values = _json(await _body(http, room), "The body")
    if not isinstance(values, dict):
        raise BadUserInputError("A request is a JSON object")
    return _from_map(values)


def single(headers: Headers, name: str) -> str | None:
    """The value of a header that may stand once.

    Raises:
        BadUserInputError: It stands more than once.
    """
    values = headers.getlist(name)
    if len(values) > 1:
        raise BadUserInputError(f"The header {name} stands more than once")
    return values[0] if values else None


def _check_content(headers: Headers) -> None:
    encoding = single(headers, "Content-Encoding")
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncodingError("Send the body as it is, without a Content-Encoding")
    content_type = single(headers, "Content-Type") or ""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charsets = [
        part.removeprefix("charset=").strip('"') for part in parameters if part.startswith("charset=")
    ]
    if name != "application/json" or any(charset not in _UTF8 for charset in charsets):
        raise UnsupportedMediaTypeError("Send the request as application/json in UTF-8")


def declared_length(headers: Headers) -> int:
    """How long the body is to be, in bytes; 0 where that is not said."""
    length = single(headers, "Content-Length") or ""
    return int(length[:20]) if length.isdecimal() else 0


async def _body(http: HttpRequest, room: int) -> bytes:
    too_large = f"The body has more than {room} bytes"
    if declared_length(http.headers) > room:
        raise BodyTooLargeError(too_large)
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > room:
            raise BodyTooLargeError(too_large)
    return bytes(body)


def _json(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadUserInputError(f"{what} is not JSON: {error.msg}") from error


def _from_query(http: HttpRequest) -> Request:
    if len(http.scope["query_string"]) > BODY_MAX_BYTES:
        raise AddressTooLongError(f"The query string has more than {BODY_MAX_BYTES} bytes")
    return _from_map(_parameters(http.query_params))


def _parameters(given: QueryParams) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for name in _PARAMETERS:
        texts = given.getlist(name)
        if len(texts) > 1:
            raise BadUserInputError(f"{name} stands more than once", {name: "must stand once"})
        values[name] = (texts[0] or None) if texts else None
    for name in ("variables", "extensions"):
        values[name] = values[name] and _json(values[name], name)
    return values


def _from_map(values: Mapping[str, Any]) -> Request:
    query, variables, name, extensions = map(values.get, _PARAMETERS)
    bad = {
        "query": (not isinstance(query, str) or not query, "must be a document"),
        "variables": (not isinstance(variables, dict | None), "must be an object"),
        "operationName": (not isinstance(name, str | None), "must be a text"),
        "extensions": (not isinstance(extensions, dict | None), "must be an object"),
    }
    fields = {field: problem for field, (is_bad, problem) in bad.items() if is_bad}
    if fields:
        raise BadUserInputError("; ".join(f"{field} {problem}" for field, problem in fields.items()), fields)
    return Request(str(query), variables or {}, name or None, extensions or {})
