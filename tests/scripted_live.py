"""The real server on a real port in the test's own process, with live queries that the test scripts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from api.app import build_app
from api.app_services import AppServices
from api.http_connections import Connections
from api.server import HttpServer, bind_socket, build_url
from api.shutdown import Shutdown
from core.auth.agent_tokens import AgentTokens
from core.auth.issuer import IssuerConfig
from core.auth.sealing import TransactionTokens
from core.auth.tokens import Identity, TokenVerifier
from core.auth.viewer import Viewer
from core.database.database import Database
from core.errors import UnauthenticatedError
from core.settings import Settings
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.request import GraphQLRequest
from services.agents.agent_service import AgentService
from services.startup import find_unready_reason
from services.users.sign_in import sign_in
from subscriptions.subscriber import Disconnect, Payload, Subscriber
from tests.issuers import ISSUER, KeyServer, build_public_jwk, issue_user_token, make_ec_key, start_key_server
from tests.sealed_tokens import TRANSACTIONS
from tests.waiting import HANG_S


@dataclass
class ScriptedSubscription:
    """One subscription and its sink."""

    request: GraphQLRequest
    sink: Subscriber
    cancel_count: int = 0

    def cancel(self) -> None:
        self.cancel_count += 1

    def send_state_text(self, text: str) -> None:
        """Send a state."""
        self.sink.send_state(Payload(text))


@dataclass
class ScriptedSession:
    """The session of one socket."""

    live: "ScriptedLive"
    viewer: Viewer | None
    gone: Callable[[Disconnect], None]
    subscriptions: list[ScriptedSubscription] = field(default_factory=list)
    renewed_identities: list[Identity] = field(default_factory=list)
    waits: list[Callable[[bool], None]] = field(default_factory=list)
    close_count: int = 0

    async def renew(self, identity: Identity) -> None:
        self.renewed_identities.append(identity)

    def subscribe(self, operation: ExecutableOperation, subscriber: Subscriber) -> ScriptedSubscription:
        if self.live.refusal:
            raise self.live.refusal
        subscription = ScriptedSubscription(operation.request, subscriber)
        self.subscriptions.append(subscription)
        for text in self.live.initial_states:
            subscription.send_state_text(text)
        if self.live.completes_at_once:
            subscriber.send_complete()
        return subscription

    def wait_for_transaction(self, transaction: str, on_answered: Callable[[bool], None]) -> None:
        if self.viewer is None:
            raise UnauthenticatedError("Authentication required: send a bearer token")
        self.live.transactions.open(transaction)
        self.waits.append(on_answered)

    def close(self) -> None:
        self.close_count += 1


@dataclass
class ScriptedLive:
    """Signs in like the real one. The test decides what subscriptions receive.

    Attributes:
        refusal: The error that `subscribe` raises.
        initial_states: States that are sent within `subscribe`.
        commit_count: The number of reported commits.
    """

    database: Database
    sessions: list[ScriptedSession] = field(default_factory=list)
    refusal: Exception | None = None
    initial_states: tuple[str, ...] = ()
    completes_at_once: bool = False
    commit_count: int = 0
    transactions: TransactionTokens = TRANSACTIONS

    def wake(self) -> None:
        self.commit_count += 1

    async def sign_in(
        self, identity: Identity | None, tenant: str | None, on_disconnect: Callable[[Disconnect], None]
    ) -> ScriptedSession:
        session = ScriptedSession(self, await self._sign_in_viewer(identity, tenant), on_disconnect)
        self.sessions.append(session)
        return session

    async def _sign_in_viewer(self, identity: Identity | None, tenant: str | None) -> Viewer | None:
        if identity is None:
            return None
        async with self.database.read_transaction() as snapshot:
            return await sign_in(snapshot.connection, identity, tenant)

    @property
    def latest_session(self) -> ScriptedSession:
        """The latest session."""
        return self.sessions[-1]

    async def wait_for_subscription(self, number: int = 0) -> ScriptedSubscription:
        """The subscription of that number on the latest socket. Waits until it exists."""
        async with asyncio.timeout(HANG_S):
            while len(self.latest_session.subscriptions) <= number:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.005)
        return self.latest_session.subscriptions[number]


@dataclass(frozen=True)
class ScriptedServer:
    """A server with scripted live queries."""

    url: str
    live: ScriptedLive
    server: HttpServer
    serving: asyncio.Task[None]
    keys: KeyServer

    @staticmethod
    def issue_token(subject: str, **claims: Any) -> str:
        """A token that the server accepts."""
        return issue_user_token(make_ec_key("scripted"), sub=subject, **claims)


class _SignalFreeServer(HttpServer):
    """A server that does not install signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _open_agents(
    database: Database, tokens: AgentTokens | None, settings: Settings
) -> AsyncIterator[AgentService | None]:
    if tokens is None:
        yield None
        return
    async with AgentService.open(database, tokens, settings) as fleet:
        yield fleet


@asynccontextmanager
async def start_scripted_server(
    dsn: str, agent_tokens: AgentTokens | None = None, **settings: Any
) -> AsyncIterator[ScriptedServer]:
    """A server on the database at `dsn`. With `agent_tokens` it has the agents' API."""
    chosen = Settings(**settings)
    database = await Database.connect(dsn, chosen)
    live, ready = ScriptedLive(database), asyncio.Event()
    connections = Connections(shutdown=Shutdown(chosen.shutdown_delay, chosen.shutdown_grace))
    async with (
        start_key_server(build_public_jwk(make_ec_key("scripted"), kid="k1")) as keys,
        _open_agents(database, agent_tokens, chosen) as fleet,
    ):
        verifier = TokenVerifier(IssuerConfig(ISSUER, keys.url, algorithms=("ES256",)), None)
        services = AppServices(
            database=database,
            verifier=verifier,
            find_problem=lambda: find_unready_reason(dsn),
            live=live,
            fleet=fleet,
        )
        app = build_app(chosen, services, connections)
        with bind_socket("127.0.0.1", 0) as listener:
            address = build_url(listener)
            server = _SignalFreeServer(app, listener, ready.set, connections, chosen.trusted_proxies)
            serving = asyncio.create_task(server.serve_until_signal())
            await ready.wait()
            try:
                yield ScriptedServer(address, live, server, serving, keys)
            finally:
                connections.shutdown.request(urgent=True)
                server.should_exit = True
                await serving
                await verifier.close()
                await database.close()
