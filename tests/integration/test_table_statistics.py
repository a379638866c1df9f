"""PostgreSQL's statistics, and the limit of the cost that is estimated from them."""

from typing import Final

import asyncpg
import pytest

from core.limits import COST_MAX, TABLE_STATISTICS_TENANTS_MAX
from services.table_statistics import TableStatistics
from tests.http_harness import error_codes, open_http_harness

pytestmark = pytest.mark.newest

CONDITION: Final = '{linkedSiteName: {contains: "x"}}'
LIST: Final = "{ psaCompaniesView(first: 1, where: {or: [%s]}) { nodes { id } } }"


async def _read_statistics(connection: asyncpg.Connection) -> TableStatistics:
    await connection.execute("ANALYZE")
    statistics = TableStatistics()
    await statistics.read(connection)
    return statistics


async def test_statistics_have_the_rows_of_each_tenant(demo_database_url: str) -> None:
    connection = await asyncpg.connect(demo_database_url)
    try:
        assert TableStatistics().rows(None) == {}
        statistics = await _read_statistics(connection)
        for table in ("sites", "agents", "entities"):
            rows = await connection.fetch(f"SELECT tenant_id, count(*) FROM {table} GROUP BY 1")
            counts: dict[str, int] = {row[0]: row[1] for row in rows}
            for tenant, count in counts.items():
                assert statistics.rows(tenant)[table] == pytest.approx(count, rel=0.2, abs=3)
            assert statistics.rows(None)[table] == pytest.approx(max(counts.values()), rel=0.2, abs=3)
        catalog = await connection.fetchval("SELECT count(*) FROM integrations")
        assert statistics.rows("any")["integrations"] == catalog
        assert {"site_id", "id"} <= statistics.indexed["agents"]
        share = statistics.shares["entities", "entity_type", "companies"]
        assert 0 < share < 1
    finally:
        await connection.close()


async def test_query_that_scans_too_much_is_refused_and_says_what_to_change(demo_database_url: str) -> None:
    connection = await asyncpg.connect(demo_database_url)
    statistics = await _read_statistics(connection)
    await connection.close()
    async with open_http_harness(demo_database_url, statistics=statistics) as http:
        assert error_codes(await http.post_query(LIST % CONDITION)) == []
        refused = await http.post_query(LIST % ",".join([CONDITION] * 450))
        (error,) = refused.json()["errors"]
        assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
        assert error["extensions"]["limit"] == "cost"
        assert error["extensions"]["actual"] > COST_MAX
        assert "Filter by an id or another field with an index" in error["message"]
        response = await http.post_query(LIST % CONDITION, extensions={"cost": True})
        assert 2 < response.json()["extensions"]["cost"]["estimated"] < COST_MAX / 10


def test_table_statistics_of_many_named_tenants_stay_bounded() -> None:
    statistics = TableStatistics()
    for number in range(TABLE_STATISTICS_TENANTS_MAX + 5):
        assert statistics.rows(f"t{number}") == {}
    assert len(statistics._by_tenant) == TABLE_STATISTICS_TENANTS_MAX
