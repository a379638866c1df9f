"""Health checks, and the logs of calls and changes."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import AuditAction, AuditActor, HealthResourceType, HealthStatus
from schema.scalars import Timestamp
from schema.table import Choice, Reference, Scope, Table, column

_HEALTH = "Its health; null while nothing has been reported."


@strawberry.type(
    description="How one resource is doing: an agent, a data source, a site, a job or an integration."
)
class HealthCheck:
    id: ID = column("The health check's id.")
    tenant_id: ID = column("The tenant of the resource.")
    resource_type: HealthResourceType = column("What the resource is.")
    resource_id: ID = column("The resource's id; one health check stands for each.")
    status: HealthStatus = column("How it is doing.")
    failure_count: int = column("Failures in a row; 0 while it is healthy.")
    last_check_at: Timestamp = column("When it was last looked at.")
    last_success_at: Timestamp | None = column("When it was last found well.")
    last_failure_at: Timestamp | None = column("When it was last found failing.")
    error_message: str | None = column("What the last failure said.", search=True)
    metadata: JSON | None = column("What more the last report said.")
    created_at: Timestamp = column("When it was first looked at.")
    updated_at: Timestamp = column("When the last report came.")


HEALTH_CHECKS = Table(
    HealthCheck, "health_checks", one="healthCheck", many="healthChecks", module="HealthChecks",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="healthChecks",
            about_one="The tenant of the resource.", about_many="How this tenant's resources are doing.",
        ),
        Reference("agent_id", "agents", only="healthCheck", about_many=_HEALTH),
        Reference("data_source_id", "data_sources", only="healthCheck", about_many=_HEALTH),
        Reference("site_id", "sites", only="healthCheck", about_many=_HEALTH),
        Reference("scheduled_job_id", "scheduled_jobs", only="healthCheck", about_many=_HEALTH),
        Reference(
            "integration_id", "integrations", only="healthCheck",
            about_many="Its health for the viewer's tenant; null while nothing has been reported.",
        ),
    ),
    choices=(
        Choice(
            "resource", "HealthCheckResource", "resource_type", "resource_id",
            {
                "agent": "agents",
                "data_source": "data_sources",
                "site": "sites",
                "scheduled_job": "scheduled_jobs",
                "integration": "integrations",
            },
            about="The resource that it looks at; null if it was deleted.",
            about_union="What a health check can look at.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="One call to a vendor's API and its answer. For the platform alone.")
class ApiLog:
    id: ID = column("The entry's id.")
    url: str = column("The address that was called, without secrets.", search=True)
    method: str = column("The HTTP method.")
    status_code: int | None = column("The HTTP status that came back; null if none did.")
    duration_ms: int | None = column("How long it took, in milliseconds.")
    body: str | None = column("What was sent, without secrets.", filter=False, order=False)
    response_body: str | None = column("What came back, without secrets.", filter=False, order=False)
    headers: JSON | None = column("The headers sent, without secrets.", filter=False)
    response_headers: JSON | None = column("The headers that came back, without secrets.", filter=False)
    error_code: str | None = column("Why no answer came: timeout, refused, ...", search=True)
    expires_at: Timestamp = column("When the server deletes the entry.")
    created_at: Timestamp = column("When the call was made.")


API_LOGS = Table(
    ApiLog, "api_logs", one="apiLog", many="apiLogs", module="Logs", scope=Scope.PLATFORM,
    default_order=("created_at", "desc"),
)  # fmt: skip


@strawberry.type(
    description="One change of a row by a person, an agent or the platform. Never changed afterwards."
)
class AuditLogEntry:
    id: ID = column("The entry's id.")
    tenant_id: ID | None = column("The tenant of the row; null for the platform's own tables.")
    user_id: ID | None = column("The user who made the change; null if it was no user.")
    actor_type: AuditActor = column("What kind of actor made the change.")
    actor_id: str | None = column("The actor's id.")
    table_name: str = column("The table of the row.", search=True)
    record_id: str = column("The row's id.", search=True)
    action: AuditAction = column("What was done.")
    changes: JSON = column("Each changed field with its value before and after: `{field: [before, after]}`.")
    created_at: Timestamp = column("When it was done.")


AUDIT_LOG = Table(
    AuditLogEntry, "audit_log", one="auditLogEntry", many="auditLog", module="Audit",
    default_order=("created_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="auditLog",
            about_one="The tenant of the row.", about_many="The changes made in this tenant.",
        ),
        Reference(
            "user_id", "users", one="user", many="auditLog",
            about_one="The user who made the change.", about_many="The changes that this user made.",
        ),
    ),
)  # fmt: skip
