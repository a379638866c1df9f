"""A fleet of agents that are in the database already, with tokens as the server would have given them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from api.demo_issuer import DemoIssuer
from benchmarks.nothing import PATH
from core.agent_tokens import AgentTokens
from core.settings import Settings
from core.signing import SigningKey
from services.agents.beats import Beat
from simulator.devices import heartbeat
from simulator.origin import Origin

_AGENTS: Final = """
SELECT a.id, a.tenant_id, a.site_id, a.hostname, a.version
FROM agents a JOIN sites s ON s.id = a.site_id JOIN tenants t ON t.id = a.tenant_id
WHERE a.deleted_at IS NULL AND s.status <> 'archived' AND s.deleted_at IS NULL AND t.status = 'active'
  AND t.deleted_at IS NULL
ORDER BY hashtextextended(a.id, 0) LIMIT $1
"""


_MORE: Final = """
INSERT INTO agents (id, tenant_id, site_id, guid, hostname, platform, version, registered_at)
SELECT 'bench-' || a.id, a.tenant_id, a.site_id, 'bench-' || a.id, 'bench-' || a.hostname, a.platform, a.version,
       a.registered_at
FROM agents a JOIN sites s ON s.id = a.site_id JOIN tenants t ON t.id = a.tenant_id
WHERE a.deleted_at IS NULL AND s.status <> 'archived' AND s.deleted_at IS NULL AND t.status = 'active'
  AND t.deleted_at IS NULL
LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class Known:
    """Agents of the database, in no order of theirs, and what they send.

    Attributes:
        origin: The server.
        issuer: Who issues tokens for its users.
        agents: What each tells: it is what the database has, so that nothing but the time changes.
        sites: Each agent's site.
        beats: Each agent's check-in, as it goes over the wire.
        nothings: The same for the route that does nothing.
    """

    origin: Origin
    issuer: DemoIssuer
    agents: list[Beat]
    sites: list[str]
    beats: list[bytes]
    nothings: list[bytes]


async def known_fleet(connection: asyncpg.Connection, data_dir: Path, port: int, count: int) -> Known:
    """So many agents of active sites and tenants, and requests of theirs to the server on that port."""
    tokens = AgentTokens(SigningKey.load(Settings(demo=True, data_dir=data_dir)))
    fleet = Known(Origin("127.0.0.1", port), DemoIssuer.load(data_dir), [], [], [], [])
    rows = await connection.fetch(_AGENTS, count)
    if len(rows) < count:  # some of the demo's are of sites that are archived, or tenants that are suspended
        await connection.execute(_MORE, count - len(rows))
        rows = await connection.fetch(_AGENTS, count)
    for row in rows:
        agent, site = row["id"], row["site_id"]
        token = tokens.issue(agent, site, row["tenant_id"])
        told = {"hostname": row["hostname"], "version": row["version"]}
        beat = heartbeat(fleet.origin, agent, site, token, told)
        fleet.agents.append(Beat(agent, row["tenant_id"], row["hostname"], row["version"]))
        fleet.sites.append(site)
        fleet.beats.append(beat)
        fleet.nothings.append(beat.replace(b"/v1.0/heartbeat", PATH.encode(), 1))
    return fleet
