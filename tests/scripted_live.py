"""The real server on a real port in the test's own process, with live queries that say what the test has them say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from api.app import build_app
from api.serving import HttpServer, bind, url
from core.database import Database
from core.issuer import IssuerConfig
from core.settings import Settings
from core.tokens import Identity, TokenVerifier
from core.viewer import Viewer
from resolvers.documents import Document
from resolvers.execution import Request
from services.sign_in import sign_in
from services.startup import unready
from subscriptions.changes.moment import Moment
from subscriptions.sinks import Gone, Payload, Sink
from tests.issuers import ISSUER, ec_key, key_server, public_jwk, user_token


@dataclass
class Subscription:
    """One subscription, and where it is told."""

    request: Request
    sink: Sink
    cancelled: int = 0

    def cancel(self) -> None:
        self.cancelled += 1

    def state(self, text: str) -> None:
        """Tell a state."""
        self.sink.state(Payload(text))


@dataclass
class Session:
    """One socket's."""

    live: "ScriptedLive"
    viewer: Viewer | None
    gone: Callable[[Gone], None]
    subscriptions: list[Subscription] = field(default_factory=list)
    renewed: list[Identity] = field(default_factory=list)
    waits: list[Callable[[Moment], None]] = field(default_factory=list)
    closed: int = 0

    async def renew(self, identity: Identity) -> None:
        self.renewed.append(identity)

    def subscribe(self, document: Document, request: Request, sink: Sink) -> Subscription:
        assert document.syntax is not None
        if self.live.refusal:
            raise self.live.refusal
        subscription = Subscription(request, sink)
        self.subscriptions.append(subscription)
        for text in self.live.at_once:
            subscription.state(text)
        if self.live.ends_at_once:
            sink.complete()
        return subscription

    def catch_up(self, reached: Callable[[Moment], None]) -> bool:
        self.waits.append(reached)
        return self.viewer is not None

    def close(self) -> None:
        self.closed += 1


@dataclass
class ScriptedLive:
    """Signs in as the real one does; what subscriptions are told is the test's to say.

    Attributes:
        refusal: What `subscribe` raises.
        at_once: States told within `subscribe`.
        rings: How often something was committed.
    """

    database: Database
    sessions: list[Session] = field(default_factory=list)
    refusal: Exception | None = None
    at_once: tuple[str, ...] = ()
    ends_at_once: bool = False
    rings: int = 0

    def ring(self) -> None:
        self.rings += 1

    async def sign_in(
        self, identity: Identity | None, tenant: str | None, gone: Callable[[Gone], None]
    ) -> Session:
        session = Session(self, await self._viewer(identity, tenant), gone)
        self.sessions.append(session)
        return session

    async def _viewer(self, identity: Identity | None, tenant: str | None) -> Viewer | None:
        if identity is None:
            return None
        async with self.database.snapshot() as snapshot:
            return await sign_in(snapshot.connection, identity, tenant)

    @property
    def session(self) -> Session:
        """The latest."""
        return self.sessions[-1]

    async def subscription(self, number: int = 0) -> Subscription:
        """The subscription of that number on the latest socket, as soon as it is there."""
        async with asyncio.timeout(5):
            while len(self.session.subscriptions) <= number:  # noqa: ASYNC110 - the server tells no event
                await asyncio.sleep(0.005)
        return self.session.subscriptions[number]


@dataclass(frozen=True)
class ScriptedServer:
    """A server, and what its live queries say."""

    url: str
    live: ScriptedLive
    server: HttpServer

    @staticmethod
    def token(subject: str, **claims: Any) -> str:
        """A token that the server believes."""
        return user_token(ec_key("scripted"), sub=subject, **claims)


class _Quiet(HttpServer):
    """Leaves the test's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def scripted_server(dsn: str, **settings: Any) -> AsyncIterator[ScriptedServer]:
    """A server on the database at `dsn`."""
    chosen = Settings(**settings)
    database = await Database.connect(dsn, chosen)
    live, ready = ScriptedLive(database), asyncio.Event()
    async with key_server(public_jwk(ec_key("scripted"), kid="k1")) as keys:
        verifier = TokenVerifier(IssuerConfig(ISSUER, keys.url, algorithms=("ES256",)), None)
        app = build_app(database, verifier, chosen, lambda: unready(dsn), live=live)
        with bind("127.0.0.1", 0) as listener:
            address = url(listener)
            server = _Quiet(app, listener, ready.set)
            serving = asyncio.create_task(server.serve_until_signal())
            await ready.wait()
            try:
                yield ScriptedServer(address, live, server)
            finally:
                server.should_exit = True
                await serving
                await verifier.close()
                await database.close()
