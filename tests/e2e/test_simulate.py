"""The fleet simulator against real servers: the rate it was asked for, agents that are away, servers that fail."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from core.agent_tokens import AgentTokens
from core.settings import Settings
from core.signing import SigningKey, issue_platform_token
from simulator.enrolment import enrolled
from simulator.fleet import Fleet
from simulator.origin import Origin
from simulator.plan import Plan
from simulator.site_tokens import SiteToken
from tests.e2e.servers import ROOT, Server, data_directory, ended, running

_AGENTS = 200
_OFFLINE_AFTER_S = 3
_SITE = """
SELECT s.tenant_id, s.id FROM sites s JOIN tenants t ON t.id = s.tenant_id
WHERE s.status = 'active' AND s.deleted_at IS NULL AND t.status = 'active' AND t.deleted_at IS NULL
ORDER BY s.id LIMIT 1
"""
_SEEN = "query ($site: ID!) { site(id: $site) { agents(first: 1000) { nodes { hostname isOnline } } } }"


class Place:
    """A server with a site at which a fleet enrols."""

    def __init__(self, server: Server, dsn: str, data_dir: Path, tenant: str, site: str) -> None:
        self.server = server
        self.dsn = dsn
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


@pytest.fixture
async def site(demo_database: str) -> tuple[str, str]:
    connection = await asyncpg.connect(demo_database)
    try:
        tenant, site = await connection.fetchrow(_SITE)
    finally:
        await connection.close()
    return tenant, site


_Serve = Callable[..., Any]


@pytest.fixture
def serve(demo_database: str, data_dir: Path, site: tuple[str, str]) -> _Serve:
    """A server on the demo, with settings of the test's."""

    @contextmanager
    def serving(*arguments: object, **environment: str) -> Iterator[Place]:
        given = {"AGENT_CALLS_PER_MINUTE": "600", "DATABASE_URL": demo_database, **environment}
        with running("--demo", "--data-dir", data_dir, *arguments, lines=5, **given) as server:
            yield Place(server, demo_database, data_dir, *site)
            server.end()

    return serving


@asynccontextmanager
async def _beating(fleet: Fleet) -> AsyncIterator[Fleet]:
    run = asyncio.create_task(fleet.run())
    try:
        yield fleet
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run


