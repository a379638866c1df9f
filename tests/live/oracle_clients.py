"""The oracle's viewers: each has a socket with live queries, and reconnects whenever the socket is lost."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from websockets.exceptions import InvalidHandshake, WebSocketException

from resolvers.loaders.bindings import build_executable_schema
from subscriptions.change_log.snapshot import Snapshot
from tests.graphql_harness import Principal
from tests.live.client import LiveClient, LiveQueryCase, RecordedSubscription, connect_live_client
from tests.live.generated_queries import iter_live_queries
from tests.live.two_servers import TwoServers
from tests.property.document_generator import DocumentGenerator
from tests.property.row_samples import RowSamples
from tests.property.viewer_cases import ViewerCase

ROLE_PAIR: Final = ("pair-one", "pair-two")
"""Two roles that are always written together, so that their descriptions agree in every snapshot."""

QUERIES_PER_CLIENT: Final = 12
_ROLE_PAIR_READERS: Final = ("administrator", "technician")


@dataclass
class OracleClient:
    """One viewer's socket.

    Attributes:
        server_number: The server that it tries first.
        subscriptions: Its present subscriptions; new ones after each loss of the socket.
        pairs: The description of each of the pair, by the snapshot of its message.
        pair_mismatches: Messages of one snapshot in which the two differed.
        pair_matches: How often both arrived for one snapshot and agreed.
    """

    principal: Principal
    cases: Sequence[LiveQueryCase]
    server_number: int
    subscriptions: list[RecordedSubscription] = field(default_factory=list)
    state_count: int = 0
    backward_steps: list[tuple[Snapshot, Snapshot]] = field(default_factory=list)
    pair_mismatches: list[str] = field(default_factory=list)
    pair_matches: int = 0
    _pairs: dict[str, dict[int, str]] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def start(self, servers: TwoServers) -> None:
        """Subscribe to all queries, and again after each loss of the socket."""
        self._servers = servers
        self._token = servers.issue_token(self.principal)
        self._http = httpx.AsyncClient(timeout=30)
        connected = asyncio.Event()
        self._task = asyncio.create_task(self._stay_connected(connected))
        await connected.wait()

    async def _stay_connected(self, connected: asyncio.Event) -> None:
        while True:
            client = await self._connect()
            try:
                await self._subscribe_all(client)
                connected.set()
                await client.closed.wait()
            except WebSocketException:
                pass  # the socket was lost; the next attempt subscribes again
            finally:
                self._count_states()
                await client.close()
            self.server_number += 1

    async def _connect(self) -> LiveClient:
        while True:
            with suppress(OSError, TimeoutError, WebSocketException, InvalidHandshake):
                tenant = {"X-Tenant-Id": self.principal.tenant_id} if self.principal.tenant_id else {}
                return await connect_live_client(
                    self._servers.url_of(self.server_number), self._token, self._servers.sealer, **tenant
                )
            self.server_number += 1
            await asyncio.sleep(0.1)

    async def _subscribe_all(self, client: LiveClient) -> None:
        self._pairs.clear()
        client.after_message = self._check_pair
        self.subscriptions = [await client.subscribe(question) for question in self.cases]

    def _check_pair(self, following: RecordedSubscription) -> None:
        """Compare the two descriptions of one snapshot."""
        question = following.case
        index = next((n for n, name in enumerate(ROLE_PAIR) if f'"{name}"' in question.query), None)
        role = (following.latest or {}).get("data", {}).get("role") if index is not None else None
        if index is None or role is None or following.snapshot is None:
            return
        descriptions = self._pairs.setdefault(str(following.snapshot), {})
        descriptions[index] = role["description"]
        if len(descriptions) == len(ROLE_PAIR):
            if len(set(descriptions.values())) == 1:
                self.pair_matches += 1
            else:
                self.pair_mismatches.append(f"{self.principal.label}: {descriptions} at {following.snapshot}")

    def _count_states(self) -> None:
        for following in self.subscriptions:
            self.state_count += following.state_count
            self.backward_steps += following.backward_steps
            following.state_count, following.backward_steps = 0, []

    async def find_stale(self) -> list[str]:
        """The live queries with a last message that differs from the query's present result, with the difference."""
        return [
            difference
            for following in self.subscriptions
            if (difference := await self._find_difference(following))
        ]

    async def _find_difference(self, following: RecordedSubscription) -> str | None:
        fresh = await self._execute_query(following.case)
        if following.errors is not None:
            has_data = any(value is not None for value in (fresh.get("data") or {}).values())
            failed = fresh.get("errors") and not has_data
            return None if failed else self._describe_difference(following, fresh)
        return None if following.latest == fresh else self._describe_difference(following, fresh)

    async def _execute_query(self, question: LiveQueryCase) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if self.principal.tenant_id:
            headers["X-Tenant-Id"] = self.principal.tenant_id
        body = {"query": question.query, "variables": question.variables}
        for attempt in range(2):
            with suppress(httpx.TransportError):
                http_response = await self._http.post(
                    f"{self._servers.url_of(self.server_number + attempt)}/graphql",
                    json=body,
                    headers=headers,
                )
                response: dict[str, Any] = http_response.json()
                return response
        return {"errors": ["no server answers"]}

    def _describe_difference(self, following: RecordedSubscription, fresh: dict[str, Any]) -> str:
        question = following.case
        last = following.errors or following.latest
        request = f"{self.principal}\n{question.query}\n{question.variables}"
        return f"{request}\nlast told: {last!s:.1500}\nfresh: {fresh!s:.1500}"

    async def close(self) -> None:
        """Close the socket."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            await self._http.aclose()


def make_oracle_clients(
    everybody: Sequence[ViewerCase], samples: RowSamples, seed: str
) -> Iterator[OracleClient]:
    """A seat for each viewer, with generated live queries of its own."""
    schema = build_executable_schema()[1]
    for number, person in enumerate(everybody):
        generator = DocumentGenerator(schema, samples, person.tenant_id, person.roots)
        questions = list(_generate_cases(generator, f"{seed}/{person.principal.label}"))
        if person.principal.label in _ROLE_PAIR_READERS:
            questions += [
                LiveQueryCase.from_field(f'role(id: "{name}") {{ description }}') for name in ROLE_PAIR
            ]
        yield OracleClient(person.principal, questions, number)


def _generate_cases(generator: DocumentGenerator, seed: str) -> Iterator[LiveQueryCase]:
    number = found = 0
    while found < QUERIES_PER_CLIENT:
        number += 1
        for question in iter_live_queries(generator.make_document(f"{seed}/{number}")):
            found += 1
            yield question
            break
