"""The enums, described: GraphQL sees the UPPER_CASE names, the database the lower-case values.

Declarations import their enums from here, so that they are described before Strawberry meets them.
"""

from enum import Enum, StrEnum
from typing import Final

import strawberry

from core.viewer import ViewerKind
from models.enums import (
    AdjustmentType,
    AuditAction,
    AuditActor,
    BillStatus,
    DataSourceStatus,
    EventStatus,
    HealthResourceType,
    HealthStatus,
    JobStatus,
    SiteStatus,
    TenantStatus,
    UserStatus,
)


def describe(enum: type[Enum], about: str, **values: str) -> None:
    """Make `enum` a GraphQL enum; `values` describes every member by its name.

    Raises:
        ValueError: A member is not described, or a description has no member.
    """
    if set(values) != set(enum.__members__):
        raise ValueError(f"{enum.__name__} has {sorted(enum.__members__)}, described are {sorted(values)}")
    strawberry.enum(enum, description=about)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


class Direction(StrEnum):
    """Which way a list runs."""

    ASC = "asc"
    DESC = "desc"


class Nulls(StrEnum):
    """Where rows without a value stand in a list."""

    FIRST = "first"
    LAST = "last"


describe(Direction, "Which way a list runs.", ASC="The smallest first.", DESC="The largest first.")
describe(Nulls, "Where rows without a value stand.", FIRST="Before all others.", LAST="After all others.")
describe(
    ViewerKind,
    "What kind of caller is asking.",
    USER="A person, signed in at the identity provider.",
    PLATFORM="The operator of this server, by a service token.",
)
describe(
    TenantStatus,
    "Whether a tenant's people may work.",
    ACTIVE="They may.",
    INACTIVE="The tenant has left; nobody may sign in.",
    SUSPENDED="The tenant is barred for now; nobody may sign in.",
)
describe(
    UserStatus,
    "Whether a user may sign in.",
    ACTIVE="They may.",
    INACTIVE="They were switched off.",
    PENDING="They were invited and have not signed in yet.",
)
describe(
    SiteStatus,
    "Whether a site is served.",
    ACTIVE="It is.",
    INACTIVE="It is not at the moment.",
    ARCHIVED="It is kept for the record; its agents are turned away.",
)
describe(
    DataSourceStatus,
    "Whether a data source works.",
    ACTIVE="It does.",
    INACTIVE="It was switched off.",
    ERROR="It failed: wrong or expired credentials, or a fault at the vendor.",
)
describe(
    JobStatus,
    "How far a job is.",
    PENDING="It waits for its time, or for its next try.",
    RUNNING="It is at work.",
    COMPLETED="It ended well.",
    FAILED="It failed and is not tried again.",
)
describe(
    EventStatus,
    "How far the handling of an event is.",
    PENDING="It has not begun.",
    PROCESSING="It is at work.",
    COMPLETED="It ended well.",
    FAILED="It failed.",
)
describe(
    HealthStatus,
    "How a resource is doing.",
    HEALTHY="The last check was well.",
    DEGRADED="The last check failed, but not often enough to be down.",
    DOWN="It failed several times in a row.",
)
describe(
    HealthResourceType,
    "What a health check can look at.",
    AGENT="An agent on a client device.",
    DATA_SOURCE="A data source.",
    SITE="A site.",
    SCHEDULED_JOB="A background job.",
    INTEGRATION="An integration, for the tenant.",
)
describe(
    AuditActor,
    "What kind of actor changed a row.",
    USER="A person.",
    AGENT="An agent on a client device.",
    PLATFORM="The operator, by a service token.",
    SYSTEM="The server itself.",
)
describe(
    AuditAction,
    "What was done to a row.",
    CREATE="It was created.",
    UPDATE="It was changed.",
    DELETE="It was deleted; most rows can be restored.",
    RESTORE="It was brought back.",
)
describe(
    BillStatus,
    "How far a bill is.",
    DRAFT="It may still change.",
    FINALIZED="It is final and due.",
    PAID="It was paid.",
    CANCELLED="It was cancelled; the period may be billed anew.",
)
describe(
    AdjustmentType,
    "Which way an adjustment goes.",
    CREDIT="It lowers the bill by an amount.",
    DEBIT="It raises the bill by an amount.",
    DISCOUNT="It lowers the bill by an agreed reduction.",
)

PRODUCT_ENUMS: Final[tuple[type[StrEnum], ...]] = (
    TenantStatus,
    UserStatus,
    SiteStatus,
    DataSourceStatus,
    JobStatus,
    EventStatus,
    HealthStatus,
    HealthResourceType,
    AuditActor,
    AuditAction,
    BillStatus,
    AdjustmentType,
)
"""The enums that columns hold."""

__all__ = [
    "PRODUCT_ENUMS",
    "AdjustmentType",
    "AuditAction",
    "AuditActor",
    "BillStatus",
    "DataSourceStatus",
    "Direction",
    "EventStatus",
    "HealthResourceType",
    "HealthStatus",
    "JobStatus",
    "Nulls",
    "SiteStatus",
    "TenantStatus",
    "UserStatus",
    "describe",
]
