"""A subscriber that records what it receives."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson

from subscriptions.open_subscription import OpenSubscription
from subscriptions.subscriber import Payload
from tests.waiting import HANG_S


@dataclass
class RecordingSubscriber:
    """A subscription's sink."""

    texts: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] | None = None
    subscription: OpenSubscription | None = None
    received: asyncio.Event = field(default_factory=asyncio.Event)

    def send_state(self, payload: Payload) -> None:
        self.texts.append(payload.text)
        self.received.set()

    def send_event(self, payload: Payload) -> None:
        self.send_state(payload)

    def send_error(self, errors: list[dict[str, Any]]) -> None:
        assert self.errors is None
        self.errors = errors
        self.received.set()

    def send_complete(self) -> None:
        raise AssertionError("a live query does not end")

    @property
    def states(self) -> list[dict[str, Any]]:
        """The received states, parsed."""
        return [orjson.loads(text) for text in self.texts]

    @property
    def site_names(self) -> list[str]:
        """The name of the site in each received state."""
        return [state["data"]["site"]["name"] for state in self.states]

    @property
    def data(self) -> Any:
        """The data of the last state."""
        return self.states[-1]["data"]

    @property
    def code(self) -> str | None:
        """The code of the error that ended it."""
        return self.errors[0]["extensions"]["code"] if self.errors else None

    async def wait_for_states(self, count: int) -> "RecordingSubscriber":
        """Wait until so many states, or an error, have arrived."""
        async with asyncio.timeout(HANG_S):
            while len(self.texts) < count and self.errors is None:
                self.received.clear()
                await self.received.wait()
        return self

    async def wait_for_error(self) -> "RecordingSubscriber":
        """Wait for the error that ends it."""
        async with asyncio.timeout(HANG_S):
            while self.errors is None:
                self.received.clear()
                await self.received.wait()
        return self
