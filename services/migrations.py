"""Migrates a database to the code's schema with aerich. Two servers may start at the same time."""

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import asyncpg
from aerich import Command
from aerich.coder import encoder
from aerich.migrate import Migrate
from aerich.utils import get_models_describe
from tortoise.context import TortoiseContext

from core.database.connecting import open_connection
from core.database.orm import DEFAULT_DSN, build_tortoise_config
from core.database.request_role import ensure_request_role
from core.errors import StartupError
from core.limits import MIGRATION_LOCK_POLL_S, MIGRATION_LOCK_WAIT_S
from core.settings import Settings

APP: Final = "models"
LOCATION: Final = Path(__file__).parent.parent / "migrations"
LOCK: Final = 0x6D73705F6D696772
"""The advisory lock of a database's migration: "msp_migr" in ASCII."""


_ADDITIVE_TABLE: Final = "app.additive_steps"


class Pending(StrEnum):
    """The state of a database relative to the code."""

    UP_TO_DATE = "up to date"
    BEHIND = "needs migration"
    AHEAD = "some additive steps ahead of the code"
    NEWER = "newer than the code"


async def migrate(
    dsn: str, settings: Settings, target: int | None = None, *, change_rls_mode: bool = False
) -> list[str]:
    """Apply the missing migrations, then create the request role and its grants; idempotent.

    A database that is only additive steps ahead is left as it is.

    A session holds the lock, so a DSN must not lead through a transaction pooler
    (Settings.database_direct_url).

    Args:
        dsn: The database. Its role must own the schema, or be able to create it.
        settings: The settings, with the name of the request role.
        target: The number of the last step to apply; all of them by default.
        change_rls_mode: Whether the mode of row-level security may change (core/database/request_role.py).

    Returns:
        The applied versions, in their order.

    Raises:
        StartupError: The database is unreachable, not UTF8, or newer than the code, or another process has been
            migrating it for too long. Or the mode of row-level security would have to change.
    """
    async with open_session(dsn) as session, acquire_migration_lock(session):
        await _check_encoding(session)
        state = await compare_versions(session)
        if state is Pending.NEWER:
            raise StartupError("A newer version of the server migrated the database: update this server")
        if state is Pending.AHEAD:
            return []
        await _record_additive_steps(session)
        applied = await _run_upgrade(dsn, target)
        await _record_additive_steps(session)
        if target is None or target == find_latest_step():  # else the grants are those of an older version
            await ensure_request_role(session, settings.request_role, change_mode=change_rls_mode)
    return applied


async def find_pending(dsn: str) -> Pending:
    """The state of the database relative to the code's migrations.

    Raises:
        StartupError: The database is unreachable.
    """
    async with (
        open_session(dsn) as session,
        session.transaction(),
    ):  # a pooler may come between two parts of a statement
        return await compare_versions(session)


async def downgrade(dsn: str, version: int) -> list[str]:
    """Revert the migration numbered `version` and all after it, newest first. The request role stays.

    Returns:
        The reverted versions, in that order.

    Raises:
        StartupError: As `migrate`.
    """
    async with open_session(dsn) as session, acquire_migration_lock(session), _open_aerich(dsn) as command:
        return await command.downgrade(version, delete=False)


async def migrate_to(dsn: str, settings: Settings, target: int) -> tuple[list[str], list[str]]:
    """Migrate up or down, so that step `target` is the last one that is applied.

    Returns:
        The applied and the reverted versions. Reverting a step loses the data that only its schema can store.

    Raises:
        StartupError: As `migrate`, or the code has no such step, or the database has steps that it does not know.
    """
    if target not in map(_parse_step_number, _list_versions()):
        raise StartupError(f"There is no step {target}. The last one is {find_latest_step()}")
    async with open_session(dsn) as session:
        applied = await _load_applied(session)
        if applied - set(_list_versions()):
            raise StartupError("Only the version of the server that added the last steps can revert them")
    later = sorted(number for number in map(_parse_step_number, applied) if number > target)
    reverted = await downgrade(dsn, later[0]) if later else []
    return await migrate(dsn, settings, target), reverted


def find_latest_step() -> int:
    """The number of the last step of this code."""
    return _parse_step_number(_list_versions()[-1])


async def find_model_drift() -> list[str]:
    """The models that differ from the state of the newest migration. It needs no database."""
    async with _open_aerich(DEFAULT_DSN, offline=True):
        now = get_models_describe(APP)
    Migrate.migrate_location = LOCATION / APP
    then = Migrate.get_migration_info_for_file(_list_versions()[-1]).models_state or {}
    models = now.keys() | then.keys()
    return sorted(
        model for model in models if _describe_model(now.get(model)) != _describe_model(then.get(model))
    )


