"""A client that keeps one connection at a very low cost: with many connections, httpx takes milliseconds."""

import asyncio
from typing import Any, NamedTuple

import orjson


class JsonResponse(NamedTuple):
    """A response: its status, its headers by their names in lower case, its body from JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class KeepAliveClient:
    """POSTs JSON to one server, one request after the other."""

    def __init__(self, url: str) -> None:
        self._host, _, port = url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: object, headers: dict[str, str]) -> JsonResponse:
        """The response; raises OSError or EOFError if the server goes away."""
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            text = orjson.dumps(body)
            shown = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\n{shown}Content-Length: {len(text)}\r\n\r\n"
            writer.write(head.encode() + text)
            return await _read_response(reader)
        except (OSError, EOFError):
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def _read_response(reader: asyncio.StreamReader) -> JsonResponse:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    return JsonResponse(int(status.split()[1]), headers, orjson.loads(body))
