"""The plans of the statements of operations, as PostgreSQL makes and runs them for the role of requests."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.database.database import Connection, Database, ReadTransaction, Record
from core.fair_queue import SERVER
from core.settings import Settings
from core.share_load import ShareLoad

PLAN_CACHE_MODES: Final = ("force_custom_plan", "force_generic_plan")
"""The first five runs of a prepared statement have plans for their values. Later runs may share a generic plan."""

PlanNode = Mapping[str, Any]


@dataclass(frozen=True)
class QueryPlan:
    """How a statement was run. It prints itself as far as a reader needs it.

    Attributes:
        mode: One of MODES.
        sql: The statement.
        root: The plan's root, from EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON).
    """

    mode: str
    sql: str
    root: PlanNode

    @property
    def nodes(self) -> list[PlanNode]:
        """All nodes, parents first."""
        return [node for node, _depth in _walk_nodes(self.root)]

    @property
    def page_count(self) -> int:
        """The number of accesses to pages of 8 KiB, of indexes or tables."""
        return int(self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"])

    @property
    def sequentially_scanned_tables(self) -> set[str]:
        """The tables that were scanned sequentially."""
        return {node["Relation Name"] for node in self.nodes if _is_sequential(node)}

    def count_rows_read(self, tables: Collection[str]) -> int:
        """The number of rows of these tables that were read through indexes, kept or discarded."""
        scans = (node for node in self.nodes if node.get("Relation Name") in tables)
        return round(sum(_node_rows_read(node) for node in scans if not _is_sequential(node)))

    def __str__(self) -> str:
        tree = (f"{'  ' * depth}{_format_node(node)}" for node, depth in _walk_nodes(self.root))
        return "\n".join([f"{self.mode}, {self.page_count} pages: {self.sql}", *tree])


def _walk_nodes(node: PlanNode, depth: int = 0) -> Iterator[tuple[PlanNode, int]]:
    yield node, depth
    for child in node.get("Plans", ()):
        yield from _walk_nodes(child, depth + 1)


def _is_sequential(node: PlanNode) -> bool:
    return bool(node["Node Type"].endswith("Seq Scan"))


def _node_rows_read(node: PlanNode) -> float:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def _format_node(node: PlanNode) -> str:
    shown = ("Node Type", "Relation Name", "Index Name", "Index Cond", "Filter", "Sort Key")
    words = " ".join(str(node[name]) for name in shown if name in node)
    return f"{words} ({node['Plan Rows']} rows expected, {_node_rows_read(node):.0f} read)"


class ExplainingSnapshot(ReadTransaction):
    """A snapshot that explains each statement in all MODES after it has fetched its rows."""

    def __init__(self, connection: Connection, plans: list[QueryPlan]) -> None:
        super().__init__(connection)
        self._plans = plans

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[Record]:
        records = await super().fetch(sql, arguments)
        async with self._lock:
            self._plans.extend([await self._explain(mode, sql, arguments) for mode in PLAN_CACHE_MODES])
        return records

    async def _explain(self, mode: str, sql: str, arguments: Sequence[object]) -> QueryPlan:
        """Explain a statement prepared by name: asyncpg's own EXPLAIN would plan for its values in any mode."""
        values = f"({', '.join(map(sql_literal, arguments))})" if arguments else ""
        await self.connection.execute(f"SET LOCAL plan_cache_mode = {mode}; PREPARE explained AS {sql}")
        explain = f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE explained{values}"
        root = orjson.loads(await self.connection.fetchval(explain))[0]["Plan"]
        await self.connection.execute("DEALLOCATE explained")
        return QueryPlan(mode, sql, root)


class ExplainingDatabase(Database):
    """A database with snapshots that explain everything; `plans` collects the results."""

    def __init__(self, dsn: str, settings: Settings, load: ShareLoad) -> None:
        super().__init__(dsn, settings, load)
        self.plans: list[QueryPlan] = []

    @asynccontextmanager
    async def read_transaction(
        self, *, platform: bool = False, share: str = SERVER
    ) -> AsyncIterator[ReadTransaction]:
        async with super().read_transaction(platform=platform, share=share) as snapshot:
            yield ExplainingSnapshot(snapshot.connection, self.plans)


def sql_literal(value: object) -> str:
    """A value as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(sql_literal, value))}]"
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
