"""Plans that track their reads: the statement returns *facts* with its data. The facts give the keys of all reads.

The facts are JSON with the structure of the selection. The facts of a row are an array: the keys of the levels below
it, and the facts of those levels. The facts of a page are its bound (null if the page has no end), then an array of
each fact over all its rows. For two sites with agents, read by their ids:

    sites { nodes { agents { nodes { hostname } } } }

    [ <bound of the page of sites>,
      ["site-1", "site-2"],                     the keys by which the agents were read
      [[<bound of site-1's agents>], [null]] ]  the facts of the agents of each site
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, NamedTuple

import orjson

from resolvers.sql.data_access import RecordedRead
from resolvers.sql.ordering import KeyValue


@dataclass(frozen=True, slots=True)
class ReadNode:
    """A place in the selection where rows are read.

    Attributes:
        terms: The indexes of the plan's terms that are read here by the parents' keys.
        page: The index of the term with a page of rows. None if there is no page, or if rows are only counted.
        children: The places that are read for each row.
    """

    terms: tuple[int, ...] = ()
    page: int | None = None
    children: tuple["ChildNode", ...] = ()

    @property
    def has_facts(self) -> bool:
        """Whether the place has facts of its own."""
        return self.page is not None or bool(self.children)


@dataclass(frozen=True, slots=True)
class ChildNode:
    """A place below a row, with the indexes of its key and its facts in the row's facts."""

    node: ReadNode
    key: int | None
    facts: int | None


class CompiledSelect(NamedTuple):
    """A SELECT of `data`, and of `facts` if its place has any.

    `columns` is the part of a connection's SELECT that gives its fields as columns. It is None for other places, and
    with read tracking.
    """

    sql: str
    node: ReadNode
    columns: slice | None = None


def wrap_select(before: str, select: CompiledSelect, after: str) -> CompiledSelect:
    """The SELECT with SQL around it. Its columns are still found."""
    columns = select.columns
    if columns is not None:
        columns = slice(columns.start + len(before), columns.stop + len(before))
    return CompiledSelect(f"{before}{select.sql}{after}", select.node, columns)


@dataclass(slots=True)
class RowJoins:
    """The joins of the present row, and the facts from them.

    Attributes:
        joins: The joins.
        children: The places that they read.
    """

    joins: list[str] = field(default_factory=list)
    children: list[ChildNode] = field(default_factory=list)
    _facts: dict[str, int] = field(default_factory=dict)

    def add_child(self, node: ReadNode, key: str | None, join: str) -> None:
        """Record a place that was read by the SQL expression `key`. `key` is None if the plan has the key already."""
        facts_number = f"{join}.facts" if node.has_facts else None
        if key is not None or facts_number is not None:
            self.children.append(
                ChildNode(node, self._assign_fact_number(key), self._assign_fact_number(facts_number))
            )

    @property
    def facts(self) -> tuple[str, ...]:
        """The SQL expressions of the row's facts."""
        return tuple(self._facts)

    def _assign_fact_number(self, sql: str | None) -> int | None:
        return None if sql is None else self._facts.setdefault(sql, len(self._facts))


@dataclass(slots=True)
class RecordedReads:
    """The reads of one run of a statement.

    Attributes:
        keys: The keys of each term that was read by keys, by the term's index.
        bounds: The bounds of each term's pages, by the term's index and then by key.
    """

    keys: dict[int, set[str]] = field(default_factory=dict)
    bounds: dict[int, dict[str | None, Sequence[KeyValue]]] = field(default_factory=dict)

    @classmethod
    def from_facts(cls, node: ReadNode, facts: str) -> "RecordedReads":
        """Parse the facts of a statement with the root `node`."""
        recorded = cls()
        fact_values = orjson.loads(facts)
        if fact_values:
            recorded._record_node(node, None, fact_values)
        return recorded

    def apply_to(self, number: int, read: RecordedRead) -> RecordedRead:
        """The read of a term, with its keys and bounds of this run."""
        keys = read.keys
        if keys is None and read.query.key is not None:
            keys = tuple(self.keys.get(number, ()))
        return replace(read, keys=keys, bounds=self.bounds.get(number, {}))

    def _record_node(self, node: ReadNode, key: str | None, facts: Sequence[Any]) -> None:
        if node.page is None:
            columns: Sequence[Any] = [(fact,) for fact in facts]
        else:
            bound, *columns = facts
            if bound is not None:
                self.bounds.setdefault(node.page, {})[key] = bound
        for below in node.children:
            self._record_children(below, columns)

    def _record_children(self, below: ChildNode, columns: Sequence[Any]) -> None:
        keys: Iterable[str | None] = repeat(None)
        if below.key is not None:
            keys = columns[below.key] or ()  # null: the page has no rows
            self._add_keys(below.node.terms, keys)
        if below.facts is not None:
            for key, fact in zip(keys, columns[below.facts] or (), strict=False):
                if fact is not None:
                    self._record_node(below.node, key, fact)

    def _add_keys(self, terms: Iterable[int], keys: Iterable[str | None]) -> None:
        for term in terms:
            known_keys = self.keys.setdefault(term, set())
            known_keys.update(key for key in keys if key is not None)
