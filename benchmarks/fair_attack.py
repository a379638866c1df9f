"""The attack of `fair_shares.py`, in a process of its own: one tenant's technicians do everything at once.

    python -m benchmarks.fair_attack PORT DSN TENANT TOKEN...

It runs until its standard input ends, and then prints the counts of responses as JSON. The technicians send heavy
queries of one and two root fields, new documents that take long to validate, and large answers. They have a hundred
live queries on all agents of their tenant, and one of the agents changes every second.
"""

import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

import asyncpg
import httpx

from benchmarks.websocket_clients import FrameCounter, open_sockets, send_subscribe

_HEAVY_CLIENTS: Final = 22
_DOCUMENT_CLIENTS: Final = 4
_LARGE_CLIENTS: Final = 4
_LIVE_QUERIES: Final = 100
_PAUSE_S: Final = 0.05
"""After a refusal. A client that does not pause attacks the network and not the server."""

_HEAVY: Final = (
    '{ entities(first: 500, search: "%s") { nodes { id } } agents(first: 500, search: "%s") { nodes { id } } }',
    '{ entities(first: 500, search: "%s") { nodes { id } } }',
)
_LARGE: Final = (
    "query ($n: Int!) { agents(first: $n) { nodes { id hostname guid version site { id name } } } }"
)
_HEAVY_LIVE: Final = 'subscription { agents(first: 1, search: "%s") { totalCount nodes { id } } }'
_TOUCH: Final = """
UPDATE agents SET hostname = left(hostname, 40) || 'x' WHERE id = (SELECT min(id) FROM agents WHERE tenant_id = $1)
"""


class Attack:
    """The attacking tenant."""

    def __init__(self, port: int, tenant: str, tokens: list[str]) -> None:
        self.counts: Counter[str] = Counter()
        self._port = port
        self._tenant = tenant
        self._tokens = tokens
        self._numbers = itertools.count()

    async def run(self, connection: asyncpg.Connection) -> None:
        """Attack until the task is canceled."""
        sockets = await open_sockets(self._port, "/graphql", 1, FrameCounter(), self._tokens[:1])
        for number in range(_LIVE_QUERIES):
            send_subscribe(sockets[0], str(number), _HEAVY_LIVE % f"{number:03}")
        senders: list[Coroutine[Any, Any, None]] = [self._touch(connection)]
        for count, build in (
            (_HEAVY_CLIENTS, self._build_heavy),
            (_DOCUMENT_CLIENTS, self._build_document),
            (_LARGE_CLIENTS, lambda _: (_LARGE, {"n": 1_000})),
        ):
            senders += [self._send(number, build) for number in range(count)]
        await asyncio.gather(*senders)

    def _build_heavy(self, number: int) -> tuple[str, dict[str, Any]]:
        return _HEAVY[number % 2].replace("%s", f"{next(self._numbers):06}"), {}

    def _build_document(self, _number: int) -> tuple[str, dict[str, Any]]:
        word = next(self._numbers)
        fields = " ".join(
            f"a{word}_{n}: agents(first: 1) {{ nodes {{ id hostname site {{ name }} }} }}" for n in range(45)
        )
        return f"{{ {fields} }}", {}

    async def _send(self, number: int, build: Callable[[int], tuple[str, dict[str, Any]]]) -> None:
        token = self._tokens[number % len(self._tokens)]
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            while True:
                query, variables = build(number)
                with suppress(httpx.HTTPError):
                    answer = await http.post(
                        f"http://127.0.0.1:{self._port}/graphql",
                        json={"query": query, "variables": variables},
                    )
                    self.counts[f"{build.__name__.strip('_<>')} {answer.status_code}"] += 1
                    if answer.status_code != httpx.codes.OK:
                        await asyncio.sleep(_PAUSE_S)

    async def _touch(self, connection: asyncpg.Connection) -> None:
        while True:
            await connection.execute(_TOUCH, self._tenant)
            await asyncio.sleep(1)


async def _run(port: int, dsn: str, tenant: str, tokens: list[str]) -> None:
    attack = Attack(port, tenant, tokens)
    connection = await asyncpg.connect(dsn)
    running = asyncio.create_task(attack.run(connection))
    await asyncio.to_thread(sys.stdin.read)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    print(json.dumps(attack.counts))


if __name__ == "__main__":
    _, port_text, dsn_text, tenant_id, *own_tokens = sys.argv
    asyncio.run(_run(int(port_text), dsn_text, tenant_id, own_tokens))
