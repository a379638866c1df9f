"""Opens connections: one host after another, never to a standby, each with TCP keepalives.

A snapshot of a standby lists no transaction as running, so changes would be lost between two of them. Through a proxy
that sends reads to standbys, a withdrawn right would still be valid for a moment.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import asyncpg

from core.database.byte_meter import ByteMeter
from core.database.deadlines import DeadlineProtocol, UnansweredError, wait_until_silent
from core.database.request_role import AnyConnection
from core.error_text import format_error_line
from core.limits import (
    DATABASE_CLOSE_S,
    DATABASE_CONNECT_S,
    DATABASE_DEADLINE_S,
    DATABASE_HOST_CONNECT_S,
    DATABASE_KEEPALIVE_IDLE_S,
    DATABASE_KEEPALIVE_INTERVAL_S,
    DATABASE_KEEPALIVE_PROBES,
)

REFUSE_STANDBY: Final = "SELECT 1 / (NOT pg_is_in_recovery())::int;"
"""SQL that fails on a standby with a division by zero. It needs no further round trip in a simple query."""

_STANDBY_SYMPTOMS: Final = (
    asyncpg.DivisionByZeroError,
    asyncpg.FeatureNotSupportedError,  # READ WRITE in BEGIN
    asyncpg.ReadOnlySQLTransactionError,
)

_TRY_NEXT_HOST: Final = (
    OSError,  # includes TimeoutError and StandbyError
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,  # it starts, stops or recovers
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)

_KEEPALIVE_OPTIONS: Final = (
    ("TCP_KEEPIDLE", DATABASE_KEEPALIVE_IDLE_S),
    ("TCP_KEEPINTVL", DATABASE_KEEPALIVE_INTERVAL_S),
    ("TCP_KEEPCNT", DATABASE_KEEPALIVE_PROBES),
    (
        "TCP_USER_TIMEOUT",
        1000 * (DATABASE_KEEPALIVE_IDLE_S + DATABASE_KEEPALIVE_INTERVAL_S * DATABASE_KEEPALIVE_PROBES),
    ),
)


class MeteredConnection(asyncpg.Connection):
    """A connection that counts what PostgreSQL sends.

    Attributes:
        meter: The counter.
    """

    meter: ByteMeter


class StandbyError(ConnectionError):
    """The server is a standby, and this product reads and writes only at the primary."""


async def connect(
    dsn: str,
    *,
    statement_cache_size: int = 100,
    server_settings: Mapping[str, str] | None = None,
    statement_s: float | None = None,
) -> "asyncpg.Connection[asyncpg.Record]":
    """Connect to the primary among the hosts of a DSN. The host that worked last is tried first.

    Args:
        dsn: `postgresql://...` as asyncpg and libpq take it. It may have several hosts, separated by commas.
        statement_cache_size: Prepared statements that the connection keeps.
        server_settings: Settings of the session.
        statement_s: The deadline of each statement, in seconds; None where something else sets one.

    Raises:
        OSError: No host is reachable, or all of them are standbys. This includes TimeoutError.
        asyncpg.PostgresError: The only host refuses the connection, or one of several refuses the user.
    """
    hosts = _split_hosts_once(dsn)
    timeout_s = DATABASE_HOST_CONNECT_S if len(hosts) > 1 else DATABASE_CONNECT_S
    errors: list[BaseException] = []
    for address in tuple(hosts):
        try:
            connection = await _connect_to_host(address, timeout_s, statement_cache_size, server_settings)
        except _TRY_NEXT_HOST as error:
            errors.append(error)
        else:
            if hosts[0] != address:
                hosts.remove(address)
                hosts.insert(0, address)
            if statement_s is not None:
                _set_deadline(connection, statement_s, address)
            return connection
    if len(errors) == 1 and not isinstance(errors[0], asyncpg.TargetServerAttributeNotMatched):
        raise errors[0]
    raise ConnectionError(f"no host is a primary: {'; '.join(map(format_error_line, errors))}") from errors[
        -1
    ]


@asynccontextmanager
async def open_connection(
    dsn: str,
    *,
    statement_cache_size: int = 100,
    server_settings: Mapping[str, str] | None = None,
    statement_s: float = DATABASE_DEADLINE_S,
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection for the block. At the end it is closed, or dropped if the database does not answer.

    Raises:
        OSError: As `connect`. UnansweredError, if a statement took longer than `statement_s` seconds.
        asyncpg.PostgresError: As `connect`.
    """
    connection = await connect(
        dsn,
        statement_cache_size=statement_cache_size,
        server_settings=server_settings,
        statement_s=statement_s,
    )
    try:
        yield connection
    except asyncio.CancelledError:  # often a timeout: a graceful close would wait once more
        connection.terminate()
        raise
    finally:
        await _close(connection)


