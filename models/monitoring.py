"""Health checks, and the logs of calls and changes."""

from tortoise.models import Model

from models import columns
from models.enums import AuditAction, AuditActor, HealthResourceType, HealthStatus


class HealthCheck(Model):
    """How one resource of a tenant fares.

    In the database `agent_id`, `data_source_id`, `site_id`, `scheduled_job_id` and `integration_id` are
    generated from the two resource columns, to carry the foreign keys; they are not part of the model.
    """

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    resource_type = columns.Enumerated(HealthResourceType, description="The kind of the resource.")
    resource_id = columns.Text(description="The resource's id in the table of its kind.")
    status = columns.Enumerated(
        HealthStatus, default=HealthStatus.HEALTHY, description="How the resource fares."
    )
    failure_count = columns.Integer(default=0, description="Failures in a row.")
    last_check_at = columns.Milliseconds(description="When it was last looked at.")
    last_success_at = columns.Milliseconds(null=True, description="When it was last found healthy.")
    last_failure_at = columns.Milliseconds(null=True, description="When it was last found failing.")
    error_message = columns.Text(null=True, description="What the last failure said.")
    metadata = columns.Json(null=True, description="What else the check found.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "health_checks"


class ApiLog(Model):
    """One call to another product's API; for the platform only, deleted once expired."""

    id = columns.primary_key()
    url = columns.Text(description="What was called.")
    method = columns.Text(description="The HTTP method.")
    status_code = columns.Integer(null=True, description="The HTTP status; absent without an answer.")
    duration_ms = columns.Integer(null=True, description="How long it took, in milliseconds.")
    body = columns.Text(null=True, description="What was sent; never a secret.")
    response_body = columns.Text(null=True, description="What came back; never a secret.")
    headers = columns.Json(null=True, description="The request's headers; never a token.")
    response_headers = columns.Json(null=True, description="The answer's headers; never a token.")
    error_code = columns.Text(null=True, description="Why there was no answer, or no good one.")
    expires_at = columns.Milliseconds(description="When the row may be deleted.")
    created_at = columns.created_at()

    class Meta:
        table = "api_logs"


class AuditLogEntry(Model):
    """One change to one record; rows are only ever added."""

    id = columns.primary_key()
    tenant_id: str | None
    tenant = columns.reference(
        "Tenant", "The tenant whose record it is; absent for a table without tenant.", null=True
    )
    user_id: str | None
    user = columns.reference("User", "The person who made the change, if it was one.", null=True)
    actor_type = columns.Enumerated(AuditActor, default=AuditActor.SYSTEM, description="Who made the change.")
    actor_id = columns.Text(null=True, description="Which one of them.")
    table_name = columns.Text(description="The table of the record.")
    record_id = columns.Text(description="The record's id.")
    action = columns.Enumerated(AuditAction, description="What was done to the record.")
    changes = columns.Json(default=dict, description="Each changed column, before and after; never a secret.")
    created_at = columns.created_at()

    class Meta:
        table = "audit_log"
