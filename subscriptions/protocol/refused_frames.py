"""Finds the operation of a `subscribe` frame that is JSON, but that the server refuses to parse.

Such a frame has half of a surrogate pair, too many exact numbers, or too many levels of nesting. JSON allows all
three. So only the operation fails, and the socket stays open.
"""

import json
import re
from typing import Any, Final

from core.limits import SOCKET_ID_CHARS_MAX

_MEMBER: Final = r'"(type|id)"\s*:\s*("(?:[^"\\]|\\.)*")'
_FIRST_MEMBERS: Final = re.compile(rf"\s*\{{\s*({_MEMBER}\s*,\s*)?({_MEMBER}\s*,)?")
_LAST_MEMBERS: Final = re.compile(rf"\}}\s*(,\s*{_MEMBER}\s*)?(,\s*{_MEMBER}\s*)?\}}\s*\Z")
_ENDS_CHARS: Final = 2 * (6 * SOCKET_ID_CHARS_MAX + 100)
"""The characters at both ends of a frame that have the type and the id, with escapes and spaces."""


def find_subscribe_id(frame: str) -> str | None:
    """The id of a refused frame's operation. None if the frame is not JSON, or no `subscribe` with a valid id."""
    try:
        value = json.loads(
            frame, parse_float=_skip_number, parse_int=_skip_number, parse_constant=_refuse_constant
        )
    except RecursionError:
        value = _read_outer_members(frame)
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("type") != "subscribe":
        return None
    id_ = value.get("id")
    return id_ if isinstance(id_, str) and _is_valid_id(id_) else None


def _is_valid_id(id_: str) -> bool:
    return 0 < len(id_) <= SOCKET_ID_CHARS_MAX and not any("\ud800" <= each <= "\udfff" for each in id_)


def _read_outer_members(frame: str) -> dict[str, Any]:
    """The type and the id before and after the payload.

    Members next to the first or the last brace belong to the outer object, however deep the payload is.
    """
    first = _FIRST_MEMBERS.match(frame[:_ENDS_CHARS])
    last = _LAST_MEMBERS.search(frame[-_ENDS_CHARS:])
    found: dict[str, Any] = {}
    for match in (first, last):
        groups = match.groups() if match else ()
        for name, text in zip(groups[1::3], groups[2::3], strict=True):
            if name:
                found[name] = json.loads(text)
    return found


def _skip_number(_: str) -> int:
    return 0


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
