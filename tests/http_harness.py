"""The whole application over HTTP in the test's own process: real tokens, real keys, real PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
from starlette.applications import Starlette

from api.app import build_app
from api.app_services import AppServices
from api.observability.tracing import open_tracing
from core.auth.issuer import IssuerConfig
from core.auth.sealing import TokenSealer
from core.auth.signing import generate_signing_pem
from core.auth.tokens import TokenVerifier
from core.database.database import Database
from core.settings import Settings
from demo import load_demo_viewers
from services.startup import find_unready_reason
from services.table_statistics import TableStatistics
from tests.issuers import ISSUER, build_public_jwk, issue_user_token, make_ec_key, start_key_server

RESPONSE_TYPE = "application/graphql-response+json"
_SIGNING_PEM = generate_signing_pem().decode()


@dataclass(frozen=True)
class HttpHarness:
    """The application, a client of it, and the ids of the demo's three users."""

    app: Starlette
    client: httpx.AsyncClient
    database: Database
    user_ids: list[str]
    verifier: TokenVerifier
    sealer: TokenSealer

    def build_headers(self, user: int = 0, **more: str) -> dict[str, str]:
        """The headers of the demo's user with that index. The first user is an administrator."""
        token = issue_user_token(make_ec_key("face"), sub=self.user_ids[user])
        return {"Authorization": f"Bearer {token}", "Accept": RESPONSE_TYPE, **more}

    async def post_query(self, query: str, user: int = 0, **more: Any) -> httpx.Response:
        """POST this query as that user."""
        return await self.client.post(
            "/graphql", json={"query": query, **more}, headers=self.build_headers(user)
        )

    async def post_for_codes(self, *arguments: Any, **more: Any) -> list[str]:
        """The error codes in the response of `post_query`."""
        return error_codes(await self.post_query(*arguments, **more))


def error_codes(response: httpx.Response) -> list[str]:
    """The codes of a response's errors, in order."""
    return [error["extensions"]["code"] for error in response.json().get("errors", [])]


@asynccontextmanager
async def open_http_harness(
    dsn: str, *, statistics: TableStatistics | None = None, **settings: Any
) -> AsyncIterator[HttpHarness]:
    """The application over the database at `dsn`, with these settings."""
    chosen = Settings(**{"signing_key": _SIGNING_PEM, **settings})
    database = await Database.connect(dsn, chosen)
    async with start_key_server(build_public_jwk(make_ec_key("face"), kid="k1")) as keys:
        verifier = TokenVerifier(IssuerConfig(ISSUER, keys.url, algorithms=("ES256",)), None)
        try:
            with open_tracing(chosen) as observers:
                services = AppServices(
                    database=database,
                    verifier=verifier,
                    find_problem=lambda: find_unready_reason(dsn),
                    statistics=statistics,
                )
                app = build_app(chosen, services, observers=observers)
                transport = httpx.ASGITransport(app)
                async with httpx.AsyncClient(transport=transport, base_url="http://msp.test") as client:
                    ids, sealer = await _load_user_ids(dsn), TokenSealer.load(chosen)
                    yield HttpHarness(app, client, database, ids, verifier, sealer)
        finally:
            await verifier.close()
            await database.close()


async def _load_user_ids(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        return [viewer.user_id for viewer in await load_demo_viewers(connection)]
    finally:
        await connection.close()
