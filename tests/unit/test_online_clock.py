"""The clock of live answers: check-ins that change who is online, and the progress of time."""

import random
from dataclasses import replace
from typing import Final

import pytest

from core.limits import CLOCK_SKEW_MAX_MS
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin
from subscriptions.clock.expiry_queue import IS_ONLINE
from subscriptions.clock.online_clock import add_derived_columns

OFF: Final = 180_000
NOW: Final = 10_000_000


def build_check_in(before: int | None, after: int | None, *others: str) -> Change:
    values = {"id": "a", "tenant_id": "t", "site_id": "s"}
    row = ChangedRow(
        "a",
        {**values, "last_checkin_at": before},
        {**values, "last_checkin_at": after},
        frozenset({"last_checkin_at", *others}),
    )
    return Change("agents", ChangeKind.UPDATE, ChangeOrigin(7, 1, NOW), (row,))


def changes_online_state(change: Change, since: int = NOW - 50, now: int = NOW) -> bool:
    change_read = add_derived_columns(change, since, now, OFF)
    assert change_read.rows is not None
    assert change.rows is not None
    assert [row.columns - {IS_ONLINE} for row in change_read.rows] == [row.columns for row in change.rows]
    return any(IS_ONLINE in row.columns for row in change_read.rows)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (NOW - 60_000, NOW, False),  # a heartbeat
        (NOW - OFF, NOW, False),  # the last moment
        (NOW - OFF - 1, NOW, True),  # gone offline between the two times, and back
        (NOW - OFF - 50, NOW, True),
        (NOW - OFF - 51, NOW, True),  # was offline
        (None, NOW, True),  # the first
        (NOW, NOW - OFF - 51, True),  # moved back
        (NOW, None, True),
        (NOW, NOW - OFF, False),
        (NOW - OFF - 900, NOW - OFF - 51, False),  # long ago, both
        (None, NOW - OFF - 51, False),
        (None, NOW - OFF - 50, True),
        (NOW, NOW + CLOCK_SKEW_MAX_MS - 50, False),
        (NOW, NOW + CLOCK_SKEW_MAX_MS - 49, True),  # in the future when the step began
        (NOW, NOW + CLOCK_SKEW_MAX_MS + 1, True),
        (NOW + 3_600_000, NOW, True),  # a real check-in sets the true time
        (None, NOW + CLOCK_SKEW_MAX_MS + 1, False),
        (NOW - OFF - 51, NOW + CLOCK_SKEW_MAX_MS + 1, False),
    ],
)
def test_with_derived_check_in_adds_is_online_where_it_changes(
    before: int | None,
    after: int | None,
    changes: bool,
) -> None:
    assert changes_online_state(build_check_in(before, after)) is changes


def test_with_derived_unrelated_change_is_returned_as_is() -> None:
    heartbeat = build_check_in(NOW - 60_000, NOW)
    for change in (
        heartbeat,
        replace(heartbeat, table="sites"),
        replace(build_check_in(None, NOW), kind=ChangeKind.INSERT),
        replace(heartbeat, rows=None, columns=frozenset({"hostname"})),
        replace(heartbeat, rows=None, columns=None),
    ):
        assert add_derived_columns(change, NOW - 50, NOW, OFF) is change


def test_with_derived_coarse_check_ins_always_add_is_online() -> None:
    coarse = replace(build_check_in(None, NOW), rows=None, columns=frozenset({"last_checkin_at", "version"}))
    change_read = add_derived_columns(coarse, NOW, NOW, OFF)
    assert change_read.columns == frozenset({"last_checkin_at", "version", IS_ONLINE})


def test_with_derived_random_check_ins_miss_no_change() -> None:
    """Steps of the clock with writes in each, many of one agent: a step reports every change of the online state."""
    dice = random.Random(4)  # noqa: S311 - the same cases each time
    for _ in range(3_000):
        time, value = NOW, _choose_time(dice, NOW)
        begun, reported = _is_online(value, time), False
        for _ in range(dice.randrange(1, 4)):
            later = time + dice.choice([0, 1, 50, OFF])
            for _ in range(dice.randrange(3)):
                change, value = build_check_in(value, after := _choose_time(dice, later)), after
                reported |= changes_online_state(change, time, later)
            reported |= value is not None and time - OFF <= value < later - OFF
            time = later
        assert reported or _is_online(value, time) is begun


def _is_online(at: int | None, now: int) -> bool:
    return at is not None and at >= now - OFF


def _choose_time(dice: random.Random, now: int) -> int | None:
    near = now - OFF + dice.randrange(-60, 60)
    return dice.choice([None, now, near, near, now - 2 * OFF])
