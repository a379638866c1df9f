"""Two servers during an upgrade: the next version applies an additive step while the old one serves live queries."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from services.migrations import Pending, find_latest_step, find_pending
from tests.additive_step import STEP
from tests.clusters import ThrowawayCluster
from tests.e2e.image_files import copy_image
from tests.e2e.servers import Server, start_server, temporary_data_dir
from tests.live.client import LiveQueryCase, RecordedSubscription, open_live_client
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest
SITES = LiveQueryCase.from_field("sites(first: 1, orderBy: [{field: ID}]) { nodes { id name } }")


@pytest_asyncio.fixture
async def own_demo_database_url(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[str]:
    """A database with the demo's rows for one test."""
    name = await cluster.create_database(demo_template)
    yield cluster.build_dsn(name)
    await cluster.drop_database(name)


@pytest.fixture
def next_version() -> Iterator[str]:
    """The program of the next version: this one with one additive step more."""
    with tempfile.TemporaryDirectory(dir="/tmp") as image:
        program = copy_image(Path(image))
        step = f"{find_latest_step() + 1}_20990101000000_more.py"
        (program.parent / "migrations" / "models" / step).write_text(STEP.format(additive=True))
        yield str(program)


async def _rename_site(server: Server, token: str, site_id: str, name: str) -> None:
    mutation = "mutation ($id: ID!, $name: String!) { updateSite(id: $id, input: {name: $name}) { name } }"
    body = {"query": mutation, "variables": {"id": site_id, "name": name}}
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        answer = await client.post(f"{server.url}/graphql", json=body)
    assert answer.json()["data"]["updateSite"]["name"] == name, answer.text


async def _wait_for_name(subscription: RecordedSubscription, name: str) -> None:
    await subscription.wait_until(lambda one: one.data["sites"]["nodes"][0]["name"] == name)


async def test_live_query_goes_on_across_an_upgrade_of_two_servers(
    own_demo_database_url: str, next_version: str
) -> None:
    with temporary_data_dir() as path:
        options = ("--demo", "--data-dir", path)
        with start_server(*options, lines=5, DATABASE_URL=own_demo_database_url) as old:
            token = old.tokens[0][1]
            async with open_live_client(old.url, token) as client:
                before = await client.subscribe(SITES)
                site_id = (await before.wait_for_first())["sites"]["nodes"][0]["id"]
                with start_server(
                    *options, lines=5, program=(next_version,), DATABASE_URL=own_demo_database_url
                ) as new:
                    assert await find_pending(own_demo_database_url) is Pending.AHEAD
                    async with open_live_client(new.url, token) as moved:
                        after = await moved.subscribe(SITES)
                        await after.wait_for_first()
                        for server, name in ((new, "By the new one"), (old, "By the old one")):
                            await _rename_site(server, token, site_id, name)
                            for seen in (before, after):
                                await _wait_for_name(seen, name)
                        await asyncio.to_thread(old.stop, signal.SIGTERM)
                        await asyncio.wait_for(client.closed.wait(), HANG_S)
                        assert (client.connection.close_code, before.errors) == (1001, None)
                        await _rename_site(new, token, site_id, "Upgraded")
                        await _wait_for_name(after, "Upgraded")
                    new.stop()
