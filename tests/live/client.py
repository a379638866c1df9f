"""A WebSocket client that subscribes to live queries over one connection and keeps what it receives."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from core.auth.sealing import TokenSealer
from subscriptions.change_log.snapshot import Snapshot
from tests.sealed_tokens import open_snapshot
from tests.waiting import HANG_S

PROTOCOL: Final = Subprotocol("graphql-transport-ws")


@dataclass(frozen=True, slots=True)
class LiveQueryCase:
    """A live query: the text as a subscription, and as the query with the same result."""

    subscription: str
    query: str
    variables: dict[str, Any]

    @classmethod
    def from_field(cls, field_text: str, **variables: Any) -> Self:
        """A live query without variables from the text of one root field."""
        return cls(f"subscription {{ {field_text} }}", f"query {{ {field_text} }}", variables)


@dataclass(slots=True)
class RecordedSubscription:
    """One subscription and its messages.

    Attributes:
        state_count: The number of messages.
        latest: The last payload without its extensions; None before the first.
        snapshot: The snapshot of the last message. None without the key of the server.
        token: The text of that snapshot.
        errors: The errors of the `error` message that ended it.
        backward_steps: The moments of messages older than the one before. A crash of PostgreSQL begins a new
        sequence.
    """

    case: LiveQueryCase
    state_count: int = 0
    latest: dict[str, Any] | None = None
    sealer: TokenSealer | None = None
    snapshot: Snapshot | None = None
    token: str | None = None
    errors: list[dict[str, Any]] | None = None
    completed: bool = False
    backward_steps: list[tuple[Snapshot, Snapshot]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def record(self, payload: dict[str, Any]) -> None:
        """Record a message."""
        extensions = payload.pop("extensions", None) or {}
        self.state_count += 1
        self.latest = payload
        self.token = extensions.get("snapshot")
        if self.sealer is not None and self.token is not None:
            snapshot = open_snapshot(self.token, self.sealer)
            last = self.snapshot
            if last is not None and last.timeline == snapshot.timeline and not snapshot.includes(last):
                self.backward_steps.append((last, snapshot))
            self.snapshot = snapshot
        self.changed.set()

    @property
    def data(self) -> Any:
        """The data of the last message."""
        assert self.latest is not None, self.errors
        return self.latest.get("data")

    async def wait_until(self, condition: Callable[[Self], bool], seconds: float = HANG_S) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(seconds):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()

    async def wait_for_first(self) -> Any:
        """Wait for the first message; returns its data."""
        await self.wait_until(lambda following: following.state_count > 0 or following.errors is not None)
        return self.data


class LiveClient:
    """One socket. A reader task records its messages until it closes. It opens snapshots with `sealer`."""

    def __init__(self, connection: ClientConnection, sealer: TokenSealer | None = None) -> None:
        self.connection = connection
        self.sealer = sealer
        self.subscriptions: dict[str, RecordedSubscription] = {}
        self.closed = asyncio.Event()
        self.after_message: Callable[[RecordedSubscription], None] | None = None
        self._numbers = itertools.count(1)
        self._reader = asyncio.create_task(self._read())

    async def subscribe(
        self, case: LiveQueryCase, subscription: RecordedSubscription | None = None
    ) -> RecordedSubscription:
        """Subscribe, without waiting for a message."""
        number = str(next(self._numbers))
        kept = self.subscriptions[number] = subscription or RecordedSubscription(case, sealer=self.sealer)
        payload = {
            "query": case.subscription,
            "variables": case.variables,
            "extensions": {"snapshot": True},
        }
        await self.send({"id": number, "type": "subscribe", "payload": payload})
        return kept

    async def unsubscribe(self, subscription: RecordedSubscription) -> None:
        """End a subscription."""
        number = next(number for number, kept in self.subscriptions.items() if kept is subscription)
        del self.subscriptions[number]
        await self.send({"id": number, "type": "complete"})

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        await self.connection.send(json.dumps(message))

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                await self._handle_message(json.loads(text))
        except ConnectionClosed:
            return
        finally:
            self.closed.set()

    async def _handle_message(self, message: dict[str, Any]) -> None:
        if message["type"] == "ping":
            await self.send({"type": "pong"})
            return
        subscription = self.subscriptions.get(message.get("id", ""))
        if subscription is None:  # of a subscription that was ended meanwhile
            return
        match message["type"]:
            case "next":
                subscription.record(message["payload"])
            case "error":
                subscription.errors = message["payload"]
            case "complete":
                subscription.completed = True
        subscription.changed.set()
        if self.after_message and message["type"] == "next":
            self.after_message(subscription)

    async def close(self) -> None:
        """Close the socket and stop reading."""
        await self.connection.close()
        await self._reader


@asynccontextmanager
async def open_live_client(url: str, token: str | None, **more: str) -> AsyncIterator[LiveClient]:
    """An acknowledged socket to the server at `url` (http://...); `more` goes into the init payload."""
    client = await connect_live_client(url, token, None, **more)
    try:
        yield client
    finally:
        await client.close()


async def connect_live_client(
    url: str, token: str | None, sealer: TokenSealer | None = None, **more: str
) -> LiveClient:
    """The same, but the caller closes it. With `sealer`, the client opens the snapshots of messages."""
    address = f"{url.replace('http://', 'ws://')}/graphql"
    connection = await connect(address, subprotocols=[PROTOCOL], compression=None, max_size=None)
    payload = {**({"Authorization": f"Bearer {token}"} if token else {}), **more}
    await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
    answer = json.loads(await asyncio.wait_for(connection.recv(), HANG_S))
    assert answer["type"] == "connection_ack", answer
    return LiveClient(connection, sealer)
