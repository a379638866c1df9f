"""Requests while the identity provider is away: they are neither accepted nor refused."""

import httpx
import pytest

from api.app import build_app
from api.app_services import AppServices
from core.auth.issuer import IssuerConfig
from core.auth.tokens import TokenVerifier
from core.settings import Settings
from services.startup import find_unready_reason
from tests.http_harness import open_http_harness
from tests.issuers import ISSUER, build_public_jwk, issue_user_token, make_ec_key, start_key_server
from tests.scripted_live import start_scripted_server
from tests.websocket_client import connect_websocket

QUERY = {"query": "{ viewer { id } }"}


@pytest.mark.newest
async def test_request_with_unknown_key_gets_503_while_the_provider_is_away(demo_database_url: str) -> None:
    async with (
        start_key_server(build_public_jwk(make_ec_key("face"), kid="k1")) as keys,
        open_http_harness(demo_database_url) as http,
    ):
        await keys.stop()
        verifier = TokenVerifier(IssuerConfig(ISSUER, keys.url, algorithms=("ES256",)), None)
        services = AppServices(
            database=http.database,
            verifier=verifier,
            find_problem=lambda: find_unready_reason(demo_database_url),
        )
        app = build_app(Settings(), services)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://msp.test"
        ) as client:
            away = await client.post("/graphql", json=QUERY, headers=http.build_headers())
            assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
            assert "identity provider" in away.json()["errors"][0]["message"]
            malformed = {"Authorization": "Bearer no-token"}
            assert (await client.post("/graphql", json=QUERY, headers=malformed)).status_code == 401
        await keys.start()
        await verifier.close()


@pytest.mark.newest
async def test_request_with_unknown_key_gets_401_while_the_provider_answers(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url) as http:
        token = issue_user_token(make_ec_key("stranger"), kid="k2", sub=http.user_ids[0])
        answer = await http.client.post("/graphql", json=QUERY, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


@pytest.mark.newest
async def test_socket_with_unknown_key_is_closed_with_1013_while_the_provider_is_away(
    demo_database_url: str,
) -> None:
    async with start_scripted_server(demo_database_url) as server:
        await server.keys.stop()
        async with connect_websocket(server.url) as client:
            token = f"Bearer {server.issue_token('user_2abc')}"
            await client.send({"type": "connection_init", "payload": {"Authorization": token}})
            code, reason = await client.wait_for_close()
        await server.keys.start()
    assert code == 1013
    assert "identity provider" in reason
