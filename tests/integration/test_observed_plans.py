"""Observed plans: the same data as a query's, with the keys and the extent of each level's reads."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.auth.viewer import ViewerKind
from core.clock import now_ms
from demo import load_demo_viewers
from resolvers.compiler.plan import TENANT_SOURCE
from resolvers.loaders.bindings import build_executable_schema
from resolvers.sql.data_access import RecordedRead
from schema.tables import LISTED
from tests.graphql_harness import Principal
from tests.property.document_generator import DocumentGenerator, GeneratedDocument
from tests.property.recorded_queries import RecordedQuery, RecordedQueryFactory, sign_in_as
from tests.property.row_samples import sample_rows

DOCUMENTS = 100


class DemoAdmin:
    """The demo's administrator, in one snapshot."""

    def __init__(self, connection: asyncpg.Connection, who: Principal) -> None:
        self.connection = connection
        self.who = who
        self.asking = RecordedQueryFactory(build_executable_schema()[1])

    async def make_query(self, query: str, /, **variables: Any) -> RecordedQuery:
        viewer = await sign_in_as(self.connection, self.who)
        question = self.asking.create_query(GeneratedDocument(query, variables), viewer)
        assert question is not None
        assert question.plans
        return question

    async def fetch_reads(self, query: str, /, **variables: Any) -> tuple[Any, dict[str, RecordedRead]]:
        """The answer of the only root field, and its reads by table; totals under `table.total`."""
        answer = await (await self.make_query(query, **variables)).execute(self.connection)
        (data,) = answer.data
        reads = {
            f"{r.query.table.name}{'' if r.query.order or r.query.key == 'id' else '.total'}": r
            for r in answer.reads
        }
        assert len(reads) == len(answer.reads)
        return orjson.loads(data or b"null"), reads


@pytest_asyncio.fixture(loop_scope="session")
async def demo_admin(demo_database_url: str) -> AsyncIterator[DemoAdmin]:
    connection = await asyncpg.connect(demo_database_url, server_settings={"app.clock_ms": str(now_ms())})
    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    try:
        administrator = (await load_demo_viewers(connection))[0].user_id
        yield DemoAdmin(connection, Principal("administrator", ViewerKind.USER, administrator))
    finally:
        await transaction.rollback()
        await connection.close()


async def test_observed_plan_data_equals_the_query_data(demo_admin: DemoAdmin) -> None:
    samples = await sample_rows(demo_admin.connection)
    tenant = (await sign_in_as(demo_admin.connection, demo_admin.who)).tenant_id
    assert tenant is not None
    roots = tuple(name for table in samples.rows for name in _get_root_fields(table))
    generator = DocumentGenerator(demo_admin.asking.schema, samples, tenant, roots)
    compared = 0
    for seed in range(DOCUMENTS):
        question = demo_admin.asking.create_query(
            generator.make_document(seed), await sign_in_as(demo_admin.connection, demo_admin.who)
        )
        if question is None or not question.plans:
            continue
        answer = await question.execute(demo_admin.connection)
        plain = [await _fetch_plain(demo_admin, question, number) for number in range(len(question.plans))]
        assert list(answer.data) == plain, question.document
        compared += len(plain)
    assert compared > DOCUMENTS / 2


def _get_root_fields(name: str) -> list[str]:
    table = next(table for table in LISTED if table.name == name)
    return [root for root in (table.one, table.many, *table.also_many) if root]


async def _fetch_plain(demo_admin: DemoAdmin, question: RecordedQuery, number: int) -> str | None:
    statement = demo_admin.asking.plan_as_query(question)[number].bind_values(question.values)
    records = await demo_admin.connection.fetch(statement.sql, *statement.arguments)
    return records[0]["data"] if records else None


