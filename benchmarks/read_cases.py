"""The queries in each server's form, and the functions that bring each response into one form.

Every server reads the same rows of the same tenant. The baseline is one hand-written statement, with no
token, no rights, no row-level security and no transaction: the cost of PostgreSQL and a socket.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

JsonData = Any


@dataclass(frozen=True)
class ReadCase:
    """One query.

    Attributes:
        name: Its letter and its content.
        our_query: The GraphQL document for our server.
        peer_query: The GraphQL document for PostGraphile.
        floor_sql: The SQL of the baseline; `$1` is the tenant's id, `$2` a site's.
        normalize_ours: Converts our `data` to the baseline's form.
        normalize_peer: Converts PostGraphile's `data` to it.
    """

    name: str
    our_query: str
    peer_query: str
    floor_sql: str
    normalize_ours: Callable[[JsonData], JsonData]
    normalize_peer: Callable[[JsonData], JsonData]


def _rename_keys(row: dict[str, Any]) -> dict[str, Any]:
    return {"id" if key == "rowId" else key: value for key, value in row.items()}


def _normalize(value: JsonData) -> JsonData:
    """Connections become lists, `rowId` becomes `id`, enum values become upper case."""
    if isinstance(value, list):
        return [_normalize(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"nodes"}:
        return _normalize(value["nodes"])
    row = {key: _normalize(entry) for key, entry in _rename_keys(value).items()}
    return {key: _parse_number(entry) if key.endswith("At") else entry for key, entry in row.items()}


def _parse_number(value: JsonData) -> JsonData:
    return int(value) if isinstance(value, str) else value


def _normalize_peer_a(data: JsonData) -> JsonData:
    sites = _normalize(data["allSites"])
    return [{"agents": site.pop("agentsByTenantIdAndSiteId"), **site} for site in sites]


WIDE = ReadCase(
    "a: 100 sites with 20 agents each",
    our_query="""query Wide {
      sites(first: 100, orderBy: [{field: NAME}]) { nodes { id name
        agents(first: 20, orderBy: [{field: HOSTNAME}]) { nodes { id hostname platform version lastCheckinAt } } } }
    }""",
    peer_query="""query Wide($tenant: String!) {
      allSites(first: 100, orderBy: [NAME_ASC, ROW_ID_ASC], condition: {tenantId: $tenant, deletedAt: null}) {
        nodes { rowId name agentsByTenantIdAndSiteId(
          first: 20, orderBy: [HOSTNAME_ASC, ROW_ID_ASC], condition: {deletedAt: null}) {
          nodes { rowId hostname platform version lastCheckinAt } } } }
    }""",
    floor_sql="""
      SELECT json_agg(s)::text FROM (
        SELECT s.id, s.name, (
          SELECT coalesce(json_agg(a), '[]') FROM (
            SELECT a.id, a.hostname, a.platform, a.version, a.last_checkin_at AS "lastCheckinAt" FROM agents a
            WHERE a.tenant_id = $1 AND a.site_id = s.id AND a.deleted_at IS NULL
            ORDER BY a.hostname, a.id LIMIT 20) a) AS agents
        FROM sites s WHERE s.tenant_id = $1 AND s.deleted_at IS NULL AND $2::text IS NOT NULL
        ORDER BY s.name, s.id LIMIT 100) s""",
    normalize_ours=lambda data: _normalize(data["sites"]),
    normalize_peer=_normalize_peer_a,
)


def _normalize_peer_b(data: JsonData) -> JsonData:
    site = _normalize(data["siteByRowId"])
    agents = [
        {
            "id": agent["id"],
            "hostname": agent["hostname"],
            "healthCheck": _first_row(agent["healthChecksByTenantIdAndAgentId"]),
        }
        for agent in site.pop("agentsByTenantIdAndSiteId")
    ]
    return {
        "tenant": site.pop("tenantByTenantId"),
        **site,
        "status": site["status"].upper(),
        "agents": agents,
    }


def _first_row(rows: list[JsonData]) -> JsonData:
    return {**rows[0], "status": rows[0]["status"].upper()} if rows else None


ONE = ReadCase(
    "b: one site by id with its tenant, agents and their health",
    our_query="""query One($site: ID!) {
      site(id: $site) { id name status tenant { id name }
        agents(first: 20, orderBy: [{field: HOSTNAME}]) {
          nodes { id hostname healthCheck { status failureCount } } } }
    }""",
    peer_query="""query One($site: String!) {
      siteByRowId(rowId: $site) { rowId name status tenantByTenantId { rowId name }
        agentsByTenantIdAndSiteId(first: 20, orderBy: [HOSTNAME_ASC, ROW_ID_ASC], condition: {deletedAt: null}) {
          nodes { rowId hostname healthChecksByTenantIdAndAgentId(first: 1) { nodes { status failureCount } } } } }
    }""",
    floor_sql="""
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
    normalize_ours=lambda data: _normalize(data["site"]),
    normalize_peer=_normalize_peer_b,
)

