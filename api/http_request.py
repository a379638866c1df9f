"""GraphQL over HTTP: from an HTTP request to what the client asks for, and the media type of the answer.

Follows the GraphQL-over-HTTP specification (https://graphql.github.io/graphql-over-http/draft/).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest

from core.errors import BadUserInputError
from core.limits import BODY_MAX_BYTES
from resolvers.execution import Request

RESPONSE_TYPE: Final = "application/graphql-response+json"
LEGACY_TYPE: Final = "application/json"


class NotAcceptableError(BadUserInputError):
    """The client accepts none of our media types."""

    status = 406


class UnsupportedMediaTypeError(BadUserInputError):
    """The body is not JSON in UTF-8."""

    status = 415


class BodyTooLargeError(BadUserInputError):
    """The body exceeds `BODY_MAX_BYTES`."""

    status = 413


def response_type(headers: Headers) -> str:
    """The media type that the client likes best of ours; the legacy one if it says nothing.

    Raises:
        NotAcceptableError: It accepts neither.
    """
    accept = headers.get("accept")
    if not accept:
        return LEGACY_TYPE
    best, quality = "", 0.0
    for entry in accept.split(","):
        name, weight = _media_range(entry)
        chosen = {RESPONSE_TYPE: RESPONSE_TYPE, LEGACY_TYPE: LEGACY_TYPE}.get(name) or _wildcard(name)
        if chosen and weight > quality:
            best, quality = chosen, weight
    if not best:
        raise NotAcceptableError(f"Accept {RESPONSE_TYPE} or {LEGACY_TYPE}")
    return best


def _media_range(entry: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in entry.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def _wildcard(name: str) -> str | None:
    return LEGACY_TYPE if name in ("*/*", "application/*") else None


async def read_request(http: HttpRequest) -> Request:
    """What the client asks for.

    Raises:
        BadUserInputError: The request is malformed; its class gives the HTTP status.
    """
    if http.method == "GET":
        return _from_query(http.query_params)
    _check_content_type(http.headers)
    return _from_map(_json_object(await _body(http)))


def _check_content_type(headers: Headers) -> None:
    name, *parameters = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    charsets = [p.removeprefix("charset=").strip('"') for p in parameters if p.startswith("charset=")]
    if name != "application/json" or any(charset not in ("utf-8", "utf8") for charset in charsets):
        raise UnsupportedMediaTypeError("Send the request as application/json in UTF-8")


async def _body(http: HttpRequest) -> bytes:
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            raise BodyTooLargeError(f"The body has more than {BODY_MAX_BYTES} bytes")
    return bytes(body)


def _json_object(text: bytes | str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadUserInputError(f"This is not JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise BadUserInputError("A GraphQL request is a JSON object")
    return value


def _from_query(parameters: Mapping[str, str]) -> Request:
    values: dict[str, Any] = {name: parameters.get(name) for name in ("query", "operationName")}
    for name in ("variables", "extensions"):
        text = parameters.get(name)
        values[name] = _json_object(text) if text else None
    return _from_map(values)


def _from_map(values: Mapping[str, Any]) -> Request:
    query, variables = values.get("query"), values.get("variables")
    name, extensions = values.get("operationName"), values.get("extensions")
    bad = {
        "query": not isinstance(query, str) or not query,
        "variables": not isinstance(variables, dict | None),
        "operationName": not isinstance(name, str | None),
        "extensions": not isinstance(extensions, dict | None),
    }
    wanted = {"query": "a document", "operationName": "a text"}
    fields = {field: f"must be {wanted.get(field, 'an object')}" for field, is_bad in bad.items() if is_bad}
    if fields:
        raise BadUserInputError("; ".join(f"{field} {problem}" for field, problem in fields.items()), fields)
    return Request(str(query), variables or {}, name or None)