async def test_reads_row_by_id_and_relations_by_the_ids_seen(demo_admin: DemoAdmin) -> None:
    sites, _ = await demo_admin.fetch_reads("{ sites(first: 3) { nodes { id tenantId } } }")
    site = sites["nodes"][0]
    data, reads = await demo_admin.fetch_reads(
        "query Q($id: ID!) { site(id: $id) { id tenant { name } agents { nodes { id healthCheck { status } } } } }",
        id=site["id"],
    )
    agents = {agent["id"] for agent in data["agents"]["nodes"]}
    assert len(agents) > 1
    assert reads["sites"].keys == (site["id"],)
    assert reads["tenants"].keys == (site["tenantId"],)
    assert reads["agents"].keys == (site["id"],)
    assert set(reads["health_checks.total"].keys or ()) == agents


async def test_reads_missing_row_reads_no_relations(demo_admin: DemoAdmin) -> None:
    data, reads = await demo_admin.fetch_reads(
        '{ site(id: "nothing") { id tenant { name } agents { totalCount } } }'
    )
    assert data is None
    assert reads["sites"].keys == ("nothing",)
    assert reads["tenants"].keys == ()
    assert reads["agents.total"].keys == ()


async def test_reads_full_page_is_bounded_by_its_last_row(demo_admin: DemoAdmin) -> None:
    query = "{ sites(first: %d, orderBy: [{field: NAME}]) { nodes { id name } %s } }"
    everything, reads = await demo_admin.fetch_reads(query % (1000, ""))
    assert reads["sites"].bounds == {}
    rows = [[node["name"], node["id"]] for node in everything["nodes"]]
    assert len(rows) > 4
    _, reads = await demo_admin.fetch_reads(query % (3, ""))
    assert reads["sites"].bounds == {None: rows[2]}
    _, reads = await demo_admin.fetch_reads(query % (3, "pageInfo { hasNextPage }"))
    assert reads["sites"].bounds == {None: rows[3]}
    _, reads = await demo_admin.fetch_reads(query.replace("first", "last") % (2, ""))
    assert reads["sites"].bounds == {None: rows[-2]}
    _, reads = await demo_admin.fetch_reads(query % (len(rows), "pageInfo { hasNextPage }"))
    assert reads["sites"].bounds == {}
    _, reads = await demo_admin.fetch_reads(query % (0, ""))
    assert reads["sites"].bounds == {}


async def test_reads_nested_page_is_bounded_for_each_parent(demo_admin: DemoAdmin) -> None:
    agents = "agents(first: 2, orderBy: [{field: HOSTNAME}]) { nodes { id hostname } }"
    query = f"{{ sites(first: 5) {{ nodes {{ id {agents} }} }} }}"
    data, reads = await demo_admin.fetch_reads(query)
    assert set(reads["agents"].keys or ()) == {site["id"] for site in data["nodes"]}
    expected = {
        site["id"]: [site["agents"]["nodes"][-1][name] for name in ("hostname", "id")]
        for site in data["nodes"]
        if len(site["agents"]["nodes"]) == 2
    }
    assert expected
    assert reads["agents"].bounds == expected


async def test_reads_total_is_separate_from_the_page(demo_admin: DemoAdmin) -> None:
    _, reads = await demo_admin.fetch_reads("{ agents(first: 2) { totalCount nodes { hostname } } }")
    assert reads["agents"].bounds
    assert reads["agents.total"].query.columns == ()
    assert not reads["agents.total"].bounds
    _, reads = await demo_admin.fetch_reads("{ agents { totalCount } }")
    assert list(reads) == ["agents.total"]


async def test_reads_union_member_by_the_ids_of_its_type(demo_admin: DemoAdmin) -> None:
    data, reads = await demo_admin.fetch_reads(
        """{ healthChecks(first: 200) { nodes { resourceType resourceId resource {
             ... on Agent { hostname } ... on Site { name tenant { id } } ... on DataSource { status } } } } }"""
    )
    ids: dict[str, set[str]] = {}
    for check in data["nodes"]:
        ids.setdefault(check["resourceType"], set()).add(check["resourceId"])
    assert len(ids) > 1
    for kind, table in (("AGENT", "agents"), ("SITE", "sites"), ("DATA_SOURCE", "data_sources")):
        assert set(reads[table].keys or ()) == ids.get(kind, set())


