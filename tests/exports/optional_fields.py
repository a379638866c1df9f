"""Rows of all 21 tables that leave out one optional field each, generated from the tables of the database.

The first rows of a table have every field. Then there is a row for each optional field, without that field. Where
the older systems demand less than the database does, `MORE_OPTIONAL` lists the field.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import asyncpg

from tests.exports.exported_world import JSON_COLUMNS, Row
from tests.sample_rows import SAMPLE_ROWS

_SIDE_TABLES: Final = (
    "issued_credentials", "site_enrollment_rules", "legacy_agents", "job_attempts", "job_progress"
)  # fmt: skip
TABLES: Final = tuple(table for table in SAMPLE_ROWS if table not in _SIDE_TABLES)
MORE_OPTIONAL: Final = frozenset(
    {
        ("data_source_to_site", "tenant_id"),
        ("integration_pricing_tiers", "effective_from"),
        ("tenant_bills", "period_start"), ("tenant_bills", "period_end"),
        ("tenant_billing_adjustments", "effective_from"), ("tenant_billing_adjustments", "effective_to"),
    }
)  # fmt: skip
WHOLE_ROWS: Final = 14
"""Rows with every field, to which the others refer."""

TIME: Final = 1_700_000_000_000
NEVER: Final = 9_007_199_254_740_991
CREATION: Final = 1_600_000_000_000
"""When Convex created a document without a `createdAt`."""

BILLING: Final = frozenset(
    {"integration_pricing_tiers", "tenant_bills", "tenant_bill_line_items", "tenant_billing_adjustments"}
)

_COLUMNS: Final = """
SELECT c.column_name::text AS name, c.data_type::text AS type,
       c.is_nullable = 'YES' OR c.column_default IS NOT NULL AS is_optional, c.column_default::text AS sql_default
