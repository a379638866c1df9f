"""A walk over the whole schema as a tenant with neighbors: their rows make no difference to any response.

Each probe runs against two databases. One has neighbors, and their rows refer across the tenants by every
reference. The other has only the tenant. A row, a count, a cursor or an error that differs is a leak: a
neighbor's row must look like one that does not exist. There are two locks, the application's filter and
row-level security. Each of them alone is sufficient. Without both the walk finds leaks at every field, which
shows that it can fail.
"""

import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final

import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, get_named_type

from resolvers.execution_strategy import ExecutionStrategy
from resolvers.sql import access
from schema.table import Scope
from schema.tables import TABLES
from tests.access_probes import Probe, list_schema_fields
from tests.clusters import ThrowawayCluster
from tests.graphql_harness import GraphqlResponse
from tests.isolation_databases import IsolationDatabases, ProbeOutcomes, open_isolation_databases, run_probes
from tests.neighbor_tenants import has_tenant_rows

_ROW: Final = re.compile(r"'id': '")
_CURSORS: Final = frozenset({"after", "before"})
"""Arguments that refuse a cursor of a neighbor's list."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def isolation_databases(
    cluster: ThrowawayCluster, demo_template: str
) -> AsyncIterator[IsolationDatabases]:
    async with open_isolation_databases(cluster, demo_template) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def isolated_outcomes(isolation_databases: IsolationDatabases) -> ProbeOutcomes:
    """The responses for the tenant without neighbors."""
    return await run_probes(isolation_databases.execute_isolated, isolation_databases.probes)


@pytest.fixture(params=[ExecutionStrategy.LOADERS, ExecutionStrategy.AUTO])
def strategy(
    request: pytest.FixtureRequest, isolation_databases: IsolationDatabases
) -> Iterator[ExecutionStrategy]:
    """Each execution strategy, for the tenant with neighbors."""
    before, isolation_databases.shared.strategy = isolation_databases.shared.strategy, request.param
    isolation_databases.clear_plans()
    yield request.param
    isolation_databases.clear_plans()
    isolation_databases.shared.strategy = before


@pytest.fixture
def without_filter(strategy: ExecutionStrategy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the application's own tenant filter everywhere."""
    assert strategy, "plans that were compiled with the filter are forgotten before and after"
    conditions = access.build_tenant_conditions
    modules = [m for name, m in sys.modules.items() if name.startswith("resolvers.")]
    users = [module for module in modules if vars(module).get("build_tenant_conditions") is conditions]
    assert len(users) > 1
    for module in users:
        monkeypatch.setattr(module, "build_tenant_conditions", lambda *_: [])


def covered_arguments(probes: Iterable[Probe]) -> dict[str, set[str]]:
    """The probed fields, each with the arguments that were used."""
    fields: dict[str, set[str]] = {}
    for probe in probes:
        fields.setdefault(probe.field, set()).update(probe.argument_names)
    return fields


def find_leaks(outcomes: ProbeOutcomes, isolated_outcomes: ProbeOutcomes) -> list[Probe]:
    """The probes with a response that depends on neighbors."""
    return [probe for probe, outcome in outcomes.items() if outcome != isolated_outcomes[probe]]


def test_probes_cover_every_field_with_every_argument(isolation_databases: IsolationDatabases) -> None:
    declared = list_schema_fields(isolation_databases.shared.schema)
    del declared["Query.viewer"]  # leads to nobody but the viewer: see test_rights_walk
    del declared["Query.pendingInvitations"]  # has rows for persons without a user: test_pending_invitations
    assert covered_arguments(isolation_databases.probes) == declared


def test_every_field_for_isolated_tenant_returns_own_rows(isolated_outcomes: ProbeOutcomes) -> None:
    """Otherwise a field that is always empty would pass as one that hides the neighbor."""
    shown = {probe.field for probe, (data, _) in isolated_outcomes.items() if _ROW.search(repr(data))}
    refused = {
        probe.field
        for probe, (_, errors) in isolated_outcomes.items()
        if errors and not _CURSORS & probe.argument_names
    }
    platforms = {
        name for table in TABLES if table.scope is Scope.PLATFORM for name in (table.one, table.many)
    }
    assert {probe.field for probe in isolated_outcomes} - shown == {f"Query.{name}" for name in platforms}
    assert refused == {f"Query.{name}" for name in platforms}


async def test_every_field_with_neighbor_tenant_returns_isolated_outcomes(
    isolation_databases: IsolationDatabases, isolated_outcomes: ProbeOutcomes, strategy: ExecutionStrategy
) -> None:
    """The neighbor sends the same requests first, so that mine use plans compiled for the neighbor."""
    compiled: list[bool] = []

    async def execute(query: str) -> GraphqlResponse:
        answer = await isolation_databases.execute(query)
        compiled.append(bool(answer.compiled_fields))
        return answer

    if strategy is ExecutionStrategy.AUTO:
        await run_probes(isolation_databases.execute_as_neighbor, isolation_databases.probes)
    assert not find_leaks(await run_probes(execute, isolation_databases.probes), isolated_outcomes)
    assert (sum(compiled) > len(compiled) / 2) is (strategy is ExecutionStrategy.AUTO)


@pytest.mark.usefixtures("without_filter")
async def test_every_field_without_application_filter_leaks_nothing(
    isolation_databases: IsolationDatabases, isolated_outcomes: ProbeOutcomes
) -> None:
    assert not find_leaks(
        await run_probes(isolation_databases.execute, isolation_databases.probes), isolated_outcomes
    )


@pytest.mark.usefixtures("strategy")
async def test_every_field_without_row_level_security_leaks_nothing(
    isolation_databases: IsolationDatabases, isolated_outcomes: ProbeOutcomes
) -> None:
    assert not find_leaks(
        await run_probes(isolation_databases.execute_without_policies, isolation_databases.probes),
        isolated_outcomes,
    )


@pytest.mark.usefixtures("without_filter")
async def test_every_field_without_filter_and_security_leaks_by_every_argument(
    isolation_databases: IsolationDatabases, isolated_outcomes: ProbeOutcomes
) -> None:
    found = find_leaks(
        await run_probes(isolation_databases.execute_without_policies, isolation_databases.probes),
        isolated_outcomes,
    )
    assert covered_arguments(found) == covered_arguments(
        probe for probe in isolation_databases.probes if can_leak(isolation_databases, probe)
    )


def can_leak(isolation_databases: IsolationDatabases, probe: Probe) -> bool:
    """Whether tenants' rows are at either end of the probe's field; false for catalogs that all tenants share."""
    type_name, _, name = probe.field.partition(".")
    parent = isolation_databases.shared.schema.type_map[type_name]
    assert isinstance(parent, GraphQLObjectType)
    target = get_named_type(parent.fields[name].type).name.removesuffix("Connection")
    shared = {table.type_name for table in TABLES if not has_tenant_rows(table)}
    return not {type_name, target} <= {"Query", *shared}