async def test_reads_viewer_rows_by_their_ids(demo_admin: DemoAdmin) -> None:
    viewer = await sign_in_as(demo_admin.connection, demo_admin.who)
    data, reads = await demo_admin.fetch_reads(
        "{ viewer { id kind user { email tenant { name } } role { rights } } }"
    )
    assert data["user"]["email"]
    assert reads["users"].keys == (viewer.user_id,)
    assert reads["roles"].keys == (viewer.role_id,)
    assert reads["tenants"].keys == (viewer.tenant_id,)


SITE = """query Site($id: ID!) {
  site(id: $id) { id name tenant { name } agents(first: 2) { totalCount nodes { id } } } }"""
SEARCH = "query Search($text: String) { agents(search: $text, first: 2) { nodes { id site { name } } } }"


@pytest.mark.parametrize(
    ("query", "name"), [(SITE, "id"), (SEARCH, "text"), ("{ sites { totalCount } }", None)]
)
async def test_batch_gives_each_request_its_single_data_and_reads(
    demo_admin: DemoAdmin, query: str, name: str | None
) -> None:
    sites, _ = await demo_admin.fetch_reads("{ sites(first: 4) { nodes { id } } }")
    values = ["nothing", "lt", *(site["id"] for site in sites["nodes"])]
    questions = [await demo_admin.make_query(query, **({name: value} if name else {})) for value in values]
    alone = [await question.execute(demo_admin.connection) for question in questions]
    (plan,) = questions[0].plans
    batch = plan.build_batch([question.values for question in questions])
    records = {r["number"]: r for r in await demo_admin.connection.fetch(batch.sql, *batch.arguments)}
    assert sorted(records) == list(range(1, len(values) + 1))
    for number, (question, answer) in enumerate(zip(questions, alone, strict=True), 1):
        assert answer.data == (records[number]["data"],)
        reads = tuple(plan.iter_reads(question.values, records[number]["facts"]))
        assert [(r.keys and set(r.keys), r.bounds) for r in reads] == [
            (r.keys and set(r.keys), r.bounds) for r in answer.reads
        ]


async def test_reads_without_facts_are_as_wide_as_possible(demo_admin: DemoAdmin) -> None:
    question = await demo_admin.make_query(SITE, id="x")
    (plan,) = question.plans
    assert TENANT_SOURCE in question.values
    assert [read.keys for read in plan.iter_reads(question.values)] == [("x",), None, None, None]


async def test_query_plan_records_no_reads(demo_admin: DemoAdmin) -> None:
    question = await demo_admin.make_query(SITE, id="x")
    (observed,), (plain,) = question.plans, demo_admin.asking.plan_as_query(question)
    assert "facts" not in plain.statement.sql
    assert plain.node is None
    assert observed.statement.sql != plain.statement.sql


async def test_loaders_reads_equal_those_of_the_plan(demo_admin: DemoAdmin) -> None:
    viewer = await sign_in_as(demo_admin.connection, demo_admin.who)
    text = """{ sites(first: 2, orderBy: [{field: NAME}]) {
      nodes { id name agents(first: 1) { nodes { id hostname } } } } }"""
    compiled = await (await demo_admin.make_query(text)).execute(demo_admin.connection)
    loaders = demo_admin.asking.create_query(GeneratedDocument(text, {}), viewer, loaders=True)
    assert loaders is not None
    through_loaders = await loaders.execute(demo_admin.connection)
    one = {read.query.table.name: read for read in compiled.reads}
    other = {read.query.table.name: read for read in through_loaders.reads}
    assert set(other["agents"].keys or ()) == set(one["agents"].keys or ())
    assert set(other["sites"].bounds) == {None}
