"""Matching: the queries that changes affect, by the index and by comparing every dependence."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin
from subscriptions.invalidation.matcher import ChangeMatcher
from subscriptions.invalidation.read_sets import Dependency
from subscriptions.invalidation.windows import OrderStep, Window

BY_NAME = (
    OrderStep("name", descending=False, nulls_first=False, exact=False),
    OrderStep("id", False, False, False),
)


def build_dependency(
    table: str = "sites",
    *,
    tenants: set[str | None] | None = frozenset({"t"}),  # type: ignore[assignment]
    uses: str = "id name",
    window: Window | None = None,
    **equal: set[Any],
) -> Dependency:
    frozen_equal = {column: frozenset(values) for column, values in equal.items()}
    return Dependency(
        table, None if tenants is None else frozenset(tenants), frozen_equal, frozenset(uses.split()), window
    )


def build_row(**values: Any) -> dict[str, Any]:
    return {"id": "s", "tenant_id": "t", "name": "n", "status": "active", "site_id": "x"} | values


def build_update(before: dict[str, Any], after: dict[str, Any], table: str = "sites", *also: str) -> Change:
    columns = {name for name in before if before[name] != after[name]} | set(also)
    return _build_change(
        table, ChangeKind.UPDATE, ChangedRow(before["id"], before, after, frozenset(columns))
    )


def _build_change(table: str, kind: ChangeKind, *rows: ChangedRow) -> Change:
    return Change(table, kind, ChangeOrigin(1, 1, 1), rows)


def build_insert(after: dict[str, Any], table: str = "sites") -> Change:
    return _build_change(table, ChangeKind.INSERT, ChangedRow(after["id"], None, after, frozenset(after)))


def build_delete(before: dict[str, Any], table: str = "sites") -> Change:
    return _build_change(table, ChangeKind.DELETE, ChangedRow(before["id"], before, None, frozenset(before)))


def is_touched(change: Change, *dependences: Dependency) -> bool:
    matcher: ChangeMatcher[str] = ChangeMatcher()
    matcher.set_dependencies("o", dependences)
    matcher.validate()
    return matcher.find_touched([change]) == {"o"}


def test_matcher_update_of_unused_column_does_not_match() -> None:
    assert is_touched(build_update(build_row(), build_row(name="m")), build_dependency())
    assert not is_touched(build_update(build_row(), build_row(status="closed")), build_dependency())
    assert is_touched(
        build_update(build_row(), build_row(), "sites", "is_online"), build_dependency(uses="id is_online")
    )


@pytest.mark.parametrize("change", [build_insert(build_row()), build_delete(build_row())])
def test_matcher_insert_or_delete_matches_whatever_columns_are_used(change: Change) -> None:
    assert is_touched(change, build_dependency(uses="is_online"))
    assert not is_touched(change, build_dependency(tenants={"other"}))
    assert not is_touched(change, build_dependency(id={"other"}))
    assert not is_touched(change, build_dependency("agents"))


def test_matcher_update_matches_by_values_before_and_after() -> None:
    moved = build_update(build_row(site_id="a"), build_row(site_id="b"))
    for site, expected in (("a", True), ("b", True), ("c", False)):
        assert is_touched(moved, build_dependency(site_id={site}, uses="site_id")) is expected


def test_matcher_equalities_must_all_match_one_side() -> None:
    moved = build_update(build_row(site_id="a", status="x"), build_row(site_id="b", status="y"))
    uses = "site_id status"
    assert is_touched(moved, build_dependency(site_id={"a"}, status={"x", "z"}, uses=uses))
    assert not is_touched(moved, build_dependency(site_id={"a"}, status={"y"}, uses=uses))


def test_matcher_row_without_tenant_matches_those_who_read_such_rows() -> None:
    change = build_update(build_row(tenant_id=None), build_row(tenant_id=None, name="m"))
    assert not is_touched(change, build_dependency())
    assert is_touched(change, build_dependency(tenants={"t", None}))
    assert is_touched(change, build_dependency(tenants=None))
    assert is_touched(change, build_dependency(tenants={"t", None}, tenant_id={None}))
    assert not is_touched(change, build_dependency(tenants={"t", None}, tenant_id={"t"}))


def test_matcher_row_outside_of_window_does_not_match() -> None:
    page = Window(BY_NAME, None, None, None, {None: ("m", "s")})
    assert not is_touched(build_insert(build_row(name="x")), build_dependency(window=page))
    assert is_touched(build_insert(build_row(name="a")), build_dependency(window=page))
    assert is_touched(build_update(build_row(name="a"), build_row(name="x")), build_dependency(window=page))
    assert not is_touched(
        build_update(build_row(name="x"), build_row(name="y")), build_dependency(window=page)
    )


def test_matcher_missing_value_may_match() -> None:
    known = {"id": "s", "tenant_id": "t"}
    change = build_insert(known)
    assert is_touched(change, build_dependency(status={"active"}))
    assert is_touched(change, build_dependency(id={"s"}, status={"active"}))
    assert not is_touched(change, build_dependency(id={"other"}, status={"active"}))
    assert not is_touched(build_insert(known | {"status": "closed"}), build_dependency(status={"active"}))
    assert is_touched(build_insert({"id": "s"}), build_dependency(id={"s"}))


def test_matcher_coarse_change_matches_by_tenant_and_columns() -> None:
    def coarse(kind: ChangeKind, tenants: set[str | None] | None, columns: set[str] | None) -> Change:
        whose = None if tenants is None else frozenset(tenants)
        return Change(
            "sites", kind, ChangeOrigin(1, 1, 1), None, whose, None if columns is None else frozenset(columns)
        )

    narrow = build_dependency(id={"s"}, uses="name")
    for change, expected in (
        (coarse(ChangeKind.UPDATE, {"t"}, {"name"}), True),
        (coarse(ChangeKind.UPDATE, {"t"}, {"status"}), False),
        (coarse(ChangeKind.UPDATE, {"other"}, {"name"}), False),
        (coarse(ChangeKind.UPDATE, {"t"}, None), True),
        (coarse(ChangeKind.UPDATE, None, {"name"}), True),
        (coarse(ChangeKind.INSERT, {"t"}, {"status"}), True),
        (coarse(ChangeKind.TRUNCATE, None, None), True),
    ):
        assert is_touched(change, narrow) is expected
    assert is_touched(coarse(ChangeKind.UPDATE, {"other"}, {"name"}), build_dependency(tenants=None))


def test_matcher_owner_can_be_replaced_and_removed() -> None:
    matcher: ChangeMatcher[str] = ChangeMatcher()
    matcher.set_dependencies(
        "o", [build_dependency(id={"a", "b"}), build_dependency("agents", site_id={"a"})]
    )
    matcher.set_dependencies("p", [build_dependency(id={"b"})])
    matcher.set_dependencies("o", [build_dependency(id={"b", "c"})])
    matcher.validate()
    assert len(matcher) == 2
    assert (
        matcher.find_touched(
            [build_insert(build_row(id="a")), build_insert(build_row(site_id="a"), "agents")]
        )
        == set()
    )
    assert matcher.find_touched([build_insert(build_row(id="b"))]) == {"o", "p"}
    matcher.remove("o")
    matcher.remove("o")
    matcher.validate()
    assert matcher.find_touched([build_insert(build_row(id="b")), build_insert(build_row(id="c"))]) == {"p"}
    matcher.remove("p")
    matcher.validate()
    assert len(matcher) == 0
    assert not matcher._tables


def test_matcher_owner_without_dependencies_never_matches() -> None:
    matcher: ChangeMatcher[str] = ChangeMatcher()
    matcher.set_dependencies("o", [])
    assert len(matcher) == 1
    assert matcher.find_touched([build_insert(build_row())]) == set()


def test_matcher_validate_of_broken_index_raises() -> None:
    matcher: ChangeMatcher[str] = ChangeMatcher()
    matcher.set_dependencies("o", [build_dependency(id={"a"})])
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
    Dependency,
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
def draw_change(draw: st.DrawFn) -> Change:
    table = draw(st.sampled_from(["sites", "agents"]))
    kind = draw(st.sampled_from(list(ChangeKind)))
    if kind is ChangeKind.TRUNCATE or draw(st.integers(0, 9)) == 0:
        columns = draw(st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1))
        return Change(table, kind, ChangeOrigin(1, 1, 1), None, draw(st.none() | SETS), columns)
    before, after = draw(VALUES), draw(VALUES)
    match kind:
        case ChangeKind.INSERT:
            return build_insert(after, table)
        case ChangeKind.DELETE:
            return build_delete(before, table)
    forgotten = draw(st.frozensets(st.sampled_from(NAMES), max_size=1))
    change = build_update(before, after, table, *draw(st.sampled_from([(), ("is_online",)])))
    assert change.rows is not None
    known = [{name: v for name, v in values.items() if name not in forgotten} for values in (before, after)]
    return _build_change(table, kind, ChangedRow("r", known[0], known[1], change.rows[0].columns))


@given(
    st.lists(st.lists(DEPENDENCES, max_size=3), max_size=5), st.lists(draw_change(), max_size=4), st.data()
)
def test_matcher_index_finds_what_a_full_scan_finds(
    read_sets: list[list[Dependency]], delta: list[Change], data: st.DataObject
) -> None:
    matcher: ChangeMatcher[int] = ChangeMatcher()
    for owner, dependences in enumerate(read_sets):
        matcher.set_dependencies(owner, dependences)
    gone = data.draw(st.frozensets(st.sampled_from(range(len(read_sets))))) if read_sets else frozenset()
    for owner in gone:
        matcher.remove(owner)
    matcher.validate()
    expected = {
        owner
        for owner, dependences in enumerate(read_sets)
        if owner not in gone and any(_is_relevant(d, change) for d in dependences for change in delta)
    }
    assert matcher.find_touched(delta) == expected


def _is_relevant(dependence: Dependency, change: Change) -> bool:
    if dependence.table != change.table:
        return False
    if change.rows is not None:
        return any(_is_row_relevant(dependence, changed) for changed in change.rows)
    tenants = dependence.tenants
    if tenants is not None and change.tenants is not None and not tenants & change.tenants:
        return False
    update_of = change.columns if change.kind is ChangeKind.UPDATE else None
    return update_of is None or bool(dependence.uses & update_of)


def _is_row_relevant(dependence: Dependency, changed: ChangedRow) -> bool:
    came_or_went = changed.before is None or changed.after is None
    if not (came_or_went or dependence.uses & changed.columns):
        return False
    return any(side is not None and _is_inside(dependence, side) for side in (changed.before, changed.after))


def _is_inside(dependence: Dependency, values: Mapping[str, Any]) -> bool:
    if dependence.tenants is not None and values.get("tenant_id", "?") not in {*dependence.tenants, "?"}:
        return False
    if any(values.get(name, "?") not in {*held, "?"} for name, held in dependence.equals.items()):
        return False
    return dependence.window is None or dependence.window.contains(values)
