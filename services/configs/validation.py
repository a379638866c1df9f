"""Validates a config against its schema. No message shows a value.

The messages of `jsonschema` quote the input, which may be a password in the wrong field. So this module has
its own.
"""

import ipaddress
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from referencing import Registry

from core.limits import BAD_FIELDS_REPORTED_MAX
from services.configs.schemas import Path, Schema, format_path, is_secret

_TYPES: Final = {
    "string": "a string", "number": "a number", "integer": "an integer", "boolean": "true or false",
    "object": "an object", "array": "a list", "null": "null",
}  # fmt: skip

_MESSAGES: Final[Mapping[str, str]] = {
    "minLength": "must have {} characters or more",
    "maxLength": "must have {} characters or fewer",
    "pattern": "must match the pattern {}",
    "minimum": "must be {} or more",
    "maximum": "must be {} or less",
    "exclusiveMinimum": "must be greater than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minItems": "must have {} elements or more",
    "maxItems": "must have {} elements or fewer",
    "minProperties": "must have {} properties or more",
    "maxProperties": "must have {} properties or fewer",
    "enum": "must be one of {}",
    "const": "must be {}",
    "format": "must match the format {}",
}
"""The message for each broken keyword, with the keyword's value from the schema filled in."""


def _is_integer(_checker: Any, value: Any) -> bool:
    """Whether a value is an integer. An integer that no float represents is a decimal here."""
    is_whole = isinstance(value, Decimal) and value == value.to_integral_value()
    return is_whole or Draft202012Validator.TYPE_CHECKER.is_type(value, "integer")


def _check_multiple_of(validator: Any, unit: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """The keyword `multipleOf` without rounding: 0.3 is a multiple of 0.1."""
    if validator.is_type(value, "number") and (_to_fraction(value) / _to_fraction(unit)).denominator != 1:
        yield ValidationError("is not a multiple")


def _to_fraction(number: Any) -> Fraction:
    return Fraction(repr(number) if isinstance(number, float) else number)


_VALIDATOR: Final[type[Validator]] = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"multipleOf": _check_multiple_of},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_HOSTNAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")


def find_config_problems(
    config: Mapping[str, Any], schema: Schema, hidden_paths: Iterable[Path] = ()
) -> dict[str, str]:
    """The errors of a config, by path below `config`; empty if it is valid.

    Args:
        config: In plain text, except at the unseen paths.
        schema: A schema that `require_redactable` accepts.
        hidden_paths: Paths of secrets that stay. They were valid when they were stored, and errors at them do not
        count.
    """
    validator = _VALIDATOR(schema, registry=Registry(), format_checker=_FORMATS)
    hidden = set(hidden_paths)
    fields: dict[str, str] = {}
    for error in validator.iter_errors(config):
        path = tuple(error.absolute_path)
        if any(path[:length] in hidden for length in range(len(path) + 1)):
            continue
        for path_text, message in _iter_error_paths(error):
            fields.setdefault(format_path(("config", *path, *path_text)), message)
        if len(fields) >= BAD_FIELDS_REPORTED_MAX:
            break
    return fields


def _iter_error_paths(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """The paths below the error's own that are wrong, each with the reason."""
    wanted: Any = error.validator_value
    given: Any = error.instance
    match error.validator:
        case "required":
            yield from (((name,), "is required") for name in wanted if name not in given)
        case "additionalProperties" if wanted is False:
            yield from (
                ((name,), "is not a property of the schema")
                for name in given
                if _is_extra(name, error.schema)
            )
        case "type":
            yield (), f"must be {_describe_types(wanted)}"
        case keyword if keyword in _MESSAGES:
            secret = is_secret(error.schema)  # the required value of a secret is itself a secret
            yield (
                (),
                "does not match the schema"
                if secret and keyword in ("enum", "const")
                else _build_message(keyword, wanted),
            )
        case keyword:
            yield (), f"does not match {keyword or 'the schema'}"


def _build_message(keyword: Any, wanted: Any) -> str:
    return _MESSAGES[keyword].format(", ".join(map(str, wanted)) if isinstance(wanted, list) else wanted)


def _describe_types(value: str | list[str]) -> str:
    return " or ".join(_TYPES.get(name, name) for name in ([value] if isinstance(value, str) else value))


def _is_extra(name: str, schema: Any) -> bool:
    patterns = schema.get("patternProperties", {})
    return name not in schema.get("properties", {}) and not any(
        re.search(pattern, name) for pattern in patterns
    )


def _is_uri(text: str) -> bool:
    url = urlsplit(text)
    with suppress(ValueError):
        _ = url.port  # the port is parsed only when it is read, and this raises if it is invalid
        return bool(url.scheme and url.hostname) and text.isascii() and not re.search(r"\s", text)
    return False


def _build_check(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        parse(text)
        return True

    return check


def _is_timestamp(text: str) -> bool:
    return "T" in text and datetime.fromisoformat(text).tzinfo is not None


_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "uri": _is_uri,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: len(text) <= 253 and _HOSTNAME.fullmatch(text) is not None,
    "uuid": lambda text: str(uuid.UUID(text)) == text.lower(),
    "ipv4": _build_check(ipaddress.IPv4Address),
    "ipv6": _build_check(ipaddress.IPv6Address),
    "date": _build_check(date.fromisoformat),
    "date-time": _is_timestamp,
}


def _build_format_checker() -> FormatChecker:
    """The formats that are checked.

    The library's own checks need one package each, and accept everything without it.
    """
    checker = FormatChecker(formats=())
    for name, check in _CHECKS.items():
        checker.checks(name, raises=ValueError)(_check_text_only(check))
    return checker


def _check_text_only(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or check(value)


_FORMATS: Final = _build_format_checker()
