"""`python -m demo --size medium`: loads demo data into the database of `DATABASE_URL`."""

import argparse
import asyncio
import sys

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from core.database.connecting import connect
from core.errors import StartupError
from core.settings import Settings
from demo import DemoSize, load_demo


def main() -> int:
    """Run the command line; returns the exit code of the process."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--size", type=DemoSize, choices=list(DemoSize), default=DemoSize.SMALL)
    size: DemoSize = parser.parse_args().size
    try:
        print(
            "loaded"
            if asyncio.run(_load(_require_dsn(), size))
            else "the demo data exists already: nothing was changed"
        )
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _require_dsn() -> str:
    settings = Settings()
    url = settings.database_url
    if settings.oidc_issuer:
        raise StartupError("a demo is refused: OIDC_ISSUER is set, as on a real server; unset it")
    if url is None:
        raise StartupError("set DATABASE_URL to the database for the demo data")
    return url.get_secret_value()


async def _load(dsn: str, size: DemoSize) -> bool:
    try:
        connection = await connect(dsn)
    except (OSError, asyncpg.PostgresError) as error:
        raise StartupError(f"the database is unreachable: {error}") from error
    try:
        return await _with_bar(connection, size)
    except asyncpg.UndefinedTableError as error:
        raise StartupError("the database is not migrated: run `python server.py migrate` first") from error
    finally:
        await connection.close()


async def _with_bar(connection: asyncpg.Connection, size: DemoSize) -> bool:
    columns = (TextColumn("{task.description:>26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("waiting", total=None)

        def show(table: str, sent: int, expected: int) -> None:
            bar.update(task, description=table, completed=sent, total=expected)

        return await load_demo(connection, size, show)


if __name__ == "__main__":
    sys.exit(main())
