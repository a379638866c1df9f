"""Brings a database to the schema that the code knows, by aerich, safely when two servers start at once."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import asyncpg
from aerich import Command
from aerich.coder import encoder
from aerich.migrate import Migrate
from aerich.utils import get_models_describe
from tortoise.context import TortoiseContext

from core.errors import StartupError
from core.limits import MIGRATION_LOCK_POLL_S, MIGRATION_LOCK_WAIT_S
from core.orm import DEFAULT_DSN, tortoise_config
from core.request_role import ensure_request_role
from core.settings import Settings

APP: Final = "models"
LOCATION: Final = Path(__file__).parent.parent / "migrations"
LOCK: Final = 0x6D73705F6D696772
"""The advisory lock of a database's migration: "msp_migr" in ASCII."""


class Pending(StrEnum):
    """How a database stands to the code."""

    UP_TO_DATE = "up to date"
    BEHIND = "needs migration"
    NEWER = "newer than the code"


async def migrate(dsn: str, settings: Settings) -> list[str]:
    """Applies what is missing, then sees to the request role and its grants; idempotent.

    The lock is held by a session, so a DSN must not lead through a transaction pooler
    (Settings.database_direct_url).

    Args:
        dsn: The database; its role must own the schema (or be able to make it).
        settings: Names the request role.

    Returns:
        The versions applied, in their order.

    Raises:
        StartupError: The database cannot be reached, is not UTF8, is newer than the code, or somebody
            else has been migrating it for too long.
    """
    async with _session(dsn) as session, _lock(session):
        await _check_encoding(session)
        if await _stands(session) is Pending.NEWER:
            raise StartupError("The database was migrated by a newer version of the server; update this one")
        applied = await _upgrade(dsn)
        await ensure_request_role(session, settings.request_role)
    return applied


async def pending(dsn: str) -> Pending:
    """How the database stands to the code's migrations.

    Raises:
        StartupError: The database cannot be reached.
    """
    async with (
        _session(dsn) as session,
        session.transaction(),
    ):  # a pooler may come between two parts of a statement
        return await _stands(session)


async def downgrade(dsn: str, version: int) -> list[str]:
    """Takes back the migration numbered `version` and all after it, newest first; the request role stays.

    Returns:
        The versions taken back, in that order.

    Raises:
        StartupError: As `migrate`.
    """
    async with _session(dsn) as session, _lock(session), _aerich(dsn) as command:
        return await command.downgrade(version, delete=False)


async def drift() -> list[str]:
    """The models that are not as the newest migration left them; needs no database."""
    async with _aerich(DEFAULT_DSN, offline=True):
        now = get_models_describe(APP)
    Migrate.migrate_location = LOCATION / APP
    then = Migrate.get_migration_info_for_file(_versions()[-1]).models_state or {}
    models = now.keys() | then.keys()
    return sorted(model for model in models if _shape(now.get(model)) != _shape(then.get(model)))


@asynccontextmanager
async def _session(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of its own, so that its lock outlives the transactions of the migrations."""
    try:
        session = await asyncpg.connect(dsn, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The database cannot be reached: {error}") from error
    try:
        yield session
    finally:
        await session.close()


@asynccontextmanager
async def _lock(session: asyncpg.Connection) -> AsyncIterator[None]:
    """The database's migration lock, polled.

    Who waits for it inside PostgreSQL holds a snapshot, for which CREATE INDEX CONCURRENTLY would wait.
    """
    deadline = asyncio.get_running_loop().time() + MIGRATION_LOCK_WAIT_S
    while not await session.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        if asyncio.get_running_loop().time() > deadline:
            raise StartupError("Another server has been migrating the database for too long")
        await asyncio.sleep(MIGRATION_LOCK_POLL_S)
    try:
        yield
    finally:
        await session.execute("SELECT pg_advisory_unlock_all()")


async def _check_encoding(session: asyncpg.Connection) -> None:
    encoding = await session.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise StartupError(f"The database's encoding is {encoding}; it must be UTF8")


async def _stands(session: asyncpg.Connection) -> Pending:
    known, applied = set(_versions()), await _applied(session)
    if applied - known:
        return Pending.NEWER
    return Pending.UP_TO_DATE if applied == known else Pending.BEHIND


async def _applied(session: asyncpg.Connection) -> set[str]:
    if await session.fetchval("SELECT to_regclass('aerich') IS NULL"):
        return set()
    return {row["version"] for row in await session.fetch("SELECT version FROM aerich WHERE app = $1", APP)}


def _versions() -> list[str]:
    """The migrations that the code brings, as aerich notes them, in their order."""
    files = [path.name for path in (LOCATION / APP).glob("[0-9]*_*.py")]
    return sorted(files, key=lambda name: int(name.split("_")[0]))


async def _upgrade(dsn: str) -> list[str]:
    async with _aerich(dsn) as command:
        return await command.upgrade(run_in_transaction=True)


@asynccontextmanager
async def _aerich(dsn: str, *, offline: bool = False) -> AsyncIterator[Command]:
    """A context of its own for aerich; what it and Tortoise keep in globals is put back."""
    environment = {name: os.environ.get(name) for name in ("USE_TZ", "TIMEZONE")}
    config = tortoise_config(dsn)
    try:
        async with TortoiseContext() as context:
            await context.init(config=config, init_connections=not offline)
            command = Command(config, app=APP, location=str(LOCATION))
            if not offline:
                await command.init()
            yield command
    finally:
        Migrate._last_version_content = None  # noqa: SLF001 - else the next database is taken for this one
        for name, value in environment.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _shape(model: dict[str, Any] | None) -> Any:
    """What of a model reaches the database, as JSON has it: all but its docstring."""
    if model is None:
        return None
    return json.loads(encoder({key: value for key, value in model.items() if key != "docstring"}))


def main(arguments: list[str]) -> int:
    """Answers `--check`: 0, or 1 and one line that names the models that have no migration."""
    if arguments != ["--check"]:
        print("usage: python -m services.migrations --check", file=sys.stderr)
        return 2
    if changed := asyncio.run(drift()):
        print(f"No migration for the changes to {', '.join(changed)}: run `aerich migrate`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
