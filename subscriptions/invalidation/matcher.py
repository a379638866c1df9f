"""The matcher: it finds the answers with a read set that the changes touch.

Each dependency is stored in the index of its table under one *anchor*. The anchor is the id, or the tenant and one
more column. The dependency is stored under every value that the anchor may have. A lookup takes the values of a
changed row before and after the change. The few dependencies that it finds are then compared with the rest of the
row.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from itertools import product
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from subscriptions.change_log.change import Change, ChangedRow, ChangeKind
from subscriptions.invalidation.read_sets import Dependency
from subscriptions.invalidation.windows import Values

Owner = TypeVar("Owner", bound=Hashable)

_TENANT: Final = "tenant_id"
_MISSING: Final = object()


class ChangeMatcher(Generic[Owner]):
    """Owners with their read sets. For a set of changes, it returns the owners that the changes touch.

    It misses no owner that a change touches. It may return others if a change has too little detail. That is so for
    many rows at once, for values that changes do not carry, and for rows that other conditions of a filter exclude.
    """

    def __init__(self) -> None:
        self._tables: dict[str, _TableIndex[Owner]] = {}
        self._entries: dict[Owner, list[_IndexEntry[Owner]]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def set_dependencies(self, owner: Owner, dependencies: Iterable[Dependency]) -> None:
        """Replace an owner's read set. The time is proportional to the number of keys."""
        self.remove(owner)
        entries = self._entries[owner] = [_IndexEntry(owner, dependency) for dependency in dependencies]
        for entry in entries:
            table = self._tables.get(entry.dependency.table)
            if table is None:
                table = self._tables[entry.dependency.table] = _TableIndex()
            table.add(entry)

    def remove(self, owner: Owner) -> None:
        """Remove an owner. It is no error if the owner is not there."""
        for entry in self._entries.pop(owner, ()):
            table = self._tables[entry.dependency.table]
            table.discard(entry)
            if not table:
                del self._tables[entry.dependency.table]

    def find_touched(self, changes: Iterable[Change]) -> set[Owner]:
        """The owners with answers that the changes may have changed."""
        found: set[Owner] = set()
        for change in changes:
            table = self._tables.get(change.table)
            if table is not None:
                table.match_change(change, found)
        return found

    def validate(self) -> None:
        """Check that the indexes have all entries and no others.

        Raises:
            AssertionError: They do not.
        """
        expected = [entry for entries in self._entries.values() for entry in entries]
        _require_same({entry for table in self._tables.values() for entry in table.entries()}, set(expected))
        for name, table in self._tables.items():
            table.validate([entry for entry in expected if entry.dependency.table == name])


class _IndexEntry(Generic[Owner]):
    """A dependency in the index.

    Attributes:
        owner: The owner of the read set.
        dependency: The dependency.
        anchor: The columns of its keys. Empty if it may match any row of the table.
        values_by_column: The values of each of these columns.
        rest: The other columns with known values.
        is_exact: Whether it matches every row under one of its keys.
    """

    __slots__ = ("anchor", "dependency", "is_exact", "owner", "rest", "uses", "values_by_column", "window")

    def __init__(self, owner: Owner, dependency: Dependency) -> None:
        equal = dict(dependency.equals)
        if dependency.tenants is not None:
            equal[_TENANT] = dependency.tenants & equal.get(_TENANT, dependency.tenants)
        self.owner = owner
        self.dependency = dependency
        self.anchor = _choose_anchor(equal)
        self.values_by_column = tuple(equal.pop(column) for column in self.anchor)
        self.rest = tuple(equal.items())
        self.uses = dependency.uses
        self.window = dependency.window
        self.is_exact = not self.rest and self.window is None

    def index_keys(self) -> Iterable[Any]:
        """Its keys: the values of its anchor. They are tuples if the anchor has several columns or none."""
        return (
            self.values_by_column[0] if len(self.values_by_column) == 1 else product(*self.values_by_column)
        )

    def may_match(self, row: Values) -> bool:
        """Whether a row with these values may have one of the keys."""
        return _may_equal(row, zip(self.anchor, self.values_by_column, strict=True))

    def matches(self, row: Values) -> bool:
        """Whether it matches a row with these values. The row must have one of the keys."""
        return _may_equal(row, self.rest) and (self.window is None or self.window.contains(row))

    def may_match_coarse(self, change: Change) -> bool:
        """Whether a coarse change may touch it."""
        tenants = self.dependency.tenants
        ours = change.tenants is None or tenants is None or not tenants.isdisjoint(change.tenants)
        if change.kind is not ChangeKind.UPDATE or change.columns is None:
            return ours
        return ours and not self.uses.isdisjoint(change.columns)


def _may_equal(row: Values, equal: Iterable[tuple[str, frozenset[Any]]]) -> bool:
    """Whether each column has one of its values. If a column is missing, its value is unknown and may match."""
    for column, values in equal:
        value = row.get(column, _MISSING)
        if value is not _MISSING and value not in values:
            return False
    return True


def _choose_anchor(equal: Mapping[str, frozenset[Any]]) -> tuple[str, ...]:
    """The most selective columns: the id, else the tenant with a reference or another column."""
    if "id" in equal:
        return ("id",)
    others = [
        (not column.endswith("_id"), len(equal[column]), column) for column in equal if column != _TENANT
    ]
    best = min(others)[2:] if others else ()
    return (_TENANT, *best) if _TENANT in equal else best


