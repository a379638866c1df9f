"""The messages of graphql-transport-ws: strict parsing of the client's frames, and encoding of the server's.

The protocol: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

import orjson

from core.errors import BadUserInputError, ProductError
from core.exact_json import dump_json, parse_json
from core.json_numbers import TooManyExactNumbersError
from core.limits import EXACT_NUMBERS_MAX, SOCKET_ID_CHARS_MAX
from resolvers.request import GraphQLRequest, PersistedQueryNotSupportedError, is_persisted_query
from subscriptions.protocol.refused_frames import find_subscribe_id

REASON_MAX_BYTES: Final = 123
"""The bytes that a close frame has for the reason, after the code (RFC 6455, section 5.5)."""

ACK: Final = b'{"type":"connection_ack"}'
NEXT_MESSAGE_END: Final = b"}"
"""The end of a `next` message. The payload stands between `build_next_prefix` and this."""

_OF_SERVER: Final = ("connection_ack", "next", "error")
_NAMES: Final = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


class CloseCode(IntEnum):
    """Why a socket is closed. Codes from 4000 on are the protocol's."""

    GOING_AWAY = 1001
    LOST = 1006
    """Never sent: the connection ended without a close frame."""
    INTERNAL = 1011
    TRY_AGAIN_LATER = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INIT_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITS = 4429


class Close(NamedTuple):
    """The end of a socket: the code and the reason for the client."""

    code: int
    reason: str


class ConnectionInit(NamedTuple):
    """`connection_init`."""

    payload: Mapping[str, Any]


class Subscribe(NamedTuple):
    """`subscribe`: an operation of any kind."""

    id: str
    request: GraphQLRequest


class RefusedSubscribe(NamedTuple):
    """`subscribe` with an operation that the server refuses to parse, and the error for the client."""

    id: str
    error: ProductError


class CompleteMessage(NamedTuple):
    """`complete`: the client ends an operation, which may be over already."""

    id: str


class Ping(NamedTuple):
    """`ping`. Its payload, if any, is returned with the pong."""

    payload: Mapping[str, Any] | None


class Pong(NamedTuple):
    """`pong`: nothing to do."""


Message = ConnectionInit | Subscribe | RefusedSubscribe | CompleteMessage | Ping | Pong


def build_refusal_close(word: str, message: str) -> Close:
    """The close frame for a viewer who may not use the socket, or may not any longer.

    Its reason begins with a word for programs, before a colon: `core.errors.AccessRefusal`, or the code of an error.
    """
    return build_close(CloseCode.FORBIDDEN, f"{word}: {message}")


def build_close(code: int, reason: str) -> Close:
    """A close frame with its reason cut to the length that the frame allows."""
    shortened = reason.encode(errors="replace")[:REASON_MAX_BYTES].decode(errors="ignore")
    return Close(code, shortened)


def parse_message(frame: str | bytes) -> Message | Close:
    """Parse one frame of a client.

    A frame that breaks the protocol gives a `Close` with the reason. The fault of one operation does not.
    """
    if isinstance(frame, bytes):
        return _bad_request("A message must be a text frame, not a binary frame")
    try:
        value = parse_json(frame, EXACT_NUMBERS_MAX)
    except TooManyExactNumbersError as error:
        return _refuse_frame(frame, f"The message is too complex: {error.msg}")
    except orjson.JSONDecodeError as error:
        return _refuse_frame(frame, f"The message must be JSON: {error.msg}")
    if not isinstance(value, dict):
        return _bad_request(f"A message must be a JSON object, not {_type_name(value)}")
    if "type" not in value:
        return _bad_request("The message must have a type")
    name = value["type"]
    if not isinstance(name, str):
        return _bad_request(f"type must be a string, not {_type_name(name)}")
    reader = _READERS.get(name)
    return reader(value) if reader else _bad_request(_unknown_type_reason(name))


def build_next_prefix(id_: str) -> bytes:
    """The beginning of an operation's `next` messages, made once. The result's JSON and `NEXT_MESSAGE_END` follow."""
    return b'{"id":%b,"type":"next","payload":' % orjson.dumps(id_)


