"""The messages of graphql-transport-ws: a client's frame read strictly, the server's written as bytes.

The protocol: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final, NamedTuple

import orjson

from core.limits import SOCKET_ID_CHARS_MAX
from resolvers.execution import Request

REASON_MAX_BYTES: Final = 123
"""What RFC 6455, section 5.5, leaves of a control frame beside the code."""

ACK: Final = b'{"type":"connection_ack"}'
TAIL: Final = b"}"
"""The end of a `next` message, whose payload stands between `next_head` and this."""

_OF_SERVER: Final = ("connection_ack", "next", "error")
_NAMES: Final = {dict: "an object", list: "an array", str: "a text", bool: "a boolean", type(None): "null"}


class CloseCode(IntEnum):
    """Why a socket is closed; from 4000 on as the protocol has it."""

    GOING_AWAY = 1001
    LOST = 1006
    """Never sent: the connection ended without a word."""
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
    """The end of a socket, and what the client is told of it."""

    code: int
    reason: str


class Init(NamedTuple):
    """`connection_init`."""

    payload: Mapping[str, Any]


class Subscribe(NamedTuple):
    """`subscribe`: an operation of any kind."""

    id: str
    request: Request


class Stop(NamedTuple):
    """`complete`: the client wants no more of an operation, be it one that is open or not."""

    id: str


class Ping(NamedTuple):
    """`ping`; the payload, where there is one, goes back with the pong."""

    payload: Mapping[str, Any] | None


class Pong(NamedTuple):
    """`pong`: nothing to do."""


Message = Init | Subscribe | Stop | Ping | Pong


def close(code: int, reason: str) -> Close:
    """A close with its reason cut to what a close frame holds."""
    kept = reason.encode(errors="replace")[:REASON_MAX_BYTES].decode(errors="ignore")
    return Close(code, kept)


def read(frame: str | bytes) -> Message | Close:
    """What a client says with one frame; a close, with what is wrong, for all that the protocol does not know."""
    if isinstance(frame, bytes):
        return _bad("A message is a text frame, not a binary one")
    try:
        value = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        return _bad(f"The message is not JSON: {error.msg}")
    if not isinstance(value, dict):
        return _bad(f"A message is a JSON object, not {_kind(value)}")
    if "type" not in value:
        return _bad("The message has no type")
    name = value["type"]
    if not isinstance(name, str):
        return _bad(f"type must be a text, not {_kind(name)}")
    reader = _READERS.get(name)
    return reader(value) if reader else _bad(_unknown(name))


def next_head(id_: str) -> bytes:
    """The beginning of the operation's `next` messages, made once; the result's JSON and `TAIL` follow."""
    return b'{"id":%b,"type":"next","payload":' % orjson.dumps(id_)


def error_message(id_: str, errors: list[dict[str, Any]]) -> bytes:
    """`error`: the operation has ended."""
    return orjson.dumps({"id": id_, "type": "error", "payload": errors})


def complete_message(id_: str) -> bytes:
    """`complete`: the operation has ended."""
    return b'{"id":%b,"type":"complete"}' % orjson.dumps(id_)


def pong_message(payload: Mapping[str, Any] | None) -> bytes:
    """`pong`, with the payload of the ping."""
    return orjson.dumps({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})


def _init(value: dict[str, Any]) -> Init | Close:
    return _payload_problem(value) or Init(value.get("payload") or {})


def _ping(value: dict[str, Any]) -> Ping | Close:
    return _payload_problem(value) or Ping(value.get("payload"))


def _pong(value: dict[str, Any]) -> Pong | Close:
    return _payload_problem(value) or Pong()


def _payload_problem(value: dict[str, Any]) -> Close | None:
    payload = value.get("payload")
    if isinstance(payload, dict | None):
        return None
    return _bad(f"payload must be an object or null, not {_kind(payload)}")


def _complete(value: dict[str, Any]) -> Stop | Close:
    problem = _id_problem(value)
    return _bad(problem) if problem else Stop(value["id"])


def _subscribe(value: dict[str, Any]) -> Subscribe | Close:
    problem = _id_problem(value) or _request_problem(value.get("payload"))
    if problem:
        return _bad(problem)
    asked = value["payload"]
    return Subscribe(
        value["id"],
        Request(
            asked["query"],
            asked.get("variables") or {},
            asked.get("operationName") or None,
            asked.get("extensions") or {},
        ),
    )


def _id_problem(value: dict[str, Any]) -> str | None:
    id_ = value.get("id")
    if "id" not in value:
        return f"{value['type']} has no id"
    if not isinstance(id_, str):
        return f"id must be a text, not {_kind(id_)}"
    if not id_:
        return "id must not be empty"
    if len(id_) > SOCKET_ID_CHARS_MAX:
        return f"id has {len(id_)} characters; the limit is {SOCKET_ID_CHARS_MAX}"
    return None


def _request_problem(payload: Any) -> str | None:
    if not isinstance(payload, dict):
        return f"payload must be an object, not {_kind(payload)}"
    if not isinstance(payload.get("query"), str):
        return f"payload.query must be a text, not {_kind(payload.get('query'))}"
    for name, type_, wanted in _OPTIONAL:
        given = payload.get(name)
        if not isinstance(given, type_ | None):
            return f"payload.{name} must be {wanted} or null, not {_kind(given)}"
    return None


_OPTIONAL: Final = (
    ("variables", dict, "an object"),
    ("operationName", str, "a text"),
    ("extensions", dict, "an object"),
)

_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Message | Close]]] = {
    "connection_init": _init,
    "subscribe": _subscribe,
    "complete": _complete,
    "ping": _ping,
    "pong": _pong,
}


def _unknown(name: str) -> str:
    return (
        f"{name} is the server's to send" if name in _OF_SERVER else f"There is no message type {name!r:.60}"
    )


def _kind(value: Any) -> str:
    return _NAMES.get(type(value), "a number")


def _bad(reason: str) -> Close:
    return close(CloseCode.BAD_REQUEST, reason)