_Bucket = set[_IndexEntry[Owner]] | tuple[_IndexEntry[Owner]]
"""The entries of one key. Most keys have one entry, which needs no set."""


class _AnchorIndex(Generic[Owner]):
    """The entries of one anchor, by their keys."""

    def __init__(self, anchor: tuple[str, ...]) -> None:
        self.entries: set[_IndexEntry[Owner]] = set()
        self.buckets: dict[Any, _Bucket[Owner]] = {}
        self._key: Callable[[Values], Any] = itemgetter(*anchor) if anchor else _no_key

    def add(self, entry: _IndexEntry[Owner]) -> None:
        """Add an entry under its keys."""
        self.entries.add(entry)
        single_key = (entry,)
        for key in entry.index_keys():
            bucket = self.buckets.setdefault(key, single_key)
            if isinstance(bucket, set):
                bucket.add(entry)
            elif bucket is not single_key:
                self.buckets[key] = {*bucket, entry}

    def discard(self, entry: _IndexEntry[Owner]) -> None:
        """Remove an entry from its keys."""
        self.entries.discard(entry)
        for key in entry.index_keys():
            bucket = self.buckets[key]
            if isinstance(bucket, set) and len(bucket) > 1:
                bucket.discard(entry)
            else:
                del self.buckets[key]

    def find_candidates(self, row: Values) -> Iterable[_IndexEntry[Owner]] | None:
        """The entries that a row with these values may have as keys. None if there are none."""
        try:
            return self.buckets.get(self._key(row))
        except KeyError:  # changes do not carry this column's values
            return [entry for entry in self.entries if entry.may_match(row)]


def _no_key(_row: Values) -> tuple[()]:
    return ()


class _TableIndex(Generic[Owner]):
    """The dependencies on rows of one table."""

    def __init__(self) -> None:
        self._anchors: dict[tuple[str, ...], _AnchorIndex[Owner]] = {}
        self._uses: Counter[frozenset[str]] = Counter()
        self._entries_by_column: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self._anchors)

    def entries(self) -> Iterator[_IndexEntry[Owner]]:
        """All entries."""
        return (entry for index in self._anchors.values() for entry in index.entries)

    def add(self, entry: _IndexEntry[Owner]) -> None:
        """Add an entry."""
        if entry.anchor not in self._anchors:
            self._anchors[entry.anchor] = _AnchorIndex(entry.anchor)
        self._anchors[entry.anchor].add(entry)
        self._uses[entry.uses] += 1
        if self._uses[entry.uses] == 1:
            self._entries_by_column |= entry.uses

    def discard(self, entry: _IndexEntry[Owner]) -> None:
        """Remove an entry."""
        index = self._anchors[entry.anchor]
        index.discard(entry)
        if not index.entries:
            del self._anchors[entry.anchor]
        self._uses[entry.uses] -= 1
        if not self._uses[entry.uses]:
            del self._uses[entry.uses]
            self._entries_by_column = frozenset().union(*self._uses)

    def match_change(self, change: Change, found: set[Owner]) -> None:
        """Add the owners that a change touches to `found`."""
        if change.rows is None:
            found.update(entry.owner for entry in self.entries() if entry.may_match_coarse(change))
            return
        for row in change.rows:
            if row.before is None or row.after is None or not self._entries_by_column.isdisjoint(row.columns):
                self._match_row(row, found)

    def _match_row(self, row: ChangedRow, found: set[Owner]) -> None:
        before, after = row.before, row.after
        columns = None if before is None or after is None else row.columns
        for index in self._anchors.values():
            if before is not None and (candidates := index.find_candidates(before)) is not None:
                _collect_owners(candidates, before, columns, found)
            if after is not None and (candidates := index.find_candidates(after)) is not None:
                _collect_owners(candidates, after, columns, found)

    def validate(self, expected_entries: list[_IndexEntry[Owner]]) -> None:
        """Check that these entries are stored under their keys, and no others anywhere."""
        _require_same({*self._uses.elements()}, {entry.uses for entry in expected_entries})
        _require_same(sum(self._uses.values()), len(expected_entries))
        _require_same(self._entries_by_column, frozenset().union(*self._uses))
        for anchor, index in self._anchors.items():
            expected: dict[Any, set[_IndexEntry[Owner]]] = {}
            for entry in expected_entries:
                for key in entry.index_keys() if entry.anchor == anchor else ():
                    expected.setdefault(key, set()).add(entry)
            _require_same({key: {*bucket} for key, bucket in index.buckets.items()}, expected)


def _collect_owners(
    candidates: Iterable[_IndexEntry[Owner]],
    values: Values,
    columns: frozenset[str] | None,
    found: set[Owner],
) -> None:
    """Add the owners of the matching entries to `found`. `columns` are the changed columns, or None for all."""
    for entry in candidates:
        if (
            entry.owner not in found
            and (columns is None or not entry.uses.isdisjoint(columns))
            and (entry.is_exact or entry.matches(values))
        ):
            found.add(entry.owner)


def _require_same(one: object, other: object) -> None:
    if one != other:
        raise AssertionError(f"the index has {one} instead of {other}")
