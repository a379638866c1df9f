"""What all tests stand on: real databases, on PostgreSQL 18 and 15, and no skipping in CI."""

import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from core.settings import Settings
from tests import clusters
from tests.clusters import ThrowawayCluster, throwaway_cluster

IN_CI = bool(os.environ.get("CI"))
_skipped: list[str] = []
_seen: list[str] = []

Seen = Callable[[str], None]
_SEEN: Final = "seen"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", type=int, choices=clusters.VERSIONS, help="run on this version only")


def pytest_configure() -> None:
    """Keeps the developer's own settings out of the tests."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs every test that needs a cluster, directly or not, once on each version; or, marked so, on the newest."""
    if "cluster" not in metafunc.fixturenames:
        return
    only = metafunc.config.getoption("postgres")
    versions = [only] if only else clusters.VERSIONS
    if metafunc.definition.get_closest_marker("newest") and not only:
        versions = [max(versions)]
    metafunc.parametrize(
        "cluster", [_version(version) for version in versions], indirect=True, scope="session"
    )


class _OneVersionEach(LoadScopeScheduling):
    """Gives a process the tests of a folder on one version of PostgreSQL, or of a file that needs none."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        version = re.search(r"[\[-](postgres\d+)[\]-]", nodeid)
        return f"{path.rpartition('/')[0]} {version[1]}" if version else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """So that processes which share the tests start each cluster, and fill each database, but once."""
    return _OneVersionEach(config, log)


def _version(version: int) -> Any:
    """The parameter for a version; skipped where the version is missing, which CI refuses further down."""
    missing = not clusters.binaries(version).exists()
    marks = [pytest.mark.skip(reason=f"PostgreSQL {version} is not installed")] if missing else []
    return pytest.param(version, marks=marks, id=f"postgres{version}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)
    if report.when == "teardown":
        _seen.extend(f"{report.nodeid}: {line}" for name, line in report.user_properties if name == _SEEN)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI every tool is there, so that a skipped test is a failure."""
    if IN_CI and _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _seen:
        terminalreporter.line(line)
    if IN_CI and _skipped:
        terminalreporter.section("skipped, which CI does not allow", red=True)
        for test in _skipped:
            terminalreporter.line(test)


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Seen:
    """Tells behind all tests what this one has seen, passed or not: seeds, counts."""
    return lambda line: record_property(_SEEN, line)


@pytest.fixture
def settings() -> Settings:
    """The settings as they are when nothing is set."""
    return Settings()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[ThrowawayCluster]:
    """A PostgreSQL of the version at hand, without a database of ours yet."""
    with throwaway_cluster(request.param) as made:
        yield made


@pytest_asyncio.fixture
async def empty_database_url(cluster: ThrowawayCluster) -> AsyncIterator[str]:
    """A database of the test's own with nothing in it, not even our schema."""
    name = await cluster.create()
    yield cluster.dsn(name)
    await cluster.drop(name)


@pytest_asyncio.fixture(scope="session")
async def template(cluster: ThrowawayCluster) -> str:
    """The name of a database that is migrated and empty; nobody may be connected to it."""
    from services.migrations import migrate

    name = await cluster.create()
    await migrate(cluster.dsn(name), Settings())
    return name


@pytest_asyncio.fixture
async def database_url(cluster: ThrowawayCluster, template: str) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    name = await cluster.create(template)
    yield cluster.dsn(name)
    await cluster.drop(name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_database_url(cluster: ThrowawayCluster, template: str) -> AsyncIterator[str]:
    """A migrated database that the tests of one module share."""
    name = await cluster.create(template)
    yield cluster.dsn(name)
    await cluster.drop(name)


@pytest_asyncio.fixture(scope="session")
async def demo_template(cluster: ThrowawayCluster, template: str) -> str:
    """The name of a database with the small demo data; nobody may stay connected to it."""
    from services.demo import DemoSize, load_demo

    name = await cluster.create(template)
    connection = await asyncpg.connect(cluster.dsn(name))
    try:
        await load_demo(connection, DemoSize.SMALL)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return name


@pytest_asyncio.fixture(scope="session")
async def demo_database_url(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[str]:
    """A database with the small demo data, the same for all tests: to read, not to write."""
    name = await cluster.create(demo_template)
    yield cluster.dsn(name)
    await cluster.drop(name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo_database(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[str]:
    """A database with the small demo data that the tests of one module may write to."""
    name = await cluster.create(demo_template)
    yield cluster.dsn(name)
    await cluster.drop(name)
