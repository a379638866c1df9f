"""GraphQL over HTTP: parsing an HTTP request into a GraphQL request.

Follows the GraphQL-over-HTTP specification (https://graphql.github.io/graphql-over-http/draft/).
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request as HttpRequest

from api.http_errors import BodyTooLargeError, RefusedRequestError
from api.request_body import read_body
from core.errors import BadUserInputError
from core.exact_json import parse_json
from core.json_numbers import TooManyExactNumbersError
from core.limits import BODY_MAX_BYTES, EXACT_NUMBERS_BULK_MAX, EXACT_NUMBERS_MAX
from resolvers.request import GraphQLRequest, PersistedQueryNotSupportedError, is_persisted_query

_UTF8: Final = ("utf-8", "utf8")
_PARAMETERS: Final = ("query", "variables", "operationName", "extensions")


class UnsupportedMediaTypeError(RefusedRequestError):
    """The body is not JSON in UTF-8."""

    status = 415
    headers: Mapping[str, str] = {"Accept-Post": "application/json"}


class UnsupportedEncodingError(RefusedRequestError):
    """The body is compressed (RFC 9110, section 12.5.3)."""

    status = 415
    headers: Mapping[str, str] = {"Accept-Encoding": "identity"}


class AddressTooLongError(RefusedRequestError):
    """The query string exceeds `BODY_MAX_BYTES`."""

    status = 414


async def parse_request(http: HttpRequest, body_limit: int = BODY_MAX_BYTES) -> GraphQLRequest:
    """Parse the GraphQL request, from a body of `body_limit` bytes at most.

    Raises:
        BadUserInputError: The request is malformed; its class gives the HTTP status.
        PersistedQueryNotSupportedError: The request has the hash of a document instead of the document.
    """
    if http.method == "GET":
        return _parse_query_string(http)
    _check_content_headers(http.headers)
    exact_max = EXACT_NUMBERS_MAX if body_limit <= BODY_MAX_BYTES else EXACT_NUMBERS_BULK_MAX
    values = _parse_json(await _read_body(http, body_limit), "The body", exact_max)
    if not isinstance(values, dict):
        raise BadUserInputError("The request must be a JSON object")
    return _build_request(values)


def read_single_header(headers: Headers, name: str) -> str | None:
    """The value of a header that may be present once.

    Raises:
        BadUserInputError: It is present more than once.
    """
    values = headers.getlist(name)
    if len(values) > 1:
        raise BadUserInputError(f"The header {name} must be sent only once")
    return values[0] if values else None


def _check_content_headers(headers: Headers) -> None:
    encoding = read_single_header(headers, "Content-Encoding")
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        raise UnsupportedEncodingError("Content-Encoding is not supported: send the body uncompressed")
    content_type = read_single_header(headers, "Content-Type") or ""
    name, *parameters = (parameter.strip().lower() for parameter in content_type.split(";"))
    charsets = [
        parameter.removeprefix("charset=").strip('"')
        for parameter in parameters
        if parameter.startswith("charset=")
    ]
    if name != "application/json" or any(charset not in _UTF8 for charset in charsets):
        raise UnsupportedMediaTypeError(
            "Unsupported media type: send the request as application/json in UTF-8"
        )


def read_content_length(headers: Headers) -> int:
    """The declared length of the body in bytes; 0 without one."""
    length = read_single_header(headers, "Content-Length") or ""
    return int(length[:20]) if length.isdecimal() else 0


async def _read_body(http: HttpRequest, body_limit: int) -> bytes:
    if read_content_length(http.headers) > body_limit:
        raise BodyTooLargeError(body_limit)
    return await read_body(http, body_limit)


def _parse_json(text: bytes | str, description: str, exact_max: int = EXACT_NUMBERS_MAX) -> Any:
    try:
        return parse_json(text, exact_max)
    except TooManyExactNumbersError as error:
        raise BadUserInputError(f"{description} is too complex: {error.msg}") from error
    except orjson.JSONDecodeError as error:
        raise BadUserInputError(f"{description} must be JSON: {error.msg}") from error


def _parse_query_string(http: HttpRequest) -> GraphQLRequest:
    if len(http.scope["query_string"]) > BODY_MAX_BYTES:
        raise AddressTooLongError(f"The query string must have at most {BODY_MAX_BYTES} bytes")
    return _build_request(_parse_parameters(http.query_params))


def _parse_parameters(given: QueryParams) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for name in _PARAMETERS:
        texts = given.getlist(name)
        if len(texts) > 1:
            raise BadUserInputError(f"{name} must be sent only once", {name: "must be sent only once"})
        values[name] = (texts[0] or None) if texts else None
    for name in ("variables", "extensions"):
        values[name] = values[name] and _parse_json(values[name], name)
    return values


def _build_request(values: Mapping[str, Any]) -> GraphQLRequest:
    if is_persisted_query(values):
        raise PersistedQueryNotSupportedError
    query, variables, name, extensions = map(values.get, _PARAMETERS)
    bad = {
        "query": (not isinstance(query, str) or not query, "must be a string with a GraphQL document"),
        "variables": (not isinstance(variables, dict | None), "must be an object"),
        "operationName": (not isinstance(name, str | None), "must be a string"),
        "extensions": (not isinstance(extensions, dict | None), "must be an object"),
    }
    fields = {field: problem for field, (is_bad, problem) in bad.items() if is_bad}
    if fields:
        raise BadUserInputError("; ".join(f"{field} {problem}" for field, problem in fields.items()), fields)
    return GraphQLRequest(str(query), variables or {}, name or None, extensions or {})
