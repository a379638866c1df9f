"""The change log, read by the difference of two snapshots.

A change is new if the statement that reads the log sees its transaction and the earlier snapshot does not. Sequence
numbers would not work: they are assigned before the commit, and transactions commit in another order.

    snapshot S1 sees:  10  11
    snapshot S2 sees:  10  11  13       12 is still running
    snapshot S3 sees:  10  11  12  13

    since(S1) at S2 gives the changes of 13. since(S2) at S3 gives those of 12, though 12 < 13.

Each reading is one statement and leaves no state in its session. So it works through a transaction pooler.
"""

from collections.abc import Sequence
from typing import Final, Self

from core.database.database import Connection, Record
from core.limits import DELTA_CHANGES_MAX
from subscriptions.change_log.change import Change, Delta
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.change_log.table_shapes import TableShape

_SINCE: Final = f"SELECT * FROM live.since($1::text::pg_snapshot, {DELTA_CHANGES_MAX})"  # noqa: S608 - a constant
_NOW: Final = (
    "SELECT pg_current_snapshot()::text AS moment, (SELECT era FROM live.era "
    "WHERE cluster = (pg_control_system()).system_identifier) AS era"
)
_SHAPES: Final = "SELECT shape, table_name, columns, watched, types FROM live.shape"
_BEGIN_TIMELINE: Final = "SELECT live.begin_era()"


class ChangeLog:
    """The change log of one database. It holds no connection, and readers may share it."""

    def __init__(self, shapes: dict[int, TableShape], timeline: str) -> None:
        self._shapes = shapes
        self._timeline = timeline

    @classmethod
    async def open(cls, connection: Connection) -> Self:
        """Read the shapes of the log's rows and the present era. This needs the tables' owner."""
        await connection.execute(_BEGIN_TIMELINE)
        return cls(await _load_shapes(connection), (await _take_snapshot(connection)).timeline)

    async def begin_timeline(self, connection: Connection) -> None:
        """Begin an era if there is none, so that later changes can be read. This needs the tables' owner."""
        await connection.execute(_BEGIN_TIMELINE)

    async def take_snapshot(self, connection: Connection) -> Snapshot:
        """The snapshot of a statement that runs now."""
        return await _take_snapshot(connection)

    async def read_since(self, connection: Connection, snapshot: Snapshot) -> Delta:
        """Read the changes since `snapshot`, and the snapshot up to which they go, in one statement.

        In a transaction with one snapshot, they go up to this snapshot. If a delta is not complete, any change may be
        missing, even if it has some.
        """
        *records, last = await connection.fetch(_SINCE, snapshot.pg_snapshot)
        now = _parse_snapshot(last)
        complete = not last["is_torn"] and self._covers(snapshot, now, last["floors"])
        records.sort(key=lambda record: record["number"])
        changes = [
            self._shapes[record["shape"]].read_change(record)
            for record in await self._with_known_shapes(connection, records)
        ]
        return Delta(now, tuple(change for change in changes if _is_change(change)), complete)

    def _covers(self, snapshot: Snapshot, now: Snapshot, floors: Sequence[str]) -> bool:
        """Whether the log reaches back to `snapshot`.

        It never does before an era has begun (`begin_timeline`, retention.keep). It does not either if `snapshot` is
        ahead of the log. Then the files of the database were replaced by older ones.
        """
        if (
            not now.timeline
            or (snapshot.timeline or self._timeline) != now.timeline
            or not now.includes(snapshot)
        ):
            return False
        return all(snapshot.includes(Snapshot.parse(floor)) for floor in floors)

    async def _with_known_shapes(self, connection: Connection, records: list[Record]) -> list[Record]:
        """The same records, after their shapes were read if one is new: a migration may have run meanwhile."""
        if any(record["shape"] not in self._shapes for record in records):
            self._shapes = await _load_shapes(connection)
        return records


async def _load_shapes(connection: Connection) -> dict[int, TableShape]:
    return {record["shape"]: TableShape.from_record(record) for record in await connection.fetch(_SHAPES)}


async def _take_snapshot(connection: Connection) -> Snapshot:
    return _parse_snapshot((await connection.fetch(_NOW))[0])


def _parse_snapshot(record: Record) -> Snapshot:
    return Snapshot.parse(f"{record['moment']}@{record['era']}" if record["era"] else record["moment"])


def _is_change(change: Change) -> bool:
    """Whether anything changed at all."""
    return bool(change.rows) if change.rows is not None else change.columns is None or bool(change.columns)
