"""The closed sets of values in the form of the database (lower case). Member names have the form of GraphQL."""

from enum import StrEnum


class TenantStatus(StrEnum):
    """Whether an organization is served."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class UserStatus(StrEnum):
    """Whether a person may sign in. PENDING is an invitation that is not accepted yet."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"


class SiteStatus(StrEnum):
    """Whether a customer's site is in service."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class DataSourceStatus(StrEnum):
    """Whether a configured integration is synchronized. ERROR means that its last attempt failed permanently."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ERROR = "error"


class JobStatus(StrEnum):
    """The state of a background job."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class JobOutcome(StrEnum):
    """How an attempt of a background job ended."""

    COMPLETED = "completed"
    CREDENTIALS = "credentials"
    RATE_LIMITED = "rate_limited"
    VENDOR_DOWN = "vendor_down"
    FAULT = "fault"
    OUTCOME_UNKNOWN = "outcome_unknown"
    LOST = "lost"
    RELEASED = "released"
    CANCELED = "canceled"


class JobBlock(StrEnum):
    """Why a pending background job does not run now."""

    IMPORTED = "imported"
    PAUSED = "paused"
    TENANT_INACTIVE = "tenant_inactive"
    DUE_LATER = "due_later"
    DATA_SOURCE_BUSY = "data_source_busy"
    VENDOR_BUDGET = "vendor_budget"
    TENANT_CAP = "tenant_cap"


class EventStatus(StrEnum):
    """The processing state of an event."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class HealthStatus(StrEnum):
    """The health of a monitored resource."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


class HealthResourceType(StrEnum):
    """The resource of a health check: the table that contains the resource's id."""

    AGENT = "agent"
    DATA_SOURCE = "data_source"
    SITE = "site"
    SCHEDULED_JOB = "scheduled_job"
    INTEGRATION = "integration"


class AuditActor(StrEnum):
    """The kind of author of a change."""

    USER = "user"
    AGENT = "agent"
    PLATFORM = "platform"
    SYSTEM = "system"


class AuditAction(StrEnum):
    """The kind of change to a record. DELETE is a soft delete, RESTORE undoes one."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"


class BillStatus(StrEnum):
    """The state of a bill. A CANCELLED one makes its period available for another."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    CANCELLED = "cancelled"


class AdjustmentType(StrEnum):
    """The direction in which an adjustment changes a bill."""

    CREDIT = "credit"
    DEBIT = "debit"
    DISCOUNT = "discount"


class CredentialKind(StrEnum):
    """The purpose of an issued credential."""

    ENROLLMENT = "enrollment"
    AGENT = "agent"
    INVITATION = "invitation"
    PLATFORM = "platform"
