"""Matching: whom changes touch, by the index and by looking at every dependence."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.matching.matcher import Matcher
from subscriptions.matching.read_sets import Dependence
from subscriptions.matching.windows import Step, Window

BY_NAME = (Step("name", descending=False, nulls_first=False, exact=False), Step("id", False, False, False))


def dependence(
    table: str = "sites",
    *,
    tenants: set[str | None] | None = frozenset({"t"}),  # type: ignore[assignment]
    uses: str = "id name",
    window: Window | None = None,
    **equal: set[Any],
) -> Dependence:
    held = {column: frozenset(values) for column, values in equal.items()}
    return Dependence(
        table, None if tenants is None else frozenset(tenants), held, frozenset(uses.split()), window
    )


def row(**values: Any) -> dict[str, Any]:
    return {"id": "s", "tenant_id": "t", "name": "n", "status": "active", "site_id": "x"} | values


def update(before: dict[str, Any], after: dict[str, Any], table: str = "sites", *also: str) -> Change:
    columns = {name for name in before if before[name] != after[name]} | set(also)
    return _change(table, ChangeKind.UPDATE, ChangedRow(before["id"], before, after, frozenset(columns)))


def _change(table: str, kind: ChangeKind, *rows: ChangedRow) -> Change:
    return Change(table, kind, 1, 1, 1, rows)


def insert(after: dict[str, Any], table: str = "sites") -> Change:
    return _change(table, ChangeKind.INSERT, ChangedRow(after["id"], None, after, frozenset(after)))


def delete(before: dict[str, Any], table: str = "sites") -> Change:
    return _change(table, ChangeKind.DELETE, ChangedRow(before["id"], before, None, frozenset(before)))


def touches(change: Change, *dependences: Dependence) -> bool:
    matcher: Matcher[str] = Matcher()
    matcher.place("o", dependences)
    matcher.validate()
    return matcher.touched([change]) == {"o"}


def test_a_change_of_a_column_that_is_not_used_touches_nobody() -> None:
    assert touches(update(row(), row(name="m")), dependence())
    assert not touches(update(row(), row(status="closed")), dependence())
    assert touches(update(row(), row(), "sites", "is_online"), dependence(uses="id is_online"))


@pytest.mark.parametrize("change", [insert(row()), delete(row())])
def test_a_row_that_comes_or_goes_touches_whatever_is_used_of_it(change: Change) -> None:
    assert touches(change, dependence(uses="is_online"))
    assert not touches(change, dependence(tenants={"other"}))
    assert not touches(change, dependence(id={"other"}))
    assert not touches(change, dependence("agents"))


def test_a_row_touches_by_its_values_before_and_after() -> None:
    moved = update(row(site_id="a"), row(site_id="b"))
    for site, expected in (("a", True), ("b", True), ("c", False)):
        assert touches(moved, dependence(site_id={site}, uses="site_id")) is expected


def test_all_equalities_must_hold_at_once() -> None:
    moved = update(row(site_id="a", status="x"), row(site_id="b", status="y"))
    uses = "site_id status"
    assert touches(moved, dependence(site_id={"a"}, status={"x", "z"}, uses=uses))
    assert not touches(moved, dependence(site_id={"a"}, status={"y"}, uses=uses))


def test_rows_of_no_tenant_are_offered_to_those_who_read_them() -> None:
    change = update(row(tenant_id=None), row(tenant_id=None, name="m"))
    assert not touches(change, dependence())
    assert touches(change, dependence(tenants={"t", None}))
    assert touches(change, dependence(tenants=None))
    assert touches(change, dependence(tenants={"t", None}, tenant_id={None}))
    assert not touches(change, dependence(tenants={"t", None}, tenant_id={"t"}))


def test_a_row_outside_of_the_window_touches_nobody() -> None:
    page = Window(BY_NAME, None, None, None, {None: ("m", "s")})
    assert not touches(insert(row(name="x")), dependence(window=page))
    assert touches(insert(row(name="a")), dependence(window=page))
    assert touches(update(row(name="a"), row(name="x")), dependence(window=page))
    assert not touches(update(row(name="x"), row(name="y")), dependence(window=page))


def test_what_a_change_does_not_tell_may_be() -> None:
    known = {"id": "s", "tenant_id": "t"}
    change = insert(known)
    assert touches(change, dependence(status={"active"}))
    assert touches(change, dependence(id={"s"}, status={"active"}))
    assert not touches(change, dependence(id={"other"}, status={"active"}))
    assert not touches(insert(known | {"status": "closed"}), dependence(status={"active"}))
    assert touches(insert({"id": "s"}), dependence(id={"s"}))


def test_a_coarse_change_touches_by_tenant_and_columns() -> None:
    def coarse(kind: ChangeKind, tenants: set[str | None] | None, columns: set[str] | None) -> Change:
        whose = None if tenants is None else frozenset(tenants)
        return Change("sites", kind, 1, 1, 1, None, whose, None if columns is None else frozenset(columns))

    narrow = dependence(id={"s"}, uses="name")
    for change, expected in (
        (coarse(ChangeKind.UPDATE, {"t"}, {"name"}), True),
        (coarse(ChangeKind.UPDATE, {"t"}, {"status"}), False),
        (coarse(ChangeKind.UPDATE, {"other"}, {"name"}), False),
        (coarse(ChangeKind.UPDATE, {"t"}, None), True),
        (coarse(ChangeKind.UPDATE, None, {"name"}), True),
        (coarse(ChangeKind.INSERT, {"t"}, {"status"}), True),
        (coarse(ChangeKind.TRUNCATE, None, None), True),
    ):
        assert touches(change, narrow) is expected
    assert touches(coarse(ChangeKind.UPDATE, {"other"}, {"name"}), dependence(tenants=None))


def test_an_owner_is_placed_anew_and_removed() -> None:
    matcher: Matcher[str] = Matcher()
    matcher.place("o", [dependence(id={"a", "b"}), dependence("agents", site_id={"a"})])
    matcher.place("p", [dependence(id={"b"})])
    matcher.place("o", [dependence(id={"b", "c"})])
    matcher.validate()
    assert len(matcher) == 2
    assert matcher.touched([insert(row(id="a")), insert(row(site_id="a"), "agents")]) == set()
    assert matcher.touched([insert(row(id="b"))]) == {"o", "p"}
    matcher.remove("o")
    matcher.remove("o")
    matcher.validate()
    assert matcher.touched([insert(row(id="b")), insert(row(id="c"))]) == {"p"}
    matcher.remove("p")
    matcher.validate()
    assert len(matcher) == 0
    assert not matcher._tables


def test_an_owner_without_dependences_is_never_touched() -> None:
    matcher: Matcher[str] = Matcher()
    matcher.place("o", [])
    assert len(matcher) == 1
    assert matcher.touched([insert(row())]) == set()


def test_validate_finds_what_is_wrong() -> None:
    matcher: Matcher[str] = Matcher()
    matcher.place("o", [dependence(id={"a"})])
    (index,) = matcher._tables["sites"]._anchors.values()
    index.buckets.clear()
    with pytest.raises(AssertionError, match="the index has"):
        matcher.validate()


SMALL = st.sampled_from(["a", "b", None])
NAMES = ("id", "tenant_id", "site_id", "status", "name")
SETS = st.frozensets(SMALL, min_size=1, max_size=2)
WINDOWS = st.none() | st.builds(
    lambda name, key: Window(BY_NAME, None, None, None, {None: (name, key)}),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["a", "b"]),
)
DEPENDENCES = st.builds(
    Dependence,
    st.sampled_from(["sites", "agents"]),
    st.none() | SETS,
    st.dictionaries(st.sampled_from(NAMES), SETS, max_size=3),
    st.frozensets(st.sampled_from([*NAMES, "is_online"]), max_size=3),
    WINDOWS,
)
VALUES = st.fixed_dictionaries(dict.fromkeys(NAMES[1:4], SMALL), optional={}).flatmap(
    lambda values: st.builds(
        lambda key, name: values | {"id": key, "name": name}, st.sampled_from("ab"), st.sampled_from("abc")
    )
)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    table = draw(st.sampled_from(["sites", "agents"]))
    kind = draw(st.sampled_from(list(ChangeKind)))
    if kind is ChangeKind.TRUNCATE or draw(st.integers(0, 9)) == 0:
        columns = draw(st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1))
        return Change(table, kind, 1, 1, 1, None, draw(st.none() | SETS), columns)
    before, after = draw(VALUES), draw(VALUES)
    match kind:
        case ChangeKind.INSERT:
            return insert(after, table)
        case ChangeKind.DELETE:
            return delete(before, table)
    forgotten = draw(st.frozensets(st.sampled_from(NAMES), max_size=1))
    change = update(before, after, table, *draw(st.sampled_from([(), ("is_online",)])))
    assert change.rows is not None
    known = [{name: v for name, v in values.items() if name not in forgotten} for values in (before, after)]
    return _change(table, kind, ChangedRow("r", known[0], known[1], change.rows[0].columns))


@given(st.lists(st.lists(DEPENDENCES, max_size=3), max_size=5), st.lists(changes(), max_size=4), st.data())
def test_the_index_finds_what_looking_at_everything_finds(
    read_sets: list[list[Dependence]], delta: list[Change], data: st.DataObject
) -> None:
    matcher: Matcher[int] = Matcher()
    for owner, dependences in enumerate(read_sets):
        matcher.place(owner, dependences)
    gone = data.draw(st.frozensets(st.sampled_from(range(len(read_sets))))) if read_sets else frozenset()
    for owner in gone:
        matcher.remove(owner)
    matcher.validate()
    expected = {
        owner
        for owner, dependences in enumerate(read_sets)
        if owner not in gone and any(_relevant(d, change) for d in dependences for change in delta)
    }
    assert matcher.touched(delta) == expected


def _relevant(dependence: Dependence, change: Change) -> bool:
    if dependence.table != change.table:
        return False
    if change.rows is not None:
        return any(_row_relevant(dependence, changed) for changed in change.rows)
    tenants = dependence.tenants
    if tenants is not None and change.tenants is not None and not tenants & change.tenants:
        return False
    update_of = change.columns if change.kind is ChangeKind.UPDATE else None
    return update_of is None or bool(dependence.uses & update_of)


def _row_relevant(dependence: Dependence, changed: ChangedRow) -> bool:
    came_or_went = changed.before is None or changed.after is None
    if not (came_or_went or dependence.uses & changed.columns):
        return False
    return any(side is not None and _inside(dependence, side) for side in (changed.before, changed.after))


def _inside(dependence: Dependence, values: Mapping[str, Any]) -> bool:
    if dependence.tenants is not None and values.get("tenant_id", "?") not in {*dependence.tenants, "?"}:
        return False
    if any(values.get(name, "?") not in {*held, "?"} for name, held in dependence.equal.items()):
        return False
    return dependence.window is None or dependence.window.holds(values)
