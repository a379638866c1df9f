"""Health checks, and the logs of calls and changes."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import AuditAction, AuditActor, HealthResourceType, HealthStatus
from schema.scalars import Timestamp
from schema.table import Choice, Reference, Scope, Table, column

_HEALTH = "The health check of this row; null if there is no report."


@strawberry.type(
    description="The health of one resource: an agent, a data source, a site, a job or an integration."
)
class HealthCheck:
    id: ID = column("The id of the health check.")
    tenant_id: ID = column("The tenant of the resource.")
    resource_type: HealthResourceType = column("The kind of the resource.")
    resource_id: ID = column("The id of the resource. Each resource has at most one health check.")
    status: HealthStatus = column("The health of the resource.")
    failure_count: int = column("The number of consecutive failures; 0 for a healthy resource.")
    last_check_at: Timestamp = column("The time of the last check.")
    last_success_at: Timestamp | None = column("The time of the last successful check.")
    last_failure_at: Timestamp | None = column("The time of the last failed check.")
    error_message: str | None = column("The error of the last failed check.", search=True)
    metadata: JSON | None = column("Further data of the last report.")
    created_at: Timestamp = column("The time of the first check.")
    updated_at: Timestamp = column("The time of the last report.")


HEALTH_CHECKS = Table(
    HealthCheck, "health_checks", one="healthCheck", many="healthChecks", module="HealthChecks",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="healthChecks",
            about_one="The tenant of the resource.", about_many="The health checks of this tenant.",
        ),
        Reference("agent_id", "agents", only="healthCheck", about_many=_HEALTH),
        Reference("data_source_id", "data_sources", only="healthCheck", about_many=_HEALTH),
        Reference("site_id", "sites", only="healthCheck", about_many=_HEALTH),
        Reference("scheduled_job_id", "scheduled_jobs", only="healthCheck", about_many=_HEALTH),
        Reference(
            "integration_id", "integrations", only="healthCheck",
            about_many="The health check of this integration for the viewer's tenant; null if there is no report.",
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
            about="The checked resource; null if it was deleted.",
            about_union="A resource with a health check.",
        ),
    ),
)  # fmt: skip


@strawberry.type(
    description="One logged call of a vendor's API with its response. Only the platform may read it."
)
class ApiLog:
    id: ID = column("The id of the entry.")
    url: str = column("The URL of the request, without secrets.", search=True)
    method: str = column("The HTTP method of the request.")
    status_code: int | None = column("The HTTP status of the response; null if there was none.")
    duration_ms: int | None = column("The duration in milliseconds.")
    body: str | None = column("The body of the request, without secrets.", filter=False, order=False)
    response_body: str | None = column(
        "The body of the response, without secrets.", filter=False, order=False
    )
    headers: JSON | None = column("The headers of the request, without secrets.", filter=False)
    response_headers: JSON | None = column("The headers of the response, without secrets.", filter=False)
    error_code: str | None = column(
        "The reason why there was no response: timeout, refused, ...", search=True
    )
    expires_at: Timestamp | None = column(
        "The time when the server deletes the entry; null for never.", never=True, not_null=True
    )
    created_at: Timestamp = column("The time of the call.")


API_LOGS = Table(
    ApiLog, "api_logs", one="apiLog", many="apiLogs", module="Logs", scope=Scope.PLATFORM,
    default_order=("created_at", "desc"),
)  # fmt: skip


@strawberry.type(
    description="One change of a row by a person, an agent or the platform. An entry never changes."
)
class AuditLogEntry:
    id: ID = column("The id of the entry.")
    tenant_id: ID | None = column("The tenant of the row; null for the platform's own tables.")
    user_id: ID | None = column("The user who made the change; null if no user did.")
    actor_type: AuditActor = column("The kind of actor who made the change.")
    actor_id: str | None = column("The id of the actor.")
    table_name: str = column("The table of the row.", search=True)
    record_id: str = column("The id of the row.", search=True)
    action: AuditAction = column("The kind of the change.")
    changes: JSON = column(
        "The changed fields with their values before and after: `{field: [before, after]}`. Of a JSON value it has "
        "the changed members only. A list of the same length is an object of its changed elements, "
        '`{"[index]": ...}`.'
    )
    created_at: Timestamp = column("The time of the change.")


AUDIT_LOG = Table(
    AuditLogEntry, "audit_log", one="auditLogEntry", many="auditLog", module="Audit",
    default_order=("created_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="auditLog",
            about_one="The tenant of the row.", about_many="The audit log of this tenant.",
        ),
        Reference(
            "user_id", "users", one="user", many="auditLog",
            about_one="The user who made the change.", about_many="The changes made by this user.",
        ),
    ),
)  # fmt: skip
