"""The parameters of a plan, and their replacement by the values of a request."""

from collections.abc import Mapping
from typing import Any

from resolvers.sql.parameters import Param

ParamValues = Mapping[str, Any]
"""The values of parameters by their sources."""


def contains_param(value: object) -> bool:
    """Whether a value is a parameter or contains any."""
    if isinstance(value, Mapping):
        return any(contains_param(entry) for entry in value.values())
    if isinstance(value, list | tuple):
        return any(contains_param(entry) for entry in value)
    return isinstance(value, Param)


def substitute_params(value: Any, values: ParamValues) -> Any:
    """The same value with each parameter replaced from `values`."""
    if isinstance(value, Param):
        return values[value.source]
    if isinstance(value, Mapping):
        return {name: substitute_params(entry, values) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(substitute_params(entry, values) for entry in value)
    return value


def bind_argument(argument: object, values: ParamValues) -> object:
    """An argument of a statement in one request. A list of values contains no parameter (`Parameters.add`)."""
    return values[argument.source] if isinstance(argument, Param) else argument
