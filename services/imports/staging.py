"""Staging: the rows of a table as they were read, in a temporary table."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import asyncpg

from core.error_text import format_error_line
from core.limits import IMPORT_EXAMPLES_MAX
from services.imports.import_tables import ImportTable

# Names of tables and columns cannot be parameters. They are those of our own models.
_CREATE: Final = """
CREATE TEMP TABLE import_{table} (LIKE public.{table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE pg_temp.import_{table} ADD COLUMN import_line bigint NOT NULL, ADD COLUMN import_reason text;
"""
_ALTER: Final = "ALTER TABLE pg_temp.import_{table}"
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
_REFUSAL: Final = ("table_name", "line", "id", "reason")

# Reasons that differ only by a value, which is quoted, or by a line are one kind.
_GROUPED: Final = r"""
SELECT table_name, line, id, reason, kind, rank, total FROM (
    SELECT *, row_number() OVER (PARTITION BY table_name, kind ORDER BY place) AS rank,
           count(*) OVER (PARTITION BY table_name, kind) AS total,
           min(place) OVER (PARTITION BY table_name, kind) AS first,
           min(place) OVER (PARTITION BY table_name) AS beginning
    FROM (
        SELECT *, regexp_replace(
            regexp_replace(reason, $q$E?'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|\\.)*"$q$, '…', 'g'),
            '\m(line|not) \d+', '\1 …', 'g'
        ) AS kind
        FROM pg_temp.import_refused
    ) r
) g
WHERE rank <= $1 ORDER BY beginning, first, place
"""

Refusal = tuple[str, int, str, str]
"""Table, line, id ("" if it is not known) and reason."""


class RefusedExample(NamedTuple):
    """A refused row as an example of all rows that are refused for the same kind of reason.

    Attributes:
        table: The table.
        line: The line in the file.
        row_id: The row's id, "" if it is not known.
        reason: The reason.
        kind: The reason without values of the row.
        rank: The example's number, from 1.
        total: How many rows of the table are refused for that kind of reason.
    """

    table: str
    line: int
    row_id: str
    reason: str
    kind: str
    rank: int
    total: int


async def create_refusals_table(connection: asyncpg.Connection) -> None:
    """Create the table of refused rows, which lasts as long as the connection."""
    await connection.execute(_CREATE_REFUSED)


async def create_staging_table(connection: asyncpg.Connection, shape: ImportTable) -> None:
    """Create the staging table of one of our tables."""
    derived = (
        f"ALTER COLUMN {column.name} DROP NOT NULL, ALTER COLUMN {column.name} DROP DEFAULT"
        for column in shape.columns
        if column.is_derived
    )
    await connection.execute(
        _CREATE.format(table=shape.table)
        + "".join(f"{_ALTER.format(table=shape.table)} {each};" for each in derived)
    )


async def drop_staging_table(connection: asyncpg.Connection, shape: ImportTable) -> None:
    """Drop the staging table."""
    await connection.execute(f"DROP TABLE pg_temp.import_{shape.table}")


async def copy_records(
    connection: asyncpg.Connection, shape: ImportTable, columns: Sequence[str], records: Sequence[list[Any]]
) -> list[Refusal]:
    """Send records, each with its line at the end; returns the refusals of the database itself.

    The readers and checks should have found each error before. Any other is located by halving the batch.
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
            return [(shape.table, line, str(row_id), f"the database rejects it: {format_error_line(error)}")]
        half = len(records) // 2
        first = await copy_records(connection, shape, columns, records[:half])
        return first + await copy_records(connection, shape, columns, records[half:])
    return []


async def record_refusals(connection: asyncpg.Connection, refused: Sequence[Refusal]) -> None:
    """Store refusals for the report. An id may contain the refused text."""
    if refused:
        kept = [
            (table, line, _escape_unstorable(row_id), _escape_unstorable(reason))
            for table, line, row_id, reason in refused
        ]
        await connection.copy_records_to_table(
            "import_refused", schema_name="pg_temp", columns=_REFUSAL, records=kept
        )


def _escape_unstorable(text: str) -> str:
    """A text that PostgreSQL can store. Escapes replace NUL and non-Unicode characters."""
    return text.replace("\0", r"\x00").encode(errors="backslashreplace").decode()


async def record_staged_refusals(connection: asyncpg.Connection, shape: ImportTable) -> int:
    """Store the refusals of staged rows for the report; returns their number."""
    done = await connection.execute(_MOVE_REFUSED.format(table=shape.table))
    return int(done.rpartition(" ")[2])


@asynccontextmanager
async def open_refusals(connection: asyncpg.Connection) -> AsyncIterator[AsyncIterator[RefusedExample]]:
    """Examples of all refusals: by table, then by kind of reason. They are streamed, since there may be many."""
    async with connection.transaction():
        examples = connection.cursor(_GROUPED, IMPORT_EXAMPLES_MAX, prefetch=1_000)
        yield (RefusedExample(*row) async for row in examples)
