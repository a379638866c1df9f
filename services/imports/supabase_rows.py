"""Converts a row of a Supabase export, texts in the order of its header, to a record."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from core.errors import FileRefusedError
from core.exact_json import parse_json
from core.limits import IMPORT_LINE_BYTES_MAX
from core.storable import dump_storable_json
from services.imports.import_tables import ColumnKind, ImportColumn, ImportTable
from services.imports.rights import flatten_rights
from services.imports.row_values import (
    WRAPPED,
    RecordCompleter,
    RowRefusedError,
    build_refusal,
)
from services.imports.source import TableTally, format_value
from services.imports.supabase_mapping import COLUMNS, EMPTIED, ENUMS, NOBODY, REFUSED
from services.imports.supabase_values import READERS, add_original_value


class SupabaseRowReader:
    """Reads the rows of one table.

    Attributes:
        columns: Our columns, in the order of the header. The file's other columns are not kept.
    """

    def __init__(
        self, shape: ImportTable, header: Sequence[str], tally: TableTally, user_id_field: str | None = None
    ) -> None:
        """A reader for a header; `user_id_field` names the column with the ids of users if that is not `id`.

        Raises:
            FileRefusedError: A column occurs twice, the id is missing, or a tenant's table has no tenant.
        """
        self._shape = shape
        self._tally = tally
        self._width = len(header)
        positions = self._column_positions(header)
        self.columns = tuple(column for column in shape.columns if column.name in positions)
        self._readers = [
            (column.field, positions[column.name], self._build_reader(column)) for column in self.columns
        ]
        self._id_position = positions["id"]
        self._chosen_id: tuple[str, int] | None = None
        if user_id_field is not None and shape.table == "users":
            if user_id_field not in positions:
                raise FileRefusedError(f"users has no column {format_value(user_id_field)}")
            self._chosen_id = (user_id_field, positions[user_id_field])
        self._at = {column.name: at for at, column in enumerate(self.columns)}
        self._enums = [
            (
                at,
                column,
                ENUMS.get((shape.table, column.name), {}),
                REFUSED.get((shape.table, column.name), {}),
            )
            for at, column in enumerate(self.columns)
            if (shape.table, column.name) in ENUMS
        ]
        self._whole = RecordCompleter(self.columns, tally)
        self._unknown = [name for name in positions if name not in self._at and name != user_id_field]

    def _column_positions(self, header: Sequence[str]) -> dict[str, int]:
        positions: dict[str, int] = {}
        for position, name in enumerate(header):
            known = COLUMNS.get((self._shape.table, name), name)
            if known in positions:
                raise FileRefusedError(f"{self._shape.table} has the column {format_value(name)} twice")
            positions[known] = position
        if "id" not in positions:
            raise FileRefusedError(
                f"{self._shape.table} has no column `id`: its first line must name the columns"
            )
        for column in self._shape.columns:
            is_tenant = column.name == "tenant_id" and not column.is_derived  # else rows would have no tenant
            is_needed = column.is_needed or is_tenant
            if is_needed and column.name not in positions:
                raise FileRefusedError(f"{self._shape.table} has no column `{column.name}`")
        return positions

    def read_fields(self, fields: Sequence[str | None]) -> tuple[str, list[Any]]:
        """A row's id in the file and its record; None among the fields is NULL.

        Raises:
            RowRefusedError: The row is not valid.
        """
        if len(fields) != self._width:
            raise RowRefusedError(f"must have {self._width} fields as the header has, not {len(fields)}")
        row_id = fields[self._id_position] or ""
        try:
            record = self._build_record(fields)
            self._choose_id(record, fields)
            self._apply_mapping(record)
            return row_id, self._whole.complete(record)
        except RowRefusedError as error:
            error.row_id = row_id
            raise

    def _build_record(self, fields: Sequence[str | None]) -> list[Any]:
        record: list[Any] = []
        field = ""
        try:
            for field, position, reader in self._readers:  # noqa: B007 - the error uses it
                value = fields[position]
                record.append(None if value is None else reader(value))
        except (ValueError, RecursionError) as error:
            raise build_refusal(field, error) from error
        for name in self._unknown:
            self._tally.unknown.add(name)
        return record

    def _choose_id(self, record: list[Any], fields: Sequence[str | None]) -> None:
        if self._chosen_id is None:
            return
        name, position = self._chosen_id
        if chosen := fields[position]:
            try:
                record[self._at["id"]] = READERS[ColumnKind.TEXT](chosen)
            except ValueError as error:
                raise build_refusal(name, error) from error
        else:
            self._tally.changed.add(f"id: without {name} the id was kept")

    def _apply_mapping(self, record: list[Any]) -> None:
        """Replace the values that have another meaning here."""
        for at, column, means, nothing in self._enums:
            before = record[at]
            if before in nothing:
                raise RowRefusedError(f"{column.field}: {nothing[before]}")
            if before in means:
                record[at] = means[before]
                self._tally.changed.add(f"{column.field}: {before} became {means[before]}")
                self._keep_original(record, column.name, before)
        if (
            self._shape.table == "data_sources"
            and "site_id" in self._at
            and record[self._at["site_id"]] == NOBODY
        ):
            record[self._at["site_id"]] = None
            self._tally.changed.add("siteId: the zero UUID was removed")

    def _keep_original(self, record: list[Any], column: str, before: str) -> None:
        emptied = EMPTIED.get((self._shape.table, before))
        if emptied in self._at:
            record[self._at[emptied]] = None
        at = self._at.get("metadata")
        if at is None:
            return
        if record[at] is not None and record[at][0] != "{":
            self._tally.changed.add(WRAPPED.format("metadata"))
        try:
            record[at] = add_original_value(record[at], column, before)
        except ValueError as error:
            raise build_refusal("metadata", error) from error

    def _build_reader(self, column: ImportColumn) -> Callable[[str], Any]:
        if (self._shape.table, column.name) == ("roles", "rights"):
            return self._read_rights
        if column.kind is ColumnKind.INT:
            return self._count_fractions(column)
        return READERS[column.kind]

    def _count_fractions(self, column: ImportColumn) -> Callable[[str], int]:
        def read(value: str) -> int:
            whole: int = READERS[ColumnKind.INT](value)
            if whole != Decimal(value):
                self._tally.changed.add(f"{column.field}: rounded to an integer")
            return whole

        return read

    def _read_rights(self, value: str) -> str | None:
        read = READERS[ColumnKind.JSON](value)
        return (
            None
            if read is None
            else dump_storable_json(flatten_rights(parse_json(read), self._tally), IMPORT_LINE_BYTES_MAX)
        )
