"""All 21 tables and the views of them, and what follows from them taken together."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from schema.agents import AGENT_API_LOGS, AGENTS
from schema.billing import (
    INTEGRATION_PRICING_TIERS,
    TENANT_BILL_LINE_ITEMS,
    TENANT_BILLING_ADJUSTMENTS,
    TENANT_BILLS,
)
from schema.core import ROLES, SITES, TENANTS, USERS
from schema.entities import ENTITIES, ENTITY_RELATIONSHIPS, GLOBAL_ENTITIES
from schema.integrations import DATA_SOURCE_TO_SITE, DATA_SOURCES, INTEGRATIONS
from schema.jobs import EVENTS_LOG, SCHEDULED_JOBS
from schema.monitoring import API_LOGS, AUDIT_LOG, HEALTH_CHECKS
from schema.table import Reference, Table
from schema.views import VIEWS

TABLES: Final[tuple[Table, ...]] = (
    TENANTS,
    USERS,
    ROLES,
    SITES,
    INTEGRATIONS,
    DATA_SOURCES,
    DATA_SOURCE_TO_SITE,
    AGENTS,
    AGENT_API_LOGS,
    ENTITIES,
    GLOBAL_ENTITIES,
    ENTITY_RELATIONSHIPS,
    SCHEDULED_JOBS,
    EVENTS_LOG,
    HEALTH_CHECKS,
    API_LOGS,
    AUDIT_LOG,
    INTEGRATION_PRICING_TIERS,
    TENANT_BILLS,
    TENANT_BILL_LINE_ITEMS,
    TENANT_BILLING_ADJUSTMENTS,
)

LISTED: Final[tuple[Table, ...]] = (*TABLES, *VIEWS)
"""Everything that has a list of its own: the tables, and the views that show their rows otherwise."""

BY_NAME: Final[Mapping[str, Table]] = {table.name: table for table in TABLES}
"""The tables by their SQL name."""

REFERENCES: Final[tuple[tuple[Table, Reference], ...]] = tuple((t, r) for t in TABLES for r in t.references)
"""Every reference with the table that declares it."""


def pointing_at(table: Table) -> tuple[tuple[Table, Reference], ...]:
    """The references of all tables that name rows of `table`."""
    return tuple((child, r) for child, r in REFERENCES if r.table == table.name)


class Side(Enum):
    """From where a reference is followed, and to how many rows."""

    ONE = auto()
    """From the row that declares it, to the row that it names."""
    MANY = auto()
    """From the row that it names, to all that name it."""
    ONLY = auto()
    """From the row that it names, to the one that names it."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A field that leads from a row to rows of another table.

    Attributes:
        field: The field's GraphQL name.
        side: From where the reference is followed.
        target: The table that it leads to.
        reference: What it follows.
    """

    field: str
    side: Side
    target: Table
    reference: Reference


def relations(table: Table) -> tuple[Relation, ...]:
    """The fields that lead from a row of `table` to rows of others, on either side of each reference."""
    pointing = pointing_at(table)
    return (
        *(Relation(r.one, Side.ONE, BY_NAME[r.table], r) for r in table.references if r.one),
        *(Relation(r.only, Side.ONLY, child, r) for child, r in pointing if r.only),
        *(Relation(r.many, Side.MANY, child, r) for child, r in pointing if r.many),
    )


RELATIONS: Final[Mapping[str, Mapping[str, Relation]]] = {
    table.name: {relation.field: relation for relation in relations(table)} for table in LISTED
}
"""The relations of each table and view by their field."""
