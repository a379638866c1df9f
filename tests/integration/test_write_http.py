"""Mutations over HTTP: what the response has beside, who is refused, and who is rung for."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest_asyncio

from api.operations import Operations
from tests.face import Face, codes, face

CREATE = "mutation($name: String!) { createSite(input: {name: $name}) { id slug tenant { name } } }"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(demo_database: str) -> AsyncIterator[Face]:
    async with face(demo_database) as made:
        yield made


async def test_the_answer_tells_the_transaction_that_wrote_it(served: Face) -> None:
    response = await served.ask(CREATE, variables={"name": "Over HTTP"})
    body = response.json()
    assert response.status_code == 200
    async with served.database.snapshot(platform=True) as snapshot:
        rows = await snapshot.fetch(
            "SELECT xmin::text FROM sites WHERE id = $1", (body["data"]["createSite"]["id"],)
        )
    assert body["extensions"] == {"transaction": rows[0][0]}


async def test_a_read_has_none(served: Face) -> None:
    assert "extensions" not in (await served.ask("{ viewer { id } }")).json()


async def test_nothing_is_written_by_get(served: Face) -> None:
    response = await served.client.get(
        "/graphql",
        params={"query": 'mutation { createSite(input: {name: "x"}) { id } }'},
        headers=served.headers(),
    )
    assert response.status_code == 405


async def test_without_a_token(served: Face) -> None:
    response = await served.client.post("/graphql", json={"query": CREATE, "variables": {"name": "x"}})
    assert codes(response) == ["UNAUTHENTICATED"]


async def test_who_may_not_sign_in_is_refused_as_a_whole(served: Face, demo_database: str) -> None:
    connection = await asyncpg.connect(demo_database)
    switch = "UPDATE users SET status = $2 WHERE id = $1"
    await connection.execute(switch, served.users[2], "inactive")
    try:
        response = await served.ask(CREATE, user=2, variables={"name": "x"})
    finally:
        await connection.execute(switch, served.users[2], "active")
        await connection.close()
    assert (response.status_code, codes(response)) == (401, ["UNAUTHENTICATED"])


async def test_variables_that_do_not_fit(served: Face) -> None:
    response = await served.ask(CREATE, variables={"name": None})
    assert codes(response) == ["BAD_USER_INPUT"]
    assert "data" not in response.json()


async def test_a_document_that_writes_too_much_is_refused_before_it_does(served: Face) -> None:
    ids = ["x"] * 500
    calls = " ".join(f"a{n}: deleteSites(ids: $ids) {{ id }}" for n in range(20))
    query = f"mutation($ids: [ID!]!) {{ {calls} }}"
    response = await served.ask(query, variables={"ids": ids})
    error = response.json()["errors"][0]["extensions"]
    assert (error["code"], error["limit"], error["actual"] > 20 * 500) == ("QUERY_TOO_COMPLEX", "cost", True)


async def test_many_rows_at_once_have_a_limit(served: Face) -> None:
    response = await served.ask(
        "mutation($ids: [ID!]!) { deleteSites(ids: $ids) { id } }", variables={"ids": ["x"] * 501}
    )
    assert response.json()["errors"][0]["extensions"]["limit"] == "writtenRows"


async def test_the_bell_rings_once_for_each_commit(demo_database: str) -> None:
    rung: list[int] = []
    async with face(demo_database) as made:
        operations = next(
            r.app._operations for r in made.app.routes if hasattr(getattr(r, "app", None), "_operations")
        )
        assert isinstance(operations, Operations)
        operations._bell = lambda: rung.append(1)
        two = 'mutation { a: createSite(input: {name: "A"}) { id } b: createSite(input: {name: "B"}) { id } }'
        assert not codes(await made.ask(two))
        assert codes(await made.ask('mutation { deleteSite(id: "no") { id } }')) == ["NOT_FOUND"]
        assert not codes(await made.ask("{ viewer { id } }"))
    assert len(rung) == 2


async def test_requests_at_once_each_write(served: Face) -> None:
    async def write(number: int) -> httpx.Response:
        return await served.ask(CREATE, variables={"name": f"At once {number}"})

    answers = await asyncio.gather(*(write(number) for number in range(30)))
    assert [codes(answer) for answer in answers] == [[]] * 30
    assert len({answer.json()["extensions"]["transaction"] for answer in answers}) == 30
