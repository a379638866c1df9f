"""The fleet simulator against real servers: the requested rate, offline agents, failing servers."""

import asyncio
import json
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

from commands.simulate import AGENTS_FILE
from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey, issue_platform_token
from core.limits import ENROLLMENTS_BURST
from core.settings import Settings
from simulator.fleet.enrollment import enroll_fleet
from simulator.fleet.enrollment_tokens import SiteToken
from simulator.fleet.fleet import SimulatedFleet
from simulator.fleet.fleet_plan import FleetPlan
from simulator.fleet.server_address import ServerAddress
from tests.e2e.servers import ROOT, Server, run_command, start_server
from tests.waiting import HANG_S, wait_until

pytestmark = pytest.mark.newest

_AGENTS = 200
_OFFLINE_AFTER_S = 3
_SITES = """
SELECT s.tenant_id, s.id FROM sites s JOIN tenants t ON t.id = s.tenant_id
WHERE s.status = 'active' AND s.deleted_at IS NULL AND t.status = 'active' AND t.deleted_at IS NULL
ORDER BY s.id
"""
_SEEN = "query ($site: ID!) { site(id: $site) { agents(first: 1000) { nodes { hostname isOnline } } } }"


class FleetSite:
    """A server with a site at which a fleet enrolls."""

    def __init__(self, server: Server, data_dir: Path, tenant: str, site: str) -> None:
        self.server = server
        self.data_dir = data_dir
        self._key = SigningKey.load(Settings(demo=True, data_dir=data_dir))
        self._tenant = tenant
        self._site = site

    @property
    def enrollment_token(self) -> SiteToken:
        """An enrollment token for its site."""
        assert self._key is not None
        headers = {"Authorization": f"Bearer {issue_platform_token(self._key)}", "X-Tenant-Id": self._tenant}
        query = (
            "mutation($id: ID!) { made: createEnrollmentToken(siteId: $id, expiresInSeconds: 600) { token } }"
        )
        body = {"query": query, "variables": {"id": self._site}}
        answer = httpx.post(f"{self.server.url}/graphql", json=body, headers=headers, timeout=HANG_S).json()
        return SiteToken(self._site, answer["data"]["made"]["token"])

    async def enroll_fleet(self, plan: FleetPlan) -> SimulatedFleet:
        """An enrolled fleet."""
        origin = ServerAddress.from_url(self.server.url)
        beats = await enroll_fleet(plan, origin, [self.enrollment_token], lambda _count: None)
        return SimulatedFleet(beats, origin, plan)

    async def read_online(self) -> dict[int, bool]:
        """Whether the agents are online, by number, according to GraphQL."""
        assert self._key is not None
        headers = {"Authorization": f"Bearer {issue_platform_token(self._key)}", "X-Tenant-Id": self._tenant}
        body = {"query": _SEEN, "variables": {"site": self._site}}
        async with httpx.AsyncClient(timeout=HANG_S) as http:
            answer = (await http.post(f"{self.server.url}/graphql", json=body, headers=headers)).json()
        nodes: list[dict[str, Any]] = answer["data"]["site"]["agents"]["nodes"]
        ours = (node for node in nodes if node["hostname"].startswith("sim-"))
        return {int(node["hostname"].removeprefix("sim-")): node["isOnline"] for node in ours}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site_rows(writable_demo_database_url: str) -> Iterator[asyncpg.Record]:
    """Sites and their tenants. Each test takes one."""
    connection = await asyncpg.connect(writable_demo_database_url)
    try:
        return iter(await connection.fetch(_SITES))
    finally:
        await connection.close()


_StartDemoServer = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="module")
def start_demo_server(writable_demo_database_url: str, data_dir: Path) -> _StartDemoServer:
    """A function that starts a server on the demo, with settings of the test."""

    def start(*arguments: object, **environment: str) -> AbstractContextManager[Server]:
        given = {"AGENT_CALLS_PER_MINUTE": "600", "DATABASE_URL": writable_demo_database_url, **environment}
        return start_server("--demo", "--data-dir", data_dir, *arguments, lines=5, **given)

    return start


@pytest.fixture(scope="module")
def server(start_demo_server: _StartDemoServer) -> Iterator[Server]:
    with start_demo_server(AGENT_OFFLINE_AFTER=str(_OFFLINE_AFTER_S)) as server:
        yield server
        server.stop()


@pytest.fixture
def fleet_site(server: Server, data_dir: Path, site_rows: Iterator[asyncpg.Record]) -> FleetSite:
    return FleetSite(server, data_dir, *next(site_rows))


@asynccontextmanager
async def _run_fleet(fleet: SimulatedFleet) -> AsyncIterator[SimulatedFleet]:
    run = asyncio.create_task(fleet.run())
    try:
        yield fleet
    finally:
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run


