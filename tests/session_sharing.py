"""What a proxy that shares out PostgreSQL's connections looks like to its clients: process numbers are its own.

It shares nothing out: each client has a connection of its own. The rest of the protocol goes through as it is.
"""

import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

KEY_DATA = b"K"
READY = b"Z"


@asynccontextmanager
async def shared_out(dsn: str) -> AsyncIterator[str]:
    """A proxy in front of the database at `dsn`, which leads to a Unix socket; gives the address of the proxy."""
    parts = urlsplit(dsn)
    directory = parse_qs(parts.query)["host"][0]
    with tempfile.TemporaryDirectory(prefix="msp-pooler-", dir="/tmp") as own:
        server = await asyncio.start_unix_server(
            lambda reader, writer: _serve(reader, writer, Path(directory, ".s.PGSQL.5432")),
            Path(own, ".s.PGSQL.5432"),
        )
        async with server:
            yield dsn.replace(directory, own)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: Path) -> None:
    from_server, to_server = await asyncio.open_unix_connection(path)
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await asyncio.gather(_pass_on(reader, to_server), _greet(from_server, writer))
    for end in (writer, to_server):
        end.close()


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on the server's messages, the number of its process exchanged, until it is ready; then everything."""
    kind = b""
    while kind != READY:
        kind, length = struct.unpack("!cI", await reader.readexactly(5))
        body = await reader.readexactly(length - 4)
        if kind == KEY_DATA:
            body = struct.pack("!I", 2**31 - 1) + body[4:]
        writer.write(struct.pack("!cI", kind, length) + body)
    await _pass_on(reader, writer)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
