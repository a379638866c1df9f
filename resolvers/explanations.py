"""How a compiled statement reads, and how PostgreSQL would run it: for the operator who asks."""

import re
from collections.abc import Sequence
from typing import Any, Final, TypedDict

from core.database import Snapshot
from resolvers.level import Statement

_WORDS: Final = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | [()]
    | \b(?:SELECT|FROM|WHERE|ORDER\ BY|LIMIT|OFFSET|LEFT\ JOIN|CROSS\ JOIN)\b""",
    re.VERBOSE,
)
_INDENT: Final = "  "


class Explanation(TypedDict):
    """A compiled root field, explained.

    Keys:
        sql: The statement, in lines.
        arguments: What is bound to it.
        plan: PostgreSQL's plan, in lines.
    """

    sql: list[str]
    arguments: list[Any]
    plan: list[str]


async def explain(snapshot: Snapshot, statement: Statement) -> Explanation:
    """Ask PostgreSQL how it would run a statement, without running it."""
    records = await snapshot.fetch(f"EXPLAIN {statement.sql}", statement.arguments)
    return {
        "sql": in_lines(statement.sql),
        "arguments": list(statement.arguments),
        "plan": [record[0] for record in records],
    }


def in_lines(sql: str) -> list[str]:
    """A statement in lines: a clause each, indented by how deep its subquery lies."""
    lines, depths, at = [""], [False], 0
    for found in _WORDS.finditer(sql):
        lines[-1] += sql[at : found.start()]
        word, at = found[0], found.end()
        if word == "(":
            depths.append(sql.startswith("SELECT", at))
        elif word == ")":
            if depths.pop():
                _new_line(lines, depths)
        elif word[0] not in "'\"" and (word == "SELECT" or depths[-1] or len(depths) == 1):
            _new_line(lines, depths)
        lines[-1] += word
    lines[-1] += sql[at:]
    return [line.rstrip() for line in lines if line.strip()]


def _new_line(lines: list[str], depths: Sequence[bool]) -> None:
    lines.append(_INDENT * sum(depths))
