"""The limits of a request's variables, before anything works with them."""

import json
from collections.abc import Mapping
from typing import Any

from core.errors import refuse_beyond
from core.limits import QUERY_VARIABLES_CHARS_MAX, VARIABLES_DEPTH_MAX


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


def check_query_variables(variables: Mapping[str, Any]) -> None:
    """Make sure that a query's variables are not long; that they do not nest too deep is known.

    Raises:
        LimitExceededError: They are.
    """
    chars = len(json.dumps(variables, ensure_ascii=False)) if variables else 0
    refuse_beyond("variablesCharacters", QUERY_VARIABLES_CHARS_MAX, chars, "characters of variables")


def _inside(value: object) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]
