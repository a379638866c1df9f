"""Resolvers of single rows: a by-id field, a to-one relation, and a single row that refers back."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from strawberry.dataloader import DataLoader

from core.database.database import Record
from core.errors import ForbiddenError
from resolvers.loaders.connections import Info, Resolver
from resolvers.sql.data_access import DataAccess
from resolvers.sql.list_query import ListQuery
from resolvers.sql.parameters import require_bindable_text
from resolvers.sql.selection import SelectionReader, list_needed_columns
from schema.table import Choice, Reference, Table
from schema.tables import BY_NAME


def _build_lookup_query(info: Info, table: Table, key: str, *, include_deleted: bool = False) -> ListQuery:
    selected = SelectionReader.from_info(info).collect_fields_by_name(info.field_nodes, table.type_name)
    return ListQuery(table, list_needed_columns(table, selected), key=key, include_deleted=include_deleted)


def _make_row_loader(rows: DataAccess, query: ListQuery) -> DataLoader[str, Record | None]:
    async def load(keys: list[str]) -> list[Record | ForbiddenError | None]:
        found = await rows.fetch_by_key(query, keys)
        return [found.get(key) for key in keys]

    return DataLoader(load)


def build_id_resolver(table: Table) -> Resolver:
    """The resolver of the root field that takes a row's id."""

    async def resolve(_root: object, info: Info, **arguments: Any) -> Record | None:
        rows = info.context.require_data_access()
        row_id: str = arguments["id"]
        require_bindable_text(row_id)
        query = _build_lookup_query(info, table, "id", include_deleted=bool(arguments.get("includeDeleted")))
        found = (await rows.fetch_by_key(query, [row_id])).get(row_id)
        if isinstance(found, ForbiddenError):
            raise found
        return found

    return resolve


def build_unique_key_resolver(table: Table, column: str) -> Resolver:
    """The resolver of a root field that takes another unique value. It is unique among the undeleted rows.

    With `includeDeleted` several rows can have it. The answer is the undeleted row, else the one deleted last.
    """

    async def resolve(_root: object, info: Info, **arguments: Any) -> Record | None:
        value: str = table.canonical.get(column, str)(arguments[column])
        require_bindable_text(value)
        query = _build_lookup_query(info, table, column)
        if not arguments.get("includeDeleted"):
            return next(iter(await info.context.require_data_access().fetch_rows(query, [value])), None)
        columns = tuple(dict.fromkeys((*query.columns, table.columns["deleted_at"])))
        found = await info.context.require_data_access().fetch_rows(
            replace(query, columns=columns, include_deleted=True), [value]
        )
        return max(found, key=_build_deletion_key, default=None)

    return resolve


def _build_deletion_key(record: Record) -> tuple[bool, int, str]:
    deleted_at: int | None = record["deleted_at"]
    return deleted_at is None, deleted_at or 0, record["id"]


def to_one_resolver(reference: Reference) -> Resolver:
    """The resolver of the row to which `reference` refers. A deleted row gives null."""
    target = BY_NAME[reference.table]

    def resolve(row: Record, info: Info) -> Awaitable[Record | None] | None:
        key: str | None = row[reference.column]
        if key is None:
            return None
        return load_row(info, target, "id", key)

    return resolve


def to_only_resolver(child: Table, reference: Reference) -> Resolver:
    """The resolver of the one row of `child` that refers to a row by `reference`."""

    def resolve(row: Record, info: Info) -> Awaitable[Record | None]:
        return load_row(info, child, reference.column, row["id"])

    return resolve


def load_row(info: Info, table: Table, column: str, key: str) -> Awaitable[Record | None]:
    """Load the row of `table` with `column` equal to `key`. All keys of the same place are loaded together."""
    operation = info.context
    loader = operation.get_or_create(
        info,
        lambda: _make_row_loader(operation.require_data_access(), _build_lookup_query(info, table, column)),
    )
    return loader.load(key)


class UnionRow:
    """A row of a union with its type. It gives access to the row's values."""

    __slots__ = ("_row", "type_name")

    def __init__(self, row: Record, type_name: str) -> None:
        self._row = row
        self.type_name = type_name

    def __getitem__(self, name: str) -> Any:
        return self._row[name]


def build_union_resolver(choice: Choice) -> Resolver:
    """The resolver of a reference to a table that another column names."""
    targets = {value: BY_NAME[name] for value, name in choice.members.items()}

    async def resolve(row: Record, info: Info) -> UnionRow | None:
        target = targets[row[choice.discriminator]]
        loaders = info.context.get_or_create(info, dict)
        if target.name not in loaders:
            loaders[target.name] = _make_row_loader(
                info.context.require_data_access(), _build_lookup_query(info, target, "id")
            )
        found = await loaders[target.name].load(row[choice.column])
        return None if found is None else UnionRow(found, target.type_name)

    return resolve
