"""The limits of a request's variables. They are checked before anything else uses the variables."""

import json
from collections.abc import Mapping
from typing import Any

from core.errors import require_within_limit
from core.limits import QUERY_VARIABLES_CHARS_MAX, VARIABLES_DEPTH_MAX


def check_variables(variables: Mapping[str, Any]) -> None:
    """Check that variables do not nest too deep. The check goes level by level, without recursion.

    Raises:
        LimitExceededError: They do.
    """
    level, depth = [*_list_children(variables)], 0
    while level:
        depth += 1
        level = [inner for value in level for inner in _list_children(value)]
    require_within_limit(
        "variablesDepth", VARIABLES_DEPTH_MAX, depth, "levels of lists and objects in a variable"
    )


def check_query_variables(variables: Mapping[str, Any]) -> None:
    """Check that a query's variables are not too long. Their depth must have been checked before.

    Raises:
        LimitExceededError: They are.
    """
    chars = len(json.dumps(variables, ensure_ascii=False, default=str)) if variables else 0
    require_within_limit("variablesCharacters", QUERY_VARIABLES_CHARS_MAX, chars, "characters of variables")


def _list_children(value: object) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inner if isinstance(each, dict | list)]
