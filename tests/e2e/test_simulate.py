"""The fleet simulator against real servers: the rate it was asked for, agents that are away, servers that fail."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from core.agent_tokens import AgentTokens
from core.limits import ENROLLMENTS_AT_ONCE
from core.settings import Settings
from core.signing import SigningKey, issue_platform_token
from simulator.enrolment import enrolled
from simulator.fleet import Fleet
from simulator.origin import Origin
from simulator.plan import Plan
from simulator.site_tokens import SiteToken
from tests.e2e.servers import ROOT, Server, data_directory, ended, running

pytestmark = pytest.mark.newest

_AGENTS = 200
_OFFLINE_AFTER_S = 3
_SITES = """
SELECT s.tenant_id, s.id FROM sites s JOIN tenants t ON t.id = s.tenant_id
WHERE s.status = 'active' AND s.deleted_at IS NULL AND t.status = 'active' AND t.deleted_at IS NULL
ORDER BY s.id
"""
_SEEN = "query ($site: ID!) { site(id: $site) { agents(first: 1000) { nodes { hostname isOnline } } } }"


class Place:
    """A server with a site at which a fleet enrols."""

    def __init__(self, server: Server, data_dir: Path, tenant: str, site: str) -> None:
        self.server = server
        self.data_dir = data_dir
        self._key = SigningKey.load(Settings(demo=True, data_dir=data_dir))
        self._tenant = tenant
        self._site = site

    @property
    def token(self) -> SiteToken:
        """An enrolment token for its site."""
        tokens = AgentTokens(self._key)
        return SiteToken(self._site, tokens.issue_enrollment(self._site, self._tenant, 600))

    async def fleet(self, plan: Plan) -> Fleet:
        """A fleet that has enrolled there."""
        origin = Origin.of(self.server.url)
        beats = await enrolled(plan, origin, [self.token], lambda _count: None)
        return Fleet(beats, origin, plan)

    async def online(self) -> dict[int, bool]:
        """Whether the agents are online, by number, as GraphQL tells it."""
        assert self._key is not None
        headers = {"Authorization": f"Bearer {issue_platform_token(self._key)}", "X-Tenant-Id": self._tenant}
        body = {"query": _SEEN, "variables": {"site": self._site}}
        async with httpx.AsyncClient() as http:
            answer = (await http.post(f"{self.server.url}/graphql", json=body, headers=headers)).json()
        nodes: list[dict[str, Any]] = answer["data"]["site"]["agents"]["nodes"]
        ours = (node for node in nodes if node["hostname"].startswith("sim-"))
        return {int(node["hostname"].removeprefix("sim-")): node["isOnline"] for node in ours}


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with data_directory() as path:
        yield path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sites(demo_database: str) -> Iterator[asyncpg.Record]:
    """Sites and their tenants: each test takes one of its own."""
    connection = await asyncpg.connect(demo_database)
    try:
        return iter(await connection.fetch(_SITES))
    finally:
        await connection.close()


_Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="module")
def serve(demo_database: str, data_dir: Path) -> _Serve:
    """Starts a server on the demo; with settings of the test's."""

    def serving(*arguments: object, **environment: str) -> AbstractContextManager[Server]:
        given = {"AGENT_CALLS_PER_MINUTE": "600", "DATABASE_URL": demo_database, **environment}
        return running("--demo", "--data-dir", data_dir, *arguments, lines=5, **given)

    return serving


@pytest.fixture(scope="module")
def server(serve: _Serve) -> Iterator[Server]:
    with serve(AGENT_OFFLINE_AFTER=str(_OFFLINE_AFTER_S)) as server:
        yield server
        server.end()


@pytest.fixture
def place(server: Server, data_dir: Path, sites: Iterator[asyncpg.Record]) -> Place:
    return Place(server, data_dir, *next(sites))


@asynccontextmanager
async def _beating(fleet: Fleet) -> AsyncIterator[Fleet]:
    run = asyncio.create_task(fleet.run())
    try:
        yield fleet
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run


async def _until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - it is another process that is waited for
            await asyncio.sleep(0.05)


