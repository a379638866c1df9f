"""Background jobs, and the log of events."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import EventStatus, JobBlock, JobOutcome, JobStatus
from schema.scalars import Timestamp
from schema.table import ColumnDependency, Reference, Table, column


@strawberry.type(description="A background job, such as a synchronization.")
class ScheduledJob:
    id: ID = column("The id of the job.")
    tenant_id: ID = column("The tenant of the job.")
    integration_id: ID | None = column("The integration that the job uses; null if it uses none.")
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
    blocked_by: JobBlock | None = column(
        "Why a pending job does not run now, as of the last change of one of the tenant's jobs; null if it is next, "
        "or not pending.",
        sql="app.job_blocked_by({t}.id, {t}.tenant_id, {t}.status)",
        reads=(("scheduled_jobs", "id"), ("scheduled_jobs", "tenant_id"), ("scheduled_jobs", "status")),
        dependencies=(
            ColumnDependency(
                "scheduled_jobs",
                ("id", "tenant_id", "status", "data_source_id", "scheduled_at", "next_retry_at"),
            ),
        ),
        order=False,
        stored=False,
    )
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
            about_one="The integration that the job uses; null if it uses none.",
            about_many="The jobs of the viewer's tenant that use this integration.",
        ),
        Reference(
            "data_source_id", "data_sources", one="dataSource", many="scheduledJobs",
            about_one="The data source that the job processes; null if there is none.",
            about_many="The jobs that process this data source.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="One attempt of a background job that has ended.")
class JobAttempt:
    id: ID = column("The id of the attempt.")
    tenant_id: ID = column("The tenant of the job.")
    job_id: ID = column("The job.")
    number: int = column("The `attempts` of the job during this attempt.")
    started_at: Timestamp = column("The time when the attempt began.")
    ended_at: Timestamp = column("The time when the attempt ended, or when its end was noticed.")
    outcome: JobOutcome = column("How the attempt ended.")
    error: str | None = column("The error of the attempt; null if there was none.", search=True)
    worker: str = column("The worker that ran the job.")
    created_at: Timestamp = column("The time when the row was created.")


JOB_ATTEMPTS = Table(
    JobAttempt, "job_attempts", one="jobAttempt", many="jobAttempts", module="Jobs",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="jobAttempts",
            about_one="The tenant of the job.", about_many="The ended attempts of the jobs of this tenant.",
        ),
        Reference(
            "job_id", "scheduled_jobs", one="job", many="attemptHistory",
            about_one="The job.", about_many="The ended attempts of the job, the first one first.",
        ),
    ),
)  # fmt: skip


@strawberry.type(
    description="How far a background job is. It changes a few times a second while the job runs."
)
class JobProgress:
    id: ID = column("The id of the row.")
    tenant_id: ID = column("The tenant of the job.")
    job_id: ID = column("The job.")
    done: int = column("How much is done.")
    total: int | None = column("How much there is; null if it is not known.")
    unit: str | None = column("What is counted, such as `devices`.")
    created_at: Timestamp = column("The time of the first report.")
    updated_at: Timestamp = column("The time of the last report.")


JOB_PROGRESS = Table(
    JobProgress, "job_progress", one="jobProgress", many="jobProgresses", module="Jobs",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="jobProgresses",
            about_one="The tenant of the job.", about_many="The progress of the jobs of this tenant.",
        ),
        Reference(
            "job_id", "scheduled_jobs", one="job", only="progress",
            about_one="The job.", about_many="How far the job is; null if it has reported nothing.",
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
