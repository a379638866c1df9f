"""The live layer without sockets: a real `Live` on a real database, and sinks that take down what they are told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import orjson

from core.clock import NEVER
from core.database import Database
from core.settings import Settings
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.execution import Request
from services.demo import demo_viewers
from services.demo.load import AS_PLATFORM
from subscriptions.live import Live
from subscriptions.sessions import Open, Session
from subscriptions.sinks import Gone, Payload

PATIENCE_S: Final = 10.0
_SCHEMA: Final = bound_schema()[1]
_DOCUMENTS: Final = Documents(_SCHEMA)


@dataclass
class Told:
    """A subscription's sink."""

    texts: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] | None = None
    subscription: Open | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def state(self, payload: Payload) -> None:
        self.texts.append(payload.text)
        self.heard.set()

    def event(self, payload: Payload) -> None:
        self.state(payload)

    def error(self, errors: list[dict[str, Any]]) -> None:
        assert self.errors is None
        self.errors = errors
        self.heard.set()

    def complete(self) -> None:
        raise AssertionError("a live query does not end")

    @property
    def states(self) -> list[dict[str, Any]]:
        """What was told, parsed."""
        return [orjson.loads(text) for text in self.texts]

    @property
    def data(self) -> Any:
        """The data told last."""
        return self.states[-1]["data"]

    @property
    def code(self) -> str | None:
        """The code of the error that ended it."""
        return self.errors[0]["extensions"]["code"] if self.errors else None

    async def until(self, count: int) -> "Told":
        """Wait until so many states, or an error, were told."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.texts) < count and self.errors is None:
                self.heard.clear()
                await self.heard.wait()
        return self

    async def ended(self) -> "Told":
        """Wait for the error that ends it."""
        async with asyncio.timeout(PATIENCE_S):
            while self.errors is None:
                self.heard.clear()
                await self.heard.wait()
        return self


@dataclass
class Sitting:
    """A viewer's session, and how it ended, if it has."""

    session: Session
    gone: list[Gone]

    def subscribe(self, query: str, extensions: dict[str, Any] | None = None, **variables: Any) -> Told:
        """Subscribe, and wait for nothing."""
        told = Told()
        document = _DOCUMENTS.get(query)
        assert not document.errors, document.errors
        told.subscription = self.session.subscribe(
            document, Request(query, variables, None, extensions or {}), told
        )
        return told


@dataclass
class Engine:
    """A live layer, its database, and the demo's people."""

    live: Live
    database: Database
    owner: asyncpg.Connection
    users: list[str]
    tenant_id: str

    async def sit(self, user: int | str = 0, expires_at: int = NEVER) -> Sitting:
        """Sign a user in: one of the demo's by number, or anyone by id."""
        subject = self.users[user] if isinstance(user, int) else user
        return await self.sit_as(Identity(ViewerKind.USER, subject, expires_at), None)

    async def sit_as(self, identity: Identity | None, tenant_id: str | None) -> Sitting:
        """Sign anyone in."""
        gone: list[Gone] = []
        return Sitting(await self.live.sign_in(identity, tenant_id, gone.append), gone)

    async def sit_as_platform(self, tenant_id: str | None = None) -> Sitting:
        """Sign the platform in."""
        return await self.sit_as(Identity(ViewerKind.PLATFORM, "platform", NEVER), tenant_id)

    async def write(self, statement: str, *values: object) -> Any:
        """Run one statement as the owner, in a transaction of its own; gives the first value that it returns."""
        async with self.owner.transaction():
            await self.owner.execute(AS_PLATFORM)
            return await self.owner.fetchval(statement, *values)

    async def settled(self) -> None:
        """Wait until everything that was committed by now has been matched, run and told."""
        groups = self.live.groups
        clean_since = groups.tick
        async with asyncio.timeout(PATIENCE_S):
            while groups.matched < clean_since + 2:  # what has landed in a tick is told at its end
                if not all(group.clean for group in groups):
                    clean_since = groups.tick
                self.live.ring()
                await asyncio.sleep(0.005)

    @property
    def runs(self) -> int:
        """How many runs there were so far."""
        return self.live.figures.executions


@asynccontextmanager
async def engine(dsn: str, through: str | None = None, **settings: Any) -> AsyncIterator[Engine]:
    """The live layer over the demo database at `dsn`, or `through` another way to it, with these settings."""
    chosen = Settings(**settings)
    database = await Database.connect(through or dsn, chosen)
    owner = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    live = await Live.open(database, _SCHEMA, chosen)
    try:
        users = [viewer.user_id for viewer in await demo_viewers(owner)]
        tenant_id = await owner.fetchval("SELECT tenant_id FROM users WHERE id = $1", users[0])
        yield Engine(live, database, owner, users, tenant_id)
    finally:
        await live.close()
        await owner.close()
        await database.close()


async def eventually(holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - of anything, which has no event to tell it
            await asyncio.sleep(0.005)
