"""A small load: the same request over a few connections that are kept open, for a bounded time."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """A request to a server on this machine."""

    port: int
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def asking(self, query: str, variables: dict[str, str]) -> "Target":
        """The same with another GraphQL request, of whose variables it has those that the query names."""
        used = {name: value for name, value in variables.items() if f"${name}" in query}
        return replace(self, body=json.dumps({"query": query, "variables": used}).encode())

    def raw(self) -> bytes:
        """The request as it goes over the socket."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Content-Length: {len(self.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class Run:
    """What one run of a load saw: requests a second, and the median latency in ms."""

    rate: float
    latency_ms: float


async def once(target: Target) -> bytes:
    """Ask once; gives the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        return await exchange(reader, writer, target.raw())
    finally:
        writer.close()


async def run(target: Target, seconds: float, connections: int) -> Run:
    """Ask over `connections` connections, one request at a time on each, for so many seconds."""
    latencies: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_client(target, began + seconds, latencies) for _ in range(connections)))
    return Run(len(latencies) / (time.perf_counter() - began), median(latencies) * 1000)


async def _client(target: Target, until: float, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    raw = target.raw()
    while (began := time.perf_counter()) < until:
        await exchange(reader, writer, raw)
        latencies.append(time.perf_counter() - began)
    writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> bytes:
    """Ask on a connection that is open; gives the body.

    Raises:
        RuntimeError: The answer is not 200.
    """
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else await _chunks(reader)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{head.decode()}{body[:500].decode()}")
    return body


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)