async def _wait_until_online(fleet_site: FleetSite, condition: Callable[[dict[int, bool]], bool]) -> None:
    async with asyncio.timeout(HANG_S):
        while not condition(await fleet_site.read_online()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)


async def test_simulate_fleet_checks_in_no_faster_than_requested(fleet_site: FleetSite) -> None:
    fleet = await fleet_site.enroll_fleet(FleetPlan(_AGENTS, interval_s=1.0, duration_s=6.0))
    await fleet.run()
    assert not fleet.tally.failures
    # Six each are due. A slow machine sends fewer, and none sends more.
    assert 2 * _AGENTS <= fleet.tally.acknowledged <= 6.6 * _AGENTS
    assert fleet.tally.latencies.compute_percentile(0.5) > 0
    assert await fleet_site.read_online() == dict.fromkeys(range(_AGENTS), True)


async def test_simulate_devices_of_earlier_run_are_the_same_agents(fleet_site: FleetSite) -> None:
    for _ in range(2):
        await (await fleet_site.enroll_fleet(FleetPlan(20, interval_s=0.2, duration_s=1.0))).run()
    assert sorted(await fleet_site.read_online()) == list(range(20))


async def test_simulate_dropped_agents_go_offline_and_come_back(fleet_site: FleetSite) -> None:
    away_s = 3.0 * _OFFLINE_AFTER_S
    async with _run_fleet(
        await fleet_site.enroll_fleet(FleetPlan(_AGENTS, 1.0, drop=0.2, away_s=away_s))
    ) as fleet:
        await wait_until(lambda: fleet.tally.away == 40)
        first = fleet.away
        silent = {number: number not in first for number in range(_AGENTS)}
        await _wait_until_online(fleet_site, lambda seen: seen == silent)
        await wait_until(lambda: fleet.away != first)
        await _wait_until_online(fleet_site, lambda seen: all(seen[number] for number in first - fleet.away))
        assert not fleet.tally.failures


async def test_simulate_after_terminated_database_sessions_recovers(
    fleet_site: FleetSite, writable_demo_database_url: str
) -> None:
    async with _run_fleet(await fleet_site.enroll_fleet(FleetPlan(_AGENTS, interval_s=1.0))) as fleet:
        tally = fleet.tally
        await wait_until(lambda: tally.acknowledged > 0)
        async with asyncio.timeout(HANG_S):
            while not tally.failures["503"]:
                await _terminate_backends(writable_demo_database_url)
                await asyncio.sleep(0.1)
        before = tally.acknowledged
        assert +tally.failures == {"503": tally.failures["503"]}
        await wait_until(lambda: tally.acknowledged >= before + 2 * _AGENTS)


async def _terminate_backends(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )
    finally:
        await connection.close()


async def test_simulate_throttled_agents_retry_after_the_given_time(
    start_demo_server: _StartDemoServer, data_dir: Path, site_rows: Iterator[asyncpg.Record]
) -> None:
    with start_demo_server(AGENT_CALLS_PER_MINUTE="60") as server:
        fleet_site = FleetSite(server, data_dir, *next(site_rows))
        fleet = await fleet_site.enroll_fleet(FleetPlan(5, interval_s=0.1, duration_s=5.0))
        await fleet.run()
        assert set(fleet.tally.failures) == {"429"}
        assert fleet.tally.failures["429"] <= 5 * 5  # they wait a second, no instant retry
        assert 5 * 10 < fleet.tally.acknowledged <= 5 * 16  # ten at once, and one a second


async def test_simulate_after_server_restart_recovers(
    start_demo_server: _StartDemoServer, data_dir: Path, site_rows: Iterator[asyncpg.Record]
) -> None:
    with ExitStack() as servers:
        server = servers.enter_context(start_demo_server())
        fleet_site = FleetSite(server, data_dir, *next(site_rows))
        async with _run_fleet(await fleet_site.enroll_fleet(FleetPlan(_AGENTS, interval_s=1.0))) as fleet:
            tally = fleet.tally
            await wait_until(lambda: tally.acknowledged >= _AGENTS)
            server.stop(signal.SIGKILL)
            await wait_until(lambda: tally.failures["refused"] >= _AGENTS)
            before = tally.acknowledged  # not earlier: answers of the killed server were still arriving
            await wait_until(lambda: tally.failures["refused"] >= 2 * _AGENTS)
            assert tally.acknowledged == before
            assert set(tally.failures) <= {"refused", "connection lost"}
            again = start_demo_server("--port", server.url.rpartition(":")[2])
            await asyncio.to_thread(servers.enter_context, again)
            await wait_until(lambda: tally.acknowledged >= before + 2 * _AGENTS)


def _start_simulator(
    fleet_site: FleetSite, *words: object, given: tuple[str, ...] | None = None
) -> "subprocess.Popen[str]":
    where = ("--url", fleet_site.server.url, "--data-dir", fleet_site.data_dir)
    given = ("--enrollment-token", fleet_site.enrollment_token.token) if given is None else given
    command = (sys.executable, "server.py", "simulate", *where, *given, *words)
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


