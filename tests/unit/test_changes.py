"""What the log's rows mean, as `Shape` reads them."""

from typing import Any

import pytest

from subscriptions.changes.change import ChangedRow, ChangeKind
from subscriptions.changes.shapes import Shape

RECORD: dict[str, Any] = {
    "table_name": "things",
    "columns": ["id", "size", "note", "is_on", "tags", "price", "data", "tenant_id"],
    "watched": ["id", "size", "is_on", "tags", "price", "tenant_id"],
    "types": ["text", "bigint", "boolean", "text[]", "numeric", "text"],
}
SHAPE = Shape.read(RECORD)  # type: ignore[arg-type]  # a mapping has all that is asked of a record
EVERYTHING = frozenset(RECORD["columns"])
OLD = ["a", "9007199254740993", "true", '["x", null]', "1.10", "t"]
OLD_VALUES = {
    "id": "a",
    "size": 9007199254740993,
    "is_on": True,
    "tags": ["x", None],
    "price": "1.10",
    "tenant_id": "t",
}
NULLS = ["a", None, None, None, None, None]
NOTHING = [None] * 6
NOTE, DATA = 1 << 2, 1 << 6


def row(kind: ChangeKind, line: list[str | None]) -> ChangedRow:
    rows = SHAPE.rows(kind, [line])
    assert len(rows) == 1
    return rows[0]


def test_a_row_that_came() -> None:
    assert row(ChangeKind.INSERT, OLD) == ChangedRow("a", None, OLD_VALUES, EVERYTHING)


def test_a_row_that_went() -> None:
    assert row(ChangeKind.DELETE, OLD) == ChangedRow("a", OLD_VALUES, None, EVERYTHING)


@pytest.mark.parametrize(
    ("place", "value", "column"),
    [(1, "3", "size"), (2, "false", "is_on"), (2, None, "is_on"), (3, "[]", "tags"), (4, "1.1", "price")],
)
def test_a_value_that_changed(place: int, value: str | None, column: str) -> None:
    new = [*OLD[:place], value, *OLD[place + 1 :]]
    changed = row(ChangeKind.UPDATE, ["0", *OLD, *new])
    assert changed.columns == {column}
    assert changed.before == OLD_VALUES
    assert changed.after is not None
    assert {name for name in OLD_VALUES if changed.after[name] != OLD_VALUES[name]} == {column}


def test_columns_that_are_not_watched() -> None:
    changed = row(ChangeKind.UPDATE, [str(NOTE | DATA), *OLD, *OLD])
    assert changed == ChangedRow("a", OLD_VALUES, OLD_VALUES, frozenset({"note", "data"}))


def test_nothing_is_a_value() -> None:
    changed = row(ChangeKind.UPDATE, ["0", *NULLS, *OLD])
    assert changed.before == dict.fromkeys(OLD_VALUES) | {"id": "a"}
    assert changed.columns == {"size", "is_on", "tags", "price", "tenant_id"}


def test_a_row_that_was_left_as_it_was_is_none() -> None:
    assert SHAPE.rows(ChangeKind.UPDATE, [["0", *OLD, *OLD], ["0", *NULLS, *NULLS]]) == ()


def test_another_id_is_another_row() -> None:
    lines = [["0", *OLD, *NOTHING], ["0", *NOTHING, "b", *OLD[1:]]]
    assert SHAPE.rows(ChangeKind.UPDATE, lines) == (
        ChangedRow("a", OLD_VALUES, None, EVERYTHING),
        ChangedRow("b", None, OLD_VALUES | {"id": "b"}, EVERYTHING),
    )


def change(**fields: Any) -> Any:
    log_row = {"kind": 2, "rows": None, "tenants": None, "columns": None, "xid": 7, "number": 8, "at": 9}
    return SHAPE.change(log_row | fields)  # type: ignore[arg-type]  # as above


def test_a_coarse_change() -> None:
    told = change(tenants=["t", None], columns=1 | NOTE)
    assert (told.table, told.kind, told.xid, told.number, told.at) == ("things", ChangeKind.UPDATE, 7, 8, 9)
    assert (told.rows, told.tenants, told.columns) == (None, {"t", None}, {"id", "note"})


def test_a_truncation_may_be_of_anything() -> None:
    told = change(kind=4)
    assert (told.kind, told.rows, told.tenants, told.columns) == (ChangeKind.TRUNCATE, None, None, None)


def test_a_table_without_tenants_is_anybodys() -> None:
    names = ["id"]
    shape = Shape.read(RECORD | {"columns": names, "watched": names, "types": ["text"]})  # type: ignore[arg-type]
    log_row = {"kind": 1, "rows": None, "tenants": [None], "columns": None, "xid": 7, "number": 8, "at": 9}
    assert shape.change(log_row).tenants is None  # type: ignore[arg-type]  # as above
