"""Converts constraint errors of the database to client errors.

Constraints are the last check, and the only one in a race.
"""

import re
from typing import Final

import asyncpg

from core.case_conversion import to_camel_case
from core.errors import BadUserInputError, ConflictError, ForbiddenError, ProductError
from services.writes.record import UniqueConstraint
from services.writes.records import RECORDS

_UNIQUES: Final[dict[str, UniqueConstraint]] = {
    u.index: u for record in RECORDS.values() for u in record.uniques
}
_UNSTORABLE: Final = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.StringDataRightTruncationError,
    asyncpg.ProgramLimitExceededError,
)
"""The errors of PostgreSQL for values that it cannot store."""

_COLUMN: Final = re.compile(r"(?:_fkey|_check|_of_tenant)$")


def translate_constraint_error(error: BaseException) -> ProductError | None:
    """The client's error for an error of the database; None if the client did not cause it."""
    match error:
        case asyncpg.UniqueViolationError():
            return _build_unique_error(error)
        case asyncpg.ForeignKeyViolationError():
            return _build_input_error(error, "must be the id of an existing row")
        case asyncpg.CheckViolationError():
            return _build_input_error(error, "must be an allowed value")
        case asyncpg.NotNullViolationError():
            return _build_input_error(error, "must not be null")
        case asyncpg.InsufficientPrivilegeError() if "row-level security" in str(error):
            return ForbiddenError("The viewer may not write this row")
    if (
        isinstance(error, _UNSTORABLE) or type(error) is asyncpg.DataError
    ):  # errors of the driver itself about a value to bind
        return BadUserInputError("A value cannot be stored: it is too long, too large or malformed")
    return None


def _build_unique_error(error: asyncpg.UniqueViolationError) -> ConflictError:
    index = error.constraint_name or ""
    unique = _UNIQUES.get(index)
    if unique is not None:
        name = to_camel_case(unique.field)
        return ConflictError(f"`{name}` {unique.problem}", {name: unique.problem})
    if index.endswith("_pkey"):
        return ConflictError("`id` is already in use", {"id": "is already in use"})
    return ConflictError("Such a row already exists")


def _build_input_error(error: asyncpg.PostgresError, problem: str) -> BadUserInputError:
    column = error.column_name or _find_constraint_column(error.table_name or "", error.constraint_name or "")
    if column is None:
        return BadUserInputError("The database rejected the input")
    name = to_camel_case(column)
    return BadUserInputError(f"Invalid input: `{name}` {problem}", {name: problem})


def _find_constraint_column(table: str, constraint: str) -> str | None:
    """The column that a constraint is named after. The names of ours have the form `<table>_<column>_fkey`."""
    if not constraint.startswith(f"{table}_") or not _COLUMN.search(constraint):
        return None
    column = _COLUMN.sub("", constraint.removeprefix(f"{table}_"))
    return column if table in RECORDS and column in RECORDS[table].column_types else None
