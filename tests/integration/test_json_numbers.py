"""JSON values end to end: numbers keep their value everywhere, and `true` is not `1`."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import orjson
import pytest
import pytest_asyncio

from core.auth.viewer import ViewerKind
from core.exact_json import parse_json
from services.data_hash import compute_data_hash
from tests.graphql_harness import GraphqlHarness, Principal, open_graphql_harness
from tests.http_harness import HttpHarness, error_codes, open_http_harness
from tests.live.live_engine import LiveEngine, open_live_engine

EXACT: Final = (
    "12345678901234567890123", "18446744073709551615", "18446744073709551616", "-9223372036854775809",
    "0.12345678901234567890123", "0.1", "9007199254740993.0", "1e400", "-1e400", "1e-400", "1e16383", "1e131071",
    "1e-16383", "1" * 5_000, "1e22", "0.12345678901234567",
)  # fmt: skip
REFUSED: Final = ("1e131072", "1e400000", "1e-16384", "1e99999999999999999999", "1" * 131_073)
ROW: Final = "query($id: ID!) { site(id: $id) { metadata } }"
FOLLOW: Final = "subscription($id: ID!) { site(id: $id) { metadata } }"
MIGRATION: Final = Path("migrations/sql/17_data_hashes.up.sql")


@dataclass(frozen=True)
class SiteHarness:
    """A site that an administrator writes."""

    http: HttpHarness
    graphql: GraphqlHarness
    connection: asyncpg.Connection
    id: str
    tenant: str

    async def post(self, body: str) -> httpx.Response:
        headers = self.http.build_headers() | {"Content-Type": "application/json"}
        return await self.http.client.post("/graphql", content=body.encode(), headers=headers)

    async def write_by_variable(self, value: str) -> httpx.Response:
        query = (
            "mutation($id: ID!, $value: JSON) { updateSite(id: $id, input: {metadata: $value}) { metadata } }"
        )
        return await self.post(
            f'{{"query": "{query}", "variables": {{"id": "{self.id}", "value": {value}}}}}'
        )

    async def write_by_literal(self, value: str) -> httpx.Response:
        literal = value.replace('{"a"', "{a")
        query = f'mutation {{ updateSite(id: "{self.id}", input: {{metadata: {literal}}}) {{ metadata }} }}'
        return await self.post(orjson.dumps({"query": query}).decode())

    async def fetch_stored(self) -> str:
        return str(await self.connection.fetchval("SELECT metadata::text FROM sites WHERE id = $1", self.id))

    async def fetch_last_change(self) -> Any:
        query = "SELECT changes::text FROM audit_log WHERE record_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1"
        return parse_exactly(await self.connection.fetchval(query, self.id))


def parse_exactly(text: str | bytes) -> Any:
    """JSON with each number as a decimal in a tuple, so that none equals a boolean or a float."""
    return json.loads(
        text, parse_float=lambda t: ("number", Decimal(t)), parse_int=lambda t: ("number", Decimal(t))
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site_harness(writable_demo_database_url: str) -> AsyncIterator[SiteHarness]:
    connection = await asyncpg.connect(writable_demo_database_url)
    async with (
        open_http_harness(writable_demo_database_url) as served,
        open_graphql_harness(writable_demo_database_url) as harness,
    ):
        row = await connection.fetchrow(
            "SELECT s.id, s.tenant_id FROM sites s JOIN users u ON u.tenant_id = s.tenant_id "
            "WHERE u.id = $1 AND s.deleted_at IS NULL ORDER BY s.id LIMIT 1",
            served.user_ids[0],
        )
        assert row is not None
        yield SiteHarness(served, harness, connection, row["id"], row["tenant_id"])
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    async with open_live_engine(writable_demo_database_url) as made:
        yield made


@pytest.mark.parametrize("way", ["variable", "literal"])
@pytest.mark.parametrize("number", EXACT, ids=lambda text: text[:25])
async def test_update_site_hard_number_is_stored_and_shown_exactly(
    site_harness: SiteHarness, way: str, number: str
) -> None:
    await site_harness.write_by_variable('{"a": "before"}')
    wanted = parse_exactly(f'{{"a": {number}}}')
    write = site_harness.write_by_variable if way == "variable" else site_harness.write_by_literal
    response = await write(f'{{"a": {number}}}')
    assert parse_exactly(response.content)["data"]["updateSite"]["metadata"] == wanted, response.text[:500]
    assert parse_exactly(await site_harness.fetch_stored()) == wanted
    assert (await site_harness.fetch_last_change())["metadata"] == [{"a": "before"}, wanted]
    who = Principal("admin", ViewerKind.USER, site_harness.http.user_ids[0])
    loaded, compiled = await site_harness.graphql.execute_with_both_strategies(
        who, ROW, {"id": site_harness.id}
    )
    assert compiled.compiled_fields == ("site",)
    for answer in (loaded, compiled):
        assert parse_exactly(answer.body)["data"]["site"]["metadata"] == wanted


@pytest.mark.parametrize("way", ["variable", "literal"])
@pytest.mark.parametrize("number", REFUSED, ids=lambda text: text[:25])
async def test_update_site_number_beyond_numeric_is_refused_with_its_field(
    site_harness: SiteHarness, way: str, number: str
) -> None:
    if way == "literal" and len(number) > 100_000:
        way = "variable"  # a document may not be so long
    await site_harness.write_by_variable('{"a": 1}')
    response = await (site_harness.write_by_variable if way == "variable" else site_harness.write_by_literal)(
        f'{{"a": {number}}}'
    )
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "input.metadata" in error["extensions"]["fields"]
    assert parse_exactly(await site_harness.fetch_stored()) == parse_exactly('{"a": 1}')


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
async def test_update_site_number_outside_json_is_refused(site_harness: SiteHarness, number: str) -> None:
    assert error_codes(await site_harness.write_by_variable(f'{{"a": {number}}}')) == ["BAD_USER_INPUT"]


async def test_update_site_many_large_exponents_are_refused(site_harness: SiteHarness) -> None:
    response = await site_harness.write_by_variable('{"a": [' + "1e300," * 1_000 + "1]}")
    assert error_codes(response) == ["BAD_USER_INPUT"]


async def test_update_site_variable_inside_literal_keeps_its_number(site_harness: SiteHarness) -> None:
    query = f'mutation($x: JSON) {{ updateSite(id: \\"{site_harness.id}\\", input: {{metadata: {{a: [$x]}}}}) {{ id }} }}'  # noqa: E501
    response = await site_harness.post(
        f'{{"query": "{query}", "variables": {{"x": 0.12345678901234567890123}}}}'
    )
    assert "errors" not in response.json(), response.text
    assert parse_exactly(await site_harness.fetch_stored()) == parse_exactly(
        '{"a": [0.12345678901234567890123]}'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1", "true"),
        ("true", "1"),
        ("0", "false"),
        ("false", "0"),
        ("1.0", "true"),
        ("0", "null"),
        ("1", '"1"'),
    ],
)
async def test_update_site_value_equal_only_in_python_is_a_change(
    site_harness: SiteHarness, before: str, after: str
) -> None:
    await site_harness.write_by_variable(f'{{"a": {before}}}')
    for write in (site_harness.write_by_variable, site_harness.write_by_literal):
        await site_harness.write_by_variable(f'{{"a": {before}}}')
        await write(f'{{"a": {after}}}')
        assert parse_exactly(await site_harness.fetch_stored()) == parse_exactly(f'{{"a": {after}}}')
        assert (await site_harness.fetch_last_change())["metadata"] == [
            parse_exactly(f'{{"a": {v}}}') for v in (before, after)
        ]


@pytest.mark.parametrize(("before", "after"), [("1", "1.0"), ("1e2", "100"), ("0", "-0.0")])
async def test_update_site_number_of_equal_value_is_no_change(
    site_harness: SiteHarness, before: str, after: str
) -> None:
    await site_harness.write_by_variable(f'{{"a": {before}}}')
    entries = "SELECT count(*) FROM audit_log WHERE record_id = $1"
    count = await site_harness.connection.fetchval(entries, site_harness.id)
    await site_harness.write_by_variable(f'{{"a": {after}}}')
    assert await site_harness.connection.fetchval(entries, site_harness.id) == count


@pytest.mark.parametrize("number", EXACT, ids=lambda text: text[:25])
async def test_sites_filter_by_exact_number_finds_only_that(site_harness: SiteHarness, number: str) -> None:
    await site_harness.write_by_variable(f'{{"a": {number}}}')
    query = "query($w: SiteFilter) { sites(where: $w) { nodes { id } } }"
    for value, found in ((number, True), ("2" if number != "2" else "3", False), ("true", False)):
        for where in (f'{{"contains": {{"a": {value}}}}}', f'{{"at": [{{"path": ["a"], "eq": {value}}}]}}'):
            response = await site_harness.post(
                f'{{"query": "{query}", "variables": {{"w": {{"id": {{"eq": "{site_harness.id}"}}, "metadata": {where}}}}}}}'  # noqa: E501
            )
            assert "errors" not in response.json(), response.text[:500]
            assert bool(response.json()["data"]["sites"]["nodes"]) is found


@pytest.mark.parametrize("number", EXACT, ids=lambda text: text[:25])
async def test_sites_filter_by_exact_number_in_get_finds_only_that(
    site_harness: SiteHarness, number: str
) -> None:
    await site_harness.write_by_variable(f'{{"a": {number}}}')
    query = "query($w: SiteFilter) { sites(where: $w) { nodes { metadata } } }"
    for value, found in ((number, [parse_exactly(f'{{"a": {number}}}')]), ("2", []), ("true", [])):
        where = (
            f'{{"w": {{"id": {{"eq": "{site_harness.id}"}}, "metadata": {{"contains": {{"a": {value}}}}}}}}}'
        )
        response = await site_harness.http.client.get(
            "/graphql", params={"query": query, "variables": where}, headers=site_harness.http.build_headers()
        )
        nodes = parse_exactly(response.content)["data"]["sites"]["nodes"]
        assert [node["metadata"] for node in nodes] == found


@pytest.mark.parametrize("number", EXACT, ids=lambda text: text[:25])
async def test_report_health_check_hard_number_in_metadata_is_kept_exactly(
    site_harness: SiteHarness, number: str
) -> None:
    query = (
        "mutation($id: ID!, $m: JSON) { reportHealthCheck(resourceType: SITE, resourceId: $id, ok: true, "
        "metadata: $m) { metadata } }"
    )
    body = f'{{"query": "{query}", "variables": {{"id": "{site_harness.id}", "m": {{"a": {number}}}}}}}'
    response = await site_harness.post(body)
    wanted = parse_exactly(f'{{"a": {number}}}')
    assert parse_exactly(response.content)["data"]["reportHealthCheck"]["metadata"] == wanted
    stored = "SELECT metadata::text FROM health_checks WHERE resource_type = 'site' AND resource_id = $1"
    assert parse_exactly(await site_harness.connection.fetchval(stored, site_harness.id)) == wanted


async def test_sites_filter_values_of_other_types_do_not_share_a_plan(site_harness: SiteHarness) -> None:
    await site_harness.write_by_variable('{"a": true}')
    query = (
        'query($v: JSON!) { sites(where: {metadata: {at: [{path: [\\"a\\"], eq: $v}]}}) { nodes { id } } }'
    )
    for _ in range(2):
        for value, found in (
            ("1", False),
            ("true", True),
            ("1.0", False),
            ("1e400", False),
            ('"1E+400"', False),
        ):
            response = await site_harness.post(f'{{"query": "{query}", "variables": {{"v": {value}}}}}')
            assert (site_harness.id in response.text) is found, (value, response.text)


async def test_sites_filter_number_beyond_numeric_is_refused(site_harness: SiteHarness) -> None:
    query = "query($v: JSON!) { sites(where: {metadata: {contains: $v}}) { nodes { id } } }"
    response = await site_harness.post(f'{{"query": "{query}", "variables": {{"v": {{"a": 1e400000}}}}}}')
    assert error_codes(response) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("extensions", [{}, {"way": "loaders"}], ids=["compiled", "loaders"])
async def test_subscription_after_update_sends_exact_numbers(
    site_harness: SiteHarness, live_engine: LiveEngine, extensions: dict[str, Any]
) -> None:
    await site_harness.write_by_variable('{"a": 0}')
    connection = await live_engine.connect_as_platform(site_harness.tenant)
    subscriber = await connection.subscribe(FOLLOW, extensions, id=site_harness.id).wait_for_states(1)
    for count, number in enumerate(("0.12345678901234567890123", "18446744073709551616", "1e400"), 2):
        await site_harness.write_by_variable(f'{{"a": {number}}}')
        await subscriber.wait_for_states(count)
        assert parse_exactly(subscriber.texts[-1])["data"]["site"]["metadata"] == parse_exactly(
            f'{{"a": {number}}}'
        )


async def test_subscription_variables_equal_only_in_python_are_separate_queries(
    site_harness: SiteHarness, live_engine: LiveEngine
) -> None:
    await site_harness.write_by_variable('{"a": true}')
    query = (
        'subscription($v: JSON!) { sites(where: {metadata: {at: [{path: ["a"], eq: $v}]}}) { nodes { id } } }'
    )
    connection = await live_engine.connect_as_platform(site_harness.tenant)
    ones = [
        await connection.subscribe(query, v=value).wait_for_states(1)
        for value in (1, True, 1.0, Decimal("1e400"), "1E+400")
    ]
    assert [site_harness.id in subscriber.texts[-1] for subscriber in ones] == [
        False,
        True,
        False,
        False,
        False,
    ]


async def test_set_current_site_keeps_other_numbers_in_metadata(site_harness: SiteHarness) -> None:
    user, number = site_harness.http.user_ids[0], "0.12345678901234567890123"
    await site_harness.connection.execute(
        "UPDATE users SET metadata = $2::text::jsonb WHERE id = $1", user, f'{{"x": [{number}, 1e400]}}'
    )
    query = f'mutation {{ setCurrentSite(siteId: "{site_harness.id}") {{ id }} }}'
    response = await site_harness.post(orjson.dumps({"query": query}).decode())
    assert "errors" not in response.json(), response.text
    stored = await site_harness.connection.fetchval("SELECT metadata::text FROM users WHERE id = $1", user)
    assert parse_exactly(stored)["x"] == parse_exactly(f"[{number}, 1e400]")


@dataclass(frozen=True)
class EntityHarness:
    """An entity that is upserted like a vendor's, and corrected by a user."""

    site: SiteHarness
    source: str
    integration: str

    async def upsert(self, raw: str) -> dict[str, int]:
        query = (
            "mutation($i: UpsertEntitiesInput!) { upsertEntities(input: $i) "
            "{ created updated unchanged rejected { reason } } }"
        )
        item = f'{{"entityType": "things", "externalId": "exact", "rawData": {raw}}}'
        given = f'{{"dataSourceId": "{self.source}", "items": [{item}]}}'
        response = await self.site.post(f'{{"query": "{query}", "variables": {{"i": {given}}}}}')
        assert "errors" not in response.json(), response.text
        return dict(response.json()["data"]["upsertEntities"])

    async def fetch_row(self) -> asyncpg.Record:
        row = await self.site.connection.fetchrow(
            "SELECT id, raw_data::text AS raw, data_hash FROM entities "
            "WHERE data_source_id = $1 AND external_id = 'exact'",
            self.source,
        )
        assert row is not None
        return row

    async def correct(self, raw: str) -> None:
        query = "mutation($id: ID!, $v: JSON) { updateEntity(id: $id, input: {rawData: $v}) { rawData } }"
        row_id = (await self.fetch_row())["id"]
        response = await self.site.post(
            f'{{"query": "{query}", "variables": {{"id": "{row_id}", "v": {raw}}}}}'
        )
        assert "errors" not in response.json(), response.text


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def entity_harness(site_harness: SiteHarness) -> EntityHarness:
    row = await site_harness.connection.fetchrow(
        "SELECT id, integration_id FROM data_sources WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1",
        site_harness.tenant,
    )
    assert row is not None
    return EntityHarness(site_harness, row["id"], row["integration_id"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"mfa": 1}', '{"mfa": true}'),
        ('{"mfa": 0}', '{"mfa": false}'),
        ('{"a": 12345678901234567890123}', '{"a": 12345678901234567890124}'),
        ('{"a": 0.12345678901234567890123}', '{"a": 0.12345678901234567890124}'),
        ('{"a": 1e400}', '{"a": 1e401}'),
    ],
)
async def test_entity_raw_data_after_each_write_matches_its_hash(
    entity_harness: EntityHarness, before: str, after: str
) -> None:

    for change in (entity_harness.correct, entity_harness.upsert):
        await entity_harness.upsert(before)
        await change(after)
        row = await entity_harness.fetch_row()
        assert parse_exactly(row["raw"]) == parse_exactly(after)
        assert row["data_hash"] == compute_data_hash(entity_harness.integration, parse_json(after))
        assert (await entity_harness.upsert(after))["unchanged"] == 1


