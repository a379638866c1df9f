"""Open live queries on a real engine, and which of them a write causes to run."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from typing import Final

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.errors import ProductError
from resolvers.loaders.bindings import build_executable_schema
from schema.table import Column, Scope, Table
from schema.tables import LISTED
from subscriptions.engine.query_states import QueryRun
from subscriptions.engine.shared_query import SharedQuery
from subscriptions.open_subscription import QuerySubscription
from tests.graphql_harness import Principal
from tests.live.declared_queries import QueryScope, iter_root_fields
from tests.live.generated_queries import iter_live_queries
from tests.live.live_engine import LiveConnection, LiveEngine
from tests.live.recording_subscriber import RecordingSubscriber
from tests.property.document_generator import DocumentGenerator
from tests.property.row_samples import sample_rows
from tests.property.viewer_cases import ViewerCase

_IMPLIED_COLUMNS: Final = frozenset({"id", "tenant_id", "deleted_at"})
"""Columns that identify a row, its tenant and its deletion. Every query uses them."""


@dataclass(eq=False)
class OpenQuery:
    """An open live query.

    Attributes:
        shared_query: The group that runs it.
        words: All words of its text and variables. A column that is not among them is not named by it.
    """

    subscriber: RecordingSubscriber
    shared_query: SharedQuery
    words: frozenset[str]

    def may_use(self, table: Table, column: Column) -> bool:
        """Whether it may use a column, judged by its text and not by what the layer has recorded."""
        if column.name in _IMPLIED_COLUMNS or column.name == table.default_order[0]:
            return True
        if any(column.name in dict(view.only) for view in LISTED if self._names_view(view, table)):
            return True
        computed = [
            c for t in LISTED for c in t.columns.values() if (table.name, column.name) in _columns_read_by(c)
        ]
        if "search" in self.words and any(c.options.search for c in (column, *computed)):
            return True
        return not self.words.isdisjoint({column.name, *(c.name for c in computed)})

    def _names_view(self, view: Table, table: Table) -> bool:
        """Whether it names this view, which is one of that table."""
        return view.source_table == table.name and view.name in self.words


def _columns_read_by(column: Column) -> set[tuple[str, str]]:
    """The tables and columns that a computed column reads."""
    looks = {(look.table, name) for look in column.options.dependencies for name in look.columns}
    return looks.union(column.options.reads)


@dataclass
class RunWatcher:
    """The engine with its live queries.

    Attributes:
        people: The viewers; the first is an administrator.
        open_queries: The open live queries.
        counts: The number of writes with an effect by kind, and of the runs that they caused.
    """

    engine: LiveEngine
    random: Random
    people: list[ViewerCase]
    open_queries: list[OpenQuery] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _connections: list[LiveConnection] = field(default_factory=list)
    _runs: list[SharedQuery] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Record each group that runs from now on."""
        registry = self.engine.live.registry
        mark_running = registry.mark_running

        def record_run(shared: SharedQuery, run: QueryRun) -> None:
            self._runs.append(shared)
            mark_running(shared, run)

        registry.mark_running = record_run  # type: ignore[method-assign]  # and then continue as before

    async def open_declared(self, scopes: list[QueryScope], columns: int | None = None) -> None:
        """Open a query of each kind on each table, as the administrator, or as the platform where only it may."""
        administrator = await self._connect(self.people[0].principal)
        platform = await self._connect(
            Principal("platform", ViewerKind.PLATFORM, tenant_id=self.engine.tenant_id)
        )
        for scope in scopes:
            connection = platform if scope.table.scope is Scope.PLATFORM else administrator
            for root_field in iter_root_fields(scope, self.random, columns):
                await self._subscribe(connection, f"subscription {{ {root_field} }}")

    async def open_generated(self, people: list[ViewerCase], count: int, seed: str) -> None:
        """Open generated queries of these people."""
        samples, schema = await sample_rows(self.engine.owner), build_executable_schema()[1]
        connections = [await self._connect(person.principal) for person in people]
        generators = [DocumentGenerator(schema, samples, person.tenant_id, person.roots) for person in people]
        wanted, number = len(self.open_queries) + count, 0
        while len(self.open_queries) < wanted:
            number += 1
            index = number % len(people)
            for question in iter_live_queries(generators[index].make_document(f"{seed}/{number}")):
                await self._subscribe(connections[index], question.subscription, **question.variables)
                break

    async def close(self) -> None:
        """Close all of them, and reset the records."""
        for connection in self._connections:
            connection.session.close()
        self.open_queries.clear()
        self.counts.clear()
        await self.take_runs()
        assert not len(self.engine.live.registry)

    async def take_runs(self) -> list[SharedQuery]:
        """The groups that have run since the last call, after all writes have been processed."""
        await self.engine.wait_until_settled()
        ran, self._runs = self._runs, []
        return ran

    async def expect_no_runs(self, what: str, rows: int, of: Collection[SharedQuery] | None = None) -> None:
        """Fail if the last write has caused a run of any group, or of one of these groups.

        Args:
            what: The kind of write, a colon, and details.
            rows: The number of rows that it changed; none if the database refused it.
            of: The groups that it must not affect; None for all.
        """
        before = self.engine.run_count
        ran = await self.take_runs()
        needless = [group for group in ran if of is None or group in of]
        assert not needless, "\n".join([f"{len(needless)} runs by {what}", *map(_describe_run, needless[:3])])
        assert ran or self.engine.run_count == before
        self.counts[what.partition(":")[0]] += rows > 0
        self.counts["runs"] += len(ran)

    async def _connect(self, who: Principal) -> LiveConnection:
        assert who.kind is not None
        connection = await self.engine.connect_as(
            Identity(ViewerKind(who.kind), who.subject, NEVER), who.tenant_id
        )
        self._connections.append(connection)
        return connection

    async def _subscribe(self, connection: LiveConnection, text: str, **variables: object) -> None:
        """Open a live query, unless it is refused or fails at once."""
        try:
            subscriber = await connection.subscribe(text, None, **variables).wait_for_states(1)
        except ProductError:
            return
        if subscriber.errors is None:
            assert isinstance(subscriber.subscription, QuerySubscription)
            assert subscriber.subscription.shared_query is not None
            self.open_queries.append(
                OpenQuery(
                    subscriber, subscriber.subscription.shared_query, _list_words(f"{text} {variables}")
                )
            )


def _list_words(text: str) -> frozenset[str]:
    """All words of a text in snake case: GraphQL's names, enum values, and those in variables."""
    return frozenset(
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower() for word in re.findall(r"\w+", text)
    )


def _describe_run(group: SharedQuery) -> str:
    question = group.query
    return "\n".join(map(str, [question.key.query, question.subscription.variables, *group.dependencies]))
