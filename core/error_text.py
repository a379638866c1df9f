"""The text of a database error for users and logs, without the values of a row.

PostgreSQL's DETAIL contains the refused row ("Failing row contains (...)"). The message of a data exception
contains the value itself ("invalid input syntax for type bigint: ..."). Rows contain secrets and personal data.
"""

from collections.abc import Iterator
from typing import Final

import asyncpg

_DATA_EXCEPTIONS: Final = "22"
"""The class of SQLSTATEs with values in their messages. The driver's errors about values to bind have it, too."""


def format_error_line(error: BaseException) -> str:
    """An error's message on one line, without the values of rows; its type if there is no message."""
    for each in (error, *error.args):  # Tortoise wraps the driver's error in its own
        if isinstance(each, asyncpg.PostgresError):
            return _redact_values(each)
    return " ".join(str(error).split()) or type(error).__name__


def remove_values(error: BaseException) -> None:
    """Remove the values of rows from an error and all its causes, before its traceback is written."""
    for each in _iter_chain(error):
        if isinstance(each, asyncpg.PostgresError):
            each.args = (_redact_values(each),)
            each.detail = each.hint = None


def _redact_values(error: asyncpg.PostgresError) -> str:
    state = error.sqlstate or ""
    if state.startswith(_DATA_EXCEPTIONS):
        return f"{type(error).__name__} (SQLSTATE {state})"
    said = str(error.args[0]) if error.args else ""
    return " ".join(said.partition("\n")[0].split()) or type(error).__name__


def _iter_chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes and contexts, the members of groups, and errors that are arguments of others."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        near = (each.__cause__, each.__context__, *members, *each.args)
        waiting += [one for one in near if isinstance(one, BaseException)]