async def _until_seen(place: Place, holds: Callable[[dict[int, bool]], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds(await place.online()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)


async def test_a_fleet_beats_at_the_rate_that_was_asked_for(place: Place) -> None:
    fleet = await place.fleet(Plan(_AGENTS, interval_s=1.0, duration_s=6.0))
    await fleet.run()
    rate = fleet.tally.acknowledged / fleet.tally.elapsed_s(0.0)
    assert not fleet.tally.failures
    assert rate == pytest.approx(_AGENTS, rel=0.1)
    assert 0 < fleet.tally.latencies.at(0.5) < 1.0
    assert await place.online() == dict.fromkeys(range(_AGENTS), True)


async def test_devices_of_an_earlier_run_are_the_same_agents(place: Place) -> None:
    for _ in range(2):
        await (await place.fleet(Plan(20, interval_s=0.2, duration_s=1.0))).run()
    assert sorted(await place.online()) == list(range(20))


async def test_agents_that_are_away_go_offline_and_come_back(place: Place) -> None:
    away_s = 3.0 * _OFFLINE_AFTER_S
    async with _beating(await place.fleet(Plan(_AGENTS, 1.0, drop=0.2, away_s=away_s))) as fleet:
        await _until(lambda: fleet.tally.away == 40)
        first = fleet.away
        silent = {number: number not in first for number in range(_AGENTS)}
        await _until_seen(place, lambda seen: seen == silent, away_s)
        await _until(lambda: fleet.away != first)
        await _until_seen(place, lambda seen: all(seen[number] for number in first - fleet.away))
        assert not fleet.tally.failures


async def test_a_database_that_hangs_up(place: Place, demo_database: str) -> None:
    async with _beating(await place.fleet(Plan(_AGENTS, interval_s=1.0))) as fleet:
        tally = fleet.tally
        await _until(lambda: tally.acknowledged > 0)
        async with asyncio.timeout(20.0):
            while not tally.failures["503"]:
                await _hang_up(demo_database)
                await asyncio.sleep(0.1)
        before = tally.acknowledged
        assert +tally.failures == {"503": tally.failures["503"]}
        await _until(lambda: tally.acknowledged >= before + 2 * _AGENTS, 30.0)


async def _hang_up(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    finally:
        await connection.close()


async def test_agents_that_call_too_often_hear_429_and_come_back_when_they_are_told(
    serve: _Serve, data_dir: Path, sites: Iterator[asyncpg.Record]
) -> None:
    with serve(AGENT_CALLS_PER_MINUTE="60") as server:
        place = Place(server, data_dir, *next(sites))
        fleet = await place.fleet(Plan(5, interval_s=0.1, duration_s=5.0))
        await fleet.run()
        assert set(fleet.tally.failures) == {"429"}
        assert fleet.tally.failures["429"] <= 5 * 5  # told to wait a second, not beating on
        assert 5 * 12 <= fleet.tally.acknowledged <= 5 * 16  # ten at once, and one a second


async def test_a_server_that_is_killed_and_started_again(
    serve: _Serve, data_dir: Path, sites: Iterator[asyncpg.Record]
) -> None:
    with ExitStack() as servers:
        server = servers.enter_context(serve())
        place = Place(server, data_dir, *next(sites))
        async with _beating(await place.fleet(Plan(_AGENTS, interval_s=1.0))) as fleet:
            tally = fleet.tally
            await _until(lambda: tally.acknowledged >= _AGENTS)
            server.end(signal.SIGKILL)
            before = tally.acknowledged
            await _until(lambda: tally.failures["refused"] >= _AGENTS)
            assert tally.acknowledged == before
            assert set(tally.failures) <= {"refused", "connection lost"}
            again = serve("--port", server.url.rpartition(":")[2])
            await asyncio.to_thread(servers.enter_context, again)
            await _until(lambda: tally.acknowledged >= before + 2 * _AGENTS)


def _simulator(place: Place, *words: object, given: tuple[str, ...] | None = None) -> "subprocess.Popen[str]":
    where = ("--url", place.server.url, "--data-dir", place.data_dir)
    given = ("--enrollment-token", place.token.token) if given is None else given
    command = (sys.executable, "server.py", "simulate", *where, *given, *words)
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


_ACKNOWLEDGED = re.compile(r"^acknowledged +(\d+), ([\d.]+) a second; ([\d.]+) asked for$", re.MULTILINE)
_LATENCY = re.compile(
    r"^latency +p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, p99.9 [\d.]+, longest [\d.]+ ms$", re.MULTILINE
)


async def test_the_command_ends_with_its_time_and_tells_what_was(place: Place) -> None:
    process = _simulator(place, "--agents", 50, "--interval", 1, "--duration", 4)
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0, err
    told = _ACKNOWLEDGED.search(out)
    assert told, out
    assert float(told[2]) == pytest.approx(50, rel=0.15)
    assert told[3] == "50.0"
    assert _LATENCY.search(out), out
    assert re.search(r"^failed +none$", out, re.MULTILINE)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_ends_cleanly_at_a_signal(place: Place, how: signal.Signals) -> None:
    process = _simulator(place, "--agents", 20, "--interval", 0.5)
    await _until_seen(place, lambda seen: any(seen.values()))
    process.send_signal(how)
    out, err = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert _ACKNOWLEDGED.search(out), out


async def test_a_token_that_the_server_does_not_take(place: Place) -> None:
    given = ("--enrollment-token", place.token.token[:-8] + "AAAAAAAA")
    process = _simulator(place, "--agents", 2, given=given)
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert (process.returncode, out) == (1, "")
    assert re.search("does not enrol sim-00000[01]: 401, ", err), err


async def test_a_rollout_larger_than_a_token_allows_at_once_waits_as_it_is_told(place: Place) -> None:
    fleet = await place.fleet(Plan(ENROLLMENTS_AT_ONCE + 20, interval_s=4.0, duration_s=4.4, jitter=0.0))
    await fleet.run()
    assert not fleet.tally.failures
    assert fleet.tally.acknowledged >= ENROLLMENTS_AT_ONCE + 20


async def test_in_a_demo_the_command_needs_no_token(place: Place) -> None:
    process = _simulator(place, "--agents", 60, "--interval", 1, "--duration", 2, given=())
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0, err
    assert "enrolling at 3 sites" in err
    assert re.search(r"^failed +none$", out, re.MULTILINE)


def test_nobody_at_that_address(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "key.pem")
    token = AgentTokens(key).issue_enrollment("site", "tenant", 60)
    done = ended("simulate", "--url", "http://127.0.0.1:9", "--enrollment-token", token)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("The server does not answer: refused.\n")
