"""A database in which a tenant has neighbours, one in which it is alone, and what is asked of both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg

from core.clock import NEVER
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Document, Documents
from resolvers.operation import Operation
from resolvers.plans import PlanBook
from resolvers.rows import Rows
from schema.table import Scope, Table
from schema.tables import LISTED, TABLES, pointing_at
from services.sign_in import sign_in
from tests.clusters import ThrowawayCluster
from tests.graph import Answer, Graph, graph
from tests.neighbours import (
    SHARED,
    Neighbours,
    find_neighbours,
    holds_tenants_rows,
    move_others_out,
    plant,
    planted,
    take_guards_down,
)
from tests.probes import Known, Probe, Prober, bent, documents

Ask = Callable[[str], Awaitable[Answer]]
Outcomes = dict[Probe, tuple[object, list[object]]]
"""To each probe its part of the data, and its errors."""

_AT_ONCE: Final = 4

_REFUSALS: Final = {"BAD_USER_INPUT", "FORBIDDEN"}


class _AllDocuments(Documents):
    """Documents of which none is forgotten: the walk asks the same ones again and again."""

    def _keep(self, text: str, document: Document) -> None:
        self._kept[text] = document


_DOCUMENTS: Final = _AllDocuments(bound_schema()[1])
"""What was validated once is valid: the schema is the same over every database."""


@dataclass(frozen=True, slots=True)
class Worlds:
    """The two databases, the same schema over both, and the probes."""

    beside: Graph
    alone: Graph
    neighbours: Neighbours
    probes: list[Probe]

    async def ask(self, query: str) -> Answer:
        """Ask as I, who have neighbours."""
        return await self.beside.as_user(self.neighbours.me, query)

    async def ask_as_them(self, query: str) -> Answer:
        """Ask as the neighbour, who has the same rights."""
        return await self.beside.as_user(self.neighbours.them, query)

    def forget_plans(self) -> None:
        """Have every document compiled anew."""
        kept = self.beside._documents._kept
        for text, document in kept.items():
            kept[text] = replace(document, plans=PlanBook())

    async def ask_alone(self, query: str) -> Answer:
        """Ask as I, where I am alone."""
        return await self.alone.as_user(self.neighbours.me, query)

    async def ask_past_policies(self, query: str) -> Answer:
        """Ask as I, who have neighbours, but by the tables' owner, to whom row-level security does not apply."""
        async with self.beside.database.snapshot(platform=True) as snapshot:
            identity = Identity(ViewerKind.USER, self.neighbours.me, NEVER)
            viewer = await sign_in(snapshot.connection, identity, None)
            return await self.beside._run(Operation(viewer, Rows(viewer, snapshot)), query, {})


@asynccontextmanager
async def two_worlds(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[Worlds]:
    """Makes both out of the demo, and what to ask of them."""
    beside = await cluster.create(demo_template)
    neighbours, theirs, mine = await _settle(cluster.dsn(beside))
    alone = await cluster.create(beside)
    connection = await asyncpg.connect(cluster.dsn(alone))
    await move_others_out(connection, neighbours.mine)
    await connection.close()
    async with AsyncExitStack() as stack:
        graphs = [await stack.enter_async_context(graph(cluster.dsn(name))) for name in (beside, alone)]
        for made in graphs:
            made._documents = _DOCUMENTS
        cursors = await _cursors(graphs[0], neighbours)
        known = Known(theirs, mine, neighbours.mine, neighbours.my_role, cursors)
        yield Worlds(graphs[0], graphs[1], neighbours, Prober(graphs[0].schema, known).all())
    await cluster.drop(beside)
    await cluster.drop(alone)


RowsByTable = dict[str, Mapping[str, Any]]


async def _settle(dsn: str) -> tuple[Neighbours, RowsByTable, RowsByTable]:
    connection = await asyncpg.connect(dsn)
    await take_guards_down(connection)
    neighbours = await find_neighbours(connection)
    await plant(connection, neighbours)
    theirs = {table.name: await _row_of(connection, table, "theirs", neighbours.theirs) for table in LISTED}
    mine = {table.name: await _row_of(connection, table, "mine", neighbours.mine) for table in LISTED}
    await connection.close()
    return neighbours, theirs, mine


async def _row_of(connection: asyncpg.Connection, table: Table, side: str, tenant: str) -> Mapping[str, Any]:
    """The planted row where it is theirs, else one of the demo: those ahead of it are not marked."""
    of_tenants = table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL)
    whose = "tenant_id = $2" if of_tenants else "$2 <> ''"
    direction = "ASC" if of_tenants and side == "mine" else "DESC"
    alive = "AND deleted_at IS NULL" if table.soft_deletes else ""
    columns = ", ".join(f'{column.sql("t")} AS "{name}"' for name, column in table.columns.items())
    query = f"SELECT {columns} FROM {table.relation} t WHERE {whose} {alive} ORDER BY id = $1 {direction}, id LIMIT 1"  # noqa: S608 - our own names
    row = await connection.fetchrow(query, planted_id(table, side, tenant), tenant)
    assert row is not None, table.name
    return dict(row)


