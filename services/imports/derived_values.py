"""Fills what staged rows leave out from other values: the row's own, those of a row it refers to, or the stored ones.

The older systems demand less than the tables here (table_shapes.py lists these columns). Each rule gives the same
value again for the same file. The present time is the last resort, and a stored row keeps it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import asyncpg

from core.clock import NEVER
from services.imports.import_tables import ImportTable
from services.imports.row_checks import ReferenceTargets
from services.imports.source import TableTally


class _Rule(NamedTuple):
    """How an absent value is derived.

    Attributes:
        column: The column.
        sql: The value, or NULL. `s` is the staged row; {known} stands for the rows of `table`.
        note: What the report counts; "" for nothing.
        table: Another table whose rows are read.
        columns: The columns of it that are read.
        condition: SQL: which staged rows the rule is for.
    """

    column: str
    sql: str
    note: str = ""
    table: str = ""
    columns: str = ""
    condition: str = "true"


_STORED: Final = "(SELECT t.{column} FROM public.{table} t WHERE t.id = s.id)"


def _stored(table: str, column: str) -> str:
    return _STORED.format(table=table, column=column)


def _past(column: str) -> str:
    """A planned time if it is over."""
    return f"CASE WHEN s.{column} <= app.now_ms() THEN s.{column} END"


def _created_at(table: str, *known: str, other: tuple[str, str] = ("", "")) -> _Rule:
    """The creation time: the stored one, else the first of the known times, else the present."""
    choices = [_stored(table, "created_at"), *known, "app.now_ms()"]
    note = "createdAt: was absent and became the best known time"
    return _Rule("created_at", f"coalesce({', '.join(choices)})", note, *other)


_UPDATED_AT: Final = _Rule("updated_at", "s.created_at")
_EFFECTIVE_FROM: Final = _Rule(
    "effective_from", "s.created_at", "effectiveFrom: was absent and became createdAt"
)
_BILL_CREATED_AT: Final = "(SELECT b.created_at FROM {known} b WHERE b.id = s.bill_id LIMIT 1)"

_RULES: Final[Mapping[str, tuple[_Rule, ...]]] = {
    "data_source_to_site": (
        _Rule(
            "tenant_id",
            "(SELECT d.tenant_id FROM {known} d WHERE d.id = s.data_source_id LIMIT 1)",
            "tenantId: was absent and became that of the data source",
            "data_sources",
            "id, tenant_id",
        ),
    ),
    "audit_log": (
        _Rule("actor_type", _stored("audit_log", "actor_type")),
        _Rule(
            "actor_type",
            "'user'",
            "actorType: was absent and became user, since there is a userId",
            condition="s.user_id IS NOT NULL",
        ),
        _Rule("actor_type", "'system'"),
        _Rule("actor_id", _stored("audit_log", "actor_id")),
        _Rule(
            "actor_id",
            "s.user_id",
            condition="s.actor_type = 'user' AND NOT EXISTS (SELECT FROM public.audit_log t WHERE t.id = s.id)",
        ),
    ),
    "integration_pricing_tiers": (
        _created_at(
            "integration_pricing_tiers", "least(s.updated_at, s.deleted_at)", _past("effective_from")
        ),
        _UPDATED_AT,
        _EFFECTIVE_FROM,
    ),
    "tenant_bills": (
        _created_at(
            "tenant_bills",
            "least(s.finalized_at, s.paid_at, s.updated_at)",
            _past("period_end"),
            _past("period_start"),
        ),
        _UPDATED_AT,
        _Rule(
            "period_start",
            "least(s.period_end, s.created_at)",
            "periodStart: was absent and became the best known time",
        ),
        _Rule(
            "period_end",
            "greatest(s.period_start, coalesce(s.finalized_at, s.paid_at, s.created_at))",
            "periodEnd: was absent and became the best known time",
        ),
    ),
    "tenant_bill_line_items": (
        _created_at("tenant_bill_line_items", _BILL_CREATED_AT, other=("tenant_bills", "id, created_at")),
    ),
    "tenant_billing_adjustments": (
        _created_at(
            "tenant_billing_adjustments", "least(s.updated_at, s.deleted_at)", _past("effective_from")
        ),
        _UPDATED_AT,
        _EFFECTIVE_FROM,
        _Rule("effective_to", str(NEVER), "effectiveTo: was absent and became never"),
    ),
}

_FILL: Final = """
UPDATE pg_temp.import_{table} s SET {column} = {sql}
WHERE s.{column} IS NULL AND {condition} AND ({sql}) IS NOT NULL
"""


async def derive_values(
    connection: asyncpg.Connection, shape: ImportTable, known: ReferenceTargets, tally: TableTally
) -> None:
    """Fill the absent values of a staged table, in place, and count them."""
    for rule in _RULES.get(shape.table, ()):
        source = known.sql(rule.table, rule.columns) if rule.table else ""
        statement = _FILL.format(
            table=shape.table,
            column=rule.column,
            sql=rule.sql.format(known=source),
            condition=rule.condition,
        )
        done = await connection.execute(statement)
        if rule.note and (filled := int(done.rpartition(" ")[2])):
            tally.changed.add(rule.note, filled)
