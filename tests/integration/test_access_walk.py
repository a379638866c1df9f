"""The walk of the whole schema as a tenant that has neighbours: their rows make no difference to any answer.

Each probe is asked twice: of a database with neighbours, whose rows cross the wall by every reference, and of one
where the tenant is alone. A row, a count, a cursor or an error that differs is a leak: whatever is the neighbour's
answers as what does not exist. Two locks hold, the application's filter and row-level security, and each of them
alone does; with neither the walk finds leaks at every field, which shows that it can.
"""

import re
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final

import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, get_named_type

from resolvers import access
from resolvers.ways import Way
from schema.table import Scope
from schema.tables import TABLES
from tests.clusters import ThrowawayCluster
from tests.graph import Answer
from tests.neighbours import holds_tenants_rows
from tests.probes import Probe, fields_of
from tests.worlds import Outcomes, Worlds, two_worlds, walk

_ROW: Final = re.compile(r"'id': '")
_CURSORS: Final = frozenset({"after", "before"})
"""Arguments that are refused where they come from a neighbour's list."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def worlds(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[Worlds]:
    async with two_worlds(cluster, demo_template) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def expected(worlds: Worlds) -> Outcomes:
    """What the tenant is answered where it is alone."""
    return await walk(worlds.ask_alone, worlds.probes)


@pytest.fixture(params=[Way.LOADERS, Way.AUTO])
def way(request: pytest.FixtureRequest, worlds: Worlds) -> Iterator[Way]:
    """Each way of running an operation, for the tenant that has neighbours."""
    before, worlds.beside.way = worlds.beside.way, request.param
    worlds.forget_plans()
    yield request.param
    worlds.forget_plans()
    worlds.beside.way = before


@pytest.fixture
def without_filter(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switches the application's own tenant filter off, wherever it is used."""
    assert way, "plans that were compiled with the filter are forgotten before and after"
    scope = access.scope
    modules = [m for name, m in sys.modules.items() if name.startswith("resolvers.")]
    users = [module for module in modules if vars(module).get("scope") is scope]
    assert len(users) > 1
    for module in users:
        monkeypatch.setattr(module, "scope", lambda *_: [])


def covered(probes: Iterable[Probe]) -> dict[str, set[str]]:
    """The fields that are probed, each with the arguments that it was given."""
    fields: dict[str, set[str]] = {}
    for probe in probes:
        fields.setdefault(probe.field, set()).update(probe.uses)
    return fields


def leaks(outcomes: Outcomes, expected: Outcomes) -> list[Probe]:
    """The probes that a neighbour makes a difference to."""
    return [probe for probe, outcome in outcomes.items() if outcome != expected[probe]]


def test_the_walk_covers_every_field_with_every_argument(worlds: Worlds) -> None:
    declared = fields_of(worlds.beside.schema)
    del declared["Query.viewer"]  # leads to nobody but the viewer: see test_rights_walk
    assert covered(worlds.probes) == declared


def test_every_field_shows_rows_of_ones_own(expected: Outcomes) -> None:
    """Else a field that answers nothing to anybody would pass as one that hides the neighbour."""
    shown = {probe.field for probe, (data, _) in expected.items() if _ROW.search(repr(data))}
    refused = {probe.field for probe, (_, errors) in expected.items() if errors and not _CURSORS & probe.uses}
    platforms = {
        name for table in TABLES if table.scope is Scope.PLATFORM for name in (table.one, table.many)
    }
    assert {probe.field for probe in expected} - shown == {f"Query.{name}" for name in platforms}
    assert refused == {f"Query.{name}" for name in platforms}


async def test_a_neighbour_makes_no_difference(worlds: Worlds, expected: Outcomes, way: Way) -> None:
    """The neighbour asks the same first, so that plans which were compiled for them are used for me."""
    compiled: list[bool] = []

    async def ask(query: str) -> Answer:
        answer = await worlds.ask(query)
        compiled.append(bool(answer.compiled))
        return answer

    if way is Way.AUTO:
        await walk(worlds.ask_as_them, worlds.probes)
    assert not leaks(await walk(ask, worlds.probes), expected)
    assert (sum(compiled) > len(compiled) / 2) is (way is Way.AUTO)


@pytest.mark.usefixtures("without_filter")
async def test_row_level_security_alone_holds(worlds: Worlds, expected: Outcomes) -> None:
    assert not leaks(await walk(worlds.ask, worlds.probes), expected)


@pytest.mark.usefixtures("way")
async def test_the_applications_filter_alone_holds(worlds: Worlds, expected: Outcomes) -> None:
    assert not leaks(await walk(worlds.ask_past_policies, worlds.probes), expected)


@pytest.mark.usefixtures("without_filter")
async def test_with_neither_every_field_leaks_by_every_argument(worlds: Worlds, expected: Outcomes) -> None:
    found = leaks(await walk(worlds.ask_past_policies, worlds.probes), expected)
    assert covered(found) == covered(probe for probe in worlds.probes if can_leak(worlds, probe))


def can_leak(worlds: Worlds, probe: Probe) -> bool:
    """Whether tenants' rows are at either end of the probe's field: not where all is one catalogue for all."""
    type_name, _, name = probe.field.partition(".")
    parent = worlds.beside.schema.type_map[type_name]
    assert isinstance(parent, GraphQLObjectType)
    target = get_named_type(parent.fields[name].type).name.removesuffix("Connection")
    shared = {table.type_name for table in TABLES if not holds_tenants_rows(table)}
    return not {type_name, target} <= {"Query", *shared}
