"""The agents' HTTP API in the test's own process: real tokens, real PostgreSQL, and a tenant with devices."""

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx

from api.app import build_app
from core.agent_tokens import AgentTokens
from core.database import Database
from core.issuer import IssuerConfig
from core.settings import Settings
from core.signing import SigningKey, issue_platform_token
from core.tokens import TokenVerifier
from services.agents.fleet import Fleet
from services.demo.load import AS_PLATFORM
from services.startup import unready
from tests.issuers import ISSUER, ec_key, key_server, public_jwk, user_token
from tests.rows import write, write_tenant

_numbers = itertools.count(1)


@dataclass
class Tenant:
    """A tenant with a row in every table, table to id."""

    ids: dict[str, str]

    @property
    def id(self) -> str:
        return self.ids["tenants"]

    @property
    def site(self) -> str:
        return self.ids["sites"]


@dataclass(frozen=True)
class Agent:
    """An enrolled agent, as it knows itself."""

    id: str
    site: str
    guid: str
    token: str
    hostname: str

    @property
    def headers(self) -> dict[str, str]:
        """What it sends with each call."""
        return {"Authorization": f"Bearer {self.token}", "X-Site-ID": self.site, "X-Device-ID": self.id}


@dataclass
class Yard:
    """The application with its agents, a client of it, and the owner's own connection to the database."""

    fleet: Fleet
    client: httpx.AsyncClient
    owner: asyncpg.Connection
    database: Database
    key: SigningKey
    mine: Tenant
    theirs: Tenant
    settings: Settings

    @property
    def tokens(self) -> AgentTokens:
        return self.fleet.tokens

    def enrollment(self, tenant: Tenant | None = None, site: str | None = None, lifetime_s: int = 60) -> str:
        """An enrolment token of my site, or another."""
        whose = tenant or self.mine
        return self.tokens.issue_enrollment(site or whose.site, whose.id, lifetime_s)

    async def register(self, token: str, **body: Any) -> httpx.Response:
        """Call register with a good body, some of it replaced; None takes a field out."""
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

    async def agent(self, tenant: Tenant | None = None, **body: Any) -> Agent:
        """An agent that has just enrolled."""
        whose = tenant or self.mine
        hostname = body.pop("hostname", f"desk-{next(_numbers)}")
        answer = await self.register(
            self.enrollment(whose), **({"site_id": whose.site, "hostname": hostname} | body)
        )
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        return Agent(data["device_id"], whose.site, data["guid"], data["token"], hostname)

    async def beat(
        self, agent: Agent, headers: dict[str, str | None] | None = None, **body: Any
    ) -> httpx.Response:
        """Call heartbeat with a good body and headers, some of them replaced; None takes one out."""
        given = {"hostname": agent.hostname, "version": "2"} | body
        shown = agent.headers | (headers or {})
        return await self.client.post(
            "/v1.0/heartbeat",
            json={name: value for name, value in given.items() if value is not None},
            headers={name: value for name, value in shown.items() if value is not None},
        )

    async def ask(self, query: str, token: str, tenant: str | None = None, **variables: Any) -> Any:
        """The response to GraphQL, as JSON; `tenant` is for the platform to name."""
        headers = {"Authorization": f"Bearer {token}", **({"X-Tenant-Id": tenant} if tenant else {})}
        answer = await self.client.post(
            "/graphql", json={"query": query, "variables": variables}, headers=headers
        )
        return answer.json()

    async def user(self, *rights: str, tenant: Tenant | None = None) -> str:
        """The token of a new user with these rights."""
        whose, name = (tenant or self.mine).id, f"user-{next(_numbers)}"
        role = {"id": name, "tenant_id": whose, "name": name, "description": ""}
        granted = json.dumps(dict.fromkeys(rights, True))
        await write(self.owner, "roles", {**role, "rights": granted})
        user = {"id": name, "tenant_id": whose, "role_id": name, "email": f"{name}@x.example", "name": name}
        await write(self.owner, "users", {**user, "status": "active"})
        return user_token(ec_key("face"), sub=name)

    @property
    def platform(self) -> str:
        """A token of the platform's."""
        return issue_platform_token(self.key)

    async def row(self, agent_id: str) -> dict[str, Any]:
        """The agent's row."""
        return dict(await self.owner.fetchrow("SELECT * FROM agents WHERE id = $1", agent_id) or {})

    async def health(self, agent_id: str) -> dict[str, Any]:
        """The agent's health check; empty where there is none."""
        found = await self.owner.fetchrow(
            "SELECT * FROM health_checks WHERE resource_type = 'agent' AND resource_id = $1", agent_id
        )
        return dict(found or {})

    async def calls(self, *columns: str) -> list[tuple[Any, ...]]:
        """What stands in the log of calls, oldest first, once all is written."""
        await self.fleet.log.settle()
        query = f"SELECT {', '.join(columns)} FROM agent_api_logs WHERE endpoint LIKE '/v1.0/%' ORDER BY id"  # noqa: S608 - our own names
        return [tuple(row) for row in await self.owner.fetch(query)]


@asynccontextmanager
async def yard(dsn: str, **settings: Any) -> AsyncIterator[Yard]:
    """The application over the migrated, empty database at `dsn`, with these settings."""
    chosen = Settings(**{"agent_calls_per_minute": 1_000_000} | settings)
    database = await Database.connect(dsn, chosen)
    owner = await asyncpg.connect(dsn)
    with TemporaryDirectory() as directory:
        key = SigningKey.create(Path(directory) / "key.pem")
    await owner.execute(AS_PLATFORM)
    mine, theirs = [Tenant(await write_tenant(owner, name)) for name in ("mine", "theirs")]
    await owner.execute("DELETE FROM health_checks; DELETE FROM agent_api_logs")
    try:
        async with (
            key_server(public_jwk(ec_key("face"), kid="k1")) as keys,
            Fleet.open(database, AgentTokens(key), chosen) as fleet,
        ):
            verifier = TokenVerifier(IssuerConfig(ISSUER, keys.url, algorithms=("ES256",)), key)
            app = build_app(database, verifier, chosen, lambda: unready(dsn), fleet=fleet)
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://msp.test") as client:
                yield Yard(fleet, client, owner, database, key, mine, theirs, chosen)
            await verifier.close()
    finally:
        await owner.close()
        await database.close()
