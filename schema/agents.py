"""Agents on client devices, and what they asked of us."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.scalars import Timestamp
from schema.table import Reference, Table, column


@strawberry.type(description="The program of ours on one client device; it checks in every minute.")
class Agent:
    id: ID = column("The agent's id, also the device id that it sends.")
    tenant_id: ID = column("The tenant that looks after the device.")
    site_id: ID = column("The site where the device is.")
    guid: str = column(
        "What tells the device from others across reinstalls; unique in the tenant.", search=True
    )
    hostname: str = column("The device's host name.", search=True)
    platform: str = column("The operating system: windows, macos, linux.")
    version: str = column("The agent's version.")
    ip_address: str | None = column("Its address in the local network.", search=True)
    mac_address: str | None = column("Its hardware address.", search=True)
    ext_address: str | None = column("The address that it is seen under from outside.", search=True)
    registered_at: Timestamp | None = column("When it enrolled.")
    last_checkin_at: Timestamp | None = column("When it last checked in; null if never.")
    is_online: bool = column(
        "Whether it is online: its last check-in is at most three minutes old, or as old as the operator allows.",
        sql="coalesce({t}.last_checkin_at >= (SELECT app.online_since()), false)",
        order=False,
        stored=False,
    )
    created_at: Timestamp = column("When its row was created.")
    updated_at: Timestamp = column("When a person or a job last changed it; a check-in does not count.")
    deleted_at: Timestamp | None = column("When it was deleted; null while it is not.")


AGENTS = Table(
    Agent, "agents", one="agent", many="agents", module="Agents", also_by={"agentByGuid": "guid"},
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="agents",
            about_one="The tenant that looks after the device.", about_many="The agents of all sites of this tenant.",
        ),
        Reference(
            "site_id", "sites", one="site", many="agents",
            about_one="The site where the device is.", about_many="The agents on this site's devices.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="One call of the agents' HTTP API: every enrolment and ticket, and what failed.")
class AgentApiLog:
    id: ID = column("The entry's id.")
    tenant_id: ID = column("The tenant of the caller.")
    site_id: ID | None = column("The site of the caller, where it is known.")
    agent_id: ID | None = column("The agent that called; null where a registration failed.")
    endpoint: str = column("The path that was called.", search=True)
    method: str = column("The HTTP method.")
    status_code: int = column("The HTTP status that was answered.")
    external_id: str | None = column(
        "The id that the call led to at a vendor, such as a ticket's.", search=True
    )
    psa_site_id: str | None = column("The site's id in the PSA.")
    rmm_device_id: str | None = column("The device's id in the RMM.")
    req_metadata: JSON = column("What was asked, without secrets.")
    res_metadata: JSON = column("What was answered, without secrets.")
    time_elapsed_ms: int | None = column("How long it took, in milliseconds.")
    error_message: str | None = column("Why it failed; null if it did not.", search=True)
    created_at: Timestamp = column("When the call came.")
    updated_at: Timestamp | None = column("When the entry was completed, if that was later.")


AGENT_API_LOGS = Table(
    AgentApiLog, "agent_api_logs", one="agentApiLog", many="agentApiLogs", module="Logs",
    default_order=("created_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="agentApiLogs",
            about_one="The tenant of the caller.", about_many="The calls of this tenant's agents.",
        ),
        Reference(
            "site_id", "sites", one="site", many="agentApiLogs",
            about_one="The site of the caller.", about_many="The calls of this site's agents.",
        ),
        Reference(
            "agent_id", "agents", one="agent", many="apiLogs",
            about_one="The agent that called.", about_many="The calls of this agent.",
        ),
    ),
)  # fmt: skip
