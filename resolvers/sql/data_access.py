"""Data access: every read of a request passes through `DataAccess`.

`DataAccess` applies the right, the tenant (`access.scope`), soft deletes, the filter, the order with the id last,
the limit and the selected columns (`level`). It also records what was read, for live queries.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.auth.viewer import Viewer
from core.database.database import ReadTransaction, Record
from core.errors import ForbiddenError
from resolvers.sql.access import QueryViewer, find_own_id, require_column, require_deleted, require_right
from resolvers.sql.list_query import (
    KEY_COLUMN,
    ListQuery,
    Statement,
    build_count_statement,
    build_rows_statement,
)
from resolvers.sql.ordering import KeyValue

Bounds = Mapping[str | None, Sequence[KeyValue]]
"""The last fetched row of each full page, by its values in the order. The key is None at the root."""


@dataclass(frozen=True, slots=True)
class RecordedRead:
    """One read. Answers depend on it, even if it found no row.

    Attributes:
        query: The level that was read.
        keys: The requested keys. None at the root, and if they are unknown.
        bounds: The ends of its pages. Without an entry, a page may reach to the end of the list.
    """

    query: ListQuery
    keys: tuple[str, ...] | None
    bounds: Bounds = field(default_factory=dict)


def require_read_access(viewer: QueryViewer, query: ListQuery) -> None:
    """Check that the viewer may read a level in its order.

    Raises:
        ForbiddenError: The viewer lacks a right.
        BadUserInputError: The order uses a tenant's rows, and no tenant is named.
    """
    require_right(viewer, query.table)
    if query.include_deleted:
        require_deleted(viewer, query.table)
    for term in query.order:
        require_column(viewer, query.table, term.column)


@dataclass(slots=True)
class DataAccess:
    """The data access of one viewer in one snapshot.

    Attributes:
        viewer: The viewer.
        snapshot: The transaction of all reads.
    """

    viewer: Viewer
    snapshot: ReadTransaction
    _reads: list[Iterable[RecordedRead]] = field(default_factory=list)

    @property
    def reads(self) -> list[RecordedRead]:
        """The reads so far."""
        self._reads = [[read for reads in self._reads for read in reads]]
        return [read for reads in self._reads for read in reads]

    def authorize(self, query: ListQuery) -> None:
        """Check that the viewer may read this level.

        Raises:
            ForbiddenError: The viewer lacks the right.
        """
        require_read_access(self.viewer, query)

    async def fetch_rows(self, query: ListQuery, keys: Sequence[str] | None = None) -> list[Record]:
        """Fetch the rows of a level, and one more than its limit if there are more.

        With `keys`: those of all these parents.

        Raises:
            ForbiddenError: The viewer lacks the right.
        """
        self.authorize(query)
        return await self._run_query(query, build_rows_statement(query, self.viewer, keys), keys)

    async def count_rows(self, query: ListQuery, keys: Sequence[str] | None = None) -> list[Record]:
        """Count the level's rows on all pages, as `total`. With `keys`: for each of these parents.

        Raises:
            ForbiddenError: The viewer lacks the right.
        """
        self.authorize(query)
        return await self._run_query(query, build_count_statement(query, self.viewer, keys), keys)

    async def fetch_by_key(
        self, query: ListQuery, keys: Sequence[str]
    ) -> Mapping[str, Record | ForbiddenError]:
        """Fetch the row of each key. The level has at most one row for a key. A key without row has no entry.

        The entry of a key that the viewer may not read is its error. The other keys are fetched all the same.
        """
        refused = self._deny_keys(query, keys)
        allowed = [key for key in keys if key not in refused]
        if not allowed:
            return refused
        records = await self._run_query(query, build_rows_statement(query, self.viewer, allowed), allowed)
        return {**refused, **{record[KEY_COLUMN]: record for record in records}}

    async def fetch_compiled(self, statement: Statement, reads: Iterable[RecordedRead]) -> str | None:
        """Fetch the JSON of a compiled root field. The compiler has checked the right to each of its `reads`."""
        self._reads.append(reads)
        records = await self.snapshot.fetch(statement.sql, statement.arguments)
        return records[0]["data"] if records else None

    def _deny_keys(self, query: ListQuery, keys: Sequence[str]) -> dict[str, Record | ForbiddenError]:
        try:
            self.authorize(query)
        except ForbiddenError as error:
            own = (
                find_own_id(self.viewer, query.table)
                if query.key == "id" and not query.include_deleted
                else None
            )
            return {key: error for key in keys if key != own}
        return {}

    async def _run_query(
        self, query: ListQuery, statement: Statement, keys: Sequence[str] | None
    ) -> list[Record]:
        records: list[Record] = []
        self._reads.append(_iter_reads(query, keys, records))
        records += await self.snapshot.fetch(statement.sql, statement.arguments)
        return records


def _iter_reads(
    query: ListQuery, keys: Sequence[str] | None, records: Sequence[Record]
) -> Iterator[RecordedRead]:
    """One read, made lazily: only live queries need the bounds of pages."""
    yield RecordedRead(query, None if keys is None else tuple(keys), _read_page_bounds(query, records))


def _read_page_bounds(query: ListQuery, records: Sequence[Record]) -> Bounds:
    """The bounds of the pages of these rows. Empty if the rows lack a column of their order."""
    order = [term.column for term in query.order]
    if query.limit is None or not records or not all(column in query.columns for column in order):
        return {}
    fetched = Counter(record.get(KEY_COLUMN) for record in records)
    return {
        record.get(KEY_COLUMN): [record[column.name] for column in order]
        for record in records
        if fetched[record.get(KEY_COLUMN)] > query.limit
    }
