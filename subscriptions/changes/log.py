"""The change log, read by the difference of two snapshots.

A change is told if the statement that reads the log sees its transaction and the earlier moment does not. Numbers
of a sequence would not do: they are taken before a commit, and commits overtake each other. Each reading is one
statement that leaves nothing behind in its session, so that it may go through a transaction pooler.
"""

from collections.abc import Sequence
from typing import Final, Self

from core.database import Connection, Record
from core.limits import DELTA_CHANGES_MAX
from subscriptions.changes.change import Change, Delta
from subscriptions.changes.moment import Moment
from subscriptions.changes.shapes import Shape

_SINCE: Final = f"SELECT * FROM live.since($1::text::pg_snapshot, {DELTA_CHANGES_MAX})"  # noqa: S608 - a constant
_NOW: Final = (
    "SELECT pg_current_snapshot()::text AS moment, (SELECT era FROM live.era "
    "WHERE cluster = (pg_control_system()).system_identifier) AS era"
)
_SHAPES: Final = "SELECT shape, table_name, columns, watched, types FROM live.shape"
_BEGIN_ERA: Final = "SELECT live.begin_era()"


class ChangeLog:
    """The log of one database; it holds no connection, and any number of readers may share it."""

    def __init__(self, shapes: dict[int, Shape], era: str) -> None:
        self._shapes = shapes
        self._era = era

    @classmethod
    async def open(cls, connection: Connection) -> Self:
        """Learn what the log's rows mean, and in which era we are; the tables' owner must be connected."""
        await connection.execute(_BEGIN_ERA)
        return cls(await _shapes(connection), (await _now(connection)).era)

    async def begin_era(self, connection: Connection) -> None:
        """Begin an era where none is, so that what happens from now on is told; for the tables' owner."""
        await connection.execute(_BEGIN_ERA)

    async def now(self, connection: Connection) -> Moment:
        """What a statement sees that is run now."""
        return await _now(connection)

    async def since(self, connection: Connection, moment: Moment) -> Delta:
        """What was committed since `moment`, and the moment up to which that is said: one statement.

        In a transaction that reads one snapshot it is said of that snapshot. A delta that is not complete may
        lack any change, also where it has some.
        """
        *records, last = await connection.fetch(_SINCE, moment.snapshot)
        now = _moment(last)
        complete = not last["is_torn"] and self._reaches(moment, now, last["floors"])
        records.sort(key=lambda record: record["number"])
        changes = [
            self._shapes[record["shape"]].change(record) for record in await self._known(connection, records)
        ]
        return Delta(now, tuple(change for change in changes if _is_change(change)), complete)

    def _reaches(self, moment: Moment, now: Moment, floors: Sequence[str]) -> bool:
        """Whether the log reaches back to `moment`; never while no era has begun (`begin_era`, retention.keep).

        Nor where `moment` is ahead: somebody has put older files back, and what it saw has never been.
        """
        if not now.era or (moment.era or self._era) != now.era or not now.covers(moment):
            return False
        return all(moment.covers(Moment.parse(floor)) for floor in floors)

    async def _known(self, connection: Connection, records: list[Record]) -> list[Record]:
        """The same records, once it is known what they mean: a migration may have run since."""
        if any(record["shape"] not in self._shapes for record in records):
            self._shapes = await _shapes(connection)
        return records


async def _shapes(connection: Connection) -> dict[int, Shape]:
    return {record["shape"]: Shape.read(record) for record in await connection.fetch(_SHAPES)}


async def _now(connection: Connection) -> Moment:
    return _moment((await connection.fetch(_NOW))[0])


def _moment(record: Record) -> Moment:
    return Moment.parse(f"{record['moment']}@{record['era']}" if record["era"] else record["moment"])


def _is_change(change: Change) -> bool:
    """Whether anything changed at all."""
    return bool(change.rows) if change.rows is not None else change.columns is None or bool(change.columns)
