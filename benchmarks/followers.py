"""Who follows while agents check in, as a process of its own: sockets with streams of check-ins, and live queries.

Reads what to open as JSON from stdin, one line; then tells at each further line what has come, as JSON on stdout.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from statistics import quantiles
from typing import Any, Final

import uvloop

from benchmarks.sockets import Counted, Socket, opened, signed_in, subscribe

_STREAM: Final = """
subscription ($site: ID!) { agentCheckins(siteId: $site) { cursor events { agentId checkedInAt previousCheckinAt } } }
"""
_LIVE: Final = (
    "subscription ($id: ID!) { agent(id: $id) { hostname version platform site { name } } }",
    "subscription ($id: ID!) { site(id: $id) { name agents(first: 50) { totalCount nodes { hostname version } } } }",
)
_A_SOCKET: Final = 10
"""Live queries that share a socket."""

_TIME: Final = re.compile(rb'"checkedInAt":(\d+)')


class Seen:
    """What the streams have told: events, and for the first of each message after how many ms."""

    def __init__(self) -> None:
        self.events = 0
        self.delays: list[float] = []

    def look(self, text: bytes) -> None:
        """Take a message in."""
        self.events += text.count(b'"agentId"')
        if first := _TIME.search(text):
            self.delays.append(time.time() * 1000 - int(first[1]))

    def report(self) -> dict[str, Any]:
        """All since the last report."""
        cuts = quantiles(self.delays, n=100) if len(self.delays) > 1 else [0.0] * 99
        told = {"events": self.events, "event_p50_ms": round(cuts[49]), "event_p99_ms": round(cuts[98])}
        self.events, self.delays = 0, []
        return told


async def _streams(port: int, wanted: Sequence[tuple[str, str]], counted: Counted) -> list[Socket]:
    """A socket for each (token, site)."""
    sockets = await opened(port, "/graphql", len(wanted), counted)
    await signed_in(sockets, [token for token, _ in wanted], counted)
    counted.begin()
    for socket, (_, site) in zip(sockets, wanted, strict=True):
        subscribe(socket, "1", _STREAM, {"site": site})
    await counted.reach(len(sockets))
    return sockets


async def _queries(port: int, wanted: Sequence[tuple[str, int, str]], counted: Counted) -> list[Socket]:
    """A live query for each (token, which of the questions, id); those that follow each other share sockets."""
    parts = [wanted[at : at + _A_SOCKET] for at in range(0, len(wanted), _A_SOCKET)]
    sockets = await opened(port, "/graphql", len(parts), counted)
    await signed_in(sockets, [part[0][0] for part in parts], counted)
    counted.begin()
    for socket, part in zip(sockets, parts, strict=True):
        for number, (_, question, row) in enumerate(part):
            subscribe(socket, str(number), _LIVE[question], {"id": row})
    await counted.reach(len(wanted))
    return sockets


async def _follow() -> None:
    loop, seen = asyncio.get_running_loop(), Seen()
    wanted = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    streams, queries = Counted(look=seen.look), Counted()
    sockets = await _streams(wanted["port"], wanted["streams"], streams)
    sockets += await _queries(wanted["port"], wanted["queries"], queries)
    print(json.dumps({"open": len(sockets)}), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        counts = {"messages": streams.frames, "answers": queries.frames}
        print(json.dumps({**seen.report(), **counts, "closed": streams.closed + queries.closed}), flush=True)
        streams.frames = queries.frames = 0
        streams.arrivals, queries.arrivals = [], []
    for socket in sockets:
        socket.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_follow())
