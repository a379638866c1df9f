"""The order of names in a configSchema. Forms are made from it, and PostgreSQL's `jsonb` sorts the names.

The stored schema has one more member, `$order`: the names of each object that `jsonb` reorders, by JSON pointer.

    written    {"type": "object", "properties": {"url": {...}, "key": {...}}}
    $order     {"/properties": ["url", "key"]}

In the database `app.in_written_order` gives the written form, for clients and exports. Where someone adds a property
by SQL, it comes last.
"""

from collections.abc import Iterator
from typing import Any, Final

ORDER_MEMBER: Final = "$order"
"""The member that the server alone writes."""

_NESTING_MAX: Final = 64
"""The order of objects that are nested deeper is not kept."""


def add_written_order(schema: Any) -> Any:
    """The schema as it is stored. An order that it brings along, as in a dump of such a server, is kept."""
    if not isinstance(schema, dict):
        return schema
    given, written = schema.get(ORDER_MEMBER), remove_order(schema)
    order = given if _is_order(given) else dict(_iter_orders(written, "", 0))
    return {**written, ORDER_MEMBER: order} if order else written


def remove_order(schema: Any) -> Any:
    """A stored schema without its member `$order`."""
    if not isinstance(schema, dict):
        return schema
    return {name: value for name, value in schema.items() if name != ORDER_MEMBER}


def _is_order(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in value.values()
    )


def _iter_orders(value: Any, pointer: str, depth: int) -> Iterator[tuple[str, list[str]]]:
    if depth > _NESTING_MAX:
        return
    if isinstance(value, dict):
        names = list(value)
        if names != sorted(names, key=_rank):
            yield pointer, names
        for name, child in value.items():
            yield from _iter_orders(child, f"{pointer}/{_escape(name)}", depth + 1)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _iter_orders(child, f"{pointer}/{index}", depth + 1)


def _rank(name: str) -> tuple[int, bytes]:
    """The order of `jsonb`: shorter names first, equally long ones by their bytes."""
    encoded = name.encode()
    return len(encoded), encoded


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