FROM information_schema.columns c
WHERE c.table_schema = 'public' AND c.table_name = $1 AND c.is_generated = 'NEVER'
ORDER BY c.ordinal_position
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and type, whether a row may leave it out, and its value then, unless it is a time."""

    name: str
    type: str
    is_optional: bool
    default: Any


async def read_columns(connection: asyncpg.Connection) -> dict[str, list[Column]]:
    """The columns of each table."""
    return {table: [column async for column in _iter_columns(connection, table)] for table in TABLES}


async def _iter_columns(connection: asyncpg.Connection, table: str) -> Any:
    for row in await connection.fetch(_COLUMNS, table):
        sql = row["sql_default"]
        has_default = sql is not None and "(" not in sql
        default = await connection.fetchval(f"SELECT {sql}") if has_default else None
        if default is not None and row["name"] in JSON_COLUMNS:
            default = json.loads(default)
        optional = row["is_optional"] or (table, row["name"]) in MORE_OPTIONAL
        yield Column(row["name"], row["type"], optional and row["name"] != "id", default)


def make_rows(columns: Mapping[str, list[Column]]) -> dict[str, list[Row]]:
    """The rows of each table. `left_out` of a row is the field that it leaves out; "" for none."""
    return {table: list(_iter_rows(table, columns[table])) for table in TABLES}


def _iter_rows(table: str, columns: list[Column]) -> Iterator[Row]:
    left_out = [""] * WHOLE_ROWS + [column.name for column in columns if column.is_optional]
    for number, name in enumerate(left_out):
        row = {column.name: _make_value(table, column, number) for column in columns}
        if table in _SPECIAL:
            row |= _SPECIAL[table](number)
        if (table, name) == ("audit_log", "tenant_id"):
            row["user_id"] = None  # a change without a tenant has no person
        if name:
            row[name] = None
        yield {**row, "left_out": name}


def _make_value(table: str, column: Column, number: int) -> Any:
    ids = {other: f"{other}-0" for other in TABLES}
    sample = SAMPLE_ROWS[table].get(column.name)
    if column.name == "id":
        return f"{table}-{number}"
    if isinstance(sample, str) and sample.startswith("{"):
        return sample.format(tenant="tenants-0", **ids)
    return _TYPES[column.type](column.name, number) if sample is None else sample


_TYPES: Final[Mapping[str, Callable[[str, int], Any]]] = {
    "text": lambda name, number: f"{name} {number}",
    "bigint": lambda name, number: TIME + 1_000 * number + len(name),
    "integer": lambda name, number: number + len(name),
    "numeric": lambda _name, number: Decimal(number) + Decimal("12.5"),
    "boolean": lambda _name, _number: True,
    "jsonb": lambda name, number: {name: [number, "a", None]},
    "ARRAY": lambda _name, _number: ["sites", "tickets"],
}
_SPECIAL: Final[Mapping[str, Callable[[int], Row]]] = {
    "tenants": lambda _number: {"status": "suspended"},
    "roles": lambda _number: {"tenant_id": "tenants-0", "rights": {"Sites.Read": True}},
    "users": lambda number: {"email": f"u{number}@example.com", "status": "inactive"},
    "integrations": lambda _number: {"config_schema": {"properties": {"a": {"type": "array"}}}},
    "sites": lambda number: {"slug": f"s{number}", "status": "archived"},
    "data_sources": lambda _number: {"status": "error"},
    "data_source_to_site": lambda number: {"site_id": f"sites-{number}"},
    "agents": lambda number: {"guid": f"g{number}", "mac_address": f"00:16:3e:aa:bb:{number:02x}"},
    "entities": lambda number: {"external_id": str(number)},
    "global_entities": lambda number: {"external_id": str(number)},
    "entity_relationships": lambda number: {"relationship_type": f"t{number}"},
    "scheduled_jobs": lambda _number: {"status": "running"},
    "events_log": lambda _number: {"status": "processing"},
    "health_checks": lambda number: {
        "resource_type": ("agent", "site")[number % 2],
        "resource_id": f"{('agents', 'sites')[number % 2]}-{number // 2}",
        "status": "down",
    },
    "api_logs": lambda _number: {"expires_at": TIME},
    "audit_log": lambda _number: {"actor_type": "user", "actor_id": "users-0"},
    "integration_pricing_tiers": lambda _number: {"effective_from": TIME + 1, "effective_until": TIME + 2},
    "tenant_bills": lambda number: {
        "period_start": TIME + number, "period_end": TIME + number + 9, "status": "paid",
        "created_at": TIME + 100, "updated_at": TIME + 400, "finalized_at": TIME + 200, "paid_at": TIME + 300,
    },
    "tenant_billing_adjustments": lambda _number: {"effective_from": TIME + 1, "effective_to": TIME + 2},
}  # fmt: skip

_BEST_KNOWN: Final[Mapping[tuple[str, str], Callable[[Row], Any]]] = {
    ("data_source_to_site", "tenant_id"): lambda _row: "tenants-0",
    ("audit_log", "actor_type"): lambda _row: "user",
    ("audit_log", "actor_id"): lambda _row: "users-0",
    ("scheduled_jobs", "scheduled_at"): lambda row: row["created_at"],
    ("health_checks", "last_check_at"): lambda row: row["created_at"],
    ("data_sources", "credential_expiration_at"): lambda _row: NEVER,
    ("integration_pricing_tiers", "effective_from"): lambda row: row["created_at"],
    ("integration_pricing_tiers", "created_at"): lambda row: min(row["updated_at"], row["deleted_at"]),
    ("tenant_bills", "period_start"): lambda row: min(row["period_end"], row["created_at"]),
    ("tenant_bills", "period_end"): lambda row: max(row["period_start"], row["finalized_at"]),
    ("tenant_bills", "created_at"): lambda row: row["finalized_at"],
    ("tenant_bill_line_items", "created_at"): lambda _row: TIME + 100,
    ("tenant_billing_adjustments", "effective_from"): lambda row: row["created_at"],
    ("tenant_billing_adjustments", "effective_to"): lambda _row: NEVER,
    ("tenant_billing_adjustments", "created_at"): lambda row: min(row["updated_at"], row["deleted_at"]),
}
"""What a field becomes that a row leaves out, where that is neither null nor the default of the database."""


def expect_row(table: str, columns: list[Column], row: Row, *, is_convex: bool) -> Row:
    """A row as it is stored."""
    name = row["left_out"]
    stored = {key: value for key, value in row.items() if key != "left_out"}
    if not name:
        return stored
    if name == "created_at" and is_convex:
        stored[name] = CREATION
    elif (table, name) in _BEST_KNOWN:
        stored[name] = _BEST_KNOWN[table, name](row)
    elif name == "updated_at" and table != "agent_api_logs":
        stored[name] = row["created_at"]
    else:
        stored[name] = next(column.default for column in columns if column.name == name)
    return stored
