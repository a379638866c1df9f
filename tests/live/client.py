"""A client of the socket: follows live queries over one connection and keeps what it was told."""

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

from subscriptions.changes.moment import Moment

PROTOCOL: Final = Subprotocol("graphql-transport-ws")
PATIENCE_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Question:
    """A live query: the text as a subscription and as the query that it keeps true."""

    subscription: str
    query: str
    variables: dict[str, Any]

    @classmethod
    def of(cls, field_text: str, **variables: Any) -> Self:
        """A question without variables of its own from the text of one root field."""
        return cls(f"subscription {{ {field_text} }}", f"query {{ {field_text} }}", variables)


@dataclass(slots=True)
class Following:
    """One subscription and what it was told.

    Attributes:
        states: How many messages came.
        latest: The last payload without its extensions; None before the first.
        moment: What the snapshot of the last message saw.
        errors: Why it was ended by an `error`.
        went_back: The moments of messages told after newer ones; after a crash of PostgreSQL time begins anew.
    """

    question: Question
    states: int = 0
    latest: dict[str, Any] | None = None
    moment: Moment | None = None
    errors: list[dict[str, Any]] | None = None
    completed: bool = False
    went_back: list[tuple[Moment, Moment]] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, payload: dict[str, Any]) -> None:
        """Take down a message."""
        extensions = payload.pop("extensions", None) or {}
        self.states += 1
        self.latest = payload
        if (text := extensions.get("snapshot")) is not None:
            moment = Moment.parse(text)
            last = self.moment
            if last is not None and last.era == moment.era and not moment.covers(last):
                self.went_back.append((last, moment))
            self.moment = moment
        self.told.set()

    @property
    def data(self) -> Any:
        """The data of the last message."""
        assert self.latest is not None, self.errors
        return self.latest.get("data")

    async def until(self, holds: Callable[[Self], bool], seconds: float = PATIENCE_S) -> None:
        """Wait until something holds of what was told."""
        async with asyncio.timeout(seconds):
            while not holds(self):
                self.told.clear()
                await self.told.wait()

    async def first(self) -> Any:
        """Wait for the first message; gives its data."""
        await self.until(lambda following: following.states > 0 or following.errors is not None)
        return self.data


class LiveClient:
    """One socket; a reader task takes down what comes until it closes."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.followings: dict[str, Following] = {}
        self.closed = asyncio.Event()
        self.after_message: Callable[[Following], None] | None = None
        self._numbers = itertools.count(1)
        self._reader = asyncio.create_task(self._read())

    async def follow(self, question: Question, following: Following | None = None) -> Following:
        """Subscribe; does not wait for an answer."""
        number = str(next(self._numbers))
        kept = self.followings[number] = following or Following(question)
        payload = {
            "query": question.subscription,
            "variables": question.variables,
            "extensions": {"snapshot": True},
        }
        await self.send({"id": number, "type": "subscribe", "payload": payload})
        return kept

    async def leave(self, following: Following) -> None:
        """End a subscription."""
        number = next(number for number, kept in self.followings.items() if kept is following)
        del self.followings[number]
        await self.send({"id": number, "type": "complete"})

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        await self.connection.send(json.dumps(message))

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                await self._take(json.loads(text))
        except ConnectionClosed:
            return
        finally:
            self.closed.set()

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "ping":
            await self.send({"type": "pong"})
            return
        following = self.followings.get(message.get("id", ""))
        if following is None:  # of one that was left, on its way already
            return
        match message["type"]:
            case "next":
                following.tell(message["payload"])
            case "error":
                following.errors = message["payload"]
            case "complete":
                following.completed = True
        following.told.set()
        if self.after_message and message["type"] == "next":
            self.after_message(following)

    async def close(self) -> None:
        """Close the socket and stop reading."""
        await self.connection.close()
        await self._reader


@asynccontextmanager
async def live_client(url: str, token: str | None, **more: str) -> AsyncIterator[LiveClient]:
    """A socket to the server at `url` (http://...), acknowledged; `more` goes into the init payload."""
    client = await connected(url, token, **more)
    try:
        yield client
    finally:
        await client.close()


async def connected(url: str, token: str | None, **more: str) -> LiveClient:
    """The same, for the caller to close."""
    address = f"{url.replace('http://', 'ws://')}/graphql"
    connection = await connect(address, subprotocols=[PROTOCOL], compression=None, max_size=None)
    payload = {**({"Authorization": f"Bearer {token}"} if token else {}), **more}
    await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
    answer = json.loads(await asyncio.wait_for(connection.recv(), PATIENCE_S))
    assert answer["type"] == "connection_ack", answer
    return LiveClient(connection)
