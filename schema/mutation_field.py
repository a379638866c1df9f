"""The declaration of a mutation, and the four mutations that are derived from a table's record."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from strawberry.scalars import ID
from strawberry.types.arguments import StrawberryArgument

from core.errors import require_within_limit
from core.limits import WRITE_ROWS_MAX
from schema.connections import argument
from schema.inputs import create_input, update_input
from schema.scalars import Timestamp
from schema.table import Table
from services.writes.record import Row, RowOwner, WritableTable, WriteVerb
from services.writes.row_changes import create_row, delete_rows, restore_rows, update_rows
from services.writes.write_context import WriteContext

Arguments = Mapping[str, Any]
"""A client's arguments and the fields of its `input`, by their Python names. Omitted values are absent."""

Run = Callable[[WriteContext, Arguments], Awaitable[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class MutationField:
    """One field of `Mutation`.

    Attributes:
        name: Its GraphQL name.
        about: Its description in the schema.
        arguments: Its arguments.
        run: Its implementation, run in the transaction of the write. Returns the ids of the rows in the
            response, or with a `payload` the object that the payload is read from, attribute by attribute.
        table: The table of the returned rows.
        many: Whether it returns a list of them, else exactly one.
        payload: The returned type, if it is no table's.
    """

    name: str
    about: str
    arguments: Sequence[StrawberryArgument]
    run: Run
    table: Table | None = None
    many: bool = False
    payload: type | None = None


IF_UPDATED_AT: Final = argument(
    "if_updated_at",
    Timestamp | None,
    "The expected `updatedAt` of the row. If the row has another value, nothing is written and the error is "
    "CONFLICT.",
)

_GLOBAL: Final = argument(
    "global",
    bool | None,
    "Whether the new row belongs to no tenant and is offered to every tenant. Only the platform may set it, "
    "in a request without the header `X-Tenant-Id`.",
)


def row_id(table: Table) -> StrawberryArgument:
    """The argument with the id of the row."""
    return argument("id", ID, f"The id of the {table.type_name}.")


def row_ids(table: Table) -> StrawberryArgument:
    """The argument with the ids of the rows."""
    return argument(
        "ids",
        list[ID],
        f"The ids of the `{table.many}`, at most {WRITE_ROWS_MAX}. All are written or none.",
    )


def fields_of(table: Table, record: WritableTable) -> Iterator[MutationField]:
    """The mutations that are derived from the writable columns of a table."""
    for verb in WriteVerb:
        if verb in record.verbs:
            yield _MAKERS[verb](table, record)
        if verb in record.bulk:
            yield _build_bulk(table, record, verb)


def _create(table: Table, record: WritableTable) -> MutationField:
    async def run(writing: WriteContext, given: Arguments) -> list[str]:
        is_global = bool(given.get("global"))
        return [(await create_row(writing, record, given["input"], is_global=is_global))["id"]]

    given = [argument("input", create_input(table, record), "The new row.")]
    return MutationField(
        name=f"create{table.type_name}",
        about=f"Creates a new {table.type_name}. {_describe_right(record, WriteVerb.CREATE)}",
        arguments=[*given, *([_GLOBAL] if record.owner is RowOwner.TENANT_OR_GLOBAL else [])],
        run=run,
        table=table,
    )


def _update(table: Table, record: WritableTable) -> MutationField:
    async def run(writing: WriteContext, given: Arguments) -> list[str]:
        return _list_ids(
            await update_rows(writing, record, [given["id"]], given["input"], given.get("if_updated_at"))
        )

    given = [row_id(table), argument("input", update_input(table, record), "The changes.")]
    return MutationField(
        name=f"update{table.type_name}",
        about=f"Updates an existing {table.type_name}. {_describe_right(record, WriteVerb.UPDATE)}",
        arguments=[*given, *([IF_UPDATED_AT] if record.stamped else [])],
        run=run,
        table=table,
    )


def _delete(table: Table, record: WritableTable) -> MutationField:
    async def run(writing: WriteContext, given: Arguments) -> list[str]:
        return _list_ids(await delete_rows(writing, record, [given["id"]], given.get("if_updated_at")))

    return MutationField(
        name=f"delete{table.type_name}",
        about=f"Deletes an existing {table.type_name}. It can be restored. {_describe_right(record, WriteVerb.DELETE)}",  # noqa: E501
        arguments=[row_id(table), *([IF_UPDATED_AT] if record.stamped else [])],
        run=run,
        table=table,
    )


def _restore(table: Table, record: WritableTable) -> MutationField:
    async def run(writing: WriteContext, given: Arguments) -> list[str]:
        return _list_ids(await restore_rows(writing, record, [given["id"]]))

    return MutationField(
        name=f"restore{table.type_name}",
        about=f"Restores a deleted {table.type_name}. {_describe_right(record, WriteVerb.RESTORE)}",
        arguments=[row_id(table)],
        run=run,
        table=table,
    )


_MAKERS: Final = {
    WriteVerb.CREATE: _create,
    WriteVerb.UPDATE: _update,
    WriteVerb.DELETE: _delete,
    WriteVerb.RESTORE: _restore,
}
_BULK_ABOUT: Final = {
    WriteVerb.UPDATE: "Makes the same changes to many `{many}`: all or none.",
    WriteVerb.DELETE: "Deletes many `{many}`: all or none. They can be restored.",
    WriteVerb.RESTORE: "Restores many deleted `{many}`: all or none.",
}


def _build_bulk(table: Table, record: WritableTable, verb: WriteVerb) -> MutationField:
    async def run(writing: WriteContext, given: Arguments) -> list[str]:
        ids = given["ids"]
        require_within_limit("writtenRows", WRITE_ROWS_MAX, len(ids), "rows to write")
        if verb is WriteVerb.UPDATE:
            return _list_ids(await update_rows(writing, record, ids, given["input"]))
        return _list_ids(
            await (delete_rows if verb is WriteVerb.DELETE else restore_rows)(writing, record, ids)
        )

    given = [row_ids(table)]
    if verb is WriteVerb.UPDATE:
        given.append(argument("input", update_input(table, record), "The changes to each row."))
    return MutationField(
        name=f"{verb.value}{table.many[0].upper()}{table.many[1:]}",
        about=f"{_BULK_ABOUT[verb].format(many=table.many)} {_describe_right(record, verb)}",
        arguments=given,
        run=run,
        table=table,
        many=True,
    )


def _list_ids(rows: Sequence[Row]) -> list[str]:
    return [row["id"] for row in rows]


def _describe_right(record: WritableTable, verb: WriteVerb) -> str:
    if record.requires_platform(verb):
        names = " It names the tenant in the header `X-Tenant-Id`." if record.owner is RowOwner.TENANT else ""
        return f"Only the platform may use it.{names}"
    return f"Requires the right `{record.write_right}`."
