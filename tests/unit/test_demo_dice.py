"""Chance that repeats itself, and even shares."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.demo.dice import DAY, ID_EPOCH, shares, skewed, spread, stream


@given(
    st.integers(0, 10_000),
    st.lists(st.floats(0.001, 1_000), min_size=1, max_size=60),
    st.integers(0, 5),
)
def test_shares_add_up_and_none_is_below_the_least(total: int, weights: list[float], least: int):
    total += least * len(weights)
    counts = shares(total, weights, least)
    assert sum(counts) == total
    assert min(counts) >= least


def test_shares_follow_the_weights():
    assert shares(100, [1, 2, 7]) == [10, 20, 70]


def test_shares_refuse_a_total_that_does_not_suffice():
    with pytest.raises(ValueError, match="5 is less than 2 for each of 3"):
        shares(5, [1, 1, 1], least=2)


@given(st.integers(1, 500), st.integers(0, 500))
def test_spread_chooses_exactly_so_many(total: int, chosen: int):
    chosen = min(chosen, total)
    assert sum(spread(ordinal, chosen, total) for ordinal in range(total)) == chosen


def test_ids_are_uuids_of_version_7_that_sort_by_age():
    dice = stream("ids")
    old, young = dice.new_id(3 * DAY), dice.new_id(DAY)
    assert old < young
    parsed = uuid.UUID(old)
    assert (str(parsed), parsed.version, parsed.variant) == (old, 7, uuid.RFC_4122)
    assert parsed.int >> 80 == ID_EPOCH - 3 * DAY


def test_vendors_ids_are_uuids_of_version_4():
    guid = stream("guids").guid()
    parsed = uuid.UUID(guid)
    assert (str(parsed), parsed.version, parsed.variant) == (guid, 4, uuid.RFC_4122)


def test_a_stream_repeats_itself_and_differs_from_others():
    assert stream(1, "a").randbytes(8) == stream(1, "a").randbytes(8)
    assert stream(1, "a").randbytes(8) != stream(1, "b").randbytes(8)
    assert stream(1, "a").randbytes(8) != stream(2, "a").randbytes(8)


def test_skewed_weights_are_log_normal_and_heaviest_first():
    weights = skewed(51, 1.1)
    assert weights == sorted(weights, reverse=True)
    assert weights[25] == pytest.approx(1)
    assert weights[0] * weights[50] == pytest.approx(1)
    assert sum(weights[:10]) > sum(weights) / 2
