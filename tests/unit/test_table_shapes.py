"""The meaning of the log's rows, as `TableShape` reads them."""

from typing import Any

import pytest

from subscriptions.change_log.change import ChangedRow, ChangeKind
from subscriptions.change_log.table_shapes import TableShape

RECORD: dict[str, Any] = {
    "table_name": "things",
    "columns": ["id", "size", "note", "is_on", "tags", "price", "data", "tenant_id"],
    "watched": ["id", "size", "is_on", "tags", "price", "tenant_id"],
    "types": ["text", "bigint", "boolean", "text[]", "numeric", "text"],
}
SHAPE = TableShape.from_record(RECORD)  # type: ignore[arg-type]  # a mapping has all that is asked of a record
EVERYTHING = frozenset(RECORD["columns"])
OLD: list[str | None] = ["a", "9007199254740993", "true", '["x", null]', "1.10", "t"]
OLD_VALUES = {
    "id": "a",
    "size": 9007199254740993,
    "is_on": True,
    "tags": ["x", None],
    "price": "1.10",
    "tenant_id": "t",
}
NULLS: list[str | None] = ["a", None, None, None, None, None]
NOTHING = [None] * 6
NOTE, DATA = 1 << 2, 1 << 6


def read_changed_row(kind: ChangeKind, line: list[str | None]) -> ChangedRow:
    rows = SHAPE.read_rows(kind, [line])
    assert len(rows) == 1
    return rows[0]


def test_table_shape_inserted_row_has_no_values_before() -> None:
    assert read_changed_row(ChangeKind.INSERT, OLD) == ChangedRow("a", None, OLD_VALUES, EVERYTHING)


def test_table_shape_deleted_row_has_no_values_after() -> None:
    assert read_changed_row(ChangeKind.DELETE, OLD) == ChangedRow("a", OLD_VALUES, None, EVERYTHING)


@pytest.mark.parametrize(
    ("position", "value", "column"),
    [(1, "3", "size"), (2, "false", "is_on"), (2, None, "is_on"), (3, "[]", "tags"), (4, "1.1", "price")],
)
def test_table_shape_updated_value_names_its_column(position: int, value: str | None, column: str) -> None:
    new = [*OLD[:position], value, *OLD[position + 1 :]]
    changed = read_changed_row(ChangeKind.UPDATE, ["0", *OLD, *new])
    assert changed.columns == {column}
    assert changed.before == OLD_VALUES
    assert changed.after is not None
    assert {name for name in OLD_VALUES if changed.after[name] != OLD_VALUES[name]} == {column}


def test_table_shape_unwatched_columns_are_named_without_values() -> None:
    changed = read_changed_row(ChangeKind.UPDATE, [str(NOTE | DATA), *OLD, *OLD])
    assert changed == ChangedRow("a", OLD_VALUES, OLD_VALUES, frozenset({"note", "data"}))


def test_table_shape_null_replaced_counts_as_a_change() -> None:
    changed = read_changed_row(ChangeKind.UPDATE, ["0", *NULLS, *OLD])
    assert changed.before == dict.fromkeys(OLD_VALUES) | {"id": "a"}
    assert changed.columns == {"size", "is_on", "tags", "price", "tenant_id"}


def test_table_shape_unchanged_row_is_left_out() -> None:
    assert SHAPE.read_rows(ChangeKind.UPDATE, [["0", *OLD, *OLD], ["0", *NULLS, *NULLS]]) == ()


def test_table_shape_changed_id_is_a_delete_and_an_insert() -> None:
    lines = [["0", *OLD, *NOTHING], ["0", *NOTHING, "b", *OLD[1:]]]
    assert SHAPE.read_rows(ChangeKind.UPDATE, lines) == (
        ChangedRow("a", OLD_VALUES, None, EVERYTHING),
        ChangedRow("b", None, OLD_VALUES | {"id": "b"}, EVERYTHING),
    )


def read_change(**fields: Any) -> Any:
    log_row = {"kind": 2, "rows": None, "tenants": None, "columns": None, "xid": 7, "number": 8, "at": 9}
    return SHAPE.read_change(log_row | fields)  # type: ignore[arg-type]  # as above


def test_table_shape_coarse_change_has_tenants_and_columns() -> None:
    change_read = read_change(tenants=["t", None], columns=1 | NOTE)
    assert (
        change_read.table,
        change_read.kind,
        change_read.origin.xid,
        change_read.origin.sequence,
        change_read.origin.written_at,
    ) == ("things", ChangeKind.UPDATE, 7, 8, 9)
    assert (change_read.rows, change_read.tenants, change_read.columns) == (None, {"t", None}, {"id", "note"})


def test_table_shape_truncation_is_of_any_tenant_and_column() -> None:
    change_read = read_change(kind=4)
    assert (change_read.kind, change_read.rows, change_read.tenants, change_read.columns) == (
        ChangeKind.TRUNCATE,
        None,
        None,
        None,
    )


def test_table_shape_without_tenants_gives_change_of_any_tenant() -> None:
    names = ["id"]
    shape = TableShape.from_record(RECORD | {"columns": names, "watched": names, "types": ["text"]})  # type: ignore[arg-type]
    log_row = {"kind": 1, "rows": None, "tenants": [None], "columns": None, "xid": 7, "number": 8, "at": 9}
    assert shape.read_change(log_row).tenants is None  # type: ignore[arg-type]  # as above
