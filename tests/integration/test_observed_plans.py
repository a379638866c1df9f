"""Observed plans: the same data as a query's, and beside it by what keys and how far each level was read."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.clock import now_ms
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.plans import TENANT
from resolvers.rows import Read
from schema.tables import LISTED
from services.demo import demo_viewers
from tests.graph import Who
from tests.property.documents import Document, Generator
from tests.property.observed import Asking, Question, signed_in
from tests.property.samples import take_samples

DOCUMENTS = 100


class Demo:
    """The demo's administrator, in one snapshot."""

    def __init__(self, connection: asyncpg.Connection, who: Who) -> None:
        self.connection = connection
        self.who = who
        self.asking = Asking(bound_schema()[1])

    async def question(self, query: str, /, **variables: Any) -> Question:
        viewer = await signed_in(self.connection, self.who)
        question = self.asking.question(Document(query, variables), viewer)
        assert question is not None
        assert question.plans
        return question

    async def reads(self, query: str, /, **variables: Any) -> tuple[Any, dict[str, Read]]:
        """The answer of the only root field, and its reads by table; totals under `table.total`."""
        told = await (await self.question(query, **variables)).ask(self.asking.schema, self.connection)
        (data,) = told.data
        reads = {
            f"{r.level.table.name}{'' if r.level.order or r.level.key == 'id' else '.total'}": r
            for r in told.reads
        }
        assert len(reads) == len(told.reads)
        return orjson.loads(data or b"null"), reads


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database_url: str) -> AsyncIterator[Demo]:
    connection = await asyncpg.connect(demo_database_url, server_settings={"app.clock_ms": str(now_ms())})
    transaction = connection.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    try:
        administrator = (await demo_viewers(connection))[0].user_id
        yield Demo(connection, Who("administrator", ViewerKind.USER, administrator))
    finally:
        await transaction.rollback()
        await connection.close()


async def test_observed_data_is_a_querys_byte_by_byte(demo: Demo) -> None:
    samples = await take_samples(demo.connection)
    tenant = (await signed_in(demo.connection, demo.who)).tenant_id
    assert tenant is not None
    roots = tuple(name for table in samples.rows for name in _roots(table))
    generator = Generator(demo.asking.schema, samples, tenant, roots)
    compared = 0
    for seed in range(DOCUMENTS):
        question = demo.asking.question(generator.document(seed), await signed_in(demo.connection, demo.who))
        if question is None or not question.plans:
            continue
        told = await question.ask(demo.asking.schema, demo.connection)
        plain = [await _plain(demo, question, number) for number in range(len(question.plans))]
        assert list(told.data) == plain, question.document
        compared += len(plain)
    assert compared > DOCUMENTS / 2


def _roots(name: str) -> list[str]:
    table = next(table for table in LISTED if table.name == name)
    return [root for root in (table.one, table.many, *table.also_many) if root]


async def _plain(demo: Demo, question: Question, number: int) -> str | None:
    statement = demo.asking.plain(question)[number].bind(question.values)
    records = await demo.connection.fetch(statement.sql, *statement.arguments)
    return records[0]["data"] if records else None


async def test_a_row_is_read_by_its_id_and_what_hangs_on_it_by_the_ids_that_were_seen(demo: Demo) -> None:
    sites, _ = await demo.reads("{ sites(first: 3) { nodes { id tenantId } } }")
    site = sites["nodes"][0]
    data, reads = await demo.reads(
        "query Q($id: ID!) { site(id: $id) { id tenant { name } agents { nodes { id healthCheck { status } } } } }",
        id=site["id"],
    )
    agents = {agent["id"] for agent in data["agents"]["nodes"]}
    assert len(agents) > 1
    assert reads["sites"].keys == (site["id"],)
    assert reads["tenants"].keys == (site["tenantId"],)
    assert reads["agents"].keys == (site["id"],)
    assert set(reads["health_checks.total"].keys or ()) == agents


async def test_of_a_row_that_is_not_there_nothing_else_is_read(demo: Demo) -> None:
    data, reads = await demo.reads('{ site(id: "nothing") { id tenant { name } agents { totalCount } } }')
    assert data is None
    assert reads["sites"].keys == ("nothing",)
    assert reads["tenants"].keys == ()
    assert reads["agents.total"].keys == ()


async def test_a_full_page_ends_at_the_last_row_fetched_and_another_is_open(demo: Demo) -> None:
    query = "{ sites(first: %d, orderBy: [{field: NAME}]) { nodes { id name } %s } }"
    everything, reads = await demo.reads(query % (1000, ""))
    assert reads["sites"].bounds == {}
    rows = [[node["name"], node["id"]] for node in everything["nodes"]]
    assert len(rows) > 4
    _, reads = await demo.reads(query % (3, ""))
    assert reads["sites"].bounds == {None: rows[2]}
    _, reads = await demo.reads(query % (3, "pageInfo { hasNextPage }"))
    assert reads["sites"].bounds == {None: rows[3]}
    _, reads = await demo.reads(query.replace("first", "last") % (2, ""))
    assert reads["sites"].bounds == {None: rows[-2]}
    _, reads = await demo.reads(query % (len(rows), "pageInfo { hasNextPage }"))
    assert reads["sites"].bounds == {}
    _, reads = await demo.reads(query % (0, ""))
    assert reads["sites"].bounds == {}


