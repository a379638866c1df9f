"""Counts the bytes that PostgreSQL sends, and cuts the connection of a result that is too large.

asyncpg keeps a whole result before it returns, and a single row may have a gigabyte. So the limit has to apply while
the bytes arrive, below asyncpg:

    PostgreSQL --> transport --> ByteMeter --> asyncpg's protocol --> records
                                    |
                                    +-- over the limit: the transport is aborted, nothing more is kept

PostgreSQL ends the statement when it can no longer send. A cancel request would not do: it ends no row that is being
sent, and a compiled answer is one row. The pool replaces the connection.
"""

import asyncio
import math
from typing import Any


class ByteMeter(asyncio.Protocol):
    """The meter of one connection. It stands between the transport and asyncpg's protocol.

    Attributes:
        is_exceeded: Whether the connection was cut.
    """

    def __init__(self, connection: Any = None) -> None:
        """Meter an open connection of asyncpg. Without one, nothing is counted."""
        self.is_exceeded = False
        self._received = 0
        self._allowed = math.inf
        if connection is not None:
            self._transport = connection._transport  # noqa: SLF001 - asyncpg has no interface for it
            self._protocol = connection._protocol  # noqa: SLF001 - as above
            self._receive = self._protocol.data_received
            self._transport.set_protocol(self)

    def start(self, allowed: float) -> None:
        """Allow so many bytes from now on."""
        self._received = 0
        self._allowed = allowed

    def stop(self) -> None:
        """Allow any number of bytes from now on."""
        self._allowed = math.inf

    def data_received(self, data: bytes) -> None:
        """Pass received bytes on, unless they are too many."""
        self._received += len(data)
        if self._received > self._allowed:
            self.is_exceeded = True
            self._transport.abort()
        else:
            self._receive(data)

    def eof_received(self) -> bool | None:
        """PostgreSQL sends nothing more."""
        closes: bool | None = self._protocol.eof_received()
        return closes

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """PostgreSQL reads too slowly."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """PostgreSQL reads again."""
        self._protocol.resume_writing()


def find_meter(connection: Any) -> ByteMeter:
    """The meter of a connection that `core.database.connecting` opened. Others have none, and are not counted."""
    meter: ByteMeter = getattr(connection, "meter", None) or ByteMeter()
    return meter
