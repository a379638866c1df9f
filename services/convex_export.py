"""The command `export convex`: all tables as a Convex snapshot, in the newer encoding of `npx convex export`.

The snapshot is for another server of this product: `npx convex import` refuses ids that Convex did not make.

Numbers are float64, as those of JavaScript are. An amount that no float64 shows by the same digits is text,
so that nothing of it is lost. An integer in JSON that none shows so is an integer, of any size.
Secrets stay: `{"secret": true}`.
"""

import os
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

import asyncpg
import orjson

from core.database.connecting import open_connection
from core.error_text import format_error_line
from core.errors import FileRefusedError, StartupError
from core.exact_json import dump_json, parse_json
from core.limits import EXPORT_BATCH_ROWS, LONG_STATEMENT_S
from services.configs.secret_paths import mask_config
from services.imports.import_tables import IMPORT_TABLES, ColumnKind, ImportTable

_UNIFORM: Final = b'"uniform"\n'
_FIRST_TABLE: Final = 10_001
"""Convex numbers an application's tables from here on."""

_SESSION_SETTINGS: Final = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
_SHOWN: Final = {("integrations", "config_schema"): "app.in_written_order(t.config_schema) AS config_schema"}
_AS_PLATFORM: Final = "SELECT set_config('app.platform', 'on', true)"

Counts = dict[str, int]
"""The number of documents of each table."""


async def export_convex(dsn: str, path: Path) -> Counts:
    """Write all tables, in one snapshot, to a new ZIP file that only its owner may read.

    Raises:
        StartupError: The file exists or cannot be written, or the database cannot be read. No file is left.
    """
    with _open_new_file(path) as file:
        try:
            async with open_connection(dsn, statement_s=LONG_STATEMENT_S) as connection:
                await connection.execute(_SESSION_SETTINGS)
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                    return await _export_tables(connection, archive)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StartupError(f"The export failed: {format_error_line(error)}") from error


@contextmanager
def _open_new_file(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file next to the final one. It is renamed to the final name when it is complete."""
    if path.exists():
        raise FileRefusedError(f"{path} exists already")
    partial_path = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(partial_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - the mode
            yield file
        os.link(partial_path, path)
    except OSError as error:
        raise FileRefusedError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial_path.unlink()


async def _export_tables(connection: asyncpg.Connection, archive: zipfile.ZipFile) -> Counts:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_AS_PLATFORM)
        listed = [
            orjson.dumps({"name": name, "id": _FIRST_TABLE + at}) + b"\n"
            for at, name in enumerate(IMPORT_TABLES)
        ]
        archive.writestr("_tables/documents.jsonl", b"".join(listed))
        return {
            shape.table: await _export_table(connection, archive, shape) for shape in IMPORT_TABLES.values()
        }


async def _export_table(connection: asyncpg.Connection, archive: zipfile.ZipFile, shape: ImportTable) -> int:
    archive.writestr(f"{shape.table}/generated_schema.jsonl", _UNIFORM)
    written = 0
    with archive.open(f"{shape.table}/documents.jsonl", "w", force_zip64=True) as out:
        async for row in _iter_rows(connection, shape):
            out.write(dump_json(_build_document(shape, row)) + b"\n")
            written += 1
    return written


def _iter_rows(connection: asyncpg.Connection, shape: ImportTable) -> AsyncIterator[asyncpg.Record]:
    names = ", ".join(_SHOWN.get((shape.table, column.name), f"t.{column.name}") for column in shape.columns)
    extra_columns, join = "", ""
    if shape.table == "data_sources":
        extra_columns, join = ", i.config_schema", " JOIN public.integrations i ON i.id = t.integration_id"
    # Names of tables and columns cannot be parameters. They come from our own models.
    query = f"SELECT {names}{extra_columns} FROM public.{shape.table} t{join} ORDER BY t.id"  # noqa: S608
    return aiter(connection.cursor(query, prefetch=EXPORT_BATCH_ROWS))


def _build_document(shape: ImportTable, row: asyncpg.Record) -> dict[str, Any]:
    """A row as a document. A null column has no key."""
    document = {"_id": row["id"], "_creationTime": float(row["created_at"])}
    for column in shape.columns:
        value = row[column.name]
        if value is None or column.name == "id":
            continue
        if (shape.table, column.name) == ("data_sources", "config"):
            schema = parse_json(row["config_schema"] or "null")
            document[column.field] = _convert_numbers(mask_config(parse_json(value), schema))
        else:
            document[column.field] = _WRITERS[column.kind](value)
    return document


def _keep_value(value: Any) -> Any:
    return value


def _convert_amount(value: Decimal) -> float | str:
    number = float(value)
    return number if Decimal(repr(number)) == value else format(value, "f")


def _convert_json(value: str) -> Any:
    return _convert_numbers(parse_json(value))


def _convert_numbers(value: Any) -> Any:
    """JSON with its numbers as float64, but for those that a float64 does not hold."""
    if type(value) is int:
        return _shorten_number(value)
    if isinstance(value, dict):
        return {key: _convert_numbers(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_convert_numbers(element) for element in value]
    return value


def _shorten_number(value: int) -> float | int:
    """A float64 where its shortest digits are the same number, else the integer."""
    try:
        number = float(value)
    except OverflowError:
        return value
    return number if Decimal(repr(number)) == value else value


_WRITERS: Final[Mapping[ColumnKind, Callable[[Any], Any]]] = {
    ColumnKind.TEXT: _keep_value,
    ColumnKind.MS: float,
    ColumnKind.INT: float,
    ColumnKind.BOOL: _keep_value,
    ColumnKind.NUMBER: _convert_amount,
    ColumnKind.JSON: _convert_json,
    ColumnKind.TEXTS: _keep_value,
}
