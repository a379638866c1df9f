"""Bytes that one request writes, audit rows included: their limit, and what an audit row keeps of a JSON value."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from unittest.mock import ANY

import asyncpg
import pytest
import pytest_asyncio

from core.limits import WRITTEN_BYTES_MAX
from tests.http_harness import HttpHarness, open_http_harness

pytestmark = pytest.mark.newest

UPDATE: Final = """
mutation ($ids: [ID!]!, $metadata: JSON) { updateSites(ids: $ids, input: {metadata: $metadata}) { id } }
"""
TWICE: Final = """
mutation ($id: ID!, $one: JSON, $two: JSON) {
    one: updateSite(id: $id, input: {metadata: $one}) { id }
    two: updateSite(id: $id, input: {metadata: $two}) { id }
}
"""
CREATE: Final = 'mutation ($value: JSON) { createSite(input: {name: "Big", metadata: $value}) { id } }'
UPSERT: Final = "mutation ($input: UpsertEntitiesInput!) { upsertEntities(input: $input) { created } }"
LIMIT: Final = 40_000


@dataclass(frozen=True)
class ByteHarness:
    """The application over a writable demo database, and rows of the administrator's tenant."""

    http: HttpHarness
    owner: asyncpg.Connection
    sites: list[str]
    source: str

    async def execute(self, query: str, **variables: Any) -> Any:
        """The response as a mapping."""
        return (await self.http.post_query(query, 0, variables=variables)).json()

    async def read_last_changes(self, site: str) -> Any:
        """The changes of the last audit row of a site, and how many it has."""
        sql = "SELECT changes::text FROM audit_log WHERE record_id = $1 ORDER BY created_at, id"
        rows = await self.owner.fetch(sql, site)
        return json.loads(rows[-1][0]) if rows else None

    async def count_audit_rows(self) -> int:
        """The number of all audit rows."""
        count: int = await self.owner.fetchval("SELECT count(*) FROM audit_log")
        return count


@pytest_asyncio.fixture
async def byte_harness(writable_demo_database_url: str) -> AsyncIterator[ByteHarness]:
    owner = await asyncpg.connect(writable_demo_database_url)
    async with open_http_harness(writable_demo_database_url) as http:
        tenant = await owner.fetchval("SELECT tenant_id FROM users WHERE id = $1", http.user_ids[0])
        sites = await owner.fetch(
            "SELECT id FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 4", tenant
        )
        await owner.execute("UPDATE sites SET metadata = '{}'")
        source = await owner.fetchval(
            "SELECT id FROM data_sources WHERE tenant_id = $1 AND deleted_at IS NULL LIMIT 1", tenant
        )
        yield ByteHarness(http, owner, [row[0] for row in sites], source)
    await owner.close()


def _refusal(response: Any) -> Any:
    (error,) = response["errors"]
    return error["extensions"]


async def test_large_value_in_some_rows_is_written(byte_harness: ByteHarness) -> None:
    before = await byte_harness.count_audit_rows()
    response = await byte_harness.execute(UPDATE, ids=byte_harness.sites, metadata={"v": "x" * 193_000})
    assert "errors" not in response
    assert await byte_harness.count_audit_rows() == before + 4


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("core.database.transactions.WRITTEN_BYTES_MAX", LIMIT)
    return LIMIT


async def test_value_in_several_rows_counts_for_each_and_its_audit_row(
    byte_harness: ByteHarness, small_limit: int
) -> None:
    before = await byte_harness.count_audit_rows()
    size = small_limit // 8
    fits, over = {"v": "a" * (size - 2_000)}, {"v": "b" * (size + 10)}
    response = await byte_harness.execute(UPDATE, ids=byte_harness.sites, metadata=over)
    refusal = _refusal(response)
    assert (refusal["code"], refusal["limit"], refusal["allowed"]) == (
        "QUERY_TOO_COMPLEX", "writtenBytes", small_limit
    )  # fmt: skip
    assert refusal["actual"] > small_limit
    assert "Write fewer rows or smaller values" in response["errors"][0]["message"]
    assert await byte_harness.count_audit_rows() == before
    assert "errors" not in await byte_harness.execute(UPDATE, ids=byte_harness.sites, metadata=fits)


