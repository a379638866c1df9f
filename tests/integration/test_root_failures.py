"""A root field that fails by our own fault: the others of the answer stay, where the schema lets it be null."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from resolvers.ways import Way
from tests.face import Face, codes, face

ONE = '{ known: viewer { kind } healthCheck(id: "x") { id } }'
ALONE = '{ healthCheck(id: "x") { id } }'


@pytest_asyncio.fixture
async def served(demo_database: str) -> AsyncIterator[Face]:
    """A server whose requests may not read the table of health checks."""
    owner = await asyncpg.connect(demo_database)
    async with face(demo_database) as made:
        assert (await made.ask(ALONE)).json() == {"data": {"healthCheck": None}}
        await owner.execute("REVOKE SELECT ON health_checks FROM msp_request")
        yield made
        await owner.execute("GRANT SELECT ON health_checks TO msp_request")
    await owner.close()


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("way", [Way.AUTO, Way.LOADERS])
async def test_the_others_stay(demo_database: str, way: Way) -> None:
    async with face(demo_database, reads=way.value) as asked:
        response = await asked.ask(ONE)
    assert response.json()["data"] == {"known": {"kind": "USER"}, "healthCheck": None}
    assert codes(response) == ["INTERNAL"]
    assert response.json()["errors"][0]["path"] == ["healthCheck"]


async def test_alone_it_is_null(served: Face) -> None:
    response = await served.ask(ALONE)
    assert response.json()["data"] == {"healthCheck": None}
    assert codes(response) == ["INTERNAL"]


async def test_what_must_not_be_null_takes_the_answer_with_it(served: Face) -> None:
    response = await served.ask("{ known: viewer { kind } healthChecks { totalCount } }")
    assert response.json()["data"] is None
    assert codes(response) == ["INTERNAL"]
