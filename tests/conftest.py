"""Shared fixtures: real databases on PostgreSQL 18 and 15. In CI a skipped test is a failure."""

import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final, TypeGuard

import pytest
import pytest_asyncio
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from core.database.request_role import RoleMode
from core.gc_tuning import freeze_long_lived_objects
from core.settings import Settings
from tests import clusters
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.database_templates import DatabaseTemplates

IN_CI = bool(os.environ.get("CI"))
_skipped_tests: list[str] = []
_report_lines: list[str] = []

ReportLine = Callable[[str], None]
_REPORT_LINE: Final = "seen"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", type=int, choices=clusters.VERSIONS, help="run on this version only")


def pytest_configure() -> None:
    """Keep the developer's own settings out of the tests, and deadlines of a slow machine."""
    hypothesis_settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    hypothesis_settings.load_profile("tests")
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that needs a cluster once on each version, or on the newest only if it is marked so.

    Run a test with the marker `role_modes` in both modes.
    """
    if "cluster" not in metafunc.fixturenames:
        return
    if "role_mode" in metafunc.fixturenames:
        modes = [pytest.param(RoleMode.ROLE, id=pytest.HIDDEN_PARAM)]
        if metafunc.definition.get_closest_marker("role_modes"):
            modes.append(pytest.param(RoleMode.FORCED, id="forced"))
        metafunc.parametrize("role_mode", modes, indirect=True, scope="module")
    only = metafunc.config.getoption("postgres")
    versions = [only] if only else clusters.VERSIONS
    if metafunc.definition.get_closest_marker("newest") and not only:
        versions = [max(versions)]
    metafunc.parametrize(
        "cluster", [_version_parameter(version) for version in versions], indirect=True, scope="session"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the forced mode to the newest PostgreSQL of this run."""
    newest = config.getoption("postgres") or max(clusters.VERSIONS)
    items[:] = [item for item in items if not _is_forced(item) or item.callspec.params["cluster"] == newest]


def pytest_collection_finish() -> None:
    """Exclude what was imported and collected from each garbage collection: half a million objects."""
    freeze_long_lived_objects()


def _is_forced(item: pytest.Item) -> TypeGuard[pytest.Function]:
    call = getattr(item, "callspec", None)
    return call is not None and call.params.get("role_mode") is RoleMode.FORCED


class _VersionScheduling(LoadScopeScheduling):
    """Assigns to a worker the tests of a file on one version of PostgreSQL, or without one."""

    def _split_scope(self, nodeid: str) -> str:
        version = re.search(r"[\[-](postgres\d+)[\]-]", nodeid)
        return f"{nodeid.split('::')[0]} {version[1] if version else ''}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Make the fixtures of a module only once. Each worker starts each cluster at most once."""
    return _VersionScheduling(config, log)


def _version_parameter(version: int) -> Any:
    """The parameter for a version. It is skipped if the version is missing, which fails in CI (see below)."""
    missing = not clusters.find_binaries(version).exists()
    marks = [pytest.mark.skip(reason=f"PostgreSQL {version} is not installed")] if missing else []
    return pytest.param(version, marks=marks, id=f"postgres{version}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped_tests.append(report.nodeid)
    if report.when == "teardown":
        _report_lines.extend(
            f"{report.nodeid}: {line}" for name, line in report.user_properties if name == _REPORT_LINE
        )


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped_tests.append(report.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail in CI after a skipped test, since all tools are installed there."""
    if IN_CI and _skipped_tests and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _report_lines:
        terminalreporter.line(line)
    if IN_CI and _skipped_tests:
        terminalreporter.section("skipped, which CI does not allow", red=True)
        for test in _skipped_tests:
            terminalreporter.line(test)


@pytest.fixture
def report_line(record_property: Callable[[str, object], None]) -> ReportLine:
    """Report figures of a test after the run, passed or not: seeds, counts."""
    return lambda line: record_property(_REPORT_LINE, line)


@pytest.fixture
def settings() -> Settings:
    """The default settings."""
    return Settings()


@pytest.fixture(scope="session")
def running_databases() -> Iterator[dict[int, DatabaseTemplates]]:
    """By version, what has been started in this process. All of it runs until the end.

    So a process may alternate between the versions.
    """
    with ExitStack() as stack:
        yield _RunningDatabases(stack)


class _RunningDatabases(dict[int, DatabaseTemplates]):
    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, version: int) -> DatabaseTemplates:
        self[version] = DatabaseTemplates(self._stack.enter_context(start_throwaway_cluster(version)))
        return self[version]


@pytest.fixture(scope="session")
def databases(
    cluster: ThrowawayCluster, running_databases: dict[int, DatabaseTemplates]
) -> DatabaseTemplates:
    """The databases of the current version's cluster."""
    return running_databases[cluster.version]


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, running_databases: dict[int, DatabaseTemplates]
) -> ThrowawayCluster:
    """A PostgreSQL of the current version, without a database of ours."""
    return running_databases[request.param].cluster


@pytest_asyncio.fixture
async def empty_database_url(cluster: ThrowawayCluster) -> AsyncIterator[str]:
    """An empty database of the test's own, without our schema."""
    name = await cluster.create_database()
    yield cluster.build_dsn(name)
    await cluster.drop_database(name)


@pytest.fixture(scope="module")
def role_mode(request: pytest.FixtureRequest) -> RoleMode:
    """The mode of the test's database; see `tests.role_modes`."""
    mode: RoleMode = request.param
    return mode


@pytest_asyncio.fixture(scope="session")
async def migrated_template(databases: DatabaseTemplates) -> str:
    """The name of a migrated, empty database. No connection to it may be open."""
    return await databases.get_template(RoleMode.ROLE, demo=False)


@pytest_asyncio.fixture(scope="session")
async def demo_template(databases: DatabaseTemplates) -> str:
    """The name of a database with the small demo data. No connection to it may stay open."""
    return await databases.get_template(RoleMode.ROLE, demo=True)


@pytest_asyncio.fixture
async def database_url(databases: DatabaseTemplates, role_mode: RoleMode) -> AsyncIterator[str]:
    """A migrated, empty database of the test's own."""
    async with databases.copy_template(role_mode) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_database_url(databases: DatabaseTemplates, role_mode: RoleMode) -> AsyncIterator[str]:
    """A migrated database that the tests of one module share."""
    async with databases.copy_template(role_mode) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="session")
async def demo_database_url(databases: DatabaseTemplates) -> str:
    """A database with the small demo data, the same for all tests. It is read-only by convention."""
    return await databases.get_read_only_demo()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def writable_demo_database_url(databases: DatabaseTemplates, role_mode: RoleMode) -> AsyncIterator[str]:
    """A database with the small demo data that the tests of one module may write to."""
    async with databases.copy_template(role_mode, demo=True) as dsn:
        yield dsn