_ACKNOWLEDGED = re.compile(r"^acknowledged +(\d+), ([\d.]+) a second; target ([\d.]+)$", re.MULTILINE)
_LATENCY = re.compile(
    r"^latency +p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, p99.9 [\d.]+, longest [\d.]+ ms$", re.MULTILINE
)


async def test_simulate_command_after_its_duration_prints_statistics(fleet_site: FleetSite) -> None:
    process = _start_simulator(fleet_site, "--agents", 50, "--interval", 1, "--duration", 4)
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0, err
    reported = _ACKNOWLEDGED.search(out)
    assert reported, out
    assert float(reported[2]) == pytest.approx(50, rel=0.15)
    assert reported[3] == "50.0"
    assert _LATENCY.search(out), out
    assert re.search(r"^failed +none$", out, re.MULTILINE)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_simulate_command_at_a_signal_exits_cleanly(fleet_site: FleetSite, how: signal.Signals) -> None:
    process = _start_simulator(fleet_site, "--agents", 20, "--interval", 0.5)
    await _wait_until_online(fleet_site, lambda seen: any(seen.values()))
    process.send_signal(how)
    out, err = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert _ACKNOWLEDGED.search(out), out


async def test_simulate_command_with_refused_token_exits_with_1(fleet_site: FleetSite) -> None:
    given = ("--enrollment-token", fleet_site.enrollment_token.token[:-8] + "AAAAAAAA")
    process = _start_simulator(fleet_site, "--agents", 2, given=given)
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert (process.returncode, out) == (1, "")
    assert re.search("rejected the enrollment of sim-00000[01]: 401, ", err), err


async def test_simulate_rollout_beyond_enrollment_burst_waits_and_succeeds(fleet_site: FleetSite) -> None:
    fleet = await fleet_site.enroll_fleet(
        FleetPlan(ENROLLMENTS_BURST + 20, interval_s=4.0, duration_s=4.4, jitter=0.0)
    )
    await fleet.run()
    assert not fleet.tally.failures
    assert fleet.tally.acknowledged >= ENROLLMENTS_BURST + 20


async def _delete_simulated_agents(demo_database: str, data_dir: Path) -> None:
    """The command takes the demo's first sites, at which earlier tests have enrolled agents of the same numbers."""
    (data_dir / AGENTS_FILE).unlink(missing_ok=True)
    connection = await asyncpg.connect(demo_database)
    try:
        await connection.execute(
            "UPDATE agents SET deleted_at = app.now_ms() WHERE hostname LIKE 'sim-%' AND deleted_at IS NULL"
        )
    finally:
        await connection.close()


async def test_simulate_command_in_a_demo_needs_no_token(
    fleet_site: FleetSite, writable_demo_database_url: str, data_dir: Path
) -> None:
    await _delete_simulated_agents(writable_demo_database_url, data_dir)
    process = _start_simulator(fleet_site, "--agents", 60, "--interval", 1, "--duration", 2, given=())
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert process.returncode == 0, err
    assert "enrolling at 3 sites" in err
    assert re.search(r"^failed +none$", out, re.MULTILINE)


async def test_simulate_command_reuses_agents_of_its_earlier_run(fleet_site: FleetSite) -> None:
    path = fleet_site.data_dir / AGENTS_FILE
    seen = []
    for revoked in (False, False, True):
        if revoked:
            kept = json.loads(path.read_bytes())
            for agent in kept[fleet_site.server.url].values():
                agent[1] = agent[1][:-8] + "AAAAAAAA"
            path.write_text(json.dumps(kept), encoding="utf-8")
        process = _start_simulator(fleet_site, "--agents", 5, "--interval", 1, "--duration", 1)
        _, err = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, err
        seen.append(json.loads(path.read_bytes()))
    assert path.stat().st_mode & 0o777 == 0o600
    assert seen[0] == seen[1]
    assert seen[2] != seen[1], "who is refused enrolls anew"


def test_simulate_command_without_server_exits_with_1(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "key.pem")
    token = AgentTokens(key).issue_enrollment_token("site", "tenant", 60)
    done = run_command("simulate", "--url", "http://127.0.0.1:9", "--enrollment-token", token)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("The server at http://127.0.0.1:9 does not respond: refused.\n")


def test_simulate_command_tries_the_port_of_the_settings(tmp_path: Path) -> None:
    key = SigningKey.create(tmp_path / "key.pem")
    token = AgentTokens(key).issue_enrollment_token("site", "tenant", 60)
    done = run_command("simulate", "--agents", "1", "--enrollment-token", token, PORT="9")
    assert done.returncode == 1
    assert done.stderr.endswith("The server at http://127.0.0.1:9 does not respond: refused.\n")
