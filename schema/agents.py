"""Agents on client devices, and the log of their calls."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.scalars import Timestamp
from schema.table import Reference, Table, column
from services.device_identity import canonicalize_guid


@strawberry.type(description="Our agent, installed on one client device. Checks in once a minute.")
class Agent:
    id: ID = column("The id of the agent. The agent sends it as its device id.")
    tenant_id: ID = column("The tenant that manages the device.")
    site_id: ID = column("The site of the device.")
    guid: str = column(
        "The identifier of the device, unique within the tenant. It stays the same across reinstallations.",
        search=True,
    )
    hostname: str = column("The host name of the device.", search=True)
    platform: str = column("The operating system: windows, macos or linux.")
    version: str = column("The version of the agent.")
    ip_address: str | None = column("The IP address of the device in its local network.", search=True)
    mac_address: str | None = column("The MAC address of the device.", search=True)
    ext_address: str | None = column("The public IP address of the device.", search=True)
    registered_at: Timestamp | None = column("The time of the enrollment.")
    last_checkin_at: Timestamp | None = column("The time of the last check-in; null if there was none.")
    is_online: bool = column(
        "Whether the agent is online: its last check-in is at most three minutes old. The operator may set "
        "another threshold.",
        sql="coalesce({t}.last_checkin_at BETWEEN "
        "(SELECT app.online_since()) AND (SELECT app.online_until()), false)",
        order=False,
        stored=False,
    )
    created_at: Timestamp = column("The time when the row was created.")
    updated_at: Timestamp = column(
        "The time of the last change by a person or a job. A check-in is no such change."
    )
    deleted_at: Timestamp | None = column("The time of the deletion; null if the row is not deleted.")


AGENTS = Table(
    Agent, "agents", one="agent", many="agents", module="Agents",
    also_by={"agentByGuid": "guid"}, canonical={"guid": canonicalize_guid},
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="agents",
            about_one="The tenant that manages the device.", about_many="The agents of all sites of this tenant.",
        ),
        Reference(
            "site_id", "sites", one="site", many="agents",
            about_one="The site of the device.", about_many="The agents on the devices of this site.",
        ),
    ),
)  # fmt: skip


@strawberry.type(
    description="One logged call of the agents' HTTP API: each enrollment, each ticket and each failed call."
)
class AgentApiLog:
    id: ID = column("The id of the entry.")
    tenant_id: ID = column("The tenant of the calling agent.")
    site_id: ID | None = column("The site of the calling agent; null if it is unknown.")
    agent_id: ID | None = column("The calling agent; null if a registration failed.")
    endpoint: str = column("The path of the request.", search=True)
    method: str = column("The HTTP method of the request.")
    status_code: int = column("The HTTP status of the response.")
    external_id: str | None = column(
        "The vendor's id of the resulting object, such as a ticket.", search=True
    )
    psa_site_id: str | None = column("The id of the site in the PSA.")
    rmm_device_id: str | None = column("The id of the device in the RMM.")
    req_metadata: JSON = column("The data of the request, without secrets.")
    res_metadata: JSON = column("The data of the response, without secrets.")
    time_elapsed_ms: int | None = column("The duration in milliseconds.")
    error_message: str | None = column("The error message; null if the call succeeded.", search=True)
    created_at: Timestamp = column("The time of the call.")
    updated_at: Timestamp | None = column("The time when the entry was completed, if that was later.")


AGENT_API_LOGS = Table(
    AgentApiLog, "agent_api_logs", one="agentApiLog", many="agentApiLogs", module="Logs",
    default_order=("created_at", "desc"),
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="agentApiLogs",
            about_one="The tenant of the calling agent.", about_many="The logged calls of the agents of this tenant.",
        ),
        Reference(
            "site_id", "sites", one="site", many="agentApiLogs",
            about_one="The site of the calling agent.", about_many="The logged calls of the agents of this site.",
        ),
        Reference(
            "agent_id", "agents", one="agent", many="apiLogs",
            about_one="The calling agent.", about_many="The logged calls of this agent.",
        ),
    ),
)  # fmt: skip
