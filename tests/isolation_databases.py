"""Two databases, and the probes for both: in one a tenant has neighbors, and in the other it is the only tenant."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.lru_cache import LruCache
from resolvers.compiler.plan_cache import DocumentPlans
from resolvers.context import RequestContext
from resolvers.documents.cache import DocumentCache
from resolvers.loaders.bindings import build_executable_schema
from resolvers.sql.data_access import DataAccess
from schema.table import Scope, Table
from schema.tables import LISTED, TABLES, list_references_to
from services.users.sign_in import sign_in
from tests.access_probes import KnownRows, Probe, ProbeGenerator, forge_cursor, group_in_documents
from tests.clusters import ThrowawayCluster
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, open_graphql_harness
from tests.neighbor_tenants import (
    SHARED_ID,
    NeighborTenants,
    delete_other_tenants,
    drop_constraints,
    find_neighbor_tenants,
    has_tenant_rows,
    plant_rows,
    planted_id,
)

Execute = Callable[[str], Awaitable[GraphqlResponse]]
ProbeOutcomes = dict[Probe, tuple[object, list[object]]]
"""The part of the data and the errors of each probe."""

_CONCURRENCY: Final = 4

_REFUSAL_CODES: Final = {"BAD_USER_INPUT", "FORBIDDEN"}


class _UnboundedDocuments(DocumentCache):
    """A document cache without eviction: the walk sends the same documents again and again."""

    def __init__(self) -> None:
        super().__init__(build_executable_schema()[1])
        self._documents = LruCache()


_DOCUMENTS: Final = _UnboundedDocuments()
"""A document stays valid: the schema is the same over every database."""


@dataclass(frozen=True, slots=True)
class IsolationDatabases:
    """The two databases, the same schema over both, and the probes."""

    shared: GraphqlHarness
    isolated: GraphqlHarness
    tenants: NeighborTenants
    probes: list[Probe]

    async def execute(self, query: str) -> GraphqlResponse:
        """Send a request as the tenant with neighbors."""
        return await self.shared.execute_as_user(self.tenants.my_user, query)

    async def execute_as_neighbor(self, query: str) -> GraphqlResponse:
        """Send a request as the neighbor, who has the same rights."""
        return await self.shared.execute_as_user(self.tenants.their_user, query)

    def clear_plans(self) -> None:
        """Have every document compiled again."""
        kept = self.shared._document_cache._documents
        for text, document in list(kept.items()):
            kept.put(text, replace(document, plans=DocumentPlans()))

    async def execute_isolated(self, query: str) -> GraphqlResponse:
        """Send a request as the only tenant."""
        return await self.isolated.execute_as_user(self.tenants.my_user, query)

    async def execute_without_policies(self, query: str) -> GraphqlResponse:
        """Send a request as the tenant with neighbors, by the tables' owner: the policies do not apply."""
        async with self.shared.database.read_transaction(platform=True) as snapshot:
            identity = Identity(ViewerKind.USER, self.tenants.my_user, NEVER)
            viewer = await sign_in(snapshot.connection, identity, None)
            return await self.shared._execute_request(
                RequestContext(viewer, DataAccess(viewer, snapshot)), query, {}
            )


@asynccontextmanager
async def open_isolation_databases(
    cluster: ThrowawayCluster, demo_template: str
) -> AsyncIterator[IsolationDatabases]:
    """Make both databases from the demo, and the probes."""
    shared = await cluster.create_database(demo_template)
    tenants, theirs, mine = await _prepare_database(cluster.build_dsn(shared))
    isolated = await cluster.create_database(shared)
    connection = await asyncpg.connect(cluster.build_dsn(isolated))
    await delete_other_tenants(connection, tenants.mine)
    await connection.close()
    async with AsyncExitStack() as stack:
        graphs = [
            await stack.enter_async_context(open_graphql_harness(cluster.build_dsn(name)))
            for name in (shared, isolated)
        ]
        for made in graphs:
            made._document_cache = _DOCUMENTS
        cursors = await _collect_cursors(graphs[0], tenants)
        known = KnownRows(theirs, mine, tenants.mine, tenants.my_role, cursors)
        yield IsolationDatabases(
            graphs[0], graphs[1], tenants, ProbeGenerator(graphs[0].schema, known).make_probes()
        )
    await cluster.drop_database(shared)
    await cluster.drop_database(isolated)


RowsByTable = dict[str, Mapping[str, Any]]


