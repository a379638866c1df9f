"""The live layer without sockets: a real `LiveLayer` on a real database, and sinks that record what they receive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.database.database import Database
from core.settings import Settings
from demo import load_demo_viewers
from demo.load import AS_PLATFORM
from resolvers.documents.cache import DocumentCache
from resolvers.loaders.bindings import build_executable_schema
from subscriptions.live_layer import LiveLayer
from subscriptions.session import Session
from subscriptions.subscriber import Disconnect
from tests.live.recording_subscriber import RecordingSubscriber
from tests.operations import validate_text
from tests.sealed_tokens import SEALER
from tests.waiting import HANG_S

_SCHEMA: Final = build_executable_schema()[1]
_DOCUMENTS: Final = DocumentCache(_SCHEMA)


@dataclass
class LiveConnection:
    """A viewer's session, and how it ended if it has."""

    session: Session
    disconnects: list[Disconnect]

    def subscribe(
        self, query: str, extensions: dict[str, Any] | None = None, **variables: Any
    ) -> RecordingSubscriber:
        """Subscribe without waiting."""
        subscriber = RecordingSubscriber()
        operation = validate_text(_DOCUMENTS, query, variables, extensions=extensions)
        subscriber.subscription = self.session.subscribe(operation, subscriber)
        return subscriber


@dataclass
class LiveEngine:
    """A live layer, its database, and the demo's users."""

    live: LiveLayer
    database: Database
    owner: asyncpg.Connection
    user_ids: list[str]
    tenant_id: str

    async def connect(self, user: int | str = 0, expires_at: int = NEVER) -> LiveConnection:
        """Sign a user in: one of the demo's by number, or any user by id."""
        subject = self.user_ids[user] if isinstance(user, int) else user
        return await self.connect_as(Identity(ViewerKind.USER, subject, expires_at), None)

    async def connect_as(self, identity: Identity | None, tenant_id: str | None) -> LiveConnection:
        """Sign any identity in."""
        disconnects: list[Disconnect] = []
        return LiveConnection(await self.live.sign_in(identity, tenant_id, disconnects.append), disconnects)

    async def connect_as_platform(self, tenant_id: str | None = None) -> LiveConnection:
        """Sign the platform in."""
        return await self.connect_as(Identity(ViewerKind.PLATFORM, "platform", NEVER), tenant_id)

    async def execute_sql(self, statement: str, *values: object) -> Any:
        """Run one statement as the owner, in a transaction of its own; returns its first value."""
        async with self.owner.transaction():
            await self.owner.execute(AS_PLATFORM)
            return await self.owner.fetchval(statement, *values)

    async def wait_until_settled(self) -> None:
        """Wait until everything that is committed by now has been matched, run and sent."""
        groups = self.live.registry
        clean_since = groups.cycle
        async with asyncio.timeout(HANG_S):
            while groups.matched < clean_since + 2:  # a completed run is sent at the end of its slice
                if self.live._poller._slices._tasks or not all(map(groups.is_clean, groups)):
                    clean_since = groups.cycle
                self.live.wake()
                await asyncio.sleep(0.005)

    @property
    def run_count(self) -> int:
        """The number of runs so far."""
        return self.live.stats.total_runs


@asynccontextmanager
async def open_live_engine(
    dsn: str, via_dsn: str | None = None, **settings: Any
) -> AsyncIterator[LiveEngine]:
    """The live layer over the demo database at `dsn`, or through the DSN `via_dsn`, with these settings."""
    chosen = Settings(**settings)
    database = await Database.connect(via_dsn or dsn, chosen)
    owner = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    live = await LiveLayer.open(database, chosen, SEALER)
    try:
        users = [viewer.user_id for viewer in await load_demo_viewers(owner)]
        tenant_id = await owner.fetchval("SELECT tenant_id FROM users WHERE id = $1", users[0])
        yield LiveEngine(live, database, owner, users, tenant_id)
    finally:
        await live.close()
        await owner.close()
        await database.close()