def planted_id(table: Table, side: str, tenant: str) -> str:
    """The id of a table's planted row."""
    if table.scope is Scope.ITSELF:
        return tenant
    return planted(side, table) if holds_tenants_rows(table) else SHARED


async def _cursors(graph: Graph, neighbours: Neighbours) -> dict[str, tuple[str, str]]:
    """By list field a cursor of theirs, and one of mine that was bent to point behind the same row."""
    theirs = await _first_cursors(graph, neighbours.them, "theirs", neighbours.theirs)
    mine = await _first_cursors(graph, neighbours.me, "mine", neighbours.mine)
    return {name: (cursor, bent(mine[name], cursor)) for name, cursor in theirs.items()}


async def _first_cursors(graph: Graph, user: str, side: str, tenant: str) -> dict[str, str]:
    """The cursor of the first row of every list that the user may read, below a row of their own."""
    page = "(first: 1) { pageInfo { endCursor } }"
    cursors: dict[str, str] = {}
    for name in (n for t in LISTED if t.scope is not Scope.PLATFORM for n in (t.many, *t.also_many)):
        answer = await graph.as_user(user, f"{{ {name}{page} }}")
        cursors[f"Query.{name}"] = answer.data[name]["pageInfo"]["endCursor"]
    for table in TABLES:
        lists = [str(reference.many) for _, reference in pointing_at(table) if reference.many]
        if lists:
            calls = " ".join(f"{name}{page}" for name in lists)
            row_id = planted_id(table, side, tenant)
            answer = await graph.as_user(user, f'{{ p: {table.one}(id: "{row_id}") {{ {calls} }} }}')
            found = {f"{table.type_name}.{name}": answer.data["p"][name] for name in lists}
            cursors |= {name: listed["pageInfo"]["endCursor"] for name, listed in found.items()}
    return cursors


async def walk(ask: Ask, probes: Iterable[Probe]) -> Outcomes:
    """Ask every probe, some at a time, so that PostgreSQL works on one while we read the answer of another."""
    outcomes: Outcomes = {}
    turn = asyncio.Semaphore(_AT_ONCE)

    async def ask_all(query: str, part: list[Probe]) -> None:
        async with turn:
            answer = await ask(query)
        assert set(answer.codes) <= _REFUSALS, (query, answer.errors)
        for number, probe in enumerate(part):
            outcomes[probe] = _outcome(answer, f"a{number}", below=probe.parent is not None)

    async with asyncio.TaskGroup() as group:
        for query, part in documents(probes):
            group.create_task(ask_all(query, part))
    return outcomes


def _outcome(answer: Answer, name: str, *, below: bool) -> tuple[object, list[object]]:
    data = answer.data["p"] if below and answer.data else answer.data
    errors: list[object] = [error for error in answer.errors if name in error["path"]]
    return data[name] if data else None, errors
