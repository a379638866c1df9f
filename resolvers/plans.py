"""Plans: what the compiler made of a root field, good for other values of the same shape.

While an operation is compiled, values that are sure to be bound as they are (the tenant's id, variables that stand as
an id or as a filter's operand) are *held*: they pass through the compiler as what they are, and remember whose they
are. A bound value that is held becomes a slot of the plan, filled anew for each request.
"""

import re
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from graphql import FieldNode

from core.errors import BadUserInputError
from core.limits import PLAN_KEPT_CHARS, PLANS_KEPT_CHARS
from resolvers.level import Level, Statement
from resolvers.observing import Place, Seen
from resolvers.parameters import refuse_unstorable
from resolvers.rows import Read

TENANT: Final = "the viewer's tenant"
"""The source of the tenant's id; no variable has such a name."""

_PLACEHOLDER: Final = re.compile(r"\$(\d+)::([a-z\[\]]+)")

Values = Mapping[str, Any]
"""The values of held things by their sources."""


class HeldText(str):
    """A text that remembers its source."""

    source: str


class HeldNumber(int):
    """A whole number that remembers its source."""

    source: str


Held = HeldText | HeldNumber


def hold(value: str | int, source: str) -> Held:
    """Hold a value."""
    held: Held = HeldText(value) if isinstance(value, str) else HeldNumber(value)
    held.source = source
    return held


def holds(value: object) -> bool:
    """Whether anything is held inside of a value."""
    if isinstance(value, Mapping):
        return any(holds(entry) for entry in value.values())
    if isinstance(value, list | tuple):
        return any(holds(entry) for entry in value)
    return isinstance(value, Held)


def let_go(value: Any, values: Values) -> Any:
    """The same value with what is held replaced by `values`."""
    if isinstance(value, Held):
        return values[value.source]
    if isinstance(value, Mapping):
        return {name: let_go(entry, values) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(let_go(entry, values) for entry in value)
    return value


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that an answer depends on: a level, at the root by these keys where it is looked up by key."""

    level: Level
    keys: tuple[str, ...] | None = None

    def read(self, values: Values) -> Read:
        """The term as a read of one request."""
        level = self.level
        if holds((level.where, level.equal, level.search)):
            parts = {name: let_go(getattr(level, name), values) for name in ("where", "equal", "search")}
            level = replace(level, **parts)
        return Read(level, let_go(self.keys, values))


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled root field: one statement that answers one row with the column `data`, JSON text or NULL.

    Attributes:
        statement: The SQL, with the values of the request that it was compiled for.
        terms: Everything that it reads.
        place: Observed, where it reads at its root: the row has `facts` beside `data`.
        columns: Where in the SQL of a connection that SELECT stands which gives its fields as columns: to copy a
            large answer into an object takes PostgreSQL a tenth of what it takes to make it. None if observed.
    """

    statement: Statement
    terms: tuple[Term, ...]
    place: Place | None = None
    columns: slice | None = None

    def bind(self, values: Values) -> Statement:
        """The statement for one request."""
        return Statement(self.statement.sql, [let_go(a, values) for a in self.statement.arguments])

    def reads(self, values: Values, facts: str | None = None) -> Iterator[Read]:
        """What the plan reads in one request; by what keys and how far, if its `facts` are given."""
        if self.place is None or facts is None:
            return (term.read(values) for term in self.terms)
        seen = Seen.of(self.place, facts)
        return (seen.told(number, term.read(values)) for number, term in enumerate(self.terms))

    def batch(self, requests: Sequence[Values]) -> Statement:
        """One statement for many requests of one tenant: answers rows of `number` (from 1) and what a plan's has.

        Raises:
            ValueError: The requests are of several tenants, which row-level security keeps apart.
        """
        if len({values[TENANT] for values in requests}) > 1:
            raise ValueError("a batch is of one tenant")
        writing = _Batch(self.statement, requests, observed=self.place is not None)
        return Statement(writing.sql(), writing.arguments)


class _Batch:
    """Turns the held variables of a statement into columns of a set, and keeps what is the same for all."""

    def __init__(self, statement: Statement, requests: Sequence[Values], *, observed: bool) -> None:
        self._observed = observed
        self._statement = statement
        self._requests = requests
        self._columns: dict[int, str] = {}
        self.arguments: list[object] = []

    def sql(self) -> str:
        one = _PLACEHOLDER.sub(self._placed, self._statement.sql)
        if not self._columns:
            numbers = self._bound(list(range(1, len(self._requests) + 1)), "bigint[]")
            return self._of_each(one, f"unnest({numbers}) AS b(number)")
        sets, names = ", ".join(self._columns.values()), ", ".join(f"c{slot}" for slot in self._columns)
        return self._of_each(one, f"unnest({sets}) WITH ORDINALITY AS b({names}, number)")

    def _of_each(self, one: str, requests: str) -> str:
        if self._observed:
            return f"SELECT b.number, o.data, o.facts FROM {requests} CROSS JOIN LATERAL ({one}) o"
        return f"SELECT b.number, ({one}) AS data FROM {requests}"

    def _placed(self, found: re.Match[str]) -> str:
        slot, sql_type = int(found[1]) - 1, found[2]
        value = self._statement.arguments[slot]
        if not isinstance(value, Held) or value.source == TENANT:
            return self._bound(let_go(value, self._requests[0]), sql_type)
        if slot not in self._columns:
            column = [values[value.source] for values in self._requests]
            self._columns[slot] = self._bound(column, f"{sql_type}[]")
        return f"b.c{slot}"

    def _bound(self, value: object, sql_type: str) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}::{sql_type}"


