"""Moments: what a snapshot sees, compared with the plain set of transactions that it stands for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.change_log.snapshot import Snapshot

IDS = range(1, 30)


@st.composite
def draw_snapshot(draw: st.DrawFn) -> Snapshot:
    xmin, xmax = sorted(draw(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS))))
    running = draw(st.sets(st.integers(xmin, xmax - 1))) if xmin < xmax else set()
    return Snapshot(xmin, xmax, frozenset(running))


def visible_xids(snapshot: Snapshot) -> set[int]:
    """What a moment sees, counted out by PostgreSQL's own definition of a snapshot."""
    return {
        xid
        for xid in range(40)
        if xid < snapshot.xmin or (xid < snapshot.xmax and xid not in snapshot.running)
    }


@given(draw_snapshot())
def test_snapshot_is_visible_agrees_with_postgresql(snapshot: Snapshot) -> None:
    assert {xid for xid in range(40) if snapshot.is_visible(xid)} == visible_xids(snapshot)


@given(draw_snapshot(), draw_snapshot())
def test_snapshot_includes_other_that_sees_no_more(one: Snapshot, other: Snapshot) -> None:
    assert one.includes(other) is (visible_xids(one) >= visible_xids(other))


@given(draw_snapshot(), st.sampled_from(["", "3f", "a.b-C"]))
def test_snapshot_text_round_trips(snapshot: Snapshot, era: str) -> None:
    snapshot = replace(snapshot, timeline=era)
    assert Snapshot.parse(str(snapshot)) == snapshot
    assert Snapshot.parse(snapshot.pg_snapshot) == replace(snapshot, timeline="")


@given(draw_snapshot())
def test_snapshot_of_another_timeline_is_not_included(snapshot: Snapshot) -> None:
    first, second = replace(snapshot, timeline="a"), replace(snapshot, timeline="b")
    assert first.includes(first)
    assert not first.includes(second)
    assert first.includes(snapshot)
    assert snapshot.includes(first)


def test_snapshot_includes_far_snapshot_without_iterating() -> None:
    """The ids between two moments are not gone through one by one."""
    assert not Snapshot(1, 1).includes(Snapshot(1 << 62, 1 << 62))
    assert Snapshot(1 << 62, 1 << 62).includes(Snapshot(1, 1))


@pytest.mark.parametrize(
    ("text", "snapshot"),
    [
        ("10:20:10,14", Snapshot(10, 20, frozenset({10, 14}))),
        ("10:10:", Snapshot(10, 10, frozenset())),
        ("10:10:@x", Snapshot(10, 10, frozenset(), "x")),
        ("9223372036854775806:9223372036854775807:", Snapshot(2**63 - 2, 2**63 - 1, frozenset())),
    ],
)
def test_snapshot_parse_of_postgresql_text_gives_the_snapshot(text: str, snapshot: Snapshot) -> None:
    assert Snapshot.parse(text) == snapshot


@pytest.mark.parametrize(
    "text",
    [
        *("", "10", "10:20", "10:20:,", "10:20:1,", "10:20:21", "10:20:9", "20:10:", "0:0:", "-1:2:", "a:b:"),
        *(
            "10:20: 14",
            "10:20:14@",
            "10:20:14@a b",
            "10:20:14\n",
            "1٣:20:",
            "1" * 21 + ":2:",
            "10:20:" + "1" * 9_999,
        ),
    ],
)
def test_snapshot_parse_malformed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Invalid snapshot") as refused:
        Snapshot.parse(text)
    assert len(str(refused.value)) < 120
