"""What the database itself refuses, told as the client's doing: the last guard, and the only one in a race."""

import re
from typing import Final

import asyncpg

from core.errors import BadUserInputError, ConflictError, ForbiddenError, ProductError
from services.writes.complaints import graphql_name
from services.writes.record import Unique
from services.writes.records import RECORDS

_UNIQUES: Final[dict[str, Unique]] = {u.index: u for record in RECORDS.values() for u in record.uniques}
_UNKEPT: Final = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.StringDataRightTruncationError,
    asyncpg.ProgramLimitExceededError,
)
"""What PostgreSQL says of values that it cannot keep."""

_COLUMN: Final = re.compile(r"(?:_fkey|_check|_of_tenant)$")


def refusal_of(error: BaseException) -> ProductError | None:
    """What a client is told of an error of the database; None where it is no client's doing."""
    match error:
        case asyncpg.UniqueViolationError():
            return _taken(error)
        case asyncpg.ForeignKeyViolationError():
            return _bad(error, "names nothing that is there")
        case asyncpg.CheckViolationError():
            return _bad(error, "is outside of what it may be")
        case asyncpg.NotNullViolationError():
            return _bad(error, "must not be null")
        case asyncpg.InsufficientPrivilegeError() if "row-level security" in str(error):
            return ForbiddenError("This is not the viewer's to write")
    if (
        isinstance(error, _UNKEPT) or type(error) is asyncpg.DataError
    ):  # itself: the driver's, of a value to bind
        return BadUserInputError("A value cannot be kept: it is too long, too large, or malformed")
    return None


def _taken(error: asyncpg.UniqueViolationError) -> ConflictError:
    index = error.constraint_name or ""
    unique = _UNIQUES.get(index)
    if unique is not None:
        name = graphql_name(unique.field)
        return ConflictError(f"`{name}` {unique.problem}", {name: unique.problem})
    if index.endswith("_pkey"):
        return ConflictError("`id` is taken", {"id": "is taken"})
    return ConflictError("There is such a row already")


def _bad(error: asyncpg.PostgresError, problem: str) -> BadUserInputError:
    column = error.column_name or _column(error.table_name or "", error.constraint_name or "")
    if column is None:
        return BadUserInputError("The input is refused by the database")
    name = graphql_name(column)
    return BadUserInputError(f"The input is not good: `{name}` {problem}", {name: problem})


def _column(table: str, constraint: str) -> str | None:
    """The column that a constraint is named after, as all of ours are: `<table>_<column>_fkey`."""
    if not constraint.startswith(f"{table}_") or not _COLUMN.search(constraint):
        return None
    column = _COLUMN.sub("", constraint.removeprefix(f"{table}_"))
    return column if table in RECORDS and column in RECORDS[table].types else None
