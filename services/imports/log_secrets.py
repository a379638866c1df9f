"""Redacts secrets in imported logs, by the same names and patterns as in our own logs.

A row that is equal to a stored one is left as it is, so that an export of this server changes nothing in its
origin.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from core.exact_json import dump_json, is_same_json, parse_json
from core.logging import REDACTED, SECRET_NAME, SECRET_TEXT, is_secret_name
from services.configs.secret_paths import SECRET_MARKER
from services.imports.import_tables import ColumnKind, ImportColumn, ImportTable

_LOGS: Final = frozenset({"agent_api_logs", "api_logs", "audit_log"})
_BATCH_ROWS: Final = 500
_ASSIGNED: Final = re.compile(
    rf"((?:{SECRET_NAME.pattern})[\w-]{{0,40}}(?:=|\\{{0,9}}\"\s{{0,9}}:\s{{0,9}}\\{{0,9}}\"))"
    r"(?!\[redacted\])[^\s\"\\&;,#<>]+"
    r"|(\bauthorization:\s{0,9}\w{1,20}\s{1,9})\S+",
    re.I,
)
r"""Parameters of a URL, fields of a form, JSON in a text (\"token\":\"...\") and the HTTP header.

All repetitions are bounded, so that the time is linear in the length of the text.
"""

_NO_SECRETS: Final = (None, "", False, True, "[redacted]")
"""Values that reveal nothing: an unset value, and one that was redacted by its origin."""

_SUSPECTS: Final = rf"{SECRET_NAME.pattern}|bearer\s|eyJ|://[^/\s]*@"
_FOUND: Final = """
SELECT s.ctid::text AS place, {names} FROM pg_temp.import_{table} s
WHERE s.import_reason IS NULL AND concat_ws(' ', {names}) ~* $1
  AND NOT EXISTS (SELECT FROM public.{table} t WHERE t.id = s.id AND ({ours}) IS NOT DISTINCT FROM ({theirs}))
"""
_BLANK: Final = "UPDATE pg_temp.import_{table} SET {values} WHERE ctid = $1::text::tid"


async def redact_staged_log(connection: asyncpg.Connection, shape: ImportTable) -> int:
    """Redact the secrets in the staged rows of a log, within a transaction. Other tables are left as they are.

    Returns:
        The number of secrets.
    """
    if shape.table not in _LOGS:
        return 0
    columns = [column for column in shape.columns if _may_contain_secret(column)]
    values = ", ".join(f"{column.name} = ${at}" for at, column in enumerate(columns, 2))
    update = _BLANK.format(table=shape.table, values=values)
    batch: list[list[str | None]] = []
    count = 0
    async for row in connection.cursor(_suspect_condition(shape, columns), _SUSPECTS, prefetch=_BATCH_ROWS):
        blank = [_redact_value(column, row[column.name]) for column in columns]
        count += _count_markers(blank) - _count_markers(row[column.name] for column in columns)
        batch.append([row["place"], *blank])
        if len(batch) == _BATCH_ROWS:
            await connection.executemany(update, batch)
            batch = []
    await connection.executemany(update, batch)
    return count


def _count_markers(texts: Iterable[str | None]) -> int:
    return sum(text.count(REDACTED) for text in texts if text)


def _suspect_condition(shape: ImportTable, columns: list[ImportColumn]) -> str:
    return _FOUND.format(
        table=shape.table,
        names=", ".join(f"s.{column.name}" for column in columns),
        ours=", ".join(f"t.{column.name}" for column in shape.columns),
        theirs=", ".join(f"s.{column.name}" for column in shape.columns),
    )


def _may_contain_secret(column: ImportColumn) -> bool:
    """Whether a column may contain secrets: free text, or JSON."""
    is_id = column.name == "id" or column.name.endswith("_id")
    return column.kind is ColumnKind.JSON or (
        column.kind is ColumnKind.TEXT and not column.values and not is_id
    )


def _redact_value(column: ImportColumn, value: str | None) -> str | None:
    if value is None or column.kind is not ColumnKind.JSON:
        return None if value is None else redact_text(value)
    return dump_json(redact_json(parse_json(value))).decode()


def redact_json(value: Any, *, is_secret: bool = False) -> Any:
    """JSON without the values that their names mark them as secrets, and without the secrets in its texts.

    An unset value stays visible, and so does the marker of a secret in a config.
    """
    if isinstance(value, dict):
        if is_same_json(value, SECRET_MARKER):
            return value
        return {
            key: redact_json(element, is_secret=is_secret or is_secret_name(key))
            for key, element in value.items()
        }
    if isinstance(value, list):
        return [redact_json(element, is_secret=is_secret) for element in value]
    if is_secret:
        return value if any(is_same_json(value, each) for each in _NO_SECRETS) else REDACTED
    return redact_text(value) if isinstance(value, str) else value


def redact_text(text: str) -> str:
    """A text without the secrets in it."""
    named = _ASSIGNED.sub(lambda found: f"{found[1] or found[2]}{REDACTED}", text)
    return SECRET_TEXT.sub(REDACTED, named)
