"""Creates, updates, deletes and restores rows of any record. Each function is one operation, done as a whole.

The order of the steps: the right, the input with all its errors, the row with its lock, the record's own
rules, the write, the checks of its result, the audit log.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.clock import NEVER
from core.errors import BadUserInputError, RowChangedError
from core.exact_json import is_same_json_text
from services.writes.audit import audit_viewer_write
from services.writes.parents import require_parents
from services.writes.record import Row, RowOwner, Values, WritableField, WritableTable, WriteVerb
from services.writes.references import check_references
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext
from services.writes.write_sql import insert_row, lock_rows, mark_deleted, update_columns

Given = Mapping[str, Any]
"""A client's input by column name. A field that is left out is missing, and one to be cleared is None."""


async def create_row(
    writing: WriteContext, record: WritableTable, given: Given, *, is_global: bool = False
) -> Row:
    """Create a row; with `is_global` one without a tenant, which is offered to all tenants.

    Raises:
        ProductError: The viewer may not, the input is not valid, or a unique value is taken.
    """
    require_write_right(writing, record, WriteVerb.CREATE)
    require_owner_named(writing, record, is_global=is_global)
    errors = ValidationErrors()
    values = await _read_values(writing, record, WriteVerb.CREATE, given, errors)
    await record.prepare(writing, None, values, errors)
    errors.raise_errors()
    await record.guard(writing, WriteVerb.CREATE, None, values)
    after = await insert_row(writing, record, values)
    await _complete_and_audit(writing, record, WriteVerb.CREATE, [(None, after)])
    return after


def require_owner_named(writing: WriteContext, record: WritableTable, *, is_global: bool) -> None:
    """Require that a new row's owner is clear: a tenant, or by `global` all of them.

    Raises:
        ForbiddenError: A tenant's user creates a global row.
        BadUserInputError: The platform names neither a tenant nor `global`, or both.
    """
    if record.owner is not RowOwner.TENANT_OR_GLOBAL:
        return
    if is_global:
        writing.require_platform(f"Creating a global {record.one}")
    if writing.is_platform and is_global == (writing.viewer.tenant_id is not None):
        raise BadUserInputError(
            f"A {record.one} belongs to one tenant or is global: name a tenant by the header X-Tenant-Id, "
            "or give `global: true` without the header"
        )


async def update_rows(
    writing: WriteContext,
    record: WritableTable,
    ids: Sequence[str],
    given: Given,
    if_updated_at: int | None = None,
) -> list[Row]:
    """Update rows and return all of them as they are now. Rows without changes are not touched.

    Args:
        writing: The write.
        record: The record of the table.
        ids: The ids of the rows.
        given: The changes.
        if_updated_at: The `updated_at` in ms that all rows must still have, if any.

    Raises:
        ProductError: The viewer may not, a row does not exist, the input is not valid, or a row was changed
            meanwhile.
    """
    require_write_right(writing, record, WriteVerb.UPDATE)
    return await update_authorized_rows(writing, record, ids, given, if_updated_at)


async def update_authorized_rows(
    writing: WriteContext,
    record: WritableTable,
    ids: Sequence[str],
    given: Given,
    if_updated_at: int | None = None,
) -> list[Row]:
    """Update rows without a check of the right, which the caller has done.

    Raises:
        ProductError: As `update_rows`.
    """
    errors = ValidationErrors()
    values = await _read_values(writing, record, WriteVerb.UPDATE, given, errors)
    rows = await lock_rows(writing, record, ids, WriteVerb.UPDATE)
    require_unchanged(record, rows, if_updated_at)
    wanted: list[tuple[Row, Values]] = []
    for before in rows:
        own = dict(values)
        await record.prepare(writing, before, own, errors)
        wanted.append((before, _select_changed_values(record, before, own)))
    errors.raise_errors()
    for before, own in wanted:
        if own:
            await record.guard(writing, WriteVerb.UPDATE, before, own)
    return await _write_rows(writing, record, wanted)


async def delete_rows(
    writing: WriteContext, record: WritableTable, ids: Sequence[str], if_updated_at: int | None = None
) -> list[Row]:
    """Mark rows as deleted; returns them.

    Raises:
        ProductError: The viewer may not, a row does not exist, is still needed, or was changed meanwhile.
    """
    require_write_right(writing, record, WriteVerb.DELETE)
    rows = await lock_rows(writing, record, ids, WriteVerb.DELETE)
    require_unchanged(record, rows, if_updated_at)
    for before in rows:
        await record.guard(writing, WriteVerb.DELETE, before, {})
    after = await mark_deleted(writing, record, [row["id"] for row in rows], deleted=True)
    await _complete_and_audit(writing, record, WriteVerb.DELETE, zip(rows, after, strict=True))
    return after


