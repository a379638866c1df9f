"""Where no role may be made for requests, so that the owner is under the policies itself: all is as elsewhere.

The tests of other pages are run again, as they stand, on such a database.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.request_role import RoleMode, request_role_mode
from core.settings import Settings
from services.demo import DemoSize, load_demo
from tests import desk as desks
from tests import writing
from tests.clusters import ThrowawayCluster
from tests.integration import test_clean_up as clean_ups
from tests.integration import test_live_catching_up as catching_up
from tests.integration import test_live_engine as live_queries
from tests.integration import test_live_rights as live_rights
from tests.integration import test_live_streams as live_streams
from tests.integration import test_mutations as mutations
from tests.integration import test_rotation as rotations
from tests.integration import test_write_verbs as verbs
from tests.integration import test_writes_told as told
from tests.integration.test_policies import LONELY, _owned_by_lonely
from tests.live.engine import Engine, engine

pytestmark = pytest.mark.newest

Test = Callable[..., Awaitable[None]]

_ELSEWHERE: Final = {
    "test_the_role_of_requests_cannot_see_it",
    "test_idle_subscriptions_cost_a_few_statements_a_second",
    "test_nobody_there_costs_next_to_nothing",
}
"""What is about the role that is not there, or measures what has nothing to do with it."""


def page(module: ModuleType, *parameters: str) -> list[Any]:
    """The tests of a page that take these parameters and no others."""
    found = [
        pytest.param(function, id=f"{module.__name__.rpartition('.')[2]}-{name}")
        for name, function in vars(module).items()
        if name.startswith("test_")
        and inspect.iscoroutinefunction(function)
        and not getattr(function, "pytestmark", [])
        and name not in _ELSEWHERE
        and tuple(inspect.signature(function).parameters) == parameters
    ]
    assert found
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def forced(cluster: ThrowawayCluster) -> AsyncIterator[str]:
    """A database with the demo's rows whose owner is under the policies."""
    dsn = cluster.dsn(await _owned_by_lonely(cluster), LONELY)
    connection = await asyncpg.connect(dsn)
    try:
        await load_demo(connection, DemoSize.SMALL)
        assert await request_role_mode(connection, Settings().request_role) is RoleMode.FORCED
        assert await connection.fetchval("SELECT count(*) FROM sites") == 0
    finally:
        await connection.close()
    yield dsn
    await drop(cluster, dsn)


async def drop(cluster: ThrowawayCluster, dsn: str) -> None:
    """Drop a database of the lonely owner's."""
    name = dsn.partition("@/")[2].partition("?")[0]
    connection = await asyncpg.connect(cluster.dsn("postgres", LONELY))
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


@pytest_asyncio.fixture
async def at(forced: str) -> AsyncIterator[desks.Desk]:
    async with desks.desk(forced, forced=True) as made:
        yield made


@pytest_asyncio.fixture
async def mine(cluster: ThrowawayCluster) -> AsyncIterator[writing.Desk]:
    dsn = cluster.dsn(await _owned_by_lonely(cluster), LONELY)
    async with writing.desk(dsn) as made:
        yield made
    await drop(cluster, dsn)


@pytest_asyncio.fixture
async def demo(forced: str) -> AsyncIterator[Engine]:
    async with engine(forced) as made:
        yield made


@pytest.mark.parametrize("name", mutations.ALL)
async def test_mutations(at: desks.Desk, name: str) -> None:
    each = mutations.TestEach()
    await each.test_it_takes_the_right(at, name)
    await each.test_who_may_does_it_and_leaves_a_trail(at, name)


@pytest.mark.parametrize("name", verbs.RIGHTS)
async def test_verbs(at: desks.Desk, name: str) -> None:
    each = verbs.TestEach()
    await each.test_a_neighbours_rows_are_as_those_that_are_not_there(at, name)
    await each.test_who_may_does_it_and_leaves_a_trail(at, name)


@pytest.mark.parametrize("name", ["updateTenant", "createSite", "updateIntegration", *told._PAYLOADS])
async def test_who_follows_a_write_is_told(demo: Engine, at: desks.Desk, name: str) -> None:
    await told.test_who_follows_it_is_told(demo, at, name)


LIVE: Final = [test for module in (live_queries, live_streams, catching_up) for test in page(module, "demo")]


@pytest.mark.parametrize("test", LIVE)
async def test_live(demo: Engine, test: Test) -> None:
    await test(demo)


@pytest.mark.parametrize("test", page(live_rights, "demo"))
async def test_live_rights(forced: str, test: Test) -> None:
    async with live_rights.with_clerks(forced) as made:
        await test(made)


@pytest.mark.parametrize("test", page(clean_ups, "mine"))
async def test_cleaning_up(mine: writing.Desk, test: Test) -> None:
    await mine.owner.execute("DELETE FROM api_logs")
    await test(mine)


@pytest.mark.parametrize("test", page(rotations, "mine"))
async def test_rotation(mine: writing.Desk, test: Test) -> None:
    schema = rotations.json.dumps(rotations.SCHEMA)
    await mine.owner.execute("UPDATE integrations SET config_schema = $1", schema)
    await test(mine)
