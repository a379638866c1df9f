"""Matching: whose read sets the changes touch.

Each dependence stands in the index of its table under one *anchor*: the columns that it is found by (the id, or the
tenant and one column more) with every value that they may have. A changed row is looked up by its values before and
after; the few dependences that are found are then compared with the rest of it.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import product
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.matching.read_sets import Dependence
from subscriptions.matching.windows import Values

Owner = TypeVar("Owner", bound=Hashable)

_TENANT: Final = "tenant_id"
_UNKNOWN: Final = object()


class Matcher(Generic[Owner]):
    """Owners with what they depend on; told of changes, it tells whose they touch.

    None that a change touches is ever missed. Named without need are those of which a change does not tell enough: of
    many rows at once, of values that changes do not carry, of rows that a filter's other conditions leave out.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _TableIndex[Owner]] = {}
        self._placed: dict[Owner, list[_Entry[Owner]]] = {}

    def __len__(self) -> int:
        return len(self._placed)

    def place(self, owner: Owner, dependences: Iterable[Dependence]) -> None:
        """Remember what an owner depends on, instead of what it did; takes time in proportion to its keys."""
        self.remove(owner)
        entries = self._placed[owner] = [_Entry(owner, dependence) for dependence in dependences]
        for entry in entries:
            table = self._tables.get(entry.dependence.table)
            if table is None:
                table = self._tables[entry.dependence.table] = _TableIndex()
            table.add(entry)

    def remove(self, owner: Owner) -> None:
        """Forget an owner; one that is not there is no error."""
        for entry in self._placed.pop(owner, ()):
            table = self._tables[entry.dependence.table]
            table.discard(entry)
            if not table:
                del self._tables[entry.dependence.table]

    def touched(self, changes: Iterable[Change]) -> set[Owner]:
        """The owners whose answers the changes may have changed."""
        found: set[Owner] = set()
        for change in changes:
            table = self._tables.get(change.table)
            if table is not None:
                table.touch(change, found)
        return found

    def validate(self) -> None:
        """Make sure that the indexes hold what was placed and nothing else.

        Raises:
            AssertionError: They do not.
        """
        placed = [entry for entries in self._placed.values() for entry in entries]
        _same({entry for table in self._tables.values() for entry in table.entries()}, set(placed))
        for name, table in self._tables.items():
            table.validate([entry for entry in placed if entry.dependence.table == name])


class _Entry(Generic[Owner]):
    """A dependence as it stands in the index.

    Attributes:
        owner: Whose it is.
        dependence: What it was made of.
        anchor: The columns that it is found by; none where it is on any row of the table.
        held: The values of each.
        rest: The other columns whose values it knows.
        is_exact: Whether every row that stands under one of its keys is one that it depends on.
    """

    __slots__ = ("anchor", "dependence", "held", "is_exact", "owner", "rest", "uses", "window")

    def __init__(self, owner: Owner, dependence: Dependence) -> None:
        equal = dict(dependence.equal)
        if dependence.tenants is not None:
            equal[_TENANT] = dependence.tenants & equal.get(_TENANT, dependence.tenants)
        self.owner = owner
        self.dependence = dependence
        self.anchor = _anchor(equal)
        self.held = tuple(equal.pop(column) for column in self.anchor)
        self.rest = tuple(equal.items())
        self.uses = dependence.uses
        self.window = dependence.window
        self.is_exact = not self.rest and self.window is None

    def places(self) -> Iterable[Any]:
        """What it stands under: the values of its anchor; tuples of them where it has several columns or none."""
        return self.held[0] if len(self.held) == 1 else product(*self.held)

    def may_have(self, row: Values) -> bool:
        """Whether a row with these values may stand under one of the keys."""
        return _may_equal(row, zip(self.anchor, self.held, strict=True))

    def holds(self, row: Values) -> bool:
        """Whether a row with these values, which stands under one of the keys, is one that it depends on."""
        return _may_equal(row, self.rest) and (self.window is None or self.window.holds(row))

    def feels(self, change: Change) -> bool:
        """Whether a change that does not tell its rows may touch it."""
        tenants = self.dependence.tenants
        ours = change.tenants is None or tenants is None or not tenants.isdisjoint(change.tenants)
        if change.kind is not ChangeKind.UPDATE or change.columns is None:
            return ours
        return ours and not self.uses.isdisjoint(change.columns)


def _may_equal(row: Values, equal: Iterable[tuple[str, frozenset[Any]]]) -> bool:
    """Whether the columns have one of their values each; of a column that is not there nothing is known."""
    for column, held in equal:
        value = row.get(column, _UNKNOWN)
        if value is not _UNKNOWN and value not in held:
            return False
    return True


def _anchor(equal: Mapping[str, frozenset[Any]]) -> tuple[str, ...]:
    """The columns that tell rows apart best: the id, else the tenant with a reference or another column."""
    if "id" in equal:
        return ("id",)
    others = [
        (not column.endswith("_id"), len(equal[column]), column) for column in equal if column != _TENANT
    ]
    best = min(others)[2:] if others else ()
    return (_TENANT, *best) if _TENANT in equal else best


