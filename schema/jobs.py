"""Background jobs, and the log of events."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import EventStatus, JobStatus
from schema.scalars import Timestamp
from schema.table import Reference, Table, column


@strawberry.type(description="A piece of work in the background, such as a sync.")
class ScheduledJob:
    id: ID = column("The job's id.")
    tenant_id: ID = column("The tenant that it works for.")
    integration_id: ID = column("The integration that it works with.")
    data_source_id: ID | None = column("The data source that it works on, if it is one.")
    action: str = column("What it does: `sync.sites`, `sync.devices`, ...", search=True)
    payload: JSON = column("What it was given.")
    priority: int | None = column("Higher goes first; null is the middle.")
    status: JobStatus = column("How far it is.")
    attempts: int = column("How often it was tried.")
    attempts_max: int = column("How often it may be tried.")
    next_retry_at: Timestamp | None = column("When it is tried again; null if it is not.")
    scheduled_at: Timestamp = column("When it is due.")
    started_at: Timestamp | None = column("When it last began; null if it has not.")
    error: str | None = column("Why the last try failed.", search=True)
    created_by: str = column("Who or what asked for it.")
    created_at: Timestamp = column("When it was asked for.")
    updated_at: Timestamp = column("When it last changed.")


SCHEDULED_JOBS = Table(
    ScheduledJob, "scheduled_jobs", one="scheduledJob", many="scheduledJobs", module="Jobs",
    default_order=("scheduled_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="scheduledJobs",
            about_one="The tenant that it works for.", about_many="The jobs of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="scheduledJobs",
            about_one="The integration that it works with.",
            about_many="The viewer's jobs that work with this integration.",
        ),
        Reference(
            "data_source_id", "data_sources", one="dataSource", many="scheduledJobs",
            about_one="The data source that it works on.", about_many="The jobs that work on it.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="Something that happened to an entity, and how far its handling is.")
class EventLogEntry:
    id: ID = column("The event's id.")
    tenant_id: ID = column("The tenant of the entity.")
    entity_id: ID = column("The entity that it happened to.")
    event_type: str = column("What happened: created, updated, deleted, ...")
    status: EventStatus = column("How far its handling is.")
    payload: JSON = column("What is known of it.")
    processed_at: Timestamp | None = column("When it was handled; null while it is not.")
    retry_count: int = column("How often its handling was tried again.")
    created_at: Timestamp = column("When it happened.")
    updated_at: Timestamp = column("When its handling last changed.")


EVENTS_LOG = Table(
    EventLogEntry, "events_log", one="eventLogEntry", many="eventsLog", module="Events",
    default_order=("created_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="eventsLog",
            about_one="The tenant of the entity.", about_many="The events of this tenant.",
        ),
        Reference(
            "entity_id", "entities", one="entity", many="events",
            about_one="The entity that it happened to.", about_many="What happened to this entity.",
        ),
    ),
)  # fmt: skip
