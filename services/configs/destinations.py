"""The destination values of a config: addresses, hosts, ports and directories to which its secrets are sent.

A stored secret must not be redirected by a user who does not have it. The first rule that fits decides
whether a value is a destination:

    1. as `"destination": true` or `false` in the property's schema says, or in that of the object or list around it
    2. by the name (`port`, `proxyHost`, `verifyTls`, ...), also of an object or list around it, or by the format
       (`uri`, `hostname`, ...): of any type
    3. any other text counts, unless its schema lists the values (`enum`, `const`) or it is a date; nothing else does
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.configs.schemas import Path, find_child_schema, is_secret

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAMES: Final = frozenset(
    {
        "url", "uri", "host", "hostname", "address", "server", "endpoint", "domain", "port", "base", "path",
        "region", "zone", "directory", "tenant", "realm", "authority", "issuer", "instance", "proxy", "gateway",
        "callback", "redirect", "webhook", "scheme", "protocol", "environment", "cloud", "tls", "ssl", "https",
        "verify", "insecure", "certificate", "secure", "encrypt", "encryption", "plaintext", "trust", "target", "ip",
        "origin", "destination", "relay",
    }
)  # fmt: skip
"""Words in the names of properties; those about TLS count, as without it anybody on the way reads the secret."""
_PARTS: Final = ("url", "host", "proxy", "redirect", "tls", "ssl", "verif", "cert")
"""Parts that count in the midst of a word, too, as in `sslverify` and `proxyport`."""

_ADDRESS_FORMATS: Final = frozenset(
    {
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "uri-template",
        "hostname",
        "idn-hostname",
        "ipv4",
        "ipv6",
    }
)
_TIME_FORMATS: Final = frozenset({"date", "time", "date-time", "duration"})


def find_changed_destinations(before: Any, after: Any, schema: Any) -> list[Path]:
    """The paths of destination values that differ between two configs.

    A blank text, null and an absent property are equal. An absent property has its schema's default.
    """
    old, new = dict(_iter_leaves(before, schema)), dict(_iter_leaves(after, schema))
    return [
        path
        for path in {**old, **new}
        if _is_destination(path, schema, old.get(path), new.get(path))
        and _normalize_value(old.get(path), path, schema) != _normalize_value(new.get(path), path, schema)
    ]


def _iter_leaves(value: Any, schema: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if is_secret(schema):
        return
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _iter_leaves(child, find_child_schema(schema, key), (*path, key))
    elif isinstance(value, list):
        for at, child in enumerate(value):
            yield from _iter_leaves(child, find_child_schema(schema, at), (*path, at))
    else:
        yield path, value


def _normalize_value(value: Any, path: Path, schema: Any) -> str | None:
    """A value in a comparable form in which 1, 1.0, "1" and true differ; None if it is blank."""
    if value is None:
        for key in path:
            schema = find_child_schema(schema, key)
        value = schema.get("default") if isinstance(schema, Mapping) else None
    return None if value in (None, "") else repr(value)


def _is_destination(path: Path, schema: Any, *values: Any) -> bool:
    mark: bool | None = None
    for key in path:
        schema = find_child_schema(schema, key)
        own = schema.get("destination") if isinstance(schema, Mapping) else None
        mark = own if isinstance(own, bool) else mark
    if mark is not None:
        return mark
    keywords: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
    if _is_named(path) or keywords.get("format") in _ADDRESS_FORMATS:
        return True
    is_closed = "enum" in keywords or "const" in keywords or keywords.get("format") in _TIME_FORMATS
    return not is_closed and any(isinstance(value, str) for value in values)


def _is_named(path: Path) -> bool:
    return any(_is_address_word(word.lower()) for key in path for word in _WORD.findall(str(key)))


def _is_address_word(word: str) -> bool:
    return word in _NAMES or word.removesuffix("s") in _NAMES or any(part in word for part in _PARTS)
