"""Windows: the rows inside of a page, by PostgreSQL's comparison."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.sql.cursors import Cursor
from resolvers.sql.data_access import RecordedRead
from resolvers.sql.list_query import ListQuery
from resolvers.sql.ordering import Order, OrderTerm
from schema.agents import AGENTS
from schema.billing import TENANT_BILLING_ADJUSTMENTS
from schema.table import Table
from subscriptions.invalidation.windows import Window, build_window


def build_term(
    column: str, *, descending: bool = False, nulls_first: bool = False, table: Table = AGENTS
) -> OrderTerm:
    return OrderTerm(table.columns[column], descending, nulls_first)


BY_NAME = (build_term("hostname"), build_term("id"))
PAGE = ListQuery(AGENTS, (), order=BY_NAME, limit=2)


def read_window(level: ListQuery, bounds: dict[str | None, Sequence[Any]]) -> Window:
    found = build_window(
        RecordedRead(level, None if level.key is None else tuple(filter(None, bounds)), bounds)
    )
    assert found is not None
    return found


def test_window_of_page_ends_at_its_last_row() -> None:
    page = read_window(PAGE, {None: ["m", "5"]})
    assert page.contains({"hostname": "a", "id": "9"})
    assert page.contains({"hostname": "m", "id": "4"})
    assert page.contains({"hostname": "m", "id": "5"})
    assert not page.contains({"hostname": "m", "id": "6"})
    assert not page.contains({"hostname": "n", "id": "1"})


def test_window_of_completely_read_list_is_none() -> None:
    assert build_window(RecordedRead(PAGE, None)) is None
    assert build_window(RecordedRead(ListQuery(AGENTS, (), key="id"), ("1",))) is None


def test_window_of_each_parent_key_is_its_own() -> None:
    level = replace(PAGE, key="site_id")
    pages = read_window(level, {"s1": ["b", "1"], "s2": ["x", "1"]})
    assert not pages.contains({"site_id": "s1", "hostname": "c", "id": "1"})
    assert pages.contains({"site_id": "s2", "hostname": "c", "id": "1"})
    assert pages.contains({"site_id": "s3", "hostname": "zzz", "id": "1"})


def test_window_of_backward_page_begins_at_its_first_row() -> None:
    page = read_window(replace(PAGE, backward=True), {None: ["m", "5"]})
    assert page.contains({"hostname": "z", "id": "1"})
    assert page.contains({"hostname": "m", "id": "5"})
    assert not page.contains({"hostname": "m", "id": "4"})


def test_window_with_cursors_excludes_rows_beyond_them() -> None:
    after, before = Cursor(None, ("b", "1")), Cursor(None, ("x", "1"))
    between = replace(PAGE, after=after, before=before)
    for level in (between, replace(between, backward=True)):
        page = read_window(level, {})
        inside = [
            row for row in ("a", "b", "c", "w", "x", "z") if page.contains({"hostname": row, "id": "1"})
        ]
        assert inside == ["c", "w"]
    assert not read_window(between, {None: ["m", "1"]}).contains({"hostname": "n", "id": "1"})
    assert not read_window(replace(between, backward=True), {None: ["m", "1"]}).contains(
        {"hostname": "l", "id": "1"}
    )


def test_window_with_offset_includes_skipped_rows() -> None:
    assert read_window(replace(PAGE, offset=10), {None: ["m", "5"]}).contains({"hostname": "a", "id": "1"})


@pytest.mark.parametrize("descending", [False, True])
def test_window_compares_nulls_as_ordered(*, descending: bool) -> None:
    row, bound = {"last_checkin_at": None, "id": "1"}, [5, "1"]
    for nulls_first in (False, True):
        order = (
            build_term("last_checkin_at", descending=descending, nulls_first=nulls_first),
            build_term("id"),
        )
        level = replace(PAGE, order=order)
        assert read_window(level, {None: bound}).contains(row) is nulls_first
        assert read_window(level, {None: [None, "1"]}).contains(row)
        assert not read_window(level, {None: [None, "0"]}).contains(row)
        assert (
            read_window(level, {None: [None, "1"]}).contains({"last_checkin_at": 5, "id": "1"})
            is not nulls_first
        )


def test_window_compares_text_by_code_points() -> None:
    page = read_window(PAGE, {None: ["Z", "1"]})
    assert not page.contains({"hostname": "a", "id": "1"})
    astral, private = "\U0001f600", "\uffff"
    assert read_window(PAGE, {None: [astral, "1"]}).contains({"hostname": private, "id": "1"})


@pytest.mark.parametrize(
    ("value", "bound", "inside"),
    [
        ("9", "10", True),
        ("10.0", "10", True),
        ("10.000000000000000000000000000000000001", "10", False),
        ("NaN", "10", False),
        ("10", "NaN", True),
        ("NaN", "NaN", True),
        ("-Infinity", "10", True),
    ],
)
def test_window_compares_numbers_exactly(value: str, bound: str, *, inside: bool) -> None:
    table = TENANT_BILLING_ADJUSTMENTS
    level = ListQuery(
        table, (), order=(build_term("amount", table=table), build_term("id", table=table)), limit=1
    )
    assert read_window(level, {None: [bound, "1"]}).contains({"amount": value, "id": "1"}) is inside
    after = Cursor(None, (Decimal("NaN") if bound == "NaN" else Decimal(bound), "0"))
    assert read_window(replace(level, after=after), {}).contains({"amount": value, "id": "0"}) is not inside


def test_window_may_include_row_with_missing_values() -> None:
    assert read_window(PAGE, {None: ["b", "1"]}).contains({"id": "1"})


def test_window_of_order_by_computed_column_is_none() -> None:
    column = AGENTS.columns["hostname"]
    computed = replace(column, options=replace(column.options, sql="lower({t}.hostname)"))
    order = (OrderTerm(computed, descending=False), build_term("id"))
    assert build_window(RecordedRead(replace(PAGE, order=order), None, {None: ["a", "1"]})) is None


VALUES = st.fixed_dictionaries(
    {
        "hostname": st.sampled_from(["", "A", "a", "aa", "é", "\uffff", "\U0001f600"]),
        "last_checkin_at": st.none() | st.integers(-2, 2),
        "id": st.sampled_from(["1", "2", "3"]),
    }
)
FIELDS = st.lists(
    st.tuples(st.sampled_from(["hostname", "last_checkin_at"]), st.booleans(), st.booleans()),
    min_size=1, max_size=2, unique_by=lambda field: field[0],
)  # fmt: skip


ROWS = st.lists(VALUES, unique_by=lambda row: row["id"])


@given(FIELDS, st.sampled_from([False, True]), ROWS, VALUES, st.integers(1, 3))
def test_window_excludes_exactly_the_rows_that_do_not_change_the_page(
    fields: list[tuple[str, bool, bool]],
    backward: Any,
    rows: list[dict[str, Any]],
    other: dict[str, Any],
    limit: int,
) -> None:
    order = (
        *(OrderTerm(AGENTS.columns[name], d, n and AGENTS.columns[name].nullable) for name, d, n in fields),
        build_term("id"),
    )
    other = {**other, "id": "0"}
    page = _sort_rows(rows, order, backward=backward)[:limit]
    bounds: dict[str | None, list[Any]]
    bounds = {None: [page[-1][t.column.name] for t in order]} if len(page) == limit else {}
    found = build_window(RecordedRead(replace(PAGE, order=order, backward=backward), None, bounds))
    changed = _sort_rows([*rows, other], order, backward=backward)[:limit] != page
    assert (found is None or found.contains(other)) is changed


def _sort_rows(rows: list[dict[str, Any]], order: Order, *, backward: bool) -> list[dict[str, Any]]:
    """The rows as PostgreSQL would put them, by sorting from the last term to the first."""
    for step in reversed(order):
        name = step.column.name
        present = [row for row in rows if row[name] is not None]
        nulls = [row for row in rows if row[name] is None]
        present.sort(key=lambda row: _sort_key(row[name]), reverse=step.descending)
        rows = [*nulls, *present] if step.nulls_first else [*present, *nulls]
    return rows[::-1] if backward else rows


def _sort_key(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
