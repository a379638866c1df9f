"""The words in which a mutation is declared, and the four that follow from a table's record."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from strawberry.scalars import ID
from strawberry.types.arguments import StrawberryArgument

from core.errors import refuse_beyond
from core.limits import WRITE_ROWS_MAX
from schema.connections import argument
from schema.inputs import create_input, update_input
from schema.scalars import Timestamp
from schema.table import Table
from services.writes.changes import create, delete, restore, update
from services.writes.record import Record, Row, Verb
from services.writes.writing import Writing

Arguments = Mapping[str, Any]
"""A client's arguments, and the fields of its `input`, by our names: what was left out is not among them."""

Run = Callable[[Writing, Arguments], Awaitable[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class MutationField:
    """One field of `Mutation`.

    Attributes:
        name: Its GraphQL name.
        about: What the schema tells of it.
        arguments: What it takes.
        run: What does it, in the transaction of the write. Returns the ids of the rows that it answers, or where
            there is a `payload` what that is read from, attribute by attribute.
        table: The table whose rows it answers.
        many: Whether it answers a list of them, else exactly one.
        payload: The type that it answers, where that is no table's.
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
    "Do it only if the row's `updatedAt` is this still; otherwise nothing is done, and the error is CONFLICT.",
)


def row_id(table: Table) -> StrawberryArgument:
    """The argument that names the row."""
    return argument("id", ID, f"Which {table.type_name}.")


def row_ids(table: Table) -> StrawberryArgument:
    """The argument that names many rows."""
    return argument(
        "ids",
        list[ID],
        f"Which of the `{table.many}`, {WRITE_ROWS_MAX} at most: all are written, or none is.",
    )


def fields_of(table: Table, record: Record) -> Iterator[MutationField]:
    """The mutations that follow from what may be written of a table."""
    for verb in Verb:
        if verb in record.verbs:
            yield _MAKERS[verb](table, record)
        if verb in record.bulk:
            yield _bulk(table, record, verb)


def _create(table: Table, record: Record) -> MutationField:
    async def run(writing: Writing, given: Arguments) -> list[str]:
        return [(await create(writing, record, given["input"]))["id"]]

    given = [argument("input", create_input(table, record), "The new row.")]
    return MutationField(
        name=f"create{table.type_name}",
        about=f"Create a {table.type_name}. {_takes(record, Verb.CREATE)}",
        arguments=given,
        run=run,
        table=table,
    )


def _update(table: Table, record: Record) -> MutationField:
    async def run(writing: Writing, given: Arguments) -> list[str]:
        return _ids(await update(writing, record, [given["id"]], given["input"], given.get("if_updated_at")))

    given = [row_id(table), argument("input", update_input(table, record), "What to change.")]
    return MutationField(
        name=f"update{table.type_name}",
        about=f"Change a {table.type_name}. {_takes(record, Verb.UPDATE)}",
        arguments=[*given, *([IF_UPDATED_AT] if record.stamped else [])],
        run=run,
        table=table,
    )


def _delete(table: Table, record: Record) -> MutationField:
    async def run(writing: Writing, given: Arguments) -> list[str]:
        return _ids(await delete(writing, record, [given["id"]], given.get("if_updated_at")))

    return MutationField(
        name=f"delete{table.type_name}",
        about=f"Delete a {table.type_name}; it can be restored. {_takes(record, Verb.DELETE)}",
        arguments=[row_id(table), *([IF_UPDATED_AT] if record.stamped else [])],
        run=run,
        table=table,
    )


def _restore(table: Table, record: Record) -> MutationField:
    async def run(writing: Writing, given: Arguments) -> list[str]:
        return _ids(await restore(writing, record, [given["id"]]))

    return MutationField(
        name=f"restore{table.type_name}",
        about=f"Bring a deleted {table.type_name} back. {_takes(record, Verb.RESTORE)}",
        arguments=[row_id(table)],
        run=run,
        table=table,
    )


_MAKERS: Final = {Verb.CREATE: _create, Verb.UPDATE: _update, Verb.DELETE: _delete, Verb.RESTORE: _restore}
_BULK_ABOUT: Final = {
    Verb.UPDATE: "Change many `{many}` alike: all of them, or none.",
    Verb.DELETE: "Delete many `{many}`, all of them or none; they can be restored.",
    Verb.RESTORE: "Bring many deleted `{many}` back: all of them, or none.",
}


def _bulk(table: Table, record: Record, verb: Verb) -> MutationField:
    async def run(writing: Writing, given: Arguments) -> list[str]:
        ids = given["ids"]
        refuse_beyond("writtenRows", WRITE_ROWS_MAX, len(ids), "rows to write")
        if verb is Verb.UPDATE:
            return _ids(await update(writing, record, ids, given["input"]))
        return _ids(await (delete if verb is Verb.DELETE else restore)(writing, record, ids))

    given = [row_ids(table)]
    if verb is Verb.UPDATE:
        given.append(argument("input", update_input(table, record), "What to change in each of them."))
    return MutationField(
        name=f"{verb.value}{table.many[0].upper()}{table.many[1:]}",
        about=f"{_BULK_ABOUT[verb].format(many=table.many)} {_takes(record, verb)}",
        arguments=given,
        run=run,
        table=table,
        many=True,
    )


def _ids(rows: Sequence[Row]) -> list[str]:
    return [row["id"] for row in rows]


def _takes(record: Record, verb: Verb) -> str:
    if record.takes_platform(verb):
        return "For the platform alone."
    return f"Takes the right `{record.write_right}`."