async def _until(holds: Callable[[], Any], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - it is another process that is waited for
            await asyncio.sleep(0.1)


async def test_a_fleet_beats_at_the_rate_that_was_asked_for(serve: _Serve) -> None:
    with serve() as place:
        fleet = await place.fleet(Plan(_AGENTS, interval_s=1.0, duration_s=6.0))
        await fleet.run()
        rate = fleet.tally.acknowledged / fleet.tally.elapsed_s(0.0)
        assert not fleet.tally.failures
        assert rate == pytest.approx(_AGENTS, rel=0.1)
        assert 0 < fleet.tally.latencies.at(0.5) < 1.0
        assert await place.online() == dict.fromkeys(range(_AGENTS), True)


async def test_agents_that_are_away_go_offline_and_come_back(serve: _Serve) -> None:
    away_s = 3.0 * _OFFLINE_AFTER_S
    with serve(AGENT_OFFLINE_AFTER=str(_OFFLINE_AFTER_S)) as place:
        async with _beating(await place.fleet(Plan(_AGENTS, 1.0, drop=0.2, away_s=away_s))) as fleet:

            async def some_are_away() -> bool:
                return fleet.tally.away == 40

            await _until(some_are_away)
            first = fleet.away
            silent = {number: number not in first for number in range(_AGENTS)}

            async def they_are_offline() -> bool:
                return await place.online() == silent

            await _until(they_are_offline, away_s)

            async def they_are_back() -> bool:
                seen = await place.online()
                return fleet.away != first and all(seen[number] for number in first - fleet.away)

            await _until(they_are_back)
            assert not fleet.tally.failures


async def test_agents_that_call_too_often_hear_429_and_come_back_when_they_are_told(serve: _Serve) -> None:
    with serve(AGENT_CALLS_PER_MINUTE="60") as place:
        fleet = await place.fleet(Plan(5, interval_s=0.1, duration_s=5.0))
        await fleet.run()
        assert set(fleet.tally.failures) == {"429"}
        assert fleet.tally.failures["429"] <= 5 * 5  # told to wait a second, not beating on
        assert 5 * 12 <= fleet.tally.acknowledged <= 5 * 16  # ten at once, and one a second


async def test_a_server_that_is_killed_and_started_again(serve: _Serve) -> None:
    with ExitStack() as servers:
        place = servers.enter_context(serve())
        async with _beating(await place.fleet(Plan(_AGENTS, interval_s=1.0))) as fleet:
            tally = fleet.tally

            async def all_have_beaten() -> bool:
                return tally.acknowledged >= _AGENTS

            await _until(all_have_beaten)
            place.server.end(signal.SIGKILL)
            before = tally.acknowledged

            async def all_were_refused() -> bool:
                return tally.failures["refused"] >= _AGENTS

            await _until(all_were_refused)
            assert tally.acknowledged == before
            assert set(tally.failures) <= {"refused", "connection lost"}
            again = serve("--port", place.server.url.rpartition(":")[2])
            await asyncio.to_thread(servers.enter_context, again)

            async def all_have_beaten_again() -> bool:
                return tally.acknowledged >= before + 2 * _AGENTS

            await _until(all_have_beaten_again)


async def test_a_database_that_hangs_up(serve: _Serve) -> None:
    with serve() as place:
        async with _beating(await place.fleet(Plan(_AGENTS, interval_s=1.0))) as fleet:
            tally = fleet.tally
            connection = await asyncpg.connect(place.dsn)
            try:

                async def somebody_heard_503() -> bool:
                    await connection.execute(
                        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE datname = current_database() AND pid <> pg_backend_pid()"""
                    )
                    return tally.failures["503"] > 0

                await _until(somebody_heard_503)
            finally:
                await connection.close()
            before = tally.acknowledged
            assert set(tally.failures) == {"503"}

            async def they_beat_again() -> bool:
                return tally.acknowledged >= before + 2 * _AGENTS

            await _until(they_beat_again, 30.0)


def _simulator(place: Place, *words: object) -> "subprocess.Popen[str]":
    where = ("--url", place.server.url, "--data-dir", place.data_dir, "--enrollment-token", place.token.token)
    command = (sys.executable, "server.py", "simulate", *where, *words)
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


_ACKNOWLEDGED = re.compile(r"^acknowledged +(\d+), ([\d.]+) a second; ([\d.]+) asked for$", re.MULTILINE)
_LATENCY = re.compile(
    r"^latency +p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, p99.9 [\d.]+, longest [\d.]+ ms$", re.MULTILINE
)


async def test_the_command_ends_with_its_time_and_tells_what_was(serve: _Serve) -> None:
    with serve() as place:
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
async def test_the_command_ends_cleanly_at_a_signal(serve: _Serve, how: signal.Signals) -> None:
    with serve(AGENT_OFFLINE_AFTER="1") as place:
        process = _simulator(place, "--agents", 20, "--interval", 0.5)

        async def they_beat() -> bool:
            return any((await place.online()).values())

        await _until(they_beat)
        process.send_signal(how)
        process.send_signal(how)
        out, err = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert _ACKNOWLEDGED.search(out), out


async def test_a_token_that_the_server_does_not_take(serve: _Serve) -> None:
    with serve() as place:
        token = place.token.token[:-4] + "AAAA"
        process = _simulator(place, "--enrollment-token", token, "--agents", 2)
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "does not enrol sim-000001: 401" in err


def test_nobody_at_that_address(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "key.pem")
    token = AgentTokens(key).issue_enrollment("site", "tenant", 60)
    done = ended("simulate", "--url", "http://127.0.0.1:9", "--enrollment-token", token)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("The server does not answer: refused.\n")
