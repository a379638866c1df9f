"""Compiled plans: one compilation serves other values, other users and other tenants, and never the wrong ones."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from core.clock import NEVER
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.asked import Asked
from resolvers.planning import Planning
from resolvers.plans import TENANT, Planned
from resolvers.ways import Way, coerced_variables
from services.demo import demo_viewers
from services.sign_in import sign_in
from tests.graph import Answer, Graph, graph

SITE = "query Site($id: ID!) { site(id: $id) { id name status tenant { name } agents(first: 3) { totalCount } } }"
SEARCH = """query Search($text: String, $since: Timestamp) {
  agents(where: {hostname: {contains: $text}, createdAt: {gte: $since}}, first: 5) { totalCount nodes { hostname } }
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database_url: str) -> AsyncIterator[Graph]:
    async with graph(demo_database_url) as made:
        made.way = Way.AUTO
        yield made


async def users(demo: Graph) -> list[str]:
    async with demo.database.pool.acquire() as connection:
        return [viewer.user_id for viewer in await demo_viewers(connection)]


async def site_ids(demo: Graph, user: str) -> list[str]:
    answer = await demo.as_user(user, "{ sites(first: 20) { nodes { id } } }")
    return [site["id"] for site in answer.data["sites"]["nodes"]]


def kept(demo: Graph, query: str) -> list[Planned]:
    book = demo._documents.get(query).plans
    return [planned for (of, _), (planned, _) in book.shelf._kept.items() if of is book]


async def as_loaders_say(demo: Graph, user: str, query: str, **variables: Any) -> Answer:
    """The compiled answer, after a look at that it is what the loaders answer."""
    compiled = await demo.as_user(user, query, **variables)
    demo.way = Way.LOADERS
    through_loaders = await demo.as_user(user, query, **variables)
    demo.way = Way.AUTO
    assert (compiled.data, compiled.codes) == (through_loaders.data, through_loaders.codes)
    return compiled


async def test_one_plan_serves_every_id_and_tenant_of_equal_rights(demo: Graph) -> None:
    administrator, _, neighbour = await users(demo)
    for user in (administrator, neighbour):
        for site in await site_ids(demo, user):
            answer = await as_loaders_say(demo, user, SITE, id=site)
            assert answer.data["site"]["id"] == site
            assert answer.compiled == ("site",)
            assert answer.statements == 1
    assert len(kept(demo, SITE)) == 1


async def test_a_plan_of_one_tenant_shows_nothing_of_it_to_another(demo: Graph) -> None:
    administrator, _, neighbour = await users(demo)
    own = (await site_ids(demo, administrator))[0]
    assert (await demo.as_user(administrator, SITE, id=own)).data["site"] is not None
    assert (await demo.as_user(neighbour, SITE, id=own)).data == {"site": None}


async def test_absent_null_and_given_values_are_different_plans(demo: Graph) -> None:
    administrator = (await users(demo))[0]
    totals = [
        (await as_loaders_say(demo, administrator, SEARCH, **variables)).data["agents"]["totalCount"]
        for variables in ({}, {"text": None}, {"text": "LT"}, {"text": "WS"}, {"text": "LT", "since": NEVER})
    ]
    assert totals[0] == totals[1] > totals[2] > totals[4] == 0
    assert totals[2] != totals[3]


async def test_rights_are_part_of_what_a_plan_is_for(demo: Graph) -> None:
    administrator, technician, _ = await users(demo)
    query = "query Bills($text: String) { tenantBills(search: $text) { totalCount } sites { totalCount } }"
    assert not (await as_loaders_say(demo, administrator, query, text="")).codes
    assert (await as_loaders_say(demo, technician, query, text="")).codes == ["FORBIDDEN"]
    assert not (await as_loaders_say(demo, administrator, query, text="")).codes


async def test_cursors_are_never_those_of_another_tenant_or_filter(demo: Graph) -> None:
    administrator, _, neighbour = await users(demo)
    query = "query Page($text: String) { agents(first: 2, search: $text) { nodes { id } pageInfo { endCursor } } }"
    cursors = {
        (await as_loaders_say(demo, user, query, text=text)).data["agents"]["pageInfo"]["endCursor"]
        for user in (administrator, neighbour)
        for text in ("lt", "ws", "LT")
    }
    assert len(cursors) == 6


async def test_what_postgresql_cannot_hold_is_refused_whatever_was_kept(demo: Graph) -> None:
    administrator = (await users(demo))[0]
    for wrong in ("\x00", "\ud800"):
        assert (await demo.as_user(administrator, SITE, id=wrong)).codes == ["BAD_USER_INPUT"]
        assert not (await demo.as_user(administrator, SITE, id="nothing")).codes
        assert (await demo.as_user(administrator, SITE, id=wrong)).codes == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    ("query", "name"), [(SITE, "id"), (SEARCH, "text"), ("{ sites(first: 2) { nodes { id } } }", None)]
)
async def test_a_batch_answers_each_request_as_it_would_be_answered_alone(
    demo: Graph, query: str, name: str | None
) -> None:
    administrator = (await users(demo))[0]
    ids = await site_ids(demo, administrator)
    requests = [{name: value} for value in (*ids, "nothing", ids[0])] if name else [{}] * 3
    alone = [(await demo.as_user(administrator, query, **variables)).data for variables in requests]
    assert await batched(demo, administrator, query, requests) == alone


async def batched(demo: Graph, user: str, query: str, requests: list[dict[str, Any]]) -> list[Any]:
    """All answers by one statement."""
    document = demo._documents.get(query)
    assert document.syntax is not None
    async with demo.database.snapshot() as snapshot:
        viewer = await sign_in(snapshot.connection, Identity(ViewerKind.USER, user, NEVER), None)
        values, plans = [], {}
        for variables in requests:
            asked = Asked(demo.schema, document.syntax, document.operations[0], variables, document.plans)
            coerced = coerced_variables(asked)
            assert coerced is not None
            planning = Planning(asked, viewer, coerced)
            values.append(planning.values)
            planned = planning.planned()
            assert planned is not None
            assert planned.reusable
            plans = planned.plans
        ((key, plan),) = plans.items()
        assert plan is not None
        batch = plan.batch(values)
        before = snapshot.statements
        records = await snapshot.fetch(batch.sql, batch.arguments)
        assert snapshot.statements == before + 1
    answers = {r["number"]: None if r["data"] is None else orjson.loads(r["data"]) for r in records}
    return [{key: answers[number]} for number in range(1, len(requests) + 1)]


async def test_a_batch_is_of_one_tenant(demo: Graph) -> None:
    administrator = (await users(demo))[0]
    await demo.as_user(administrator, SITE, id="x")
    (planned,) = kept(demo, SITE)
    plan = planned.plans["site"]
    assert plan is not None
    with pytest.raises(ValueError, match="one tenant"):
        plan.batch([{TENANT: "a", "id": "1"}, {TENANT: "b", "id": "1"}])


async def test_what_a_plan_reads_is_told_with_the_values_of_the_request(demo: Graph) -> None:
    administrator = (await users(demo))[0]
    for site in await site_ids(demo, administrator):
        reads = (await demo.as_user(administrator, SITE, id=site)).reads
        assert [(read.level.table.name, read.level.key) for read in reads][:2] == [
            ("sites", "id"),
            ("tenants", "id"),
        ]
        assert reads[0].keys == (site,)
    for text in ("LT", "WS"):
        (read,) = (await demo.as_user(administrator, SEARCH, text=text)).reads
        assert read.level.where == {"hostname": {"contains": text}, "createdAt": {}}