_Bucket = set[_Entry[Owner]] | tuple[_Entry[Owner]]
"""The entries under one key: most keys have one, which needs no set."""


class _AnchorIndex(Generic[Owner]):
    """The entries of one anchor by their keys."""

    def __init__(self, anchor: tuple[str, ...]) -> None:
        self.entries: set[_Entry[Owner]] = set()
        self.buckets: dict[Any, _Bucket[Owner]] = {}
        self._key: Callable[[Values], Any] = itemgetter(*anchor) if anchor else _no_key

    def add(self, entry: _Entry[Owner]) -> None:
        """Put an entry under its keys."""
        self.entries.add(entry)
        alone = (entry,)
        for key in entry.places():
            there = self.buckets.setdefault(key, alone)
            if isinstance(there, set):
                there.add(entry)
            elif there is not alone:
                self.buckets[key] = {*there, entry}

    def discard(self, entry: _Entry[Owner]) -> None:
        """Take an entry from under its keys."""
        self.entries.discard(entry)
        for key in entry.places():
            there = self.buckets[key]
            if isinstance(there, set) and len(there) > 1:
                there.discard(entry)
            else:
                del self.buckets[key]

    def near(self, row: Values) -> Iterable[_Entry[Owner]] | None:
        """The entries under the key of a row with these values, or that may be; None where there are none."""
        try:
            return self.buckets.get(self._key(row))
        except KeyError:  # a column whose values changes do not carry
            return [entry for entry in self.entries if entry.may_have(row)]


def _no_key(_row: Values) -> tuple[()]:
    return ()


class _TableIndex(Generic[Owner]):
    """What depends on rows of one table."""

    def __init__(self) -> None:
        self._anchors: dict[tuple[str, ...], _AnchorIndex[Owner]] = {}
        self._uses: Counter[frozenset[str]] = Counter()
        self._used: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self._anchors)

    def entries(self) -> Iterator[_Entry[Owner]]:
        """Everything that is there."""
        return (entry for index in self._anchors.values() for entry in index.entries)

    def add(self, entry: _Entry[Owner]) -> None:
        """Put an entry in."""
        if entry.anchor not in self._anchors:
            self._anchors[entry.anchor] = _AnchorIndex(entry.anchor)
        self._anchors[entry.anchor].add(entry)
        self._uses[entry.uses] += 1
        if self._uses[entry.uses] == 1:
            self._used |= entry.uses

    def discard(self, entry: _Entry[Owner]) -> None:
        """Take an entry out."""
        index = self._anchors[entry.anchor]
        index.discard(entry)
        if not index.entries:
            del self._anchors[entry.anchor]
        self._uses[entry.uses] -= 1
        if not self._uses[entry.uses]:
            del self._uses[entry.uses]
            self._used = frozenset().union(*self._uses)

    def touch(self, change: Change, found: set[Owner]) -> None:
        """Add those to `found` whom a change touches."""
        if change.rows is None:
            found.update(entry.owner for entry in self.entries() if entry.feels(change))
            return
        for row in change.rows:
            if row.before is None or row.after is None or not self._used.isdisjoint(row.columns):
                self._touch(row, found)

    def _touch(self, row: ChangedRow, found: set[Owner]) -> None:
        before, after = row.before, row.after
        columns = None if before is None or after is None else row.columns
        for index in self._anchors.values():
            if before is not None and (near := index.near(before)) is not None:
                _find(near, before, columns, found)
            if after is not None and (near := index.near(after)) is not None:
                _find(near, after, columns, found)

    def validate(self, placed: list[_Entry[Owner]]) -> None:
        """Make sure that these entries stand under their keys, and nothing else anywhere."""
        _same({*self._uses.elements()}, {entry.uses for entry in placed})
        _same(sum(self._uses.values()), len(placed))
        _same(self._used, frozenset().union(*self._uses))
        for anchor, index in self._anchors.items():
            expected: dict[Any, set[_Entry[Owner]]] = {}
            for entry in placed:
                for key in entry.places() if entry.anchor == anchor else ():
                    expected.setdefault(key, set()).add(entry)
            _same({key: {*there} for key, there in index.buckets.items()}, expected)


def _find(
    near: Iterable[_Entry[Owner]], values: Values, columns: frozenset[str] | None, found: set[Owner]
) -> None:
    """Add the owners of those entries to `found` that a change of these columns, None for all, touches."""
    for entry in near:
        if (
            entry.owner not in found
            and (columns is None or not entry.uses.isdisjoint(columns))
            and (entry.is_exact or entry.holds(values))
        ):
            found.add(entry.owner)


def _same(one: object, other: object) -> None:
    if one != other:
        raise AssertionError(f"the index has {one}, not {other}")
