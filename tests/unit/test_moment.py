"""Moments: what a snapshot sees, compared with the plain set of transactions that it stands for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.changes.moment import Moment

IDS = range(1, 30)


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    xmin, xmax = sorted(draw(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS))))
    running = draw(st.sets(st.integers(xmin, xmax - 1))) if xmin < xmax else set()
    return Moment(xmin, xmax, frozenset(running))


def seen(moment: Moment) -> set[int]:
    """What a moment sees, counted out by PostgreSQL's own definition of a snapshot."""
    return {
        xid for xid in range(40) if xid < moment.xmin or (xid < moment.xmax and xid not in moment.running)
    }


@given(moments())
def test_it_sees_what_a_snapshot_does(moment: Moment) -> None:
    assert {xid for xid in range(40) if moment.sees(xid)} == seen(moment)


@given(moments(), moments())
def test_it_covers_what_sees_no_more(one: Moment, other: Moment) -> None:
    assert one.covers(other) is (seen(one) >= seen(other))


@given(moments(), st.sampled_from(["", "3f", "a.b-C"]))
def test_its_text_says_all(moment: Moment, era: str) -> None:
    moment = replace(moment, era=era)
    assert Moment.parse(str(moment)) == moment
    assert Moment.parse(moment.snapshot) == replace(moment, era="")


@given(moments())
def test_eras_do_not_cover_each_other(moment: Moment) -> None:
    first, second = replace(moment, era="a"), replace(moment, era="b")
    assert first.covers(first)
    assert not first.covers(second)
    assert first.covers(moment)
    assert moment.covers(first)


def test_a_far_moment_takes_no_time() -> None:
    """The ids between two moments are not gone through one by one."""
    assert not Moment(1, 1).covers(Moment(1 << 62, 1 << 62))
    assert Moment(1 << 62, 1 << 62).covers(Moment(1, 1))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10:20:10,14", Moment(10, 20, frozenset({10, 14}))),
        ("10:10:", Moment(10, 10, frozenset())),
        ("10:10:@x", Moment(10, 10, frozenset(), "x")),
        ("9223372036854775806:9223372036854775807:", Moment(2**63 - 2, 2**63 - 1, frozenset())),
    ],
)
def test_texts_of_postgres(text: str, moment: Moment) -> None:
    assert Moment.parse(text) == moment


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
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="Not a moment") as refused:
        Moment.parse(text)
    assert len(str(refused.value)) < 120
