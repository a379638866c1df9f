"""A small load: the same request over a few open connections, for a bounded time."""

import asyncio
import json
import re
import time
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class HttpTarget:
    """A request to a server on this machine."""

    port: int
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def with_query(self, query: str, variables: dict[str, str]) -> "HttpTarget":
        """The same target with another GraphQL request and those of the variables that the query names."""
        used = {name: value for name, value in variables.items() if f"${name}" in query}
        return replace(self, body=json.dumps({"query": query, "variables": used}).encode())

    def to_bytes(self) -> bytes:
        """The request as bytes."""
        lines = [
            f"POST {self.path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Content-Length: {len(self.body)}",
        ]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class LoadResult:
    """The result of one run of a load: requests a second, and the median latency in ms."""

    rate: float
    latency_ms: float


async def fetch_once(target: HttpTarget) -> bytes:
    """Send one request; returns the body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    try:
        return await send_request(reader, writer, target.to_bytes())
    finally:
        writer.close()


async def run_load(target: HttpTarget, seconds: float, connections: int) -> LoadResult:
    """Send requests over `connections` connections, one at a time on each, for so many seconds."""
    latencies: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_run_connection(target, began + seconds, latencies) for _ in range(connections)))
    return LoadResult(len(latencies) / (time.perf_counter() - began), median(latencies) * 1000)


async def _run_connection(target: HttpTarget, until: float, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    raw = target.to_bytes()
    while (began := time.perf_counter()) < until:
        await send_request(reader, writer, raw)
        latencies.append(time.perf_counter() - began)
    writer.close()


async def send_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> bytes:
    """Send a request on an open connection; returns the body of the response.

    Raises:
        RuntimeError: The status of the response is not 200.
    """
    writer.write(raw)
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1])) if length else await _read_chunks(reader)
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{head.decode()}{body[:500].decode()}")
    return body


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)
