"""What the platform may ask about the way of a query, and nobody else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from core.clock import NEVER
from core.errors import BadUserInputError, ForbiddenError
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.execution import Request, run
from resolvers.operation import Operation
from resolvers.rows import Rows
from services.demo import demo_viewers
from services.sign_in import sign_in
from tests.graph import Graph, graph

QUERY = '{ sites(first: 2, where: {name: {contains: "x)("}}) { totalCount nodes { name tenant { name } } } }'
UNCOMPILED = "{ __schema { queryType { name } } }"


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database_url: str) -> AsyncIterator[Graph]:
    async with graph(demo_database_url) as made:
        yield made


async def asked(
    demo: Graph, kind: ViewerKind, query: str, **extensions: Any
) -> tuple[dict[str, Any], Operation]:
    async with demo.database.pool.acquire() as connection:
        user = (await demo_viewers(connection))[0].user_id
        tenant = await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user)
    platform = kind is ViewerKind.PLATFORM
    async with demo.database.snapshot(platform=platform) as snapshot:
        identity = Identity(kind, "platform" if platform else user, NEVER)
        viewer = await sign_in(snapshot.connection, identity, tenant if platform else None)
        operation = Operation(viewer, Rows(viewer, snapshot))
        request = Request(query, {}, None, extensions)
        return await run(demo.schema, demo._documents.get(query), request, operation), operation


async def test_the_platform_sees_the_sql_and_its_plan(demo: Graph) -> None:
    response, operation = await asked(demo, ViewerKind.PLATFORM, QUERY, explain=True)
    explained = response["extensions"]["explain"]["sites"]
    assert operation.way == "compiled"
    assert explained["sql"][0].startswith("SELECT")
    assert any(line.strip().startswith("FROM sites") for line in explained["sql"])
    assert "x)(" in explained["arguments"]
    assert any("sites" in line and "Scan" in line for line in explained["plan"])
    assert " ".join(" ".join(explained["sql"]).split()).count("(") == "".join(explained["sql"]).count("(")


async def test_the_platform_forces_a_way(demo: Graph) -> None:
    through_loaders, loaded = await asked(demo, ViewerKind.PLATFORM, QUERY, way="loaders")
    compiled, not_loaded = await asked(demo, ViewerKind.PLATFORM, QUERY, way="compiled")
    assert (loaded.way, not_loaded.way) == ("loaders", "compiled")
    assert through_loaders["data"].keys() == compiled["data"].keys()


async def test_an_operation_of_both_kinds_is_mixed(demo: Graph) -> None:
    response, operation = await asked(
        demo, ViewerKind.USER, "{ __schema { queryType { name } } viewer { kind } }"
    )
    assert operation.way == "mixed"
    assert list(response["data"]) == ["__schema", "viewer"]


async def test_what_cannot_be_compiled_is_refused_where_that_is_forced(demo: Graph) -> None:
    with pytest.raises(BadUserInputError, match="not compiled"):
        await asked(demo, ViewerKind.PLATFORM, UNCOMPILED, way="compiled")


async def test_an_unknown_way_is_refused(demo: Graph) -> None:
    with pytest.raises(BadUserInputError, match="one of auto, compiled, loaders"):
        await asked(demo, ViewerKind.PLATFORM, QUERY, way="magic")


@pytest.mark.parametrize("extensions", [{"explain": True}, {"way": "loaders"}])
async def test_nobody_else_may(demo: Graph, extensions: dict[str, Any]) -> None:
    with pytest.raises(ForbiddenError, match="platform alone"):
        await asked(demo, ViewerKind.USER, QUERY, **extensions)