@asynccontextmanager
async def require_answers(dsn: str) -> AsyncIterator[None]:
    """Cancel the block when PostgreSQL answers no more. The block waits for other programs that use it.

    Raises:
        UnansweredError: The block was canceled for that.
    """
    task = asyncio.current_task()
    silence = asyncio.create_task(wait_until_silent(partial(accepts_connection, dsn)))
    is_running = True

    def cancel_block(_silence: asyncio.Task[None]) -> None:
        if is_running and task is not None and not silence.cancelled():
            task.cancel()

    silence.add_done_callback(cancel_block)
    try:
        yield
    except asyncio.CancelledError:
        if task is None or not silence.done():
            raise
        task.uncancel()
        raise UnansweredError("PostgreSQL answers no more") from None
    finally:
        is_running = False
        silence.cancel()


async def accepts_connection(dsn: str) -> bool:
    """Whether PostgreSQL answers a new connection. A refusal is an answer, too."""
    try:
        connection = await connect(dsn, statement_cache_size=0)
    except asyncpg.PostgresError:
        return True
    except OSError:
        return False
    connection.terminate()
    return True


async def _close(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    try:
        await connection.close(timeout=DATABASE_CLOSE_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # asyncpg has dropped it
        connection.terminate()


def _set_deadline(connection: "asyncpg.Connection[asyncpg.Record]", statement_s: float, address: str) -> None:
    """Limit each statement of a connection to this time."""
    protocol = connection._protocol  # type: ignore[attr-defined]  # noqa: SLF001 - asyncpg's own time limit waits for its cancel request
    connection._protocol = DeadlineProtocol(protocol, statement_s, partial(accepts_connection, address))  # type: ignore[attr-defined]  # noqa: SLF001


def split_hosts(dsn: str) -> list[str]:
    """The DSN for each of its hosts. The hosts are before the path, or in the parameter `host`."""
    parts = urlsplit(dsn)
    user, at, hosts = parts.netloc.rpartition("@")
    rest = dsn[len(f"{parts.scheme}://{parts.netloc}") :]
    if "," in hosts:
        return [f"{parts.scheme}://{user}{at}{host}{rest}" for host in hosts.split(",")]
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    names = query.get("host", "").split(",")
    if len(names) == 1:
        return [dsn]
    ports = query.get("port", "").split(",")
    ports = ports * len(names) if len(ports) == 1 else ports
    stem = dsn.partition("?")[0]
    each = zip(names, ports, strict=False)
    return [
        f"{stem}?{urlencode(query | {'host': name, 'port': port}, quote_via=quote)}" for name, port in each
    ]


@lru_cache(maxsize=16)
def _split_hosts_once(dsn: str) -> list[str]:
    """The hosts of a DSN in the order in which to try them. The list is shared, and `connect` reorders it."""
    return split_hosts(dsn)


async def _connect_to_host(
    dsn: str, timeout_s: float, statement_cache_size: int, server_settings: Mapping[str, str] | None
) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        async with asyncio.timeout(timeout_s):
            return await _open(dsn, statement_cache_size, server_settings)
    except TimeoutError:
        raise TimeoutError(f"PostgreSQL has not answered within {timeout_s:g} seconds") from None


async def _open(
    dsn: str, statement_cache_size: int, server_settings: Mapping[str, str] | None
) -> "asyncpg.Connection[asyncpg.Record]":
    connection = await asyncpg.connect(
        dsn,
        statement_cache_size=statement_cache_size,
        server_settings=dict(server_settings) if server_settings else None,
        connection_class=MeteredConnection,
    )
    connection.meter = ByteMeter(connection)
    try:
        _enable_keepalives(connection)
        await refuse_standby(connection, REFUSE_STANDBY)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def refuse_standby(connection: AnyConnection, sql: str) -> None:
    """Run SQL that has `REFUSE_STANDBY` in it as a simple query.

    Raises:
        StandbyError: The server is a standby.
    """
    try:
        await connection.execute(sql)
    except _STANDBY_SYMPTOMS as error:
        raise StandbyError("the server is a standby, which this product does not use") from error


def _enable_keepalives(connection: Any) -> None:
    """Notice within half a minute that the other machine is gone. The kernel's defaults take two hours."""
    transport = connection._transport  # noqa: SLF001 - asyncpg has no setting for it
    line = transport.get_extra_info("socket")
    if line is None or line.family == socket.AF_UNIX:
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_OPTIONS:
        if hasattr(socket, name):  # Linux has all of them
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