@asynccontextmanager
async def open_session(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of its own, so that its lock outlives the transactions of the migrations.

    Raises:
        StartupError: The database is unreachable.
    """
    async with AsyncExitStack() as stack:
        try:
            session = await stack.enter_async_context(open_connection(dsn, statement_cache_size=0))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StartupError(f"The database is unreachable: {error}") from error
        yield session


@asynccontextmanager
async def acquire_migration_lock(session: asyncpg.Connection) -> AsyncIterator[None]:
    """The database's migration lock, acquired by polling.

    A session that waits for a lock inside PostgreSQL holds a snapshot. CREATE INDEX CONCURRENTLY would wait
    for it.
    """
    deadline = asyncio.get_running_loop().time() + MIGRATION_LOCK_WAIT_S
    while not await session.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
        if asyncio.get_running_loop().time() > deadline:
            raise StartupError("The migration by another server takes too long")
        await asyncio.sleep(MIGRATION_LOCK_POLL_S)
    try:
        yield
    finally:
        await session.execute("SELECT pg_advisory_unlock_all()")


async def _check_encoding(session: asyncpg.Connection) -> None:
    encoding = await session.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise StartupError(f"The encoding of the database must be UTF8, not {encoding}")


async def compare_versions(session: asyncpg.Connection) -> Pending:
    """The state of the database of this session relative to the code's migrations."""
    known, applied = set(_list_versions()), await _load_applied(session)
    if unknown := applied - known:
        is_additive = known <= applied and unknown <= await _load_additive(session)
        return Pending.AHEAD if is_additive else Pending.NEWER
    return Pending.UP_TO_DATE if applied == known else Pending.BEHIND


async def _load_applied(session: asyncpg.Connection) -> set[str]:
    if await session.fetchval("SELECT to_regclass('aerich') IS NULL"):
        return set()
    return {row["version"] for row in await session.fetch("SELECT version FROM aerich WHERE app = $1", APP)}


async def _load_additive(session: asyncpg.Connection) -> set[str]:
    if await session.fetchval(f"SELECT to_regclass('{_ADDITIVE_TABLE}') IS NULL"):
        return set()
    return {row["version"] for row in await session.fetch(f"SELECT version FROM {_ADDITIVE_TABLE}")}  # noqa: S608


async def _record_additive_steps(session: asyncpg.Connection) -> None:
    """Record which steps of this code are additive, before older servers see them.

    The table is missing before the step that creates it. Servers from before that step cannot read it.
    """
    if await session.fetchval(f"SELECT to_regclass('{_ADDITIVE_TABLE}') IS NULL"):
        return
    versions = [version for version in _list_versions() if is_additive_step(LOCATION / APP / version)]
    await session.execute(
        f"INSERT INTO {_ADDITIVE_TABLE} (version) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
        versions,
    )


def is_additive_step(step: Path) -> bool:
    """Whether servers of the version before work on while this step is applied: the step says `ADDITIVE = True`."""
    return re.search(r"^ADDITIVE = True$", step.read_text("utf-8"), re.MULTILINE) is not None


def _list_versions() -> list[str]:
    """The versions of the code's migrations, by aerich's names, in their order."""
    files = [path.name for path in (LOCATION / APP).glob("[0-9]*_*.py")]
    return sorted(files, key=_parse_step_number)


def _parse_step_number(version: str) -> int:
    return int(version.split("_")[0])


async def _run_upgrade(dsn: str, target: int | None = None) -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        location = LOCATION if target is None else _copy_steps(Path(directory), target)
        async with _open_aerich(dsn, location) as command:
            return await command.upgrade(run_in_transaction=True)


def _copy_steps(directory: Path, target: int) -> Path:
    """Copy the steps up to number `target`, because aerich applies all steps of a directory."""
    (directory / APP).mkdir()
    for version in _list_versions():
        if _parse_step_number(version) <= target:
            shutil.copy(LOCATION / APP / version, directory / APP / version)
    return directory


@asynccontextmanager
async def _open_aerich(
    dsn: str, location: Path | None = None, *, offline: bool = False
) -> AsyncIterator[Command]:
    """A context of its own for aerich. Globals of aerich and Tortoise are restored at the end."""
    environment = {name: os.environ.get(name) for name in ("USE_TZ", "TIMEZONE")}
    config = build_tortoise_config(dsn)
    try:
        async with TortoiseContext() as context:
            await context.init(config=config, init_connections=not offline)
            command = Command(config, app=APP, location=str(location or LOCATION))
            if not offline:
                await command.init()
            yield command
    finally:
        Migrate._last_version_content = None  # noqa: SLF001 - else aerich takes the next database for this one
        for name, value in environment.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _describe_model(model: dict[str, Any] | None) -> Any:
    """The part of a model that affects the database, as JSON values: all except docstrings and names of functions."""
    if model is None:
        return None
    described = encoder({key: value for key, value in model.items() if key != "docstring"})
    return json.loads(described, object_hook=_hide_function_name)


def _hide_function_name(described: dict[str, Any]) -> dict[str, Any]:
    """A function that computes a default is code. The database does not have it."""
    if str(described.get("default")).startswith("<function "):
        described["default"] = "<function>"
    return described


def main(arguments: list[str]) -> int:
    """Run `--check`. Returns 0, or returns 1 and prints one line with the models that have no migration."""
    if arguments != ["--check"]:
        print("usage: python -m services.migrations --check", file=sys.stderr)
        return 2
    if changed := asyncio.run(find_model_drift()):
        print(
            f"There is no migration for the changes to {', '.join(changed)}: run `aerich migrate`",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
