"""Background jobs, and events to process."""

from tortoise.models import Model

from models import columns
from models.enums import EventStatus, JobOutcome, JobStatus


class ScheduledJob(Model):
    """One piece of background work: when it is due, how often it was tried, how it ended."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    integration_id: str | None
    integration = columns.reference("Integration", "The integration that does the work.", null=True)
    data_source_id: str | None
    data_source = columns.reference("DataSource", "The data source for which it is done.", null=True)
    action = columns.Text(description="What is to be done: sync.sites, sync.devices, ...")
    payload = columns.Json(default=dict, description="What the work needs to know.")
    priority = columns.Integer(null=True, description="Among the jobs due, the higher goes first.")
    status = columns.Enumerated(JobStatus, default=JobStatus.PENDING, description="Where the job stands.")
    attempts = columns.Integer(default=0, description="How often it was tried.")
    attempts_max = columns.Integer(default=5, description="How often it is tried at most.")
    next_retry_at = columns.Milliseconds(null=True, description="When it is tried again.")
    scheduled_at = columns.Milliseconds(description="When it is due.")
    started_at = columns.Milliseconds(null=True, description="When the last attempt began.")
    error = columns.Text(null=True, description="Why the last attempt failed.")
    created_by = columns.Text(description="Who wanted it: a user's id, or the part of the system that did.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "scheduled_jobs"


class JobAttempt(Model):
    """One attempt of a background job that has ended."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    job_id: str
    job = columns.reference("ScheduledJob", "The job.")
    number = columns.Integer(description="The job's number of attempts when it ran.")
    started_at = columns.Milliseconds(description="When it began.")
    ended_at = columns.Milliseconds(description="When it ended, or when its end was noticed.")
    outcome = columns.Enumerated(JobOutcome, description="How it ended.")
    error = columns.Text(null=True, description="Why it failed.")
    worker = columns.Text(description="The worker that ran it.")
    created_at = columns.created_at()

    class Meta:
        table = "job_attempts"


class JobProgress(Model):
    """How far a background job is."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    job_id: str
    job = columns.reference("ScheduledJob", "The job; it has one row at most.")
    done = columns.Integer(description="How much is done.")
    total = columns.Integer(null=True, description="How much there is, if it is known.")
    unit = columns.Text(null=True, description="What is counted.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "job_progress"


class EventLogEntry(Model):
    """Something that happened to an entity, and what became of it."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    entity_id: str
    entity = columns.reference("Entity", "What it happened to.")
    event_type = columns.Text(description="What happened: created, updated, deleted, ...")
    status = columns.Enumerated(
        EventStatus, default=EventStatus.PENDING, description="Where its processing stands."
    )
    payload = columns.Json(default=dict, description="What is to be known of it.")
    processed_at = columns.Milliseconds(null=True, description="When it was processed.")
    retry_count = columns.Integer(default=0, description="How often processing was tried again.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "events_log"
