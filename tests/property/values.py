"""Input values as the generator holds them, and how they are written: in a document, or as variables."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Name:
    """An enum's value: bare in a document, a text among the variables."""

    text: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that stands in the place of a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that its type refuses: validation would stop it in a document, so it travels as a variable."""

    value: Any


def literal(value: Any) -> str:
    """The value as a document has it."""
    match value:
        case Name():
            return value.text
        case Variable():
            return f"${value.name}"
        case dict():
            return "{" + ", ".join(f"{key}: {literal(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def plain(value: Any) -> Any:
    """The value as JSON has it among the variables."""
    match value:
        case Name():
            return value.text
        case Refused():
            return plain(value.value)
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


def writable(value: Any) -> bool:
    """Whether it can stand in a document: every key of an object is a name, no number is a float's nan or inf."""
    if isinstance(value, dict):
        return all(_is_name(key) and writable(inner) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(writable, value))
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, Refused)


def _is_name(key: str) -> bool:
    return key.isascii() and key.replace("_", "a").isalnum() and not key[0].isdigit()


def has_variable(value: Any) -> bool:
    """Whether a variable stands anywhere in it."""
    if isinstance(value, dict):
        return any(map(has_variable, value.values()))
    if isinstance(value, list):
        return any(map(has_variable, value))
    return isinstance(value, Variable)
