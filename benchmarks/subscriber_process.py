"""Subscribers during check-ins, as a process of their own: sockets with streams of check-ins, and live queries.

The process reads its subscriptions as JSON from stdin, one line. At each further line it prints a report as
JSON.
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

from benchmarks.websocket_clients import FrameCounter, WebSocketConnection, open_sockets, send_subscribe

_STREAM: Final = """
subscription ($site: ID!) { agentCheckins(siteId: $site) { cursor events { agentId checkedInAt previousCheckinAt } } }
"""
_LIVE: Final = (
    "subscription ($id: ID!) { agent(id: $id) { hostname version platform site { name } } }",
    "subscription ($id: ID!) { site(id: $id) { name agents(first: 50) { totalCount nodes { hostname version } } } }",
)
_QUERIES_PER_SOCKET: Final = 10
"""The number of live queries that share a socket."""

_TIME: Final = re.compile(rb'"checkedInAt":(\d+)')


class EventLatencies:
    """The messages of the streams: the number of events, and for the first of each message its latency in ms."""

    def __init__(self) -> None:
        self.events = 0
        self.delays: list[float] = []

    def add_message(self, text: bytes) -> None:
        """Count a message."""
        self.events += text.count(b'"agentId"')
        if first := _TIME.search(text):
            self.delays.append(time.time() * 1000 - int(first[1]))

    def take_report(self) -> dict[str, Any]:
        """All messages since the last report."""
        cuts = quantiles(self.delays, n=100) if len(self.delays) > 1 else [0.0] * 99
        report = {"events": self.events, "event_p50_ms": round(cuts[49]), "event_p99_ms": round(cuts[98])}
        self.events, self.delays = 0, []
        return report


async def _open_streams(
    port: int, wanted: Sequence[tuple[str, str]], counted: FrameCounter
) -> list[WebSocketConnection]:
    """A socket for each (token, site)."""
    sockets = await open_sockets(port, "/graphql", len(wanted), counted, [token for token, _ in wanted])
    counted.begin()
    for socket, (_, site) in zip(sockets, wanted, strict=True):
        send_subscribe(socket, "1", _STREAM, {"site": site})
    await counted.wait_for_frames(len(sockets))
    return sockets


async def _open_queries(
    port: int, wanted: Sequence[tuple[str, int, str]], counted: FrameCounter
) -> list[WebSocketConnection]:
    """A live query for each (token, index of its query, id). Consecutive ones share sockets."""
    parts = [wanted[at : at + _QUERIES_PER_SOCKET] for at in range(0, len(wanted), _QUERIES_PER_SOCKET)]
    sockets = await open_sockets(port, "/graphql", len(parts), counted, [part[0][0] for part in parts])
    counted.begin()
    for socket, part in zip(sockets, parts, strict=True):
        for number, (_, question, row) in enumerate(part):
            send_subscribe(socket, str(number), _LIVE[question], {"id": row})
    await counted.wait_for_frames(len(wanted))
    return sockets


async def _run_subscribers() -> None:
    loop, seen = asyncio.get_running_loop(), EventLatencies()
    wanted = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    streams, queries = FrameCounter(on_payload=seen.add_message), FrameCounter()
    sockets = await _open_streams(wanted["port"], wanted["streams"], streams)
    sockets += await _open_queries(wanted["port"], wanted["queries"], queries)
    print(json.dumps({"open": len(sockets)}), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        counts = {"messages": streams.frames, "answers": queries.frames}
        print(
            json.dumps({**seen.take_report(), **counts, "closed": streams.closed + queries.closed}),
            flush=True,
        )
        streams.frames = queries.frames = 0
        streams.arrivals, queries.arrivals = [], []
    for socket in sockets:
        socket.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run_subscribers())
