"""Creates, updates, deletes and restores rows of any record: one function a verb, each of them whole.

In this order: the right, the input with all that is wrong with it, the row with its lock, the record's own rules, the
write, what must hold after it, the trail.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from core.errors import ConflictError
from services.writes.audit import audit
from services.writes.complaints import Complaints
from services.writes.record import Owner, Record, Row, Values, Verb
from services.writes.references import check_references
from services.writes.statements import change, insert, locked, mark
from services.writes.writing import Writing

Given = Mapping[str, Any]
"""A client's input by columns' names: what is left out is not in it, what is to be cleared is None."""


async def create(writing: Writing, record: Record, given: Given) -> Row:
    """Create a row.

    Raises:
        ProductError: The viewer may not, the input is not good, or the value is taken.
    """
    require(writing, record, Verb.CREATE)
    complaints = Complaints()
    values = await _read(writing, record, Verb.CREATE, given, complaints)
    await record.prepare(writing, None, values, complaints)
    complaints.tell()
    await record.guard(writing, Verb.CREATE, None, values)
    after = await insert(writing, record, values)
    await _finish(writing, record, Verb.CREATE, [(None, after)])
    return after


async def update(
    writing: Writing,
    record: Record,
    ids: Sequence[str],
    given: Given,
    if_updated_at: int | None = None,
) -> list[Row]:
    """Change rows; those in which nothing would change are not touched. Returns all of them as they are now.

    Args:
        writing: The write.
        record: Of which table.
        ids: Which rows.
        given: What to change.
        if_updated_at: Their `updated_at` in ms, where it must be this still.

    Raises:
        ProductError: The viewer may not, a row is not there, the input is not good, or somebody was faster.
    """
    require(writing, record, Verb.UPDATE)
    return await rewrite(writing, record, ids, given, if_updated_at)


async def rewrite(
    writing: Writing,
    record: Record,
    ids: Sequence[str],
    given: Given,
    if_updated_at: int | None = None,
) -> list[Row]:
    """The same for callers who have seen to the right.

    Raises:
        ProductError: As `update`.
    """
    complaints = Complaints()
    values = await _read(writing, record, Verb.UPDATE, given, complaints)
    rows = await locked(writing, record, ids, Verb.UPDATE)
    require_unchanged(record, rows, if_updated_at)
    wanted: list[tuple[Row, Values]] = []
    for before in rows:
        own = dict(values)
        await record.prepare(writing, before, own, complaints)
        wanted.append((before, _differing(record, before, own)))
    complaints.tell()
    for before, own in wanted:
        if own:
            await record.guard(writing, Verb.UPDATE, before, own)
    return await _write(writing, record, wanted)


async def delete(
    writing: Writing, record: Record, ids: Sequence[str], if_updated_at: int | None = None
) -> list[Row]:
    """Mark rows as deleted; returns them.

    Raises:
        ProductError: The viewer may not, a row is not there, is needed, or somebody was faster.
    """
    require(writing, record, Verb.DELETE)
    rows = await locked(writing, record, ids, Verb.DELETE)
    require_unchanged(record, rows, if_updated_at)
    for before in rows:
        await record.guard(writing, Verb.DELETE, before, {})
    after = await mark(writing, record, [row["id"] for row in rows], deleted=True)
    await _finish(writing, record, Verb.DELETE, zip(rows, after, strict=True))
    return after


async def restore(writing: Writing, record: Record, ids: Sequence[str]) -> list[Row]:
    """Bring deleted rows back; those that are not deleted stay as they are. Returns all of them.

    Raises:
        ProductError: The viewer may not, a row is not there, or what it holds is taken meanwhile.
    """
    require(writing, record, Verb.RESTORE)
    rows = await locked(writing, record, ids, Verb.RESTORE)
    gone = [row for row in rows if row["deleted_at"] is not None]
    for before in gone:
        await record.guard(writing, Verb.RESTORE, before, {})
    back = await mark(writing, record, [row["id"] for row in gone], deleted=False)
    await _finish(writing, record, Verb.RESTORE, zip(gone, back, strict=True))
    now = {row["id"]: row for row in back}
    return [now.get(row["id"], row) for row in rows]


def require(writing: Writing, record: Record, verb: Verb) -> None:
    """Make sure that the viewer may do this with rows of the record at all.

    Raises:
        ForbiddenError: They may not.
        BadUserInputError: The platform names no tenant where one is needed.
    """
    what = f"To {verb.value} {record.table}"
    if record.takes_platform(verb):
        writing.require_platform(what)
    writing.require(record.write_right, what)
    if record.owner is Owner.TENANT:
        writing.tenant()


def require_unchanged(record: Record, rows: Iterable[Row], if_updated_at: int | None) -> None:
    """Make sure that rows are still as a client knows them.

    Raises:
        ConflictError: Somebody was faster.
    """
    if if_updated_at is None:
        return
    for row in rows:
        if row["updated_at"] != if_updated_at:
            raise ConflictError(
                f"Somebody has changed this {record.one} meanwhile",
                {"ifUpdatedAt": f"is no longer right: it was changed at {row['updated_at']}"},
            )


async def _read(writing: Writing, record: Record, verb: Verb, given: Given, complaints: Complaints) -> Values:
    fields = record.settable(verb)
    values: Values = {}
    for field in (field for field in fields if field.name in given):
        value = given[field.name]
        if field.platform:
            writing.require_platform(f"To set `{field.name}` of {record.table}")
        if value is not None:
            with complaints.about(field.name):
                values[field.name] = field.kind.read(value)
        elif field.null:
            values[field.name] = None
        elif not (field.default and verb is Verb.CREATE):
            complaints.add(field.name, "must not be null")
    await check_references(writing, fields, values, complaints)
    return values


def _differing(record: Record, before: Row, values: Values) -> Values:
    return {
        name: value for name, value in values.items() if not _same(record.types[name], before[name], value)
    }


def _same(sql_type: str, before: Any, value: Any) -> bool:
    if sql_type == "jsonb" and before is not None and value is not None:
        return bool(orjson.loads(before) == orjson.loads(value))
    return bool(before == value)


async def _write(writing: Writing, record: Record, wanted: Sequence[tuple[Row, Values]]) -> list[Row]:
    """Write to each row what is wanted of it, rows with equal values in one statement."""
    groups: dict[str, tuple[Values, list[str]]] = {}
    for before, values in wanted:
        if values:
            groups.setdefault(repr(values), (values, []))[1].append(before["id"])
    written = {
        row["id"]: row
        for values, ids in groups.values()
        for row in await change(writing, record, ids, values)
    }
    changed = [(before, written[before["id"]]) for before, _ in wanted if before["id"] in written]
    await _finish(writing, record, Verb.UPDATE, changed)
    return [written.get(before["id"], before) for before, _ in wanted]


async def _finish(
    writing: Writing, record: Record, verb: Verb, written: Iterable[tuple[Row | None, Row]]
) -> None:
    pairs = list(written)
    for before, after in pairs:
        await record.settle(writing, verb, before, after)
    await audit(writing, record, verb, pairs)
