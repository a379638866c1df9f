"""What of a config does not fit its schema, in words that never show a value.

The messages of `jsonschema` quote what was sent, and that may be a password in the wrong field: so they are our own.
"""

import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from referencing import Registry

from core.limits import BAD_FIELDS_TOLD
from services.configs.schemas import Path, Schema, dotted, is_secret

_TYPES: Final = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "object": "an object", "array": "a list", "null": "null",
}  # fmt: skip

_SAYS: Final[Mapping[str, str]] = {
    "minLength": "must have {} characters or more",
    "maxLength": "must have {} characters or fewer",
    "pattern": "must match the pattern {}",
    "minimum": "must be {} or more",
    "maximum": "must be {} or less",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minItems": "must have {} elements or more",
    "maxItems": "must have {} elements or fewer",
    "minProperties": "must have {} properties or more",
    "maxProperties": "must have {} properties or fewer",
    "enum": "must be one of {}",
    "const": "must be {}",
    "format": "must be written as the format {} says",
}
"""What is wrong where a keyword is broken; its value in the schema is filled in."""

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_HOSTNAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")


def misfits(config: Mapping[str, Any], schema: Schema, unseen: Iterable[Path] = ()) -> dict[str, str]:
    """What does not fit, by its path below `config`; empty if all does.

    Args:
        config: plain, but for the places that are unseen.
        schema: one that `require_redactable` has let pass.
        unseen: places of secrets that stay as they are, fitted when they came; what is wrong there does not count.
    """
    validator = Draft202012Validator(schema, registry=Registry(), format_checker=_FORMATS)
    hidden = set(unseen)
    fields: dict[str, str] = {}
    for error in validator.iter_errors(config):
        path = tuple(error.absolute_path)
        if any(path[:length] in hidden for length in range(len(path) + 1)):
            continue
        for place, message in _told(error):
            fields.setdefault(dotted(("config", *path, *place)), message)
        if len(fields) >= BAD_FIELDS_TOLD:
            break
    return fields


def _told(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """The places below the error's own that are wrong, and why."""
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            yield from (((name,), "is required") for name in wanted if name not in given)
        case "additionalProperties" if wanted is False:
            yield from (
                ((name,), "is not a property of it") for name in given if _is_extra(name, error.schema)
            )
        case "type":
            yield (), f"must be {_types(wanted)}"
        case keyword if keyword in _SAYS:
            secret = is_secret(error.schema)  # what a secret must equal is one itself
            yield (), "does not fit" if secret and keyword in ("enum", "const") else _says(keyword, wanted)
        case keyword:
            yield (), f"does not fit what {keyword or 'the schema'} says of it"


def _says(keyword: Any, wanted: Any) -> str:
    return _SAYS[keyword].format(", ".join(map(str, wanted)) if isinstance(wanted, list) else wanted)


def _types(value: str | list[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in ([value] if isinstance(value, str) else value))


def _is_extra(name: str, schema: Any) -> bool:
    patterns = schema.get("patternProperties", {})
    return name not in schema.get("properties", {}) and not any(
        re.search(pattern, name) for pattern in patterns
    )


def _is_uri(text: str) -> bool:
    parts = urlsplit(text)
    with suppress(ValueError):
        _ = parts.port  # it is read, and found wrong, only when it is asked for
        return bool(parts.scheme and parts.hostname) and text.isascii() and not re.search(r"\s", text)
    return False


def _parsed_by(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def can(text: str) -> bool:
        parse(text)
        return True

    return can


def _is_moment(text: str) -> bool:
    return "T" in text and datetime.fromisoformat(text).tzinfo is not None


_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "uri": _is_uri,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: len(text) <= 253 and _HOSTNAME.fullmatch(text) is not None,
    "uuid": lambda text: str(uuid.UUID(text)) == text.lower(),
    "ipv4": _parsed_by(ipaddress.IPv4Address),
    "ipv6": _parsed_by(ipaddress.IPv6Address),
    "date": _parsed_by(date.fromisoformat),
    "date-time": _is_moment,
}


def _formats() -> FormatChecker:
    """The formats that we check; the library's own need a package each, and pass everything without it."""
    checker = FormatChecker(formats=())
    for name, check in _CHECKS.items():
        checker.checks(name, raises=ValueError)(_of_text(check))
    return checker


def _of_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


_FORMATS: Final = _formats()
