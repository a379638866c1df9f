"""The whole application over HTTP in the test's own process: real tokens, real keys, real PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
from starlette.applications import Starlette

from api.app import build_app
from api.tracing import traced
from core.database import Database
from core.issuer import IssuerConfig
from core.settings import Settings
from core.tokens import TokenVerifier
from services.demo import demo_viewers
from services.startup import unready
from tests.issuers import ISSUER, ec_key, key_server, public_jwk, user_token

RESPONSE_TYPE = "application/graphql-response+json"


@dataclass(frozen=True)
class Face:
    """The application, a client of it, and the ids of the demo's three users."""

    app: Starlette
    client: httpx.AsyncClient
    database: Database
    users: list[str]

    def headers(self, user: int = 0, **more: str) -> dict[str, str]:
        """What the demo's user sends of that place sends; the first is an administrator."""
        token = user_token(ec_key("face"), sub=self.users[user])
        return {"Authorization": f"Bearer {token}", "Accept": RESPONSE_TYPE, **more}

    async def ask(self, query: str, user: int = 0, **more: Any) -> httpx.Response:
        """A POST of this query, as that user."""
        return await self.client.post("/graphql", json={"query": query, **more}, headers=self.headers(user))

    async def codes(self, *arguments: Any, **more: Any) -> list[str]:
        """The codes of the errors that `ask` gets."""
        return codes(await self.ask(*arguments, **more))


def codes(response: httpx.Response) -> list[str]:
    """The codes of a response's errors, in order."""
    return [error["extensions"]["code"] for error in response.json().get("errors", [])]


@asynccontextmanager
async def face(dsn: str, **settings: Any) -> AsyncIterator[Face]:
    """The application over the database at `dsn`, with these settings."""
    chosen = Settings(**settings)
    database = await Database.connect(dsn, chosen)
    async with key_server(public_jwk(ec_key("face"), kid="k1")) as keys:
        verifier = TokenVerifier(IssuerConfig(ISSUER, keys.url, algorithms=("ES256",)), None)
        try:
            with traced(chosen) as observers:
                app = build_app(database, verifier, chosen, lambda: unready(dsn), observers=observers)
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://msp.test") as client:
                    yield Face(app, client, database, await _users(dsn))
        finally:
            await verifier.close()
            await database.close()


async def _users(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [viewer.user_id for viewer in await demo_viewers(connection)]
    finally:
        await connection.close()
