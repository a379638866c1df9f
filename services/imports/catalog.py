"""Checks the schemas of imported integrations by the rule of `createIntegration`."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from services.configs.schemas import storable_schema
from services.imports.row_values import json_to_text
from services.imports.source import TableTally

_MARKED: Final = (
    "configSchema does not show where all secrets are: it is marked as a whole, so that no config is shown"
)


def mark_concealing_schemas(records: Sequence[list[Any]], names: Sequence[str], tally: TableTally) -> None:
    """Mark as a whole each configSchema that the catalog does not accept, in place, and count them.

    The row itself is imported. Without it, all rows that refer to the integration would be rejected.
    """
    if "config_schema" not in names:
        return
    at = names.index("config_schema")
    for record in records:
        schema = orjson.loads(record[at] or "null")
        stored = storable_schema(schema)
        if stored is not schema:
            record[at] = json_to_text(stored)
            tally.changed.add(_MARKED)
