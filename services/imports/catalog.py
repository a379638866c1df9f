"""Checks the schemas of imported integrations by the rule of `createIntegration`, and keeps their order of names."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from core.exact_json import dump_json, is_same_json, parse_json
from core.limits import IMPORT_LINE_BYTES_MAX
from core.storable import dump_storable_json
from services.configs.schemas import build_stored_schema
from services.configs.written_order import add_written_order, remove_order
from services.imports.source import TableTally

_MARKED: Final = (
    "configSchema does not show where all secrets are: it is marked as a whole, so that no config is shown"
)
_PRESENT: Final = "SELECT id, config_schema::text FROM public.integrations WHERE id = ANY($1::text[])"


async def prepare_schemas(
    connection: asyncpg.Connection, records: Sequence[list[Any]], names: Sequence[str], tally: TableTally
) -> None:
    """Note the order of each configSchema, in place. Mark those as a whole that the catalog does not accept.

    The row itself is imported. Without it, all rows that refer to the integration would be rejected.
    """
    if "config_schema" not in names:
        return
    own, at = names.index("id"), names.index("config_schema")
    rows = await connection.fetch(_PRESENT, [record[own] for record in records])
    present = {row["id"]: row["config_schema"] for row in rows}
    for record in records:
        schema = parse_json(record[at] or "null")
        stored = build_stored_schema(schema)
        if stored is not schema:
            tally.changed.add(_MARKED)
        if stored is not None:
            record[at] = dump_storable_json(
                _add_order(stored, parse_json(present.get(record[own]) or "null")), IMPORT_LINE_BYTES_MAX
            )


def _add_order(schema: Any, present: Any) -> Any:
    """The schema with its order. Sorted names are no order, so that an equal schema keeps its present one.

    A dump of PostgreSQL has the order of `jsonb`, and Convex sorts by the alphabet.
    """
    ordered = add_written_order(schema)
    is_sorted = ordered == schema or dump_json(schema) == dump_json(schema, sort_keys=True)
    return present if is_sorted and is_same_json(schema, remove_order(present)) else ordered
