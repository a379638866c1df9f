"""The agents on customers' devices, and the log of their calls."""

from tortoise.models import Model

from models import columns


class Agent(Model):
    """Our agent on one device of a site."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    site_id: str
    site = columns.reference("Site", "Where the device stands.")
    guid = columns.Text(description="The device's own identity, a hash; unique in the tenant.")
    hostname = columns.Text(description="What the device calls itself.")
    platform = columns.Text(description="Its operating system.")
    version = columns.Text(description="The agent's version.")
    ip_address = columns.Text(null=True, description="Its address in its own network.")
    mac_address = columns.Text(null=True, description="The hardware address of that interface.")
    ext_address = columns.Text(null=True, description="The address from which it reaches us.")
    registered_at = columns.Milliseconds(null=True, description="When it enrolled.")
    last_checkin_at = columns.Milliseconds(null=True, description="When it last checked in.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "agents"


class AgentApiLog(Model):
    """One call that an agent made, or tried to."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    site_id: str | None
    site = columns.reference("Site", "The caller's site, where it is known.", null=True)
    agent_id: str | None
    agent = columns.reference("Agent", "The caller; absent for a failed registration.", null=True)
    endpoint = columns.Text(description="What was called.")
    method = columns.Text(description="The HTTP method.")
    status_code = columns.Integer(description="The HTTP status of the answer.")
    external_id = columns.Text(
        null=True, description="The ticket's or record's id in the product that was reached."
    )
    psa_site_id = columns.Text(null=True, description="The site's id in the PSA.")
    rmm_device_id = columns.Text(null=True, description="The device's id in the RMM.")
    req_metadata = columns.Json(default=dict, description="What is kept of the request; never a token.")
    res_metadata = columns.Json(default=dict, description="What is kept of the answer; never a token.")
    time_elapsed_ms = columns.Integer(null=True, description="How long the answer took, in milliseconds.")
    error_message = columns.Text(null=True, description="What went wrong, if something did.")
    created_at = columns.created_at()
    updated_at = columns.Milliseconds(null=True, description="When the row was last changed, if it ever was.")

    class Meta:
        table = "agent_api_logs"
