"""The closed sets of values, as the database writes them (lower case); member names as GraphQL shows them."""

from enum import StrEnum


class TenantStatus(StrEnum):
    """Whether an organisation is served."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class UserStatus(StrEnum):
    """Whether a person may sign in; PENDING is an invitation not yet taken up."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    PENDING = "pending"


class SiteStatus(StrEnum):
    """Whether a customer's site is looked after."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class DataSourceStatus(StrEnum):
    """Whether a configured integration is synchronised; ERROR when its last attempt failed for good."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ERROR = "error"


class JobStatus(StrEnum):
    """Where a background job stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class EventStatus(StrEnum):
    """Where the processing of an event stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class HealthStatus(StrEnum):
    """How a monitored resource fares."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


class HealthResourceType(StrEnum):
    """What a health check watches: the table in which its resource's id is found."""

    AGENT = "agent"
    DATA_SOURCE = "data_source"
    SITE = "site"
    SCHEDULED_JOB = "scheduled_job"
    INTEGRATION = "integration"


class AuditActor(StrEnum):
    """Who made a change."""

    USER = "user"
    AGENT = "agent"
    PLATFORM = "platform"
    SYSTEM = "system"


class AuditAction(StrEnum):
    """What a change did to its record; DELETE is a soft delete, RESTORE takes one back."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"


class BillStatus(StrEnum):
    """Where a bill stands; a CANCELLED one frees its period for another."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    CANCELLED = "cancelled"


class AdjustmentType(StrEnum):
    """Which way an adjustment moves a bill."""

    CREDIT = "credit"
    DEBIT = "debit"
    DISCOUNT = "discount"