async def restore_rows(writing: WriteContext, record: WritableTable, ids: Sequence[str]) -> list[Row]:
    """Restore deleted rows and return all of the rows. Those that are not deleted stay as they are.

    Raises:
        ProductError: The viewer may not, a row does not exist, or its unique values are taken meanwhile.
    """
    require_write_right(writing, record, WriteVerb.RESTORE)
    rows = await lock_rows(writing, record, ids, WriteVerb.RESTORE)
    gone = [row for row in rows if row["deleted_at"] is not None]
    await require_parents(writing, record, [row["id"] for row in gone])
    for before in gone:
        await record.guard(writing, WriteVerb.RESTORE, before, {})
    back = await mark_deleted(writing, record, [row["id"] for row in gone], deleted=False)
    await _complete_and_audit(writing, record, WriteVerb.RESTORE, zip(gone, back, strict=True))
    now = {row["id"]: row for row in back}
    return [now.get(row["id"], row) for row in rows]


def require_write_right(writing: WriteContext, record: WritableTable, verb: WriteVerb) -> None:
    """Require that the viewer may use this verb on rows of the record at all.

    Raises:
        ForbiddenError: The viewer may not.
        BadUserInputError: The platform names no tenant although one is needed.
    """
    what = f"The operation {verb.value} on {record.table}"
    if record.requires_platform(verb):
        writing.require_platform(what)
    writing.require_right(record.write_right, what)
    if record.owner is RowOwner.TENANT:
        writing.require_tenant()


def require_unchanged(record: WritableTable, rows: Iterable[Row], if_updated_at: int | None) -> None:
    """Require that rows are unchanged since the client read them.

    Raises:
        ConflictError: A row was changed meanwhile.
    """
    if if_updated_at is None:
        return
    for row in rows:
        if row["updated_at"] != if_updated_at:
            raise RowChangedError(
                f"Another request has changed this {record.one} in the meantime", row["updated_at"]
            )


async def _read_values(
    writing: WriteContext, record: WritableTable, verb: WriteVerb, given: Given, errors: ValidationErrors
) -> Values:
    fields = record.list_settable_fields(verb)
    values: Values = {}
    for field in (field for field in fields if field.name in given):
        value = given[field.name]
        if field.platform:
            writing.require_platform(f"Setting `{field.name}` of {record.table}")
        if value is not None:
            with errors.collect(field.name):
                values[field.name] = field.kind.parse(value)
        elif field.null or field.stores_never:
            values[field.name] = NEVER if field.stores_never else None
        elif not (field.default and verb is WriteVerb.CREATE):
            errors.add(field.name, "must not be null")
    if verb is WriteVerb.CREATE:
        _require_ends(fields, given, errors)
    await check_references(writing, fields, values, errors)
    return values


def _require_ends(fields: Iterable[WritableField], given: Given, errors: ValidationErrors) -> None:
    """Require that a new row's fields are given if their type allows null only because it means never."""
    for field in fields:
        if field.stores_never and not field.default and field.name not in given:
            errors.add(field.name, "must be given; null means never")


def _select_changed_values(record: WritableTable, before: Row, values: Values) -> Values:
    return {
        name: value
        for name, value in values.items()
        if not _is_same(record.column_types[name], before[name], value)
    }


def _is_same(sql_type: str, before: Any, value: Any) -> bool:
    if sql_type == "jsonb" and before is not None and value is not None:
        return is_same_json_text(before, value)
    return bool(before == value)


async def _write_rows(
    writing: WriteContext, record: WritableTable, wanted: Sequence[tuple[Row, Values]]
) -> list[Row]:
    """Write the new values of each row. Rows with equal values share one statement."""
    groups: dict[str, tuple[Values, list[str]]] = {}
    for before, values in wanted:
        if values:
            groups.setdefault(repr(values), (values, []))[1].append(before["id"])
    written = {
        row["id"]: row
        for values, ids in groups.values()
        for row in await update_columns(writing, record, ids, values)
    }
    changed = [(before, written[before["id"]]) for before, _ in wanted if before["id"] in written]
    await _complete_and_audit(writing, record, WriteVerb.UPDATE, changed)
    return [written.get(before["id"], before) for before, _ in wanted]


async def _complete_and_audit(
    writing: WriteContext, record: WritableTable, verb: WriteVerb, written: Iterable[tuple[Row | None, Row]]
) -> None:
    pairs = list(written)
    for before, after in pairs:
        await record.after_write(writing, verb, before, after)
    await audit_viewer_write(writing, record, verb, pairs)
