"""Secrets in imported logs: blanked by the names and the looks by which our own logs hide them.

A row that stands here just so is left as it is, so that an export of this server changes nothing where it came from.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from core.logs import HIDDEN, SECRET_NAME, SECRET_TEXT, is_secret_name
from services.configs.places import MARKER
from services.imports.shapes import Column, Kind, Shape

_LOGS: Final = frozenset({"agent_api_logs", "api_logs", "audit_log"})
_LOT_ROWS: Final = 500
_ASSIGNED: Final = re.compile(
    rf"((?:{SECRET_NAME.pattern})[\w-]{{0,40}}(?:=|\\{{0,9}}\"\s{{0,9}}:\s{{0,9}}\\{{0,9}}\"))"
    r"(?!\[redacted\])[^\s\"\\&;,#<>]+"
    r"|(\bauthorization:\s{0,9}\w{1,20}\s{1,9})\S+",
    re.I,
)
r"""Parameters of an address, fields of a form, JSON in a text (\"token\":\"...\") and the header as it is sent.

All is bounded, so that no text takes longer than its length says.
"""

_NO_SECRETS: Final = (None, "", False, True, "[redacted]")
"""Values that tell nothing: of what is not set, and of what was blanked where it comes from."""

_SUSPECTS: Final = rf"{SECRET_NAME.pattern}|bearer\s|eyJ|://[^/\s]*@"
_FOUND: Final = """
SELECT s.ctid::text AS place, {names} FROM pg_temp.import_{table} s
WHERE s.import_reason IS NULL AND concat_ws(' ', {names}) ~* $1
  AND NOT EXISTS (SELECT FROM public.{table} t WHERE t.id = s.id AND ({ours}) IS NOT DISTINCT FROM ({theirs}))
"""
_BLANK: Final = "UPDATE pg_temp.import_{table} SET {values} WHERE ctid = $1::text::tid"


async def blank_secrets(connection: asyncpg.Connection, shape: Shape) -> int:
    """Blank the secrets in what is staged of a log; other tables are left alone. Within a transaction.

    Returns:
        How many there were.
    """
    if shape.table not in _LOGS:
        return 0
    told = [column for column in shape.columns if _tells(column)]
    values = ", ".join(f"{column.name} = ${at}" for at, column in enumerate(told, 2))
    update = _BLANK.format(table=shape.table, values=values)
    lot: list[list[str | None]] = []
    count = 0
    async for row in connection.cursor(_found(shape, told), _SUSPECTS, prefetch=_LOT_ROWS):
        blank = [_blanked(column, row[column.name]) for column in told]
        count += _markers(blank) - _markers(row[column.name] for column in told)
        lot.append([row["place"], *blank])
        if len(lot) == _LOT_ROWS:
            await connection.executemany(update, lot)
            lot = []
    await connection.executemany(update, lot)
    return count


def _markers(texts: Iterable[str | None]) -> int:
    return sum(text.count(HIDDEN) for text in texts if text)


def _found(shape: Shape, told: list[Column]) -> str:
    return _FOUND.format(
        table=shape.table,
        names=", ".join(f"s.{column.name}" for column in told),
        ours=", ".join(f"t.{column.name}" for column in shape.columns),
        theirs=", ".join(f"s.{column.name}" for column in shape.columns),
    )


def _tells(column: Column) -> bool:
    """Whether a column is text that anything may stand in, or JSON."""
    is_id = column.name == "id" or column.name.endswith("_id")
    return column.kind is Kind.JSON or (column.kind is Kind.TEXT and not column.values and not is_id)


def _blanked(column: Column, value: str | None) -> str | None:
    if value is None or column.kind is not Kind.JSON:
        return None if value is None else blanked_text(value)
    return json.dumps(blanked(json.loads(value)))


def blanked(value: Any, *, is_secret: bool = False) -> Any:
    """JSON without what its names say is secret, and without the secrets in its texts.

    What is not set shows, and so does the marker of a secret in a config.
    """
    if isinstance(value, dict):
        if value == MARKER:
            return value
        return {key: blanked(part, is_secret=is_secret or is_secret_name(key)) for key, part in value.items()}
    if isinstance(value, list):
        return [blanked(part, is_secret=is_secret) for part in value]
    if is_secret:
        return value if value in _NO_SECRETS else HIDDEN
    return blanked_text(value) if isinstance(value, str) else value


def blanked_text(text: str) -> str:
    """A text without the secrets in it."""
    named = _ASSIGNED.sub(lambda found: f"{found[1] or found[2]}{HIDDEN}", text)
    return SECRET_TEXT.sub(HIDDEN, named)
