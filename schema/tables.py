"""The 21 tables, our additional tables, the views, and data that is derived from all of them."""

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
from schema.credentials import ISSUED_CREDENTIALS, SITE_ENROLLMENT_RULES
from schema.entities import ENTITIES, ENTITY_RELATIONSHIPS, GLOBAL_ENTITIES
from schema.integrations import DATA_SOURCE_TO_SITE, DATA_SOURCES, INTEGRATIONS
from schema.jobs import EVENTS_LOG, JOB_ATTEMPTS, JOB_PROGRESS, SCHEDULED_JOBS
from schema.legacy_agents import LEGACY_AGENTS
from schema.monitoring import API_LOGS, AUDIT_LOG, HEALTH_CHECKS
from schema.table import Reference, Table
from schema.views import VIEWS

REFERENCE_TABLES: Final[tuple[Table, ...]] = (
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
"""The 21 tables of the product's reference."""

SIDE_TABLES: Final[tuple[Table, ...]] = (
    ISSUED_CREDENTIALS,
    SITE_ENROLLMENT_RULES,
    LEGACY_AGENTS,
    JOB_ATTEMPTS,
    JOB_PROGRESS,
)
"""Our tables in addition to the 21, as listed in ARCHITECTURE.md. A Convex snapshot has none of them."""

TABLES: Final[tuple[Table, ...]] = (*REFERENCE_TABLES, *SIDE_TABLES)
"""All tables."""

LISTED: Final[tuple[Table, ...]] = (*TABLES, *VIEWS)
"""Everything with a list: the tables, and the views that show their rows in another form."""

BY_NAME: Final[Mapping[str, Table]] = {table.name: table for table in TABLES}
"""The tables by their SQL name."""

REFERENCES: Final[tuple[tuple[Table, Reference], ...]] = tuple((t, r) for t in TABLES for r in t.references)
"""Every reference with the table that declares it."""


def list_references_to(table: Table) -> tuple[tuple[Table, Reference], ...]:
    """The references of all tables to rows of `table`."""
    return tuple((child, r) for child, r in REFERENCES if r.table == table.name)


class Side(Enum):
    """The direction in which a reference is followed, and the number of rows."""

    ONE = auto()
    """From the declaring row to the row that it references."""
    MANY = auto()
    """From the referenced row to all rows that reference it."""
    ONLY = auto()
    """From the referenced row to the one row that references it."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A field that leads from a row to rows of another table.

    Attributes:
        field: The field's GraphQL name.
        side: The direction in which the reference is followed.
        target: The table that it leads to.
        reference: The reference.
    """

    field: str
    side: Side
    target: Table
    reference: Reference


def build_relations(table: Table) -> tuple[Relation, ...]:
    """The fields that lead from a row of `table` to rows of others, on both sides of each reference."""
    pointing = list_references_to(table)
    return (
        *(Relation(r.one, Side.ONE, BY_NAME[r.table], r) for r in table.references if r.one),
        *(Relation(r.only, Side.ONLY, child, r) for child, r in pointing if r.only),
        *(Relation(r.many, Side.MANY, child, r) for child, r in pointing if r.many),
    )


RELATIONS: Final[Mapping[str, Mapping[str, Relation]]] = {
    table.name: {relation.field: relation for relation in build_relations(table)} for table in LISTED
}
"""The relations of each table and view by their field."""