async def _prepare_database(dsn: str) -> tuple[NeighborTenants, RowsByTable, RowsByTable]:
    connection = await asyncpg.connect(dsn)
    await drop_constraints(connection)
    tenants = await find_neighbor_tenants(connection)
    await plant_rows(connection, tenants)
    theirs = {table.name: await _find_row(connection, table, "theirs", tenants.theirs) for table in LISTED}
    mine = {table.name: await _find_row(connection, table, "mine", tenants.mine) for table in LISTED}
    await connection.close()
    return tenants, theirs, mine


async def _find_row(
    connection: asyncpg.Connection, table: Table, side: str, tenant: str
) -> Mapping[str, Any]:
    """The planted row if it is theirs, else a row of the demo: the rows before it are not marked."""
    of_tenants = table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL)
    whose = "tenant_id = $2" if of_tenants else "$2 <> ''"
    direction = "ASC" if of_tenants and side == "mine" else "DESC"
    alive = "AND deleted_at IS NULL" if table.soft_deletes else ""
    columns = ", ".join(f'{column.sql("t")} AS "{name}"' for name, column in table.columns.items())
    query = f"SELECT {columns} FROM {table.relation} t WHERE {whose} {alive} ORDER BY id = $1 {direction}, id LIMIT 1"
    row = await connection.fetchrow(query, find_planted_id(table, side, tenant), tenant)
    assert row is not None, table.name
    return dict(row)


def find_planted_id(table: Table, side: str, tenant: str) -> str:
    """The id of a table's planted row."""
    if table.scope is Scope.ITSELF:
        return tenant
    return planted_id(side, table) if has_tenant_rows(table) else SHARED_ID


async def _collect_cursors(graph: GraphqlHarness, neighbours: NeighborTenants) -> dict[str, tuple[str, str]]:
    """By list field a cursor of theirs, and one of mine that was changed to point after the same row."""
    theirs = await _fetch_first_cursors(graph, neighbours.their_user, "theirs", neighbours.theirs)
    mine = await _fetch_first_cursors(graph, neighbours.my_user, "mine", neighbours.mine)
    return {name: (cursor, forge_cursor(mine[name], cursor)) for name, cursor in theirs.items()}


async def _fetch_first_cursors(graph: GraphqlHarness, user: str, side: str, tenant: str) -> dict[str, str]:
    """The cursor of the first row of every list that the user may read, below a row of their own."""
    page = "(first: 1) { pageInfo { endCursor } }"
    cursors: dict[str, str] = {}
    for name in (n for t in LISTED if t.scope is not Scope.PLATFORM for n in (t.many, *t.also_many)):
        answer = await graph.execute_as_user(user, f"{{ {name}{page} }}")
        cursors[f"Query.{name}"] = answer.data[name]["pageInfo"]["endCursor"]
    for table in TABLES:
        lists = [str(reference.many) for _, reference in list_references_to(table) if reference.many]
        if lists:
            calls = " ".join(f"{name}{page}" for name in lists)
            row_id = find_planted_id(table, side, tenant)
            answer = await graph.execute_as_user(user, f'{{ p: {table.one}(id: "{row_id}") {{ {calls} }} }}')
            found = {f"{table.type_name}.{name}": answer.data["p"][name] for name in lists}
            cursors |= {name: listed["pageInfo"]["endCursor"] for name, listed in found.items()}
    return cursors


async def run_probes(execute: Execute, probes: Iterable[Probe]) -> ProbeOutcomes:
    """Run all probes, some at a time, so that PostgreSQL works on one while the answer of another is read."""
    outcomes: ProbeOutcomes = {}
    turn = asyncio.Semaphore(_CONCURRENCY)

    async def execute_batch(query: str, part: list[Probe]) -> None:
        async with turn:
            answer = await execute(query)
        assert set(answer.codes) <= _REFUSAL_CODES, (query, answer.errors)
        for number, probe in enumerate(part):
            outcomes[probe] = _probe_outcome(answer, f"a{number}", below=probe.parent is not None)

    async with asyncio.TaskGroup() as group:
        for query, part in group_in_documents(probes):
            group.create_task(execute_batch(query, part))
    return outcomes


def _probe_outcome(answer: GraphqlResponse, name: str, *, below: bool) -> tuple[object, list[object]]:
    data = answer.data["p"] if below and answer.data else answer.data
    errors: list[object] = [error for error in answer.errors if name in error["path"]]
    return data[name] if data else None, errors
