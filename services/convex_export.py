"""The command `export convex`: everything as a Convex snapshot, in the newer encoding of `npx convex export`.

It is for another of these servers: `npx convex import` refuses ids that Convex did not make.

Numbers are float64, as those of JavaScript are. An amount that no float64 shows by the same digits is text,
so that nothing of it is lost; an integer in JSON that none holds is an int64. Secrets stay: `{"secret": true}`.
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

from core.errors import FileRefusedError, StartupError
from core.limits import EXPORT_LOT_ROWS
from services.configs.places import masked_config
from services.imports.shapes import SHAPES, Kind, Shape

_UNIFORM: Final = b'"uniform"\n'
_FIRST_TABLE: Final = 10_001
"""Convex numbers an application's tables from here on."""

_INT64: Final = 1 << 63
_SESSION: Final = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
_AS_PLATFORM: Final = "SELECT set_config('app.platform', 'on', true)"

Counts = dict[str, int]
"""Documents of each table."""


async def export_convex(dsn: str, path: Path) -> Counts:
    """Write all tables, true of one moment, to a new ZIP file that only its owner may read.

    Raises:
        StartupError: The file is there already or cannot be written, or the database cannot be read. No file is left.
    """
    with _new_file(path) as file:
        try:
            connection = await asyncpg.connect(dsn)
            try:
                await connection.execute(_SESSION)
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                    return await _export(connection, archive)
            finally:
                await connection.close(timeout=5)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StartupError(f"The export broke off: {' '.join(str(error).split())}") from error


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file beside the one to be, which takes its place when it is whole."""
    if path.exists():
        raise FileRefusedError(f"{path} is there already")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - the mode
            yield file
        os.link(part, path)
    except OSError as error:
        raise FileRefusedError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


async def _export(connection: asyncpg.Connection, archive: zipfile.ZipFile) -> Counts:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(_AS_PLATFORM)
        listed = [
            orjson.dumps({"name": name, "id": _FIRST_TABLE + at}) + b"\n" for at, name in enumerate(SHAPES)
        ]
        archive.writestr("_tables/documents.jsonl", b"".join(listed))
        return {shape.table: await _export_table(connection, archive, shape) for shape in SHAPES.values()}


async def _export_table(connection: asyncpg.Connection, archive: zipfile.ZipFile, shape: Shape) -> int:
    archive.writestr(f"{shape.table}/generated_schema.jsonl", _UNIFORM)
    written = 0
    with archive.open(f"{shape.table}/documents.jsonl", "w", force_zip64=True) as out:
        async for row in _rows(connection, shape):
            out.write(orjson.dumps(_document(shape, row)) + b"\n")
            written += 1
    return written


def _rows(connection: asyncpg.Connection, shape: Shape) -> AsyncIterator[asyncpg.Record]:
    names = ", ".join(f"t.{column.name}" for column in shape.columns)
    beside, join = "", ""
    if shape.table == "data_sources":
        beside, join = ", i.config_schema", " JOIN public.integrations i ON i.id = t.integration_id"
    # Names of tables and columns cannot be parameters; they are our models' own.
    query = f"SELECT {names}{beside} FROM public.{shape.table} t{join} ORDER BY t.id"  # noqa: S608
    return aiter(connection.cursor(query, prefetch=EXPORT_LOT_ROWS))


def _document(shape: Shape, row: asyncpg.Record) -> dict[str, Any]:
    """A row as a document; what is absent has no key."""
    document = {"_id": row["id"], "_creationTime": float(row["created_at"])}
    for column in shape.columns:
        value = row[column.name]
        if value is None or column.name == "id":
            continue
        if (shape.table, column.name) == ("data_sources", "config"):
            schema = orjson.loads(row["config_schema"] or "null")
            document[column.field] = _as_floats(masked_config(orjson.loads(value), schema))
        else:
            document[column.field] = _WRITERS[column.kind](value)
    return document


def _as_it_is(value: Any) -> Any:
    return value


def _amount(value: Decimal) -> float | str:
    number = float(value)
    return number if Decimal(repr(number)) == value else format(value, "f")


def _json(value: str) -> Any:
    return _as_floats(orjson.loads(value))


def _as_floats(value: Any) -> Any:
    """JSON with its numbers as float64, but for integers that only int64 holds."""
    if type(value) is int:
        return value if float(value) != value and -_INT64 <= value < _INT64 else float(value)
    if isinstance(value, dict):
        return {key: _as_floats(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_floats(part) for part in value]
    return value


_WRITERS: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.TEXT: _as_it_is,
    Kind.MS: float,
    Kind.INT: float,
    Kind.BOOL: _as_it_is,
    Kind.NUMBER: _amount,
    Kind.JSON: _json,
    Kind.TEXTS: _as_it_is,
}
