"""A fleet of agents that are in the database already, with tokens like those that the server issues."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from api.demo_issuer import DemoIssuer
from benchmarks.noop_route import PATH
from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey
from core.settings import Settings
from services.agents.check_in import CheckIn
from simulator.fleet.devices import build_heartbeat
from simulator.fleet.server_address import ServerAddress

_AGENTS_SQL: Final = """
SELECT a.id, a.tenant_id, a.site_id, a.hostname, a.version
FROM agents a JOIN sites s ON s.id = a.site_id JOIN tenants t ON t.id = a.tenant_id
WHERE a.deleted_at IS NULL AND s.status <> 'archived' AND s.deleted_at IS NULL AND t.status = 'active'
  AND t.deleted_at IS NULL
ORDER BY hashtextextended(a.id, 0) LIMIT $1
"""


_MORE_AGENTS_SQL: Final = """
INSERT INTO agents (id, tenant_id, site_id, guid, hostname, platform, version, registered_at)
SELECT 'bench-' || a.id, a.tenant_id, a.site_id, 'bench-' || a.id, 'bench-' || a.hostname, a.platform, a.version,
       a.registered_at
FROM agents a JOIN sites s ON s.id = a.site_id JOIN tenants t ON t.id = a.tenant_id
WHERE a.deleted_at IS NULL AND s.status <> 'archived' AND s.deleted_at IS NULL AND t.status = 'active'
  AND t.deleted_at IS NULL
LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class AgentFleet:
    """Agents of the database in random order, and their requests.

    Attributes:
        origin: The server.
        issuer: The issuer of its users' tokens.
        agents: The values that each reports. They are those of the database, so that only the time changes.
        sites: Each agent's site.
        heartbeat_requests: Each agent's check-in, as bytes.
        noop_requests: The same for the route that does nothing.
    """

    origin: ServerAddress
    issuer: DemoIssuer
    agents: list[CheckIn]
    sites: list[str]
    heartbeat_requests: list[bytes]
    noop_requests: list[bytes]


async def load_agent_fleet(
    connection: asyncpg.Connection, data_dir: Path, port: int, count: int
) -> AgentFleet:
    """A number of agents of active sites and tenants, and their requests to the server on that port."""
    tokens = AgentTokens(SigningKey.load(Settings(demo=True, data_dir=data_dir)))
    fleet = AgentFleet(ServerAddress("127.0.0.1", port), DemoIssuer.load(data_dir), [], [], [], [])
    rows = await connection.fetch(_AGENTS_SQL, count)
    if len(rows) < count:  # some demo agents belong to archived sites or suspended tenants
        await connection.execute(_MORE_AGENTS_SQL, count - len(rows))
        rows = await connection.fetch(_AGENTS_SQL, count)
    for row in rows:
        agent, site = row["id"], row["site_id"]
        token = tokens.issue_agent_token(agent, site, row["tenant_id"])
        fields = {"hostname": row["hostname"], "version": row["version"]}
        beat = build_heartbeat(fleet.origin, agent, site, token, fields)
        fleet.agents.append(CheckIn(agent, row["tenant_id"], row["hostname"], row["version"]))
        fleet.sites.append(site)
        fleet.heartbeat_requests.append(beat)
        fleet.noop_requests.append(beat.replace(b"/v1.0/heartbeat", PATH.encode(), 1))
    return fleet
