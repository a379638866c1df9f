"""The questions, as each server is asked, and how each one's answer is brought into one shape.

Every server reads the same rows of the same tenant. The floor is one hand-written statement, with no token, no
rights, no row-level security and no transaction: what PostgreSQL and a socket cost.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = Any


@dataclass(frozen=True)
class Case:
    """One question.

    Attributes:
        name: Its letter and what it asks for.
        ours: The GraphQL document for our server.
        peer: The GraphQL document for PostGraphile.
        floor: The SQL of the floor; `$1` is the tenant's id, `$2` a site's.
        of_ours: Brings our `data` into the floor's shape.
        of_peer: Brings PostGraphile's `data` into it.
    """

    name: str
    ours: str
    peer: str
    floor: str
    of_ours: Callable[[Answer], Answer]
    of_peer: Callable[[Answer], Answer]


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    return {"id" if key == "rowId" else key: value for key, value in row.items()}


def _plain(value: Answer) -> Answer:
    """Connections become lists, `rowId` becomes `id`, enum values become upper case."""
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"nodes"}:
        return _plain(value["nodes"])
    row = {key: _plain(entry) for key, entry in _renamed(value).items()}
    return {key: _number(entry) if key.endswith("At") else entry for key, entry in row.items()}


def _number(value: Answer) -> Answer:
    return int(value) if isinstance(value, str) else value


def _a_peer(data: Answer) -> Answer:
    sites = _plain(data["allSites"])
    return [{"agents": site.pop("agentsByTenantIdAndSiteId"), **site} for site in sites]


WIDE = Case(
    "a: 100 sites with 20 agents each",
    ours="""query Wide {
      sites(first: 100, orderBy: [{field: NAME}]) { nodes { id name
        agents(first: 20, orderBy: [{field: HOSTNAME}]) { nodes { id hostname platform version lastCheckinAt } } } }
    }""",
    peer="""query Wide($tenant: String!) {
      allSites(first: 100, orderBy: [NAME_ASC, ROW_ID_ASC], condition: {tenantId: $tenant, deletedAt: null}) {
        nodes { rowId name agentsByTenantIdAndSiteId(
          first: 20, orderBy: [HOSTNAME_ASC, ROW_ID_ASC], condition: {deletedAt: null}) {
          nodes { rowId hostname platform version lastCheckinAt } } } }
    }""",
    floor="""
      SELECT json_agg(s)::text FROM (
        SELECT s.id, s.name, (
          SELECT coalesce(json_agg(a), '[]') FROM (
            SELECT a.id, a.hostname, a.platform, a.version, a.last_checkin_at AS "lastCheckinAt" FROM agents a
            WHERE a.tenant_id = $1 AND a.site_id = s.id AND a.deleted_at IS NULL
            ORDER BY a.hostname, a.id LIMIT 20) a) AS agents
        FROM sites s WHERE s.tenant_id = $1 AND s.deleted_at IS NULL AND $2::text IS NOT NULL
        ORDER BY s.name, s.id LIMIT 100) s""",
    of_ours=lambda data: _plain(data["sites"]),
    of_peer=_a_peer,
)


def _b_peer(data: Answer) -> Answer:
    site = _plain(data["siteByRowId"])
    agents = [
        {
            "id": agent["id"],
            "hostname": agent["hostname"],
            "healthCheck": _first(agent["healthChecksByTenantIdAndAgentId"]),
        }
        for agent in site.pop("agentsByTenantIdAndSiteId")
    ]
    return {
        "tenant": site.pop("tenantByTenantId"),
        **site,
        "status": site["status"].upper(),
        "agents": agents,
    }


def _first(rows: list[Answer]) -> Answer:
    return {**rows[0], "status": rows[0]["status"].upper()} if rows else None


ONE = Case(
    "b: one site by id with its tenant, agents and their health",
    ours="""query One($site: ID!) {
      site(id: $site) { id name status tenant { id name }
        agents(first: 20, orderBy: [{field: HOSTNAME}]) {
          nodes { id hostname healthCheck { status failureCount } } } }
    }""",
    peer="""query One($site: String!) {
      siteByRowId(rowId: $site) { rowId name status tenantByTenantId { rowId name }
        agentsByTenantIdAndSiteId(first: 20, orderBy: [HOSTNAME_ASC, ROW_ID_ASC], condition: {deletedAt: null}) {
          nodes { rowId hostname healthChecksByTenantIdAndAgentId(first: 1) { nodes { status failureCount } } } } }
    }""",
    floor="""
      SELECT row_to_json(s)::text FROM (
        SELECT s.id, s.name, upper(s.status) AS status,
          (SELECT row_to_json(t) FROM (SELECT t.id, t.name FROM tenants t WHERE t.id = s.tenant_id) t) AS tenant,
          (SELECT coalesce(json_agg(a), '[]') FROM (
            SELECT a.id, a.hostname, (
              SELECT row_to_json(h) FROM (
                SELECT upper(h.status) AS status, h.failure_count AS "failureCount" FROM health_checks h
                WHERE h.tenant_id = $1 AND h.agent_id = a.id) h) AS "healthCheck"
            FROM agents a WHERE a.tenant_id = $1 AND a.site_id = s.id AND a.deleted_at IS NULL
            ORDER BY a.hostname, a.id LIMIT 20) a) AS agents
        FROM sites s WHERE s.tenant_id = $1 AND s.id = $2 AND s.deleted_at IS NULL) s""",
    of_ours=lambda data: _plain(data["site"]),
    of_peer=_b_peer,
)

PAGE = Case(
    "c: a filtered, sorted page of 50 agents with its total",
    ours="""query Page {
      agents(first: 50, where: {platform: {eq: "windows"}}, orderBy: [{field: HOSTNAME}]) {
        totalCount nodes { id hostname platform version lastCheckinAt } }
    }""",
    peer="""query Page($tenant: String!) {
      allAgents(first: 50, orderBy: [HOSTNAME_ASC, ROW_ID_ASC],
        condition: {tenantId: $tenant, platform: "windows", deletedAt: null}) {
          totalCount nodes { rowId hostname platform version lastCheckinAt } }
    }""",
    floor="""
      SELECT row_to_json(p)::text FROM (
        SELECT (SELECT count(*) FROM agents a
                WHERE a.tenant_id = $1 AND a.platform = 'windows' AND a.deleted_at IS NULL) AS "totalCount",
          (SELECT json_agg(a) FROM (
            SELECT a.id, a.hostname, a.platform, a.version, a.last_checkin_at AS "lastCheckinAt" FROM agents a
            WHERE a.tenant_id = $1 AND a.platform = 'windows' AND a.deleted_at IS NULL AND $2::text IS NOT NULL
            ORDER BY a.hostname, a.id LIMIT 50) a) AS nodes) p""",
    of_ours=lambda data: _plain(data["agents"]),
    of_peer=lambda data: _plain(data["allAgents"]),
)


def _d_peer(data: Answer) -> Answer:
    """No foreign key leads from an agent to its tenant, but by its site; deleted ones it is to be told of."""
    agents = [(agent, agent.pop("siteByTenantIdAndSiteId")) for agent in _plain(data["allAgents"])]
    tenants = [site.pop("tenantByTenantId") for _, site in agents]
    there = [None if site.pop("deletedAt") else site for _, site in agents]
    return [
        {**agent, "site": site, "tenant": tenant}
        for (agent, _), site, tenant in zip(agents, there, tenants, strict=True)
    ]


LONG = Case(
    "d: 1,000 agents with their site and tenant",
    ours="""query Long {
      agents(first: 1000, orderBy: [{field: HOSTNAME}]) { nodes { id hostname site { id name } tenant { id name } } }
    }""",
    peer="""query Long($tenant: String!) {
      allAgents(first: 1000, orderBy: [HOSTNAME_ASC, ROW_ID_ASC], condition: {tenantId: $tenant, deletedAt: null}) {
        nodes { rowId hostname siteByTenantIdAndSiteId { rowId name deletedAt tenantByTenantId { rowId name } } } }
    }""",
    floor="""
      SELECT json_agg(r)::text FROM (
        SELECT a.id, a.hostname, s.json AS site, t.json AS tenant
        FROM (SELECT a.* FROM agents a WHERE a.tenant_id = $1 AND a.deleted_at IS NULL AND $2::text IS NOT NULL
              ORDER BY a.hostname, a.id LIMIT 1000) a
        LEFT JOIN (SELECT s.id, json_build_object('id', s.id, 'name', s.name) AS json FROM sites s
                   WHERE s.tenant_id = $1 AND s.deleted_at IS NULL) s ON s.id = a.site_id
        LEFT JOIN (SELECT t.id, json_build_object('id', t.id, 'name', t.name) AS json FROM tenants t
                   WHERE t.id = $1) t ON t.id = a.tenant_id
        ORDER BY a.hostname, a.id) r""",
    of_ours=lambda data: _plain(data["agents"]),
    of_peer=_d_peer,
)

CASES = (WIDE, ONE, PAGE, LONG)
