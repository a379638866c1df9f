"""Input values as the generator holds them, and how they are written: in a document, or as variables."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EnumName:
    """An enum's value: bare in a document, a text among the variables."""

    text: str


@dataclass(frozen=True, slots=True)
class VariableReference:
    """A variable in place of a value."""

    name: str


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A value that its type refuses. In a document validation would stop it, so it is sent as a variable."""

    value: Any


def format_literal(value: Any) -> str:
    """The value as a document has it."""
    match value:
        case EnumName():
            return value.text
        case VariableReference():
            return f"${value.name}"
        case dict():
            return "{" + ", ".join(f"{key}: {format_literal(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(format_literal, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def to_json_value(value: Any) -> Any:
    """The value as JSON has it among the variables."""
    match value:
        case EnumName():
            return value.text
        case RefusedValue():
            return to_json_value(value.value)
        case dict():
            return {key: to_json_value(inner) for key, inner in value.items()}
        case list():
            return [to_json_value(inner) for inner in value]
        case _:
            return value


def is_writable(value: Any) -> bool:
    """Whether it can stand in a document: every key of an object is a name, no number is a float's nan or inf."""
    if isinstance(value, dict):
        return all(_is_name(key) and is_writable(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(is_writable, value))
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, RefusedValue)


def _is_name(key: str) -> bool:
    return key.isascii() and key.replace("_", "a").isalnum() and not key[0].isdigit()


def has_variable(value: Any) -> bool:
    """Whether a variable stands anywhere in it."""
    if isinstance(value, dict):
        return any(map(has_variable, value.values()))
    if isinstance(value, list):
        return any(map(has_variable, value))
    return isinstance(value, VariableReference)
