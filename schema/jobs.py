"""Background jobs, and the log of events."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import EventStatus, JobStatus
from schema.scalars import Timestamp
from schema.table import Reference, Table, column


@strawberry.type(description="A background job, such as a synchronization.")
class ScheduledJob:
    id: ID = column("The id of the job.")
    tenant_id: ID = column("The tenant of the job.")
    integration_id: ID = column("The integration that the job uses.")
    data_source_id: ID | None = column("The data source that the job processes; null if there is none.")
    action: str = column("The action of the job: `sync.sites`, `sync.devices`, ...", search=True)
    payload: JSON = column("The parameters of the job.")
    priority: int | None = column("The priority: higher values run first. Null is the middle.")
    status: JobStatus = column("The status of the job.")
    attempts: int = column("The number of attempts.")
    attempts_max: int = column("The maximum number of attempts.")
    next_retry_at: Timestamp | None = column("The time of the next retry; null if there is none.", never=True)
    scheduled_at: Timestamp = column("The scheduled time.")
    started_at: Timestamp | None = column("The time when the last attempt began; null if there was none.")
    error: str | None = column("The error of the last attempt.", search=True)
    created_by: str = column("The creator of the job.")
    created_at: Timestamp = column("The time of the creation.")
    updated_at: Timestamp = column("The time of the last change.")


SCHEDULED_JOBS = Table(
    ScheduledJob, "scheduled_jobs", one="scheduledJob", many="scheduledJobs", module="Jobs",
    default_order=("scheduled_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="scheduledJobs",
            about_one="The tenant of the job.", about_many="The jobs of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="scheduledJobs",
            about_one="The integration that the job uses.",
            about_many="The jobs of the viewer's tenant that use this integration.",
        ),
        Reference(
            "data_source_id", "data_sources", one="dataSource", many="scheduledJobs",
            about_one="The data source that the job processes; null if there is none.",
            about_many="The jobs that process this data source.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="An event of an entity, with the status of its processing.")
class EventLogEntry:
    id: ID = column("The id of the event.")
    tenant_id: ID = column("The tenant of the entity.")
    entity_id: ID = column("The entity of the event.")
    event_type: str = column("The type of the event: created, updated, deleted, ...")
    status: EventStatus = column("The status of the processing.")
    payload: JSON = column("Further data about the event.")
    processed_at: Timestamp | None = column("The time when the event was processed; null before that.")
    retry_count: int = column("The number of retries of the processing.")
    created_at: Timestamp = column("The time of the event.")
    updated_at: Timestamp = column("The time when the status of the processing last changed.")


EVENTS_LOG = Table(
    EventLogEntry, "events_log", one="eventLogEntry", many="eventsLog", module="Events",
    default_order=("created_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="eventsLog",
            about_one="The tenant of the entity.", about_many="The entity events of this tenant.",
        ),
        Reference(
            "entity_id", "entities", one="entity", many="events",
            about_one="The entity of the event.", about_many="The events of this entity.",
        ),
    ),
)  # fmt: skip
