"""Reproducible randomness, and even distributions."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.seeded_random import DAY, ID_EPOCH, is_chosen, random_stream, skewed_weights, split_in_shares


@given(
    st.integers(0, 10_000),
    st.lists(st.floats(0.001, 1_000), min_size=1, max_size=60),
    st.integers(0, 5),
)
def test_split_in_shares_adds_up_and_respects_the_minimum(
    total: int, weights: list[float], least: int
) -> None:
    total += least * len(weights)
    counts = split_in_shares(total, weights, least)
    assert sum(counts) == total
    assert min(counts) >= least


def test_split_in_shares_follows_the_weights() -> None:
    assert split_in_shares(100, [1, 2, 7]) == [10, 20, 70]


def test_split_in_shares_of_insufficient_total_is_refused() -> None:
    with pytest.raises(ValueError, match="5 is less than 2 for each of 3"):
        split_in_shares(5, [1, 1, 1], least=2)


@given(st.integers(1, 500), st.integers(0, 500))
def test_is_chosen_selects_exactly_the_given_number(total: int, chosen: int) -> None:
    chosen = min(chosen, total)
    assert sum(is_chosen(ordinal, chosen, total) for ordinal in range(total)) == chosen


def test_seeded_random_ids_are_uuid7_sorted_by_age() -> None:
    dice = random_stream("ids")
    old, young = dice.generate_id(3 * DAY), dice.generate_id(DAY)
    assert old < young
    parsed = uuid.UUID(old)
    assert (str(parsed), parsed.version, parsed.variant) == (old, 7, uuid.RFC_4122)
    assert parsed.int >> 80 == ID_EPOCH - 3 * DAY


def test_seeded_random_guid_is_uuid4() -> None:
    guid = random_stream("guids").random_guid()
    parsed = uuid.UUID(guid)
    assert (str(parsed), parsed.version, parsed.variant) == (guid, 4, uuid.RFC_4122)


def test_random_stream_is_repeatable_and_differs_by_seed_and_name() -> None:
    assert random_stream(1, "a").randbytes(8) == random_stream(1, "a").randbytes(8)
    assert random_stream(1, "a").randbytes(8) != random_stream(1, "b").randbytes(8)
    assert random_stream(1, "a").randbytes(8) != random_stream(2, "a").randbytes(8)


def test_skewed_weights_are_log_normal_in_descending_order() -> None:
    weights = skewed_weights(51, 1.1)
    assert weights == sorted(weights, reverse=True)
    assert weights[25] == pytest.approx(1)
    assert weights[0] * weights[50] == pytest.approx(1)
    assert sum(weights[:10]) > sum(weights) / 2
