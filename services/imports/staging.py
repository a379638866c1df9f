"""Staging: a table's rows as they were read, in a temporary table beside the real one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from services.imports.shapes import Shape

# Names of tables and columns cannot be parameters; they are those of our own models.
_CREATE: Final = """
CREATE TEMP TABLE import_{table} (LIKE public.{table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE pg_temp.import_{table} ADD COLUMN import_line bigint NOT NULL, ADD COLUMN import_reason text;
"""
_CREATE_REFUSED: Final = """
CREATE TEMP TABLE import_refused (
    place bigint GENERATED ALWAYS AS IDENTITY,
    table_name text NOT NULL, line bigint NOT NULL, id text NOT NULL, reason text NOT NULL
)
"""
_MOVE_REFUSED: Final = """
INSERT INTO pg_temp.import_refused (table_name, line, id, reason)
SELECT '{table}', import_line, id, import_reason FROM pg_temp.import_{table}
WHERE import_reason IS NOT NULL ORDER BY import_line
"""
_REFUSED: Final = "SELECT table_name, line, id, reason FROM pg_temp.import_refused ORDER BY place"
_REFUSAL: Final = ("table_name", "line", "id", "reason")

Refusal = tuple[str, int, str, str]
"""Table, line, id ("" where it is not known) and reason."""


async def prepare(connection: asyncpg.Connection) -> None:
    """Make room for what is refused, for as long as the connection lasts."""
    await connection.execute(_CREATE_REFUSED)


async def create(connection: asyncpg.Connection, shape: Shape) -> None:
    """Make the staging table of one of ours."""
    await connection.execute(_CREATE.format(table=shape.table))


async def drop(connection: asyncpg.Connection, shape: Shape) -> None:
    """Take it away."""
    await connection.execute(f"DROP TABLE pg_temp.import_{shape.table}")


async def send(
    connection: asyncpg.Connection, shape: Shape, columns: Sequence[str], records: Sequence[list[Any]]
) -> list[Refusal]:
    """Send records, each with its line at the end; returns those that the database itself refuses.

    What is wrong with a row should have been found before. What was not is looked for by halves.
    """
    try:
        async with connection.transaction():
            await connection.copy_records_to_table(
                f"import_{shape.table}",
                schema_name="pg_temp",
                columns=[*columns, "import_line"],
                records=records,
            )
    except (
        asyncpg.DataError,
        asyncpg.IntegrityConstraintViolationError,
        asyncpg.ProgramLimitExceededError,
    ) as error:
        if len(records) == 1:
            line, row_id = records[0][-1], records[0][columns.index("id")]
            return [(shape.table, line, str(row_id), f"the database refuses it: {_said(error)}")]
        half = len(records) // 2
        first = await send(connection, shape, columns, records[:half])
        return first + await send(connection, shape, columns, records[half:])
    return []


def _said(error: asyncpg.PostgresError) -> str:
    """What the database says, without the values, which may be secret."""
    return str(error.args[0] if error.args else type(error).__name__).partition("\n")[0]


async def note(connection: asyncpg.Connection, refused: Sequence[Refusal]) -> None:
    """Keep refusals for the report; ids may hold what was wrong with the row."""
    if refused:
        kept = [
            (table, line, _storable(row_id), _storable(reason)) for table, line, row_id, reason in refused
        ]
        await connection.copy_records_to_table(
            "import_refused", schema_name="pg_temp", columns=_REFUSAL, records=kept
        )


def _storable(text: str) -> str:
    """A text as PostgreSQL can hold it: escapes stand for NUL and for what is not Unicode."""
    return text.replace("\0", r"\x00").encode(errors="backslashreplace").decode()


async def note_staged(connection: asyncpg.Connection, shape: Shape) -> int:
    """Keep the refusals of staged rows for the report; returns how many they are."""
    done = await connection.execute(_MOVE_REFUSED.format(table=shape.table))
    return int(done.rpartition(" ")[2])


@asynccontextmanager
async def refusals(connection: asyncpg.Connection) -> AsyncIterator[AsyncIterator[Refusal]]:
    """All that were refused, in the order of tables; as many as there are, they are not held in memory."""
    async with connection.transaction():
        yield (tuple(row) async for row in connection.cursor(_REFUSED, prefetch=1_000))