async def test_entity_raw_data_of_equal_value_keeps_its_hash(entity_harness: EntityHarness) -> None:
    await entity_harness.upsert('{"mfa": 1}')
    before = await entity_harness.fetch_row()
    await entity_harness.correct('{"mfa": 1.0}')
    assert await entity_harness.fetch_row() == before
    assert (await entity_harness.upsert('{"mfa": 1}'))["unchanged"] == 1


async def test_migration_entity_with_wrong_hash_is_repaired_by_next_upsert(
    entity_harness: EntityHarness,
) -> None:
    await entity_harness.upsert('{"mfa": 1}')
    row = await entity_harness.fetch_row()
    wrong = compute_data_hash(entity_harness.integration, {"mfa": True})
    connection = entity_harness.site.connection
    await connection.execute("UPDATE entities SET data_hash = $2 WHERE id = $1", row["id"], wrong)
    await connection.execute(
        "INSERT INTO audit_log (id, tenant_id, actor_type, table_name, record_id, action, changes) "
        "VALUES ('mend', $1, 'system', 'entities', $2, 'update', jsonb_build_object('dataHash', ARRAY[$3, $4]))",
        entity_harness.site.tenant, row["id"], row["data_hash"], wrong,
    )  # fmt: skip
    assert (await entity_harness.upsert('{"mfa": true}'))["unchanged"] == 1  # as it was
    await connection.execute(MIGRATION.read_text())
    assert (await entity_harness.upsert('{"mfa": true}'))["updated"] == 1
    assert parse_exactly((await entity_harness.fetch_row())["raw"]) == {"mfa": True}


async def test_upsert_relationships_metadata_is_compared_by_exact_numbers(
    entity_harness: EntityHarness,
) -> None:
    await entity_harness.upsert('{"a": 1}')
    end = 'parentType: "things", parentExternalId: "exact", childType: "things", childExternalId: "other"'
    await entity_harness.site.post(orjson.dumps({"query":
        f'mutation {{ upsertEntities(input: {{dataSourceId: "{entity_harness.source}", items: [{{entityType: "things", '  # noqa: E501
        f'externalId: "other", rawData: {{}}}}]}}) {{ created }} }}'}).decode())  # fmt: skip
    counts = []
    for number in ("12345678901234567890123", "12345678901234567890124", "true", "1", "1.0"):
        query = (
            f'mutation {{ upsertEntityRelationships(input: {{dataSourceId: "{entity_harness.source}", items: [{{{end}, '  # noqa: E501
            f'relationshipType: "has", metadata: {{a: {number}}}}}]}}) {{ created updated unchanged }} }}'
        )
        response = await entity_harness.site.post(orjson.dumps({"query": query}).decode())
        assert "errors" not in response.json(), response.text
        counts.append(tuple(response.json()["data"]["upsertEntityRelationships"].values()))
    assert counts == [(1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1)]