async def test_each_parent_has_a_page_of_its_own(demo: Demo) -> None:
    agents = "agents(first: 2, orderBy: [{field: HOSTNAME}]) { nodes { id hostname } }"
    query = f"{{ sites(first: 5) {{ nodes {{ id {agents} }} }} }}"
    data, reads = await demo.reads(query)
    assert set(reads["agents"].keys or ()) == {site["id"] for site in data["nodes"]}
    expected = {
        site["id"]: [site["agents"]["nodes"][-1][name] for name in ("hostname", "id")]
        for site in data["nodes"]
        if len(site["agents"]["nodes"]) == 2
    }
    assert expected
    assert reads["agents"].bounds == expected


async def test_a_total_is_read_apart_from_the_page(demo: Demo) -> None:
    _, reads = await demo.reads("{ agents(first: 2) { totalCount nodes { hostname } } }")
    assert reads["agents"].bounds
    assert reads["agents.total"].level.columns == ()
    assert not reads["agents.total"].bounds
    _, reads = await demo.reads("{ agents { totalCount } }")
    assert list(reads) == ["agents.total"]


async def test_each_branch_of_a_union_is_read_by_the_ids_of_its_kind(demo: Demo) -> None:
    data, reads = await demo.reads(
        """{ healthChecks(first: 200) { nodes { resourceType resourceId resource {
             ... on Agent { hostname } ... on Site { name tenant { id } } ... on DataSource { status } } } } }"""
    )
    ids: dict[str, set[str]] = {}
    for check in data["nodes"]:
        ids.setdefault(check["resourceType"], set()).add(check["resourceId"])
    assert len(ids) > 1
    for kind, table in (("AGENT", "agents"), ("SITE", "sites"), ("DATA_SOURCE", "data_sources")):
        assert set(reads[table].keys or ()) == ids.get(kind, set())


async def test_the_viewers_own_rows_are_read_by_their_ids(demo: Demo) -> None:
    viewer = await signed_in(demo.connection, demo.who)
    data, reads = await demo.reads("{ viewer { id kind user { email tenant { name } } role { rights } } }")
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
async def test_a_batch_tells_of_each_request_what_it_would_tell_alone(
    demo: Demo, query: str, name: str | None
) -> None:
    sites, _ = await demo.reads("{ sites(first: 4) { nodes { id } } }")
    values = ["nothing", "lt", *(site["id"] for site in sites["nodes"])]
    questions = [await demo.question(query, **({name: value} if name else {})) for value in values]
    alone = [await question.ask(demo.asking.schema, demo.connection) for question in questions]
    (plan,) = questions[0].plans
    batch = plan.batch([question.values for question in questions])
    records = {r["number"]: r for r in await demo.connection.fetch(batch.sql, *batch.arguments)}
    assert sorted(records) == list(range(1, len(values) + 1))
    for number, (question, told) in enumerate(zip(questions, alone, strict=True), 1):
        assert told.data == (records[number]["data"],)
        reads = tuple(plan.reads(question.values, records[number]["facts"]))
        assert [(r.keys and set(r.keys), r.bounds) for r in reads] == [
            (r.keys and set(r.keys), r.bounds) for r in told.reads
        ]


async def test_without_its_facts_a_plan_tells_its_reads_as_wide_as_they_may_be(demo: Demo) -> None:
    question = await demo.question(SITE, id="x")
    (plan,) = question.plans
    assert TENANT in question.values
    assert [read.keys for read in plan.reads(question.values)] == [("x",), None, None, None]


async def test_plans_of_queries_are_not_observed(demo: Demo) -> None:
    question = await demo.question(SITE, id="x")
    (observed,), (plain,) = question.plans, demo.asking.plain(question)
    assert "facts" not in plain.statement.sql
    assert plain.place is None
    assert observed.statement.sql != plain.statement.sql


async def test_loaders_tell_how_far_their_pages_reach(demo: Demo) -> None:
    viewer = await signed_in(demo.connection, demo.who)
    text = """{ sites(first: 2, orderBy: [{field: NAME}]) {
      nodes { id name agents(first: 1) { nodes { id hostname } } } } }"""
    compiled = await (await demo.question(text)).ask(demo.asking.schema, demo.connection)
    loaders = demo.asking.question(Document(text, {}), viewer, loaders=True)
    assert loaders is not None
    through_loaders = await loaders.ask(demo.asking.schema, demo.connection)
    one = {read.level.table.name: read for read in compiled.reads}
    other = {read.level.table.name: read for read in through_loaders.reads}
    assert set(other["agents"].keys or ()) == set(one["agents"].keys or ())
    assert set(other["sites"].bounds) == {None}
