"""The agents' HTTP API in the test's own process: real tokens, real PostgreSQL, and a tenant with devices."""

import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx

from api.app import build_app
from api.app_services import AppServices
from core.auth.agent_tokens import AgentTokens
from core.auth.issuer import IssuerConfig
from core.auth.signing import SigningKey, issue_platform_token
from core.auth.tokens import TokenVerifier
from core.database.database import Database
from core.settings import Settings
from demo.load import AS_PLATFORM
from services.agents.agent_service import AgentService
from services.startup import find_unready_reason
from tests.issuers import ISSUER, build_public_jwk, issue_user_token, make_ec_key, start_key_server
from tests.sample_rows import insert_row, insert_tenant_rows

_numbers = itertools.count(1)


@dataclass
class TenantRows:
    """A tenant with a row in every table, table to id."""

    ids: dict[str, str]

    @property
    def id(self) -> str:
        return self.ids["tenants"]

    @property
    def site(self) -> str:
        return self.ids["sites"]


@dataclass(frozen=True)
class EnrolledAgent:
    """An enrolled agent: its ids and its token."""

    id: str
    site: str
    guid: str
    token: str
    hostname: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each of its calls."""
        return {"Authorization": f"Bearer {self.token}", "X-Site-ID": self.site, "X-Device-ID": self.id}


@dataclass
class AgentApiHarness:
    """The application with its agents, a client for it, and the owner's own connection to the database."""

    service: AgentService
    client: httpx.AsyncClient
    owner: asyncpg.Connection
    database: Database
    key: SigningKey
    mine: TenantRows
    theirs: TenantRows
    settings: Settings

    @property
    def tokens(self) -> AgentTokens:
        return self.service.tokens

    async def issue_enrollment_token(
        self, tenant: TenantRows | None = None, site: str | None = None, lifetime_s: int = 60
    ) -> str:
        """An enrollment token of my site or of another, issued by the platform."""
        whose = tenant or self.mine
        token_id = await self.owner.fetchval(
            "INSERT INTO issued_credentials (tenant_id, kind, site_id, issuer_type, expires_at)"
            " VALUES ($1, 'enrollment', $2, 'platform', app.now_ms() + 600000) RETURNING id",
            whose.id, site or whose.site,
        )  # fmt: skip
        return self.tokens.issue_enrollment_token(site or whose.site, whose.id, lifetime_s, token_id)

    async def register(self, token: str, **body: Any) -> httpx.Response:
        """Call register with a valid body in which some values are replaced; None removes a field."""
        good = {
            "site_id": self.mine.site,
            "hostname": f"desk-{next(_numbers)}",
            "platform": "windows",
            "version": "1",
        }
        given = {name: value for name, value in (good | body).items() if value is not None}
        return await self.client.post(
            "/v1.0/register", json=given, headers={"Authorization": f"Bearer {token}"}
        )

    async def enroll_agent(self, tenant: TenantRows | None = None, **body: Any) -> EnrolledAgent:
        """An agent that has just enrolled."""
        whose = tenant or self.mine
        hostname = body.pop("hostname", f"desk-{next(_numbers)}")
        answer = await self.register(
            await self.issue_enrollment_token(whose), **({"site_id": whose.site, "hostname": hostname} | body)
        )
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        return EnrolledAgent(data["device_id"], whose.site, data["guid"], data["token"], hostname)

    async def send_heartbeat(
        self, agent: EnrolledAgent, headers: Mapping[str, str | None] | None = None, **body: Any
    ) -> httpx.Response:
        """Call heartbeat with a valid body and headers in which some values are replaced; None removes one."""
        given = {"hostname": agent.hostname, "version": "2"} | body
        shown = {**agent.headers, **(headers or {})}
        return await self.client.post(
            "/v1.0/heartbeat",
            json={name: value for name, value in given.items() if value is not None},
            headers={name: value for name, value in shown.items() if value is not None},
        )

    async def execute(self, query: str, token: str, tenant: str | None = None, **variables: Any) -> Any:
        """The response of GraphQL, as JSON; `tenant` is the tenant that the platform names."""
        headers = {"Authorization": f"Bearer {token}", **({"X-Tenant-Id": tenant} if tenant else {})}
        answer = await self.client.post(
            "/graphql", json={"query": query, "variables": variables}, headers=headers
        )
        return answer.json()

    async def create_user_token(self, *rights: str, tenant: TenantRows | None = None) -> str:
        """The token of a new user with these rights."""
        whose, name = (tenant or self.mine).id, f"user-{next(_numbers)}"
        role = {"id": name, "tenant_id": whose, "name": name, "description": ""}
        granted = json.dumps(dict.fromkeys(rights, True))
        await insert_row(self.owner, "roles", {**role, "rights": granted})
        user = {"id": name, "tenant_id": whose, "role_id": name, "email": f"{name}@x.example", "name": name}
        await insert_row(self.owner, "users", {**user, "status": "active"})
        return issue_user_token(make_ec_key("face"), sub=name)

    @property
    def platform_token(self) -> str:
        """A token of the platform's."""
        return issue_platform_token(self.key)

    async def read_agent_row(self, agent_id: str) -> dict[str, Any]:
        """The agent's row."""
        return dict(await self.owner.fetchrow("SELECT * FROM agents WHERE id = $1", agent_id) or {})

    async def read_health_check(self, agent_id: str) -> dict[str, Any]:
        """The agent's health check; empty if there is none."""
        found = await self.owner.fetchrow(
            "SELECT * FROM health_checks WHERE resource_type = 'agent' AND resource_id = $1", agent_id
        )
        return dict(found or {})

    async def read_call_log(self, *columns: str) -> list[tuple[Any, ...]]:
        """The entries of the call log, oldest first, after all are written."""
        await self.service.call_log.flush()
        query = f"SELECT {', '.join(columns)} FROM agent_api_logs WHERE endpoint LIKE '/v1.0/%' ORDER BY id"
        return [tuple(row) for row in await self.owner.fetch(query)]


@asynccontextmanager
async def open_agent_api_harness(dsn: str, **settings: Any) -> AsyncIterator[AgentApiHarness]:
    """The application over the migrated, empty database at `dsn`, with these settings."""
    chosen = Settings(**{"agent_calls_per_minute": 1_000_000} | settings)
    database = await Database.connect(dsn, chosen)
    owner = await asyncpg.connect(dsn)
    with TemporaryDirectory() as directory:
        key = SigningKey.create(Path(directory) / "key.pem")
    await owner.execute(AS_PLATFORM)
    mine, theirs = [TenantRows(await insert_tenant_rows(owner, name)) for name in ("mine", "theirs")]
    await owner.execute("DELETE FROM health_checks; DELETE FROM agent_api_logs")
    try:
        async with (
            start_key_server(build_public_jwk(make_ec_key("face"), kid="k1")) as keys,
            AgentService.open(database, AgentTokens(key), chosen) as service,
        ):
            verifier = TokenVerifier(IssuerConfig(ISSUER, keys.url, algorithms=("ES256",)), key)
            services = AppServices(
                database=database,
                verifier=verifier,
                find_problem=lambda: find_unready_reason(dsn),
                fleet=service,
            )
            app = build_app(chosen, services)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://msp.test") as client:
                yield AgentApiHarness(service, client, owner, database, key, mine, theirs, chosen)
            await verifier.close()
    finally:
        await owner.close()
        await database.close()
