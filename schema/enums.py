"""The enums with descriptions. GraphQL shows the UPPER_CASE names, the database stores the lower-case values.

Declarations import their enums from here, so that the enums have descriptions before Strawberry uses them.
"""

from enum import Enum, StrEnum
from typing import Final

import strawberry

from core.auth.viewer import ViewerKind
from models.enums import (
    AdjustmentType,
    AuditAction,
    AuditActor,
    BillStatus,
    CredentialKind,
    DataSourceStatus,
    EventStatus,
    HealthResourceType,
    HealthStatus,
    JobBlock,
    JobOutcome,
    JobStatus,
    SiteStatus,
    TenantStatus,
    UserStatus,
)


def describe(enum: type[Enum], about: str, **values: str) -> None:
    """Make `enum` a GraphQL enum; `values` describes every member by its name.

    Raises:
        ValueError: A member has no description, or a description has no member.
    """
    if set(values) != set(enum.__members__):
        raise ValueError(f"{enum.__name__} has {sorted(enum.__members__)}, described are {sorted(values)}")
    strawberry.enum(enum, description=about)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


class Direction(StrEnum):
    """The direction of a list's order."""

    ASC = "asc"
    DESC = "desc"


class Nulls(StrEnum):
    """The position of rows without a value in a list."""

    FIRST = "first"
    LAST = "last"


describe(
    Direction,
    "The direction of an order.",
    ASC="Ascending: the smallest value first.",
    DESC="Descending: the largest value first.",
)
describe(
    Nulls,
    "The position of rows without a value.",
    FIRST="Before all other rows.",
    LAST="After all other rows.",
)
describe(
    ViewerKind,
    "The kind of a caller.",
    USER="A person who is signed in at the identity provider.",
    PLATFORM="The operator of this server, with a service token.",
    INVITED="A person without a user, who may accept an invitation.",
)
describe(
    TenantStatus,
    "The status of a tenant.",
    ACTIVE="Its users may sign in.",
    INACTIVE="The tenant has left. Its users may not sign in.",
    SUSPENDED="The tenant is blocked temporarily. Its users may not sign in.",
)
describe(
    UserStatus,
    "The status of a user.",
    ACTIVE="The user may sign in.",
    INACTIVE="The user was deactivated and may not sign in.",
    PENDING="The user was invited and has not signed in yet.",
)
describe(
    SiteStatus,
    "The status of a site.",
    ACTIVE="The site is in service.",
    INACTIVE="The site is out of service at the moment.",
    ARCHIVED="The site is kept for the record. Its agents are rejected.",
)
describe(
    DataSourceStatus,
    "The status of a data source.",
    ACTIVE="The data source works.",
    INACTIVE="The data source was disabled.",
    ERROR="The data source failed: wrong or expired credentials, or a fault at the vendor.",
)
describe(
    JobStatus,
    "The status of a job.",
    PENDING="The job waits for its scheduled time or its next retry.",
    RUNNING="The job is running.",
    COMPLETED="The job succeeded.",
    FAILED="The job failed, and there is no further retry.",
)
describe(
    JobOutcome,
    "How an attempt of a job ended.",
    COMPLETED="The job succeeded.",
    CREDENTIALS="The vendor refused the credentials. There is no retry, and the data source has the status ERROR.",
    RATE_LIMITED="The vendor asked for a pause. The attempt does not count.",
    VENDOR_DOWN="The vendor could not be reached, or failed.",
    FAULT="An error of this server. Its log has the details under the `errorId` of the error.",
    OUTCOME_UNKNOWN="It is unknown whether a call was made that must not be repeated. There is no retry.",
    LOST="The worker ended or stalled. After the third time, the job fails.",
    RELEASED="The worker stopped and gave the job back. The attempt does not count.",
    CANCELED="The job was canceled.",
)
describe(
    JobBlock,
    "Why a pending job does not run now.",
    IMPORTED="The job was imported. It starts only if a person runs it.",
    PAUSED="The servers of this database are paused, as after a restore.",
    TENANT_INACTIVE="The tenant is not active.",
    DUE_LATER="The job is due later.",
    DATA_SOURCE_BUSY="Another synchronization of its data source is running.",
    VENDOR_BUDGET="As many jobs as the vendor allows for the account are running.",
    TENANT_CAP="As many jobs of the tenant as allowed are running.",
)
describe(
    EventStatus,
    "The status of the processing of an event.",
    PENDING="The processing has not begun.",
    PROCESSING="The processing is in progress.",
    COMPLETED="The processing succeeded.",
    FAILED="The processing failed.",
)
describe(
    HealthStatus,
    "The health of a resource.",
    HEALTHY="The last check succeeded.",
    DEGRADED="The last check failed, but there were too few failures for DOWN.",
    DOWN="Several checks in a row failed.",
)
describe(
    HealthResourceType,
    "The kind of a resource with a health check.",
    AGENT="An agent on a client device.",
    DATA_SOURCE="A data source.",
    SITE="A site.",
    SCHEDULED_JOB="A background job.",
    INTEGRATION="An integration, as the tenant uses it.",
)
describe(
    AuditActor,
    "The kind of the actor who changed a row.",
    USER="A person.",
    AGENT="An agent on a client device.",
    PLATFORM="The operator, with a service token.",
    SYSTEM="The server itself.",
)
describe(
    AuditAction,
    "The kind of a change.",
    CREATE="The row was created.",
    UPDATE="The row was updated.",
    DELETE="The row was deleted. Most rows can be restored.",
    RESTORE="The row was restored.",
)
describe(
    BillStatus,
    "The status of a bill.",
    DRAFT="The bill may still change.",
    FINALIZED="The bill is final and due.",
    PAID="The bill was paid.",
    CANCELLED="The bill was cancelled. The period may be billed again.",
)
describe(
    AdjustmentType,
    "The type of an adjustment.",
    CREDIT="Reduces the bill by an amount.",
    DEBIT="Increases the bill by an amount.",
    DISCOUNT="Reduces the bill by an agreed discount.",
)
describe(
    CredentialKind,
    "The kind of an issued credential.",
    ENROLLMENT="A token with which agents enroll at a site.",
    AGENT="A token with which an agent checks in.",
    INVITATION="A code with which an invited person accepts the invitation.",
    PLATFORM="A token with which the operator acts as the platform.",
)

PRODUCT_ENUMS: Final[tuple[type[StrEnum], ...]] = (
    TenantStatus,
    UserStatus,
    SiteStatus,
    DataSourceStatus,
    JobStatus,
    JobOutcome,
    JobBlock,
    EventStatus,
    HealthStatus,
    HealthResourceType,
    AuditActor,
    AuditAction,
    BillStatus,
    AdjustmentType,
    CredentialKind,
)
"""The enums of columns."""

__all__ = [
    "PRODUCT_ENUMS",
    "AdjustmentType",
    "AuditAction",
    "AuditActor",
    "BillStatus",
    "CredentialKind",
    "DataSourceStatus",
    "Direction",
    "EventStatus",
    "HealthResourceType",
    "HealthStatus",
    "JobBlock",
    "JobOutcome",
    "JobStatus",
    "Nulls",
    "SiteStatus",
    "TenantStatus",
    "UserStatus",
    "describe",
]
