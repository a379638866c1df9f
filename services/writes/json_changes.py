"""What changed inside a JSON value: the audit log keeps that alone, before and after.

    before    {"os": {"name": "Debian", "major": 12}, "tags": ["a", "b"], "note": "x"}
    after     {"os": {"name": "Debian", "major": 13}, "tags": ["a", "c"]}
    kept      {"os": {"major": 12}, "tags": {"[1]": "b"}, "note": "x"}
              {"os": {"major": 13}, "tags": {"[1]": "c"}}

A member that one side lacks is in the other side only. Lists of different lengths are kept whole.
"""

from typing import Any, Final

import orjson

from core.exact_json import dump_json, is_same_json, parse_json

_ABSENT: Final = object()


def reduce_to_changes(before: str, after: str) -> tuple[str, str]:
    """Two JSON texts without what is equal in both. Texts that nest too deep are returned as they are."""
    try:
        kept = _reduce(parse_json(before), parse_json(after))
        return dump_json(kept[0]).decode(), dump_json(kept[1]).decode()
    except (orjson.JSONDecodeError, ValueError, RecursionError):
        return before, after


def _reduce(before: Any, after: Any) -> tuple[Any, Any]:
    if isinstance(before, dict) and isinstance(after, dict):
        return _reduce_members(before, after)
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return _reduce_members(_number(before), _number(after))
    return before, after


def _number(elements: list[Any]) -> dict[str, Any]:
    return {f"[{index}]": element for index, element in enumerate(elements)}


def _reduce_members(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    kept: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for name in before.keys() | after.keys():
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if old is not _ABSENT and new is not _ABSENT:
            if is_same_json(old, new):
                continue
            old, new = _reduce(old, new)
        for side, value in zip(kept, (old, new), strict=True):
            if value is not _ABSENT:
                side[name] = value
    return kept
