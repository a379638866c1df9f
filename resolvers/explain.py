"""Shows a compiled statement and PostgreSQL's plan of it, for an operator who requests this."""

import re
from collections.abc import Sequence
from typing import Any, Final, TypedDict

from core.database.database import ReadTransaction
from resolvers.sql.list_query import Statement

_CLAUSES: Final = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | [()]
    | \b(?:SELECT|FROM|WHERE|ORDER\ BY|LIMIT|OFFSET|LEFT\ JOIN|CROSS\ JOIN)\b""",
    re.VERBOSE,
)
_INDENT: Final = "  "


class Explanation(TypedDict):
    """An explained root field.

    Keys:
        sql: The statement, in lines.
        arguments: Its bound values.
        plan: PostgreSQL's plan, in lines.
    """

    sql: list[str]
    arguments: list[Any]
    plan: list[str]


async def explain_statement(snapshot: ReadTransaction, statement: Statement) -> Explanation:
    """Get PostgreSQL's plan of a statement without running it."""
    records = await snapshot.fetch(f"EXPLAIN {statement.sql}", statement.arguments)
    return {
        "sql": format_sql(statement.sql),
        "arguments": list(statement.arguments),
        "plan": [record[0] for record in records],
    }


def format_sql(sql: str) -> list[str]:
    """Format a statement in lines: one clause a line, indented by the depth of its subquery."""
    lines, depths, at = [""], [False], 0
    for found in _CLAUSES.finditer(sql):
        lines[-1] += sql[at : found.start()]
        word, at = found[0], found.end()
        if word == "(":
            depths.append(sql.startswith("SELECT", at))
        elif word == ")":
            if depths.pop():
                _start_line(lines, depths)
        elif word[0] not in "'\"" and (word == "SELECT" or depths[-1] or len(depths) == 1):
            _start_line(lines, depths)
        lines[-1] += word
    lines[-1] += sql[at:]
    return [line.rstrip() for line in lines if line.strip()]


def _start_line(lines: list[str], depths: Sequence[bool]) -> None:
    lines.append(_INDENT * sum(depths))