PAGE = ReadCase(
    "c: a filtered, sorted page of 50 agents with its total",
    our_query="""query Page {
      agents(first: 50, where: {platform: {eq: "windows"}}, orderBy: [{field: HOSTNAME}]) {
        totalCount nodes { id hostname platform version lastCheckinAt } }
    }""",
    peer_query="""query Page($tenant: String!) {
      allAgents(first: 50, orderBy: [HOSTNAME_ASC, ROW_ID_ASC],
        condition: {tenantId: $tenant, platform: "windows", deletedAt: null}) {
          totalCount nodes { rowId hostname platform version lastCheckinAt } }
    }""",
    floor_sql="""
      SELECT row_to_json(p)::text FROM (
        SELECT (SELECT count(*) FROM agents a
                WHERE a.tenant_id = $1 AND a.platform = 'windows' AND a.deleted_at IS NULL) AS "totalCount",
          (SELECT json_agg(a) FROM (
            SELECT a.id, a.hostname, a.platform, a.version, a.last_checkin_at AS "lastCheckinAt" FROM agents a
            WHERE a.tenant_id = $1 AND a.platform = 'windows' AND a.deleted_at IS NULL AND $2::text IS NOT NULL
            ORDER BY a.hostname, a.id LIMIT 50) a) AS nodes) p""",
    normalize_ours=lambda data: _normalize(data["agents"]),
    normalize_peer=lambda data: _normalize(data["allAgents"]),
)


def _normalize_peer_d(data: JsonData) -> JsonData:
    """No foreign key leads from an agent to its tenant except through its site.

    Deleted rows must be excluded explicitly.
    """
    agents = [(agent, agent.pop("siteByTenantIdAndSiteId")) for agent in _normalize(data["allAgents"])]
    tenants = [site.pop("tenantByTenantId") for _, site in agents]
    there = [None if site.pop("deletedAt") else site for _, site in agents]
    return [
        {**agent, "site": site, "tenant": tenant}
        for (agent, _), site, tenant in zip(agents, there, tenants, strict=True)
    ]


LONG = ReadCase(
    "d: 1,000 agents with their site and tenant",
    our_query="""query Long {
      agents(first: 1000, orderBy: [{field: HOSTNAME}]) { nodes { id hostname site { id name } tenant { id name } } }
    }""",
    peer_query="""query Long($tenant: String!) {
      allAgents(first: 1000, orderBy: [HOSTNAME_ASC, ROW_ID_ASC], condition: {tenantId: $tenant, deletedAt: null}) {
        nodes { rowId hostname siteByTenantIdAndSiteId { rowId name deletedAt tenantByTenantId { rowId name } } } }
    }""",
    floor_sql="""
      SELECT json_agg(r)::text FROM (
        SELECT a.id, a.hostname, s.json AS site, t.json AS tenant
        FROM (SELECT a.* FROM agents a WHERE a.tenant_id = $1 AND a.deleted_at IS NULL AND $2::text IS NOT NULL
              ORDER BY a.hostname, a.id LIMIT 1000) a
        LEFT JOIN (SELECT s.id, json_build_object('id', s.id, 'name', s.name) AS json FROM sites s
                   WHERE s.tenant_id = $1 AND s.deleted_at IS NULL) s ON s.id = a.site_id
        LEFT JOIN (SELECT t.id, json_build_object('id', t.id, 'name', t.name) AS json FROM tenants t
                   WHERE t.id = $1) t ON t.id = a.tenant_id
        ORDER BY a.hostname, a.id) r""",
    normalize_ours=lambda data: _normalize(data["agents"]),
    normalize_peer=_normalize_peer_d,
)

CASES = (WIDE, ONE, PAGE, LONG)
