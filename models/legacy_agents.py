"""Agents that were imported and have no token yet: for a time the operator lets them check in without one."""

from tortoise.models import Model

from models import columns


class LegacyAgent(Model):
    """An agent that may check in by its ids alone until a moment, or until it has traded them for a token."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    agent_id: str
    agent = columns.reference("Agent", "The agent; it is listed once.")
    until = columns.Milliseconds(description="Until when it may check in without a token.")
    traded_at = columns.Milliseconds(null=True, description="When it traded its ids for a token.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "legacy_agents"