async def test_mutations_of_one_request_share_the_written_bytes(
    byte_harness: ByteHarness, small_limit: int
) -> None:
    half = {"v": "c" * (small_limit // 3)}
    other = {"v": "d" * (small_limit // 3)}
    response = await byte_harness.execute(TWICE, id=byte_harness.sites[0], one=half, two=other)
    assert _refusal(response)["limit"] == "writtenBytes"
    assert response["errors"][0]["path"] == ["two"]


async def test_create_and_upsert_over_the_written_bytes_are_refused(
    byte_harness: ByteHarness, small_limit: int
) -> None:
    big = {"v": "e" * small_limit}
    assert _refusal(await byte_harness.execute(CREATE, value=big))["limit"] == "writtenBytes"
    items = [
        {"entityType": "endpoints", "externalId": f"bytes-{number}", "rawData": {"v": "f" * 3_000}}
        for number in range(20)
    ]
    given = {"dataSourceId": byte_harness.source, "items": items}
    assert _refusal(await byte_harness.execute(UPSERT, input=given))["limit"] == "writtenBytes"
    given["items"] = items[:3]
    assert (await byte_harness.execute(UPSERT, input=given))["data"]["upsertEntities"]["created"] == 3


async def test_audit_row_of_a_large_json_value_has_only_the_changed_members(
    byte_harness: ByteHarness,
) -> None:
    site = byte_harness.sites[:1]
    value = {"large": "x" * 150_000, "os": {"name": "Debian", "major": 12}, "tags": ["a", "b"]}
    await byte_harness.execute(UPDATE, ids=site, metadata=value)
    value |= {"os": {"name": "Debian", "major": 13}, "tags": ["a", "c"]}
    assert "errors" not in await byte_harness.execute(UPDATE, ids=site, metadata=value)
    assert await byte_harness.read_last_changes(site[0]) == {
        "metadata": [{"os": {"major": 12}, "tags": {"[1]": "b"}}, {"os": {"major": 13}, "tags": {"[1]": "c"}}]
    }


_ADD_SITES: Final = """
INSERT INTO sites (id, tenant_id, name, slug, metadata)
SELECT 'many-' || number, s.tenant_id, 'Site ' || number, 'many-' || number, '{}'
FROM sites s, generate_series(1, 500) AS number WHERE s.id = $1 RETURNING id
"""
_SIZE: Final = "SELECT pg_total_relation_size('sites') + pg_total_relation_size('audit_log')"


async def test_large_value_in_500_rows_is_refused_and_writes_nothing(byte_harness: ByteHarness) -> None:
    """A request of 213 KB once wrote 231 MB. The text does not compress, so that the tables have all of it."""
    sites = [row[0] for row in await byte_harness.owner.fetch(_ADD_SITES, byte_harness.sites[0])]
    metadata = {"v": "".join(sha256(str(number).encode()).hexdigest() for number in range(3_015))}
    before = await byte_harness.owner.fetchval(_SIZE)
    assert _refusal(await byte_harness.execute(UPDATE, ids=sites, metadata=metadata)) == {
        "code": "QUERY_TOO_COMPLEX",
        "limit": "writtenBytes",
        "allowed": WRITTEN_BYTES_MAX,
        "actual": ANY,
    }
    assert await byte_harness.owner.fetchval(_SIZE) - before < 1 << 20
    assert "errors" not in await byte_harness.execute(UPDATE, ids=sites[:20], metadata=metadata)
    assert await byte_harness.owner.fetchval(_SIZE) - before < WRITTEN_BYTES_MAX / 3
