"""A row of a Supabase export, texts in the order of its header, into a record."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from core.errors import FileRefusedError
from services.imports.reading import Tally, shown
from services.imports.rights import flat_rights
from services.imports.shapes import Column, Kind, Shape
from services.imports.supabase_meanings import COLUMNS, EMPTIED, ENUMS, NOBODY, REFUSED
from services.imports.supabase_values import READERS, with_kept
from services.imports.values import RowRefusedError, Whole, json_text, refused


class SupabaseRows:
    """Reads the rows of one table.

    Attributes:
        columns: Ours, in the order of the header; what is in the file beside them is not kept.
    """

    def __init__(self, shape: Shape, header: Sequence[str], tally: Tally) -> None:
        """Take the header.

        Raises:
            FileRefusedError: It has a column twice, no id, or no tenant where there are tenants' rows.
        """
        self._shape = shape
        self._tally = tally
        self._width = len(header)
        places = self._placed(header)
        self.columns = tuple(column for column in shape.columns if column.name in places)
        self._readers = [(column.field, places[column.name], self._reader(column)) for column in self.columns]
        self._id_place = places["id"]
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
        self._whole = Whole(self.columns)
        self._unknown = [name for name, place in places.items() if name not in self._at]

    def _placed(self, header: Sequence[str]) -> dict[str, int]:
        places: dict[str, int] = {}
        for place, name in enumerate(header):
            known = COLUMNS.get((self._shape.table, name), name)
            if known in places:
                raise FileRefusedError(f"{self._shape.table} has the column {shown(name)} twice")
            places[known] = place
        if "id" not in places:
            raise FileRefusedError(
                f"{self._shape.table} has no column `id`: its first line must name the columns"
            )
        for column in self._shape.columns:
            is_needed = column.is_needed or column.name == "tenant_id"  # without, rows would be everybody's
            if is_needed and column.name not in places:
                raise FileRefusedError(f"{self._shape.table} has no column `{column.name}`")
        return places

    def read(self, fields: Sequence[str | None]) -> tuple[str, list[Any]]:
        """A row's id and its record; None among the fields is NULL.

        Raises:
            RowRefusedError: It is none that can be taken.
        """
        if len(fields) != self._width:
            raise RowRefusedError(f"has {len(fields)} fields, where the header has {self._width}")
        row_id = fields[self._id_place] or ""
        try:
            record = self._record(fields)
            self._mean(record)
            return row_id, self._whole.made(record)
        except RowRefusedError as error:
            error.row_id = row_id
            raise

    def _record(self, fields: Sequence[str | None]) -> list[Any]:
        record: list[Any] = []
        field = ""
        try:
            for field, place, reader in self._readers:  # noqa: B007 - told of by the error
                value = fields[place]
                record.append(None if value is None else reader(value))
        except (ValueError, RecursionError) as error:
            raise refused(field, error) from error
        for name in self._unknown:
            self._tally.unknown.add(name)
        return record

    def _mean(self, record: list[Any]) -> None:
        """Put in place what means something else here."""
        for at, column, means, nothing in self._enums:
            before = record[at]
            if before in nothing:
                raise RowRefusedError(f"{column.field}: {nothing[before]}")
            if before in means:
                record[at] = means[before]
                self._tally.changed.add(f"{column.field}: {before} became {means[before]}")
                self._keep(record, column.name, before)
        if (
            self._shape.table == "data_sources"
            and "site_id" in self._at
            and record[self._at["site_id"]] == NOBODY
        ):
            record[self._at["site_id"]] = None
            self._tally.changed.add("siteId: the zero UUID became absent")

    def _keep(self, record: list[Any], column: str, before: str) -> None:
        emptied = EMPTIED.get((self._shape.table, before))
        if emptied in self._at:
            record[self._at[emptied]] = None
        at = self._at.get("metadata")
        try:
            kept = None if at is None else with_kept(record[at], column, before)
        except ValueError as error:
            raise refused("metadata", error) from error
        if at is not None and kept is not None:
            record[at] = kept

    def _reader(self, column: Column) -> Callable[[str], Any]:
        if (self._shape.table, column.name) == ("roles", "rights"):
            return self._rights
        return READERS[column.kind]

    def _rights(self, value: str) -> str | None:
        read = READERS[Kind.JSON](value)
        return None if read is None else json_text(flat_rights(orjson.loads(read), self._tally))
