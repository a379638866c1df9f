"""The plans of the statements that operations send, as PostgreSQL makes and runs them for the role of requests."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

from core.database import Connection, Database, Record, Snapshot
from core.settings import Settings

MODES: Final = ("force_custom_plan", "force_generic_plan")
"""The first five runs of a prepared statement have plans for their values; later ones may share one for any."""

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """How a statement was run; prints itself as far as a reader needs it.

    Attributes:
        mode: One of MODES.
        sql: The statement.
        root: The plan's root, as EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) tells it.
    """

    mode: str
    sql: str
    root: Node

    @property
    def nodes(self) -> list[Node]:
        """All nodes, parents first."""
        return [node for node, _depth in _walk(self.root)]

    @property
    def pages(self) -> int:
        """Pages of 8 KiB that were looked at, index or table, each time counted."""
        return int(self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"])

    @property
    def sequential(self) -> set[str]:
        """The tables that were read from end to end."""
        return {node["Relation Name"] for node in self.nodes if _is_sequential(node)}

    def read(self, tables: Collection[str]) -> int:
        """How many rows of these tables were read through indexes, kept or thrown away."""
        scans = (node for node in self.nodes if node.get("Relation Name") in tables)
        return round(sum(_read(node) for node in scans if not _is_sequential(node)))

    def __str__(self) -> str:
        tree = (f"{'  ' * depth}{_line(node)}" for node, depth in _walk(self.root))
        return "\n".join([f"{self.mode}, {self.pages} pages: {self.sql}", *tree])


def _walk(node: Node, depth: int = 0) -> Iterator[tuple[Node, int]]:
    yield node, depth
    for child in node.get("Plans", ()):
        yield from _walk(child, depth + 1)


def _is_sequential(node: Node) -> bool:
    return bool(node["Node Type"].endswith("Seq Scan"))


def _read(node: Node) -> float:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def _line(node: Node) -> str:
    told = ("Node Type", "Relation Name", "Index Name", "Index Cond", "Filter", "Sort Key")
    words = " ".join(str(node[name]) for name in told if name in node)
    return f"{words} ({node['Plan Rows']} rows expected, {_read(node):.0f} read)"


class ExplainingSnapshot(Snapshot):
    """A snapshot that has each statement explained in all MODES after it has fetched its rows."""

    def __init__(self, connection: Connection, plans: list[Plan]) -> None:
        super().__init__(connection)
        self._plans = plans

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[Record]:
        records = await super().fetch(sql, arguments)
        async with self._turn:
            self._plans.extend([await self._explain(mode, sql, arguments) for mode in MODES])
        return records

    async def _explain(self, mode: str, sql: str, arguments: Sequence[object]) -> Plan:
        """Prepared by name: asyncpg's own EXPLAIN would be planned for its values whatever the mode."""
        values = f"({', '.join(map(literal, arguments))})" if arguments else ""
        await self.connection.execute(f"SET LOCAL plan_cache_mode = {mode}; PREPARE explained AS {sql}")
        explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE explained{values}"
        root = orjson.loads(await self.connection.fetchval(explain))[0]["Plan"]
        await self.connection.execute("DEALLOCATE explained")
        return Plan(mode, sql, root)


class ExplainingDatabase(Database):
    """A database whose snapshots have everything explained; `plans` gathers what they were told."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        super().__init__(pool, settings)
        self.plans: list[Plan] = []

    @asynccontextmanager
    async def snapshot(self, *, platform: bool = False) -> AsyncIterator[Snapshot]:
        async with super().snapshot(platform=platform) as snapshot:
            yield ExplainingSnapshot(snapshot.connection, self.plans)


def literal(value: object) -> str:
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(literal, value))}]"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