@dataclass(frozen=True, slots=True)
class Planned:
    """An operation as it is to be run.

    Attributes:
        roots: Its root fields by response key, in the answer's order.
        plans: The plan of each; None where the data loaders answer it.
        reusable: Whether the plans are good for other values of what was held.
    """

    roots: Mapping[str, Sequence[FieldNode]]
    plans: Mapping[str, Plan | None]
    reusable: bool


class Shelf:
    """The plans of all documents; the longest unused are forgotten first.

    Clients choose how long the values are that a plan knows, so plans are kept by weight and not by number.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[PlanBook, Hashable], tuple[Planned, int]] = OrderedDict()
        self._weight = 0

    def get(self, key: "tuple[PlanBook, Hashable]") -> Planned | None:
        """What is kept under a key."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: "tuple[PlanBook, Hashable]", planned: Planned, weight: int) -> None:
        """Keep what was planned under a key that is new, unless it is too heavy for that."""
        if weight > PLAN_KEPT_CHARS:
            return
        self._kept[key] = planned, weight
        self._weight += weight
        while self._weight > PLANS_KEPT_CHARS:
            self._weight -= self._kept.popitem(last=False)[1][1]

    def forget(self, book: "PlanBook") -> None:
        """Forget all plans of one document."""
        for key in [key for key in self._kept if key[0] is book]:
            self._weight -= self._kept.pop(key)[1]


@dataclass(slots=True, eq=False)
class PlanBook:
    """The plans of one document, which they hold in memory: they are forgotten with it.

    Attributes:
        shelf: Where they are kept, together with those of other documents.
        holdable: For each operation, by its name, the variables that can be held; found once.
    """

    shelf: Shelf = field(default_factory=Shelf)
    holdable: dict[str | None, frozenset[str]] = field(default_factory=dict)
    _closed: bool = False

    def get(self, key: Hashable) -> Planned | None:
        """What is kept under a key."""
        return self.shelf.get((self, key))

    def keep(self, key: Hashable, planned: Planned) -> None:
        """Keep what was planned, while the document is kept."""
        if not self._closed:
            self.shelf.keep((self, key), planned, len(repr(key)) + _weight(planned))

    def close(self) -> None:
        """Forget all plans and keep none any more, though a request with the document may be on its way."""
        self._closed = True
        if self.holdable:  # else nothing was ever planned
            self.shelf.forget(self)


def _weight(planned: Planned) -> int:
    """What keeping it takes, in characters; what it was compiled from is in the key and in the document."""
    statements = (plan.statement for plan in planned.plans.values() if plan)
    return sum(len(statement.sql) + len(repr(statement.arguments)) for statement in statements)


def storable(values: Values) -> bool:
    """Whether PostgreSQL can hold every text among some values."""
    try:
        for value in values.values():
            if isinstance(value, str):
                refuse_unstorable(value)
    except BadUserInputError:
        return False
    return True
