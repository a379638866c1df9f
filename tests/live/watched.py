"""Open live queries on a real engine, and which of them were run by what was written."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from typing import Final

from core.clock import NEVER
from core.errors import ProductError
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.binding import bound_schema
from schema.table import Column, Scope, Table
from schema.tables import LISTED
from subscriptions.engine.group import Group, Subscription
from tests.graph import Who
from tests.live.declared import Outlook, questions
from tests.live.engine import Engine, Sitting, Told
from tests.live.questions import questions_of
from tests.property.documents import Generator
from tests.property.people import Person
from tests.property.samples import take_samples

_OWN: Final = frozenset({"id", "tenant_id", "deleted_at"})
"""Columns that say whether a row is there and whose it is: every query uses them."""


@dataclass(eq=False)
class Open:
    """A live query that is open.

    Attributes:
        group: Where it is run.
        words: All words of its text and variables; a column that is not among them it has not named.
    """

    told: Told
    group: Group
    words: frozenset[str]

    def may_use(self, table: Table, column: Column) -> bool:
        """Whether it may use a column: by its text, not by what the layer has recorded."""
        if column.name in _OWN or column.name == table.default_order[0]:
            return True
        if any(column.name in dict(view.only) for view in LISTED if self._names(view, table)):
            return True
        computed = [c for t in LISTED for c in t.columns.values() if (table.name, column.name) in _goes_by(c)]
        if "search" in self.words and any(c.options.search for c in (column, *computed)):
            return True
        return not self.words.isdisjoint({column.name, *(c.name for c in computed)})

    def _names(self, view: Table, table: Table) -> bool:
        """Whether it names this view, which is one of that table."""
        return view.of == table.name and view.name in self.words


def _goes_by(column: Column) -> set[tuple[str, str]]:
    """What a computed column goes by, as tables and their columns."""
    looks = {(look.table, name) for look in column.options.looks for name in look.columns}
    return looks.union(column.options.reads)


@dataclass
class Watched:
    """The engine with its live queries.

    Attributes:
        everybody: Who may sit down; the first is an administrator.
        open: The live queries that are open.
        tally: Writes that had an effect, by what was written; and the runs that they caused.
    """

    demo: Engine
    random: Random
    everybody: list[Person]
    open: list[Open] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    _sittings: list[Sitting] = field(default_factory=list)
    _ran: list[Group] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take down each group that is run from now on."""
        groups = self.demo.live.groups
        depart = groups.depart

        def noted(group: Group) -> None:
            self._ran.append(group)
            depart(group)

        groups.depart = noted  # type: ignore[method-assign]  # which goes on as before

    async def open_declared(self, looks: list[Outlook], columns: int | None = None) -> None:
        """A query of each kind on each table, by the administrator, or by the platform where it alone may."""
        administrator = await self._sit(self.everybody[0].who)
        platform = await self._sit(Who("platform", ViewerKind.PLATFORM, tenant_id=self.demo.tenant_id))
        for look in looks:
            sitting = platform if look.table.scope is Scope.PLATFORM else administrator
            for asked in questions(look, self.random, columns):
                await self._subscribe(sitting, f"subscription {{ {asked} }}")

    async def open_generated(self, everybody: list[Person], count: int, seed: str) -> None:
        """Generated queries of these people."""
        samples, schema = await take_samples(self.demo.owner), bound_schema()[1]
        sittings = [await self._sit(person.who) for person in everybody]
        generators = [Generator(schema, samples, person.tenant_id, person.roots) for person in everybody]
        wanted, number = len(self.open) + count, 0
        while len(self.open) < wanted:
            number += 1
            place = number % len(everybody)
            for question in questions_of(generators[place].document(f"{seed}/{number}")):
                await self._subscribe(sittings[place], question.subscription, **question.variables)
                break

    async def close(self) -> None:
        """Leave all of them, and know nothing any more."""
        for sitting in self._sittings:
            sitting.session.close()
        self.open.clear()
        self.tally.clear()
        await self.caused()
        assert not len(self.demo.live.groups)

    async def caused(self) -> list[Group]:
        """The groups that were run since the last call, once all that was written has been seen to."""
        await self.demo.settled()
        ran, self._ran = self._ran, []
        return ran

    async def expect_none(self, what: str, rows: int, of: Collection[Group] | None = None) -> None:
        """Fail where what was written has caused a run: any, or one of these groups.

        Args:
            what: The kind of write, a colon, and more about it.
            rows: How many rows it has changed; none where the database refused it.
            of: The groups that it cannot concern; None: all.
        """
        before = self.demo.runs
        ran = await self.caused()
        needless = [group for group in ran if of is None or group in of]
        assert not needless, "\n".join([f"{len(needless)} runs by {what}", *map(_story, needless[:3])])
        assert ran or self.demo.runs == before
        self.tally[what.partition(":")[0]] += rows > 0
        self.tally["runs"] += len(ran)

    async def _sit(self, who: Who) -> Sitting:
        assert who.kind is not None
        sitting = await self.demo.sit_as(Identity(ViewerKind(who.kind), who.subject, NEVER), who.tenant_id)
        self._sittings.append(sitting)
        return sitting

    async def _subscribe(self, sitting: Sitting, text: str, **variables: object) -> None:
        """Open a live query, unless it is refused, or fails at once."""
        try:
            told = await sitting.subscribe(text, None, **variables).until(1)
        except ProductError:
            return
        if told.errors is None:
            assert isinstance(told.subscription, Subscription)
            assert told.subscription.group is not None
            self.open.append(Open(told, told.subscription.group, _words(f"{text} {variables}")))


def _words(text: str) -> frozenset[str]:
    """All words of a text in snake case: GraphQL's names, enum values, and those in variables."""
    return frozenset(
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower() for word in re.findall(r"\w+", text)
    )


def _story(group: Group) -> str:
    question = group.question
    return "\n".join(map(str, [question.key.query, question.request.variables, *group.dependences]))
