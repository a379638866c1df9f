"""A client of `/graphql` over WebSocket that sends exactly the given messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.waiting import HANG_S

SUBPROTOCOL: Final = Subprotocol("graphql-transport-ws")
TYPENAME_REQUEST: Final = {"query": "{ __typename }"}


@dataclass(frozen=True, slots=True)
class WebSocketClient:
    """One socket."""

    connection: ClientConnection

    async def send(self, message: Any) -> None:
        """Send a frame: a dictionary as JSON, a text or bytes as they are."""
        await self.connection.send(json.dumps(message) if isinstance(message, dict) else message)

    async def receive(self, seconds: float = HANG_S) -> dict[str, Any]:
        """The next message."""
        text = await asyncio.wait_for(self.connection.recv(), seconds)
        assert isinstance(text, str)
        message: dict[str, Any] = json.loads(text)
        return message

    async def init(self, token: str | None = None, **payload: Any) -> None:
        """Send `connection_init`, and wait for the acknowledgement."""
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        await self.send({"type": "connection_init", "payload": {**shown, **payload}})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, query: str, id_: str = "1", **payload: Any) -> None:
        """Subscribe to an operation."""
        await self.send({"id": id_, "type": "subscribe", "payload": {"query": query, **payload}})

    async def complete(self, id_: str = "1") -> None:
        """End an operation."""
        await self.send({"id": id_, "type": "complete"})

    async def execute(self, query: str, id_: str = "1", **payload: Any) -> dict[str, Any]:
        """Run an operation with one result; returns its `next` or `error` message."""
        await self.subscribe(query, id_, **payload)
        message = await self.receive()
        assert message["id"] == id_
        if message["type"] == "next":
            assert await self.receive() == {"id": id_, "type": "complete"}
        return message

    async def is_alive(self) -> bool:
        """Whether the socket still answers. No other message may arrive before the answer."""
        await self.send({"type": "ping", "payload": {"alive": True}})
        return await self.receive() == {"type": "pong", "payload": {"alive": True}}

    async def wait_for_close(self, seconds: float = HANG_S) -> tuple[int, str]:
        """Read until the socket ends; returns its close code (1006 without a close) and reason."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")


def websocket_url(url: str) -> str:
    """The WebSocket URL of the server at `url` (http://...)."""
    return f"{url.replace('http', 'ws', 1)}/graphql"


@asynccontextmanager
async def connect_websocket(
    url: str,
    subprotocols: Sequence[str] | None = (SUBPROTOCOL,),
    origin: str | None = None,
    **more: Any,
) -> AsyncIterator[WebSocketClient]:
    """A socket to the server at `url` (http://...), before its `connection_init`; `more` goes to `connect`."""
    options = {"compression": None, "max_size": None, "ping_interval": None, "close_timeout": 1, **more}
    connection = await connect(
        websocket_url(url),
        subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
        origin=None if origin is None else Origin(origin),
        **options,
    )
    try:
        yield WebSocketClient(connection)
    finally:
        await connection.close()
