"""A proxy with the visible effect of a connection-sharing proxy on its clients: the process numbers are its own.

It does not share connections: each client has one of its own. The rest of the protocol passes unchanged.
"""

import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

BACKEND_KEY_DATA = b"K"
READY_FOR_QUERY = b"Z"


@asynccontextmanager
async def start_pooling_proxy(dsn: str) -> AsyncIterator[str]:
    """A proxy for the database at `dsn`, which has a Unix socket; yields the proxy's DSN."""
    parts = urlsplit(dsn)
    directory = parse_qs(parts.query)["host"][0]
    with tempfile.TemporaryDirectory(prefix="msp-pooler-", dir="/tmp") as own:
        server = await asyncio.start_unix_server(
            lambda reader, writer: _serve_client(reader, writer, Path(directory, ".s.PGSQL.5432")),
            Path(own, ".s.PGSQL.5432"),
        )
        async with server:
            yield dsn.replace(directory, own)


async def _serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: Path) -> None:
    from_server, to_server = await asyncio.open_unix_connection(path)
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await asyncio.gather(_relay(reader, to_server), _relay_handshake(from_server, writer))
    for end in (writer, to_server):
        end.close()


async def _relay_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on the server's messages with another process number until it is ready, and then everything."""
    kind = b""
    while kind != READY_FOR_QUERY:
        kind, length = struct.unpack("!cI", await reader.readexactly(5))
        body = await reader.readexactly(length - 4)
        if kind == BACKEND_KEY_DATA:
            body = struct.pack("!I", 2**31 - 1) + body[4:]
        writer.write(struct.pack("!cI", kind, length) + body)
    await _relay(reader, writer)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
