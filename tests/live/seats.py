"""Seats of the oracle: a viewer's socket with its live queries, found again whenever it is lost."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from websockets.exceptions import InvalidHandshake, WebSocketException

from resolvers.binding import bound_schema
from subscriptions.changes.moment import Moment
from tests.graph import Who
from tests.live.client import Following, LiveClient, Question, connected
from tests.live.questions import questions_of
from tests.live.servers import TwoServers
from tests.property.documents import Generator
from tests.property.people import Person
from tests.property.samples import Samples

PAIR: Final = ("pair-one", "pair-two")
"""Two roles that are always written together, so that their descriptions agree at every moment."""

QUESTIONS: Final = 12
_PAIR_READERS: Final = ("administrator", "technician")


@dataclass
class Seat:
    """One viewer's socket.

    Attributes:
        number: Which server it turns to first.
        followings: What it follows now; new ones after each loss of the socket.
        pairs: The description of each of the pair by the moment that it was told of.
        torn: Where the two did not agree.
        agreed: How often they came together, and agreed.
    """

    who: Who
    questions: Sequence[Question]
    number: int
    followings: list[Following] = field(default_factory=list)
    states: int = 0
    went_back: list[tuple[Moment, Moment]] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    agreed: int = 0
    _pairs: dict[str, dict[int, str]] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def sit_down(self, servers: TwoServers) -> None:
        """Follow everything from now on, wherever the socket goes."""
        self._servers = servers
        self._token = servers.token(self.who)
        self._http = httpx.AsyncClient(timeout=30)
        seated = asyncio.Event()
        self._task = asyncio.create_task(self._stay(seated))
        await seated.wait()

    async def _stay(self, seated: asyncio.Event) -> None:
        while True:
            client = await self._connected()
            try:
                await self._follow_all(client)
                seated.set()
                await client.closed.wait()
            except WebSocketException:
                pass  # lost while asking: the next one asks again
            finally:
                self._take_down()
                await client.close()
            self.number += 1

    async def _connected(self) -> LiveClient:
        while True:
            with suppress(OSError, TimeoutError, WebSocketException, InvalidHandshake):
                tenant = {"X-Tenant-Id": self.who.tenant_id} if self.who.tenant_id else {}
                return await connected(self._servers.url(self.number), self._token, **tenant)
            self.number += 1
            await asyncio.sleep(0.1)

    async def _follow_all(self, client: LiveClient) -> None:
        self._pairs.clear()
        client.after_message = self._check_pair
        self.followings = [await client.follow(question) for question in self.questions]

    def _check_pair(self, following: Following) -> None:
        """Told both of one moment, they must agree."""
        question = following.question
        place = next((n for n, name in enumerate(PAIR) if f'"{name}"' in question.query), None)
        role = (following.latest or {}).get("data", {}).get("role") if place is not None else None
        if place is None or role is None or following.moment is None:
            return
        told = self._pairs.setdefault(str(following.moment), {})
        told[place] = role["description"]
        if len(told) == len(PAIR):
            if len(set(told.values())) == 1:
                self.agreed += 1
            else:
                self.torn.append(f"{self.who.label}: {told} at {following.moment}")

    def _take_down(self) -> None:
        for following in self.followings:
            self.states += following.states
            self.went_back += following.went_back
            following.states, following.went_back = 0, []

    async def stale(self) -> list[str]:
        """Of each live query whose last message is not what the query answers now: what and how."""
        return [told for following in self.followings if (told := await self._difference(following))]

    async def _difference(self, following: Following) -> str | None:
        fresh = await self._ask(following.question)
        if following.errors is not None:
            return None if fresh.get("data") is None and fresh.get("errors") else self._told(following, fresh)
        return None if following.latest == fresh else self._told(following, fresh)

    async def _ask(self, question: Question) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if self.who.tenant_id:
            headers["X-Tenant-Id"] = self.who.tenant_id
        body = {"query": question.query, "variables": question.variables}
        for attempt in range(2):
            with suppress(httpx.TransportError):
                answer = await self._http.post(
                    f"{self._servers.url(self.number + attempt)}/graphql", json=body, headers=headers
                )
                told: dict[str, Any] = answer.json()
                return told
        return {"errors": ["no server answers"]}

    def _told(self, following: Following, fresh: dict[str, Any]) -> str:
        question = following.question
        last = following.errors or following.latest
        asked = f"{self.who}\n{question.query}\n{question.variables}"
        return f"{asked}\nlast told: {last!s:.1500}\nfresh: {fresh!s:.1500}"

    async def leave(self) -> None:
        """Close the socket."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            await self._http.aclose()


def seats_of(everybody: Sequence[Person], samples: Samples, seed: str) -> Iterator[Seat]:
    """A seat for each viewer, with generated live queries of its own."""
    schema = bound_schema()[1]
    for number, person in enumerate(everybody):
        generator = Generator(schema, samples, person.tenant_id, person.roots)
        questions = list(_generated(generator, f"{seed}/{person.who.label}"))
        if person.who.label in _PAIR_READERS:
            questions += [Question.of(f'role(id: "{name}") {{ description }}') for name in PAIR]
        yield Seat(person.who, questions, number)


def _generated(generator: Generator, seed: str) -> Iterator[Question]:
    number = found = 0
    while found < QUESTIONS:
        number += 1
        for question in questions_of(generator.document(f"{seed}/{number}")):
            found += 1
            yield question
            break
