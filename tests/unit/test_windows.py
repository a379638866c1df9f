"""Windows: which rows stand inside of a page, as PostgreSQL compares them."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.cursors import Cursor
from resolvers.level import Level
from resolvers.orders import Order, Term
from resolvers.rows import Read
from schema.agents import AGENTS
from schema.billing import TENANT_BILLING_ADJUSTMENTS
from schema.table import Table
from subscriptions.matching.windows import Window, window_of


def term(column: str, *, descending: bool = False, nulls_first: bool = False, table: Table = AGENTS) -> Term:
    return Term(table.columns[column], descending, nulls_first)


BY_NAME = (term("hostname"), term("id"))
PAGE = Level(AGENTS, (), order=BY_NAME, limit=2)


def window(level: Level, bounds: dict[str | None, Sequence[Any]]) -> Window:
    found = window_of(Read(level, None if level.key is None else tuple(filter(None, bounds)), bounds))
    assert found is not None
    return found


def test_a_page_reaches_to_its_last_row_and_no_further() -> None:
    page = window(PAGE, {None: ["m", "5"]})
    assert page.holds({"hostname": "a", "id": "9"})
    assert page.holds({"hostname": "m", "id": "4"})
    assert page.holds({"hostname": "m", "id": "5"})
    assert not page.holds({"hostname": "m", "id": "6"})
    assert not page.holds({"hostname": "n", "id": "1"})


def test_a_list_that_was_read_to_its_end_has_no_window() -> None:
    assert window_of(Read(PAGE, None)) is None
    assert window_of(Read(Level(AGENTS, (), key="id"), ("1",))) is None


def test_each_key_has_a_page_of_its_own_and_an_open_one_holds_all() -> None:
    level = replace(PAGE, key="site_id")
    pages = window(level, {"s1": ["b", "1"], "s2": ["x", "1"]})
    assert not pages.holds({"site_id": "s1", "hostname": "c", "id": "1"})
    assert pages.holds({"site_id": "s2", "hostname": "c", "id": "1"})
    assert pages.holds({"site_id": "s3", "hostname": "zzz", "id": "1"})


def test_a_page_from_the_back_reaches_forward_to_its_first_row() -> None:
    page = window(replace(PAGE, backward=True), {None: ["m", "5"]})
    assert page.holds({"hostname": "z", "id": "1"})
    assert page.holds({"hostname": "m", "id": "5"})
    assert not page.holds({"hostname": "m", "id": "4"})


def test_cursors_leave_out_what_stands_ahead_and_behind() -> None:
    after, before = Cursor(None, ("b", "1")), Cursor(None, ("x", "1"))
    between = replace(PAGE, after=after, before=before)
    for level in (between, replace(between, backward=True)):
        page = window(level, {})
        inside = [row for row in ("a", "b", "c", "w", "x", "z") if page.holds({"hostname": row, "id": "1"})]
        assert inside == ["c", "w"]
    assert not window(between, {None: ["m", "1"]}).holds({"hostname": "n", "id": "1"})
    assert not window(replace(between, backward=True), {None: ["m", "1"]}).holds({"hostname": "l", "id": "1"})


def test_rows_that_an_offset_skips_are_inside() -> None:
    assert window(replace(PAGE, offset=10), {None: ["m", "5"]}).holds({"hostname": "a", "id": "1"})


@pytest.mark.parametrize("descending", [False, True])
def test_nulls_stand_where_the_order_puts_them(*, descending: bool) -> None:
    row, bound = {"last_checkin_at": None, "id": "1"}, [5, "1"]
    for nulls_first in (False, True):
        order = (term("last_checkin_at", descending=descending, nulls_first=nulls_first), term("id"))
        level = replace(PAGE, order=order)
        assert window(level, {None: bound}).holds(row) is nulls_first
        assert window(level, {None: [None, "1"]}).holds(row)
        assert not window(level, {None: [None, "0"]}).holds(row)
        assert window(level, {None: [None, "1"]}).holds({"last_checkin_at": 5, "id": "1"}) is not nulls_first


def test_text_is_compared_by_code_points() -> None:
    page = window(PAGE, {None: ["Z", "1"]})
    assert not page.holds({"hostname": "a", "id": "1"})
    astral, private = "\U0001f600", "\uffff"
    assert window(PAGE, {None: [astral, "1"]}).holds({"hostname": private, "id": "1"})


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
def test_numbers_are_compared_exactly(value: str, bound: str, *, inside: bool) -> None:
    table = TENANT_BILLING_ADJUSTMENTS
    level = Level(table, (), order=(term("amount", table=table), term("id", table=table)), limit=1)
    assert window(level, {None: [bound, "1"]}).holds({"amount": value, "id": "1"}) is inside
    after = Cursor(None, (Decimal("NaN") if bound == "NaN" else Decimal(bound), "0"))
    assert window(replace(level, after=after), {}).holds({"amount": value, "id": "0"}) is not inside


def test_what_a_change_does_not_carry_may_be_inside() -> None:
    assert window(PAGE, {None: ["b", "1"]}).holds({"id": "1"})


def test_an_order_by_a_computed_column_has_no_window() -> None:
    column = AGENTS.columns["hostname"]
    computed = replace(column, options=replace(column.options, sql="lower({t}.hostname)"))
    order = (Term(computed, descending=False), term("id"))
    assert window_of(Read(replace(PAGE, order=order), None, {None: ["a", "1"]})) is None


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
def test_a_page_is_the_same_with_and_without_what_stands_outside(
    fields: list[tuple[str, bool, bool]],
    backward: Any,
    rows: list[dict[str, Any]],
    other: dict[str, Any],
    limit: int,
) -> None:
    order = (
        *(Term(AGENTS.columns[name], d, n and AGENTS.columns[name].nullable) for name, d, n in fields),
        term("id"),
    )
    other = {**other, "id": "0"}
    page = _ordered(rows, order, backward=backward)[:limit]
    bounds = {None: [page[-1][t.column.name] for t in order]} if len(page) == limit else {}
    found = window_of(Read(replace(PAGE, order=order, backward=backward), None, bounds))
    changed = _ordered([*rows, other], order, backward=backward)[:limit] != page
    assert (found is None or found.holds(other)) is changed


def _ordered(rows: list[dict[str, Any]], order: Order, *, backward: bool) -> list[dict[str, Any]]:
    """The rows as PostgreSQL would put them, by sorting from the last term to the first."""
    for step in reversed(order):
        name = step.column.name
        held = [row for row in rows if row[name] is not None]
        nulls = [row for row in rows if row[name] is None]
        held.sort(key=lambda row: _bytes(row[name]), reverse=step.descending)
        rows = [*nulls, *held] if step.nulls_first else [*held, *nulls]
    return rows[::-1] if backward else rows


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value
