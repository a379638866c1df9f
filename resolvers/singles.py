"""Single rows: what resolves a by-id field, a to-one relation, and a row that points back."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from strawberry.dataloader import DataLoader

from core.database import Record
from core.errors import ForbiddenError
from resolvers.level import Level
from resolvers.lists import Info, Resolver
from resolvers.parameters import refuse_unstorable
from resolvers.rows import Rows
from resolvers.selection import Syntax, columns_of
from schema.table import Choice, Reference, Table
from schema.tables import BY_NAME


def _level(info: Info, table: Table, key: str, *, include_deleted: bool = False) -> Level:
    selected = Syntax.of(info).fields(info.field_nodes, table.type_name)
    return Level(table, columns_of(table, selected), key=key, include_deleted=include_deleted)


def _loader(rows: Rows, level: Level) -> DataLoader[str, Record | None]:
    async def load(keys: list[str]) -> list[Record | ForbiddenError | None]:
        found = await rows.by_key(level, keys)
        return [found.get(key) for key in keys]

    return DataLoader(load)


def by_id(table: Table) -> Resolver:
    """The resolver of the root field that takes a row's id."""

    async def resolve(_root: object, info: Info, **arguments: Any) -> Record | None:
        rows = info.context.door()
        row_id: str = arguments["id"]
        refuse_unstorable(row_id)
        level = _level(info, table, "id", include_deleted=bool(arguments.get("includeDeleted")))
        found = (await rows.by_key(level, [row_id])).get(row_id)
        if isinstance(found, ForbiddenError):
            raise found
        return found

    return resolve


def by_unique(table: Table, column: str) -> Resolver:
    """The resolver of a root field that takes another value by which the undeleted rows are told apart.

    With `includeDeleted` several can have it: the undeleted one is given, else the one deleted last.
    """

    async def resolve(_root: object, info: Info, **arguments: Any) -> Record | None:
        value: str = arguments[column]
        refuse_unstorable(value)
        level = _level(info, table, column)
        if not arguments.get("includeDeleted"):
            return next(iter(await info.context.door().find(level, [value])), None)
        columns = tuple(dict.fromkeys((*level.columns, table.columns["deleted_at"])))
        found = await info.context.door().find(replace(level, columns=columns, include_deleted=True), [value])
        return max(found, key=_by_life, default=None)

    return resolve


def _by_life(record: Record) -> tuple[bool, int, str]:
    deleted_at: int | None = record["deleted_at"]
    return deleted_at is None, deleted_at or 0, record["id"]


def to_one(reference: Reference) -> Resolver:
    """The resolver of the row that `reference` names; a deleted one answers null."""
    target = BY_NAME[reference.table]

    def resolve(row: Record, info: Info) -> Awaitable[Record | None] | None:
        key: str | None = row[reference.column]
        if key is None:
            return None
        return follow(info, target, "id", key)

    return resolve


def to_only(child: Table, reference: Reference) -> Resolver:
    """The resolver of the one row of `child` that points at a row by `reference`."""

    def resolve(row: Record, info: Info) -> Awaitable[Record | None]:
        return follow(info, child, reference.column, row["id"])

    return resolve


def follow(info: Info, table: Table, column: str, key: str) -> Awaitable[Record | None]:
    """The row of `table` whose `column` is `key`, together with those that are asked for at the same place."""
    operation = info.context
    loader = operation.once(info, lambda: _loader(operation.door(), _level(info, table, column)))
    return loader.load(key)


class Chosen:
    """A row together with the type that it is of, for a union; reads like the row."""

    __slots__ = ("_row", "type_name")

    def __init__(self, row: Record, type_name: str) -> None:
        self._row = row
        self.type_name = type_name

    def __getitem__(self, name: str) -> Any:
        return self._row[name]


def chosen(choice: Choice) -> Resolver:
    """The resolver of a reference whose table another column names."""
    targets = {value: BY_NAME[name] for value, name in choice.members.items()}

    async def resolve(row: Record, info: Info) -> Chosen | None:
        target = targets[row[choice.discriminator]]
        loaders = info.context.once(info, dict)
        if target.name not in loaders:
            loaders[target.name] = _loader(info.context.door(), _level(info, target, "id"))
        found = await loaders[target.name].load(row[choice.column])
        return None if found is None else Chosen(found, target.type_name)

    return resolve
