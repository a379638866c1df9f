"""The limit of a request's variables, before anything walks through them."""

from collections.abc import Mapping
from typing import Any

from core.errors import refuse_beyond
from core.limits import VARIABLES_DEPTH_MAX


def check_variables(variables: Mapping[str, Any]) -> None:
    """Make sure that variables do not nest too deep; level by level, without recursion.

    Raises:
        LimitExceededError: They do.
    """
    level, depth = [*_inside(variables)], 0
    while level:
        depth += 1
        level = [inner for value in level for inner in _inside(value)]
    refuse_beyond("variablesDepth", VARIABLES_DEPTH_MAX, depth, "levels of lists and objects in a variable")


def _inside(value: object) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]