def build_error(id_: str, errors: list[dict[str, Any]]) -> bytes:
    """`error`: the operation has ended."""
    return orjson.dumps({"id": id_, "type": "error", "payload": errors})


def build_complete(id_: str) -> bytes:
    """`complete`: the operation has ended."""
    return b'{"id":%b,"type":"complete"}' % orjson.dumps(id_)


def build_pong(payload: Mapping[str, Any] | None) -> bytes:
    """`pong`, with the payload of the ping."""
    return dump_json({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})


def _parse_init(value: dict[str, Any]) -> ConnectionInit | Close:
    return _check_payload(value) or ConnectionInit(value.get("payload") or {})


def _parse_ping(value: dict[str, Any]) -> Ping | Close:
    return _check_payload(value) or Ping(value.get("payload"))


def _parse_pong(value: dict[str, Any]) -> Pong | Close:
    return _check_payload(value) or Pong()


def _check_payload(value: dict[str, Any]) -> Close | None:
    payload = value.get("payload")
    if isinstance(payload, dict | None):
        return None
    return _bad_request(f"payload must be an object or null, not {_type_name(payload)}")


def _parse_complete(value: dict[str, Any]) -> CompleteMessage | Close:
    problem = _check_id(value)
    return _bad_request(problem) if problem else CompleteMessage(value["id"])


def _parse_subscribe(value: dict[str, Any]) -> Subscribe | RefusedSubscribe | Close:
    problem, payload = _check_id(value), value.get("payload")
    if not problem and isinstance(payload, dict) and is_persisted_query(payload):
        return RefusedSubscribe(value["id"], PersistedQueryNotSupportedError())
    problem = problem or _check_request(payload)
    if problem:
        return _bad_request(problem)
    request: dict[str, Any] = value["payload"]
    return Subscribe(
        value["id"],
        GraphQLRequest(
            request["query"],
            request.get("variables") or {},
            request.get("operationName") or None,
            request.get("extensions") or {},
        ),
    )


def _check_id(value: dict[str, Any]) -> str | None:
    id_ = value.get("id")
    if "id" not in value:
        return f"{value['type']} must have an id"
    if not isinstance(id_, str):
        return f"id must be a string, not {_type_name(id_)}"
    if not id_:
        return "id must not be empty"
    if len(id_) > SOCKET_ID_CHARS_MAX:
        return f"id must have at most {SOCKET_ID_CHARS_MAX} characters, not {len(id_)}"
    return None


def _check_request(payload: Any) -> str | None:
    if not isinstance(payload, dict):
        return f"payload must be an object, not {_type_name(payload)}"
    if not isinstance(payload.get("query"), str):
        return f"payload.query must be a string, not {_type_name(payload.get('query'))}"
    for name, type_, wanted in _OPTIONAL:
        given = payload.get(name)
        if not isinstance(given, type_ | None):
            return f"payload.{name} must be {wanted} or null, not {_type_name(given)}"
    return None


_OPTIONAL: Final = (
    ("variables", dict, "an object"),
    ("operationName", str, "a string"),
    ("extensions", dict, "an object"),
)

_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Message | Close]]] = {
    "connection_init": _parse_init,
    "subscribe": _parse_subscribe,
    "complete": _parse_complete,
    "ping": _parse_ping,
    "pong": _parse_pong,
}


def _unknown_type_reason(name: str) -> str:
    return f"Only the server may send {name}" if name in _OF_SERVER else f"Unknown message type {name!r:.60}"


def _refuse_frame(frame: str, reason: str) -> RefusedSubscribe | Close:
    id_ = find_subscribe_id(frame)
    return _bad_request(reason) if id_ is None else RefusedSubscribe(id_, BadUserInputError(reason))


def _type_name(value: Any) -> str:
    return _NAMES.get(type(value), "a number")


def _bad_request(reason: str) -> Close:
    return build_close(CloseCode.BAD_REQUEST, reason)
