"""PostgreSQL's own statistics of the tables, from which the cost of an operation is estimated: rows and indexes.

VACUUM and ANALYZE write them, and the server reads them at intervals. They say how many rows a table has, and which
share of them the largest tenants have. The other tenants count as equally large.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from core.database.connection_errors import translate_connection_errors
from core.database.database import Connection, Database, Record
from core.error_text import format_error_line
from core.fair_queue import SERVER
from core.limits import TABLE_STATISTICS_INTERVAL_S, TABLE_STATISTICS_TENANTS_MAX
from core.lru_cache import LruCache

_log: Final = structlog.get_logger(__name__)

_READ_TABLES: Final = """
SELECT c.relname AS name, greatest(c.reltuples, 0) AS rows, s.n_distinct,
       s.most_common_vals::text::text[] AS tenants, s.most_common_freqs AS shares,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS has_tenant
FROM pg_class c
LEFT JOIN pg_stats s ON s.schemaname = 'public' AND s.tablename = c.relname AND s.attname = 'tenant_id'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""

_READ_INDEXES: Final = """
SELECT t.relname AS name, array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE t.relnamespace = 'public'::regnamespace AND i.indisvalid
GROUP BY i.indexrelid, t.relname
"""


_READ_SHARES: Final = """
SELECT tablename AS name, attname AS column, most_common_vals::text::text[] AS values, most_common_freqs AS shares
FROM pg_stats WHERE schemaname = 'public' AND attname = 'entity_type'
"""
"""Of the columns by whose value views select their rows."""


@dataclass(frozen=True, slots=True)
class _TenantRows:
    """How the rows of a table are distributed among tenants: the largest ones by name, and each other one."""

    largest: Mapping[str, int]
    other: int

    def of(self, tenant_id: str | None) -> int:
        """The rows of a tenant; those of the largest one if it is not known."""
        if tenant_id is None:
            return max((*self.largest.values(), self.other))
        return self.largest.get(tenant_id, self.other)


class TableStatistics:
    """The statistics at the last read. Before the first one, every table counts as empty.

    Attributes:
        indexed: The columns by which an index finds or orders the rows of a tenant, by table.
        shares: The shares of rows with frequent values, by table, column and value.
    """

    def __init__(self) -> None:
        self.indexed: Mapping[str, frozenset[str]] = {}
        self.shares: Mapping[tuple[str, str, str], float] = {}
        self._tables: Mapping[str, _TenantRows] = {}
        self._by_tenant = _cache_by_tenant()

    async def read(self, connection: Connection) -> None:
        """Read the statistics now, as the tables' owner."""
        tables = await connection.fetch(_READ_TABLES)
        tenants = next((row["rows"] for row in tables if row["name"] == "tenants"), 0)
        self._tables = {row["name"]: _distribute(row, max(1, tenants)) for row in tables}
        self.indexed = _leading_columns(await connection.fetch(_READ_INDEXES))
        self.shares = {
            (row["name"], row["column"], value): share
            for row in await connection.fetch(_READ_SHARES)
            for value, share in zip(row["values"] or (), row["shares"] or (), strict=True)
        }
        self._by_tenant = _cache_by_tenant()

    def rows(self, tenant_id: str | None) -> Mapping[str, int]:
        """The rows of each table for a tenant, or for the largest tenant of each if it is not known."""
        known = self._by_tenant.get(tenant_id)
        if known is None:
            known = {name: rows.of(tenant_id) for name, rows in self._tables.items()}
            self._by_tenant.put(tenant_id, known)
        return known


def _cache_by_tenant() -> LruCache[str | None, Mapping[str, int]]:
    return LruCache(TABLE_STATISTICS_TENANTS_MAX)


async def watch_statistics(database: Database, statistics: TableStatistics) -> None:
    """Read the statistics at intervals, until cancelled. An error is logged, and the former ones stay."""
    while True:
        try:
            with translate_connection_errors():
                async with database.pool.acquire_for(SERVER) as connection, connection.transaction():
                    await statistics.read(connection)
        except Exception as error:  # noqa: BLE001 - the next attempt may succeed
            _log.warning("table statistics not read", error=format_error_line(error))
        await asyncio.sleep(TABLE_STATISTICS_INTERVAL_S)


def _distribute(row: Record, tenants: int) -> _TenantRows:
    rows = row["rows"]
    if row["name"] == "tenants":
        return _TenantRows({}, 1)
    if not row["has_tenant"]:
        return _TenantRows({}, int(rows))
    if row["n_distinct"] is None:  # never analyzed, or hidden by row-level security
        return _TenantRows({}, -int(-rows // tenants))
    largest = dict(zip(row["tenants"] or (), row["shares"] or (), strict=True))
    distinct = row["n_distinct"] if row["n_distinct"] >= 0 else -row["n_distinct"] * rows
    others = max(1.0, distinct - len(largest))
    return _TenantRows(
        {tenant: int(rows * share) for tenant, share in largest.items()},
        int(rows * max(0.0, 1 - sum(largest.values())) / others),
    )


def _leading_columns(indexes: Iterable[Record]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in indexes:
        lead = _leading_column(row["columns"])
        if lead is not None:
            found.setdefault(row["name"], set()).add(lead)
    return {name: frozenset(columns) for name, columns in found.items()}


def _leading_column(columns: Sequence[str | None]) -> str | None:
    """The first column of an index after the tenant. None for an expression, or if there is no other column."""
    rest = columns[1:] if columns[0] == "tenant_id" else columns
    return rest[0] if rest else None
