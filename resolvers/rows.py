"""The one door to rows: every read of a request goes through here.

Here stand, once: the right, the tenant (`access.scope`), soft deletes, the filter, the order with the id last, the
limit, the columns that the selection needs (`level`), and the record of what was read.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.database import Record, Snapshot
from core.errors import ForbiddenError
from core.viewer import Viewer
from resolvers.access import own_id, require_column, require_deleted, require_right
from resolvers.level import KEY, Level, Statement, count_statement, rows_statement
from resolvers.orders import KeyValue

Bounds = Mapping[str | None, Sequence[KeyValue]]
"""For each key whose page is full, None at the root: the last row fetched, by its values under the order."""


@dataclass(frozen=True, slots=True)
class Read:
    """One read, as a fact that answers depend on; an empty answer is as much a fact as a full one.

    Attributes:
        level: What was read.
        keys: The keys that it was asked for; None at the root, and where they are not known.
        bounds: How far its pages reach. A page that is not there may reach to the list's end.
    """

    level: Level
    keys: tuple[str, ...] | None
    bounds: Bounds = field(default_factory=dict)


def require_level(viewer: Viewer, level: Level) -> None:
    """Make sure that the viewer may read a level, and put it in its order.

    Raises:
        ForbiddenError: The viewer lacks a right.
        BadUserInputError: The order goes by a tenant's rows, and no tenant is named.
    """
    require_right(viewer, level.table)
    if level.include_deleted:
        require_deleted(viewer, level.table)
    for term in level.order:
        require_column(viewer, level.table, term.column)


@dataclass(slots=True)
class Rows:
    """What one viewer may read, in one snapshot.

    Attributes:
        viewer: Who is asking.
        snapshot: The transaction that everything is read in.
    """

    viewer: Viewer
    snapshot: Snapshot
    _reads: list[Iterable[Read]] = field(default_factory=list)

    @property
    def reads(self) -> list[Read]:
        """What was read so far."""
        self._reads = [[read for reads in self._reads for read in reads]]
        return [read for reads in self._reads for read in reads]

    def authorise(self, level: Level) -> None:
        """Make sure that the viewer may read this level.

        Raises:
            ForbiddenError: The viewer lacks the right.
        """
        require_level(self.viewer, level)

    async def find(self, level: Level, keys: Sequence[str] | None = None) -> list[Record]:
        """The rows of a level; one more than its limit where there are more. With `keys`: of all these parents.

        Raises:
            ForbiddenError: The viewer lacks the right.
        """
        self.authorise(level)
        return await self._fetch(level, rows_statement(level, self.viewer, keys), keys)

    async def count(self, level: Level, keys: Sequence[str] | None = None) -> list[Record]:
        """How many rows the level has on all pages, as `total`; with `keys` for each of these parents.

        Raises:
            ForbiddenError: The viewer lacks the right.
        """
        self.authorise(level)
        return await self._fetch(level, count_statement(level, self.viewer, keys), keys)

    async def by_key(self, level: Level, keys: Sequence[str]) -> Mapping[str, Record | ForbiddenError]:
        """The row of each key, of a level with at most one a key; keys without one are absent.

        A key that the viewer may not ask for has its refusal as value: the other keys are answered all the same.
        """
        refused = self._refused(level, keys)
        allowed = [key for key in keys if key not in refused]
        if not allowed:
            return refused
        records = await self._fetch(level, rows_statement(level, self.viewer, allowed), allowed)
        return {**refused, **{record[KEY]: record for record in records}}

    async def compiled(self, statement: Statement, reads: Iterable[Read]) -> str | None:
        """The JSON of a compiled root field, whose compiler has checked the right to each of its `reads`."""
        self._reads.append(reads)
        records = await self.snapshot.fetch(statement.sql, statement.arguments)
        return records[0]["data"] if records else None

    def _refused(self, level: Level, keys: Sequence[str]) -> dict[str, Record | ForbiddenError]:
        try:
            self.authorise(level)
        except ForbiddenError as error:
            own = (
                own_id(self.viewer, level.table) if level.key == "id" and not level.include_deleted else None
            )
            return {key: error for key in keys if key != own}
        return {}

    async def _fetch(self, level: Level, statement: Statement, keys: Sequence[str] | None) -> list[Record]:
        records: list[Record] = []
        self._reads.append(_read(level, keys, records))
        records += await self.snapshot.fetch(statement.sql, statement.arguments)
        return records


def _read(level: Level, keys: Sequence[str] | None, records: Sequence[Record]) -> Iterator[Read]:
    """One read, made when it is asked for: only live queries ask how far pages reach."""
    yield Read(level, None if keys is None else tuple(keys), _bounds(level, records))


def _bounds(level: Level, records: Sequence[Record]) -> Bounds:
    """How far the pages reach whose rows these are; nothing where the rows lack what they are ordered by."""
    order = [term.column for term in level.order]
    if level.limit is None or not records or not all(column in level.columns for column in order):
        return {}
    fetched = Counter(record.get(KEY) for record in records)
    return {
        record.get(KEY): [record[column.name] for column in order]
        for record in records
        if fetched[record.get(KEY)] > level.limit
    }
