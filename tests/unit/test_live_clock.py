"""The clock of live answers: which check-ins change who is online, and how far time goes on."""

import random
from dataclasses import replace
from typing import Final

import pytest

from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.engine.clock import with_derived
from subscriptions.engine.turns import IS_ONLINE

OFF: Final = 180_000
NOW: Final = 10_000_000


def checkin(before: int | None, after: int | None, *others: str) -> Change:
    values = {"id": "a", "tenant_id": "t", "site_id": "s"}
    row = ChangedRow(
        "a",
        {**values, "last_checkin_at": before},
        {**values, "last_checkin_at": after},
        frozenset({"last_checkin_at", *others}),
    )
    return Change("agents", ChangeKind.UPDATE, 7, 1, NOW, (row,))


def derived(change: Change, since: int = NOW - 50, now: int = NOW) -> bool:
    told = with_derived(change, since, now, OFF)
    assert told.rows is not None
    assert change.rows is not None
    assert [row.columns - {IS_ONLINE} for row in told.rows] == [row.columns for row in change.rows]
    return any(IS_ONLINE in row.columns for row in told.rows)


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
    ],
)
def test_a_check_in_changes_who_is_online_or_not(
    before: int | None,
    after: int | None,
    changes: bool,  # noqa: FBT001 - what pytest gives
) -> None:
    assert derived(checkin(before, after)) is changes


def test_what_cannot_change_it_is_left_as_it_is() -> None:
    heartbeat = checkin(NOW - 60_000, NOW)
    for change in (
        heartbeat,
        replace(heartbeat, table="sites"),
        replace(checkin(None, NOW), kind=ChangeKind.INSERT),
        replace(heartbeat, rows=None, columns=frozenset({"hostname"})),
        replace(heartbeat, rows=None, columns=None),
    ):
        assert with_derived(change, NOW - 50, NOW, OFF) is change


def test_of_many_check_ins_at_once_anything_is_told() -> None:
    coarse = replace(checkin(None, NOW), rows=None, columns=frozenset({"last_checkin_at", "version"}))
    told = with_derived(coarse, NOW, NOW, OFF)
    assert told.columns == {"last_checkin_at", "version", IS_ONLINE}


def test_whatever_is_written_and_whenever_no_change_is_missed() -> None:
    """Steps of the clock with writes in each, many of one agent: where online differs, some step has said so."""
    dice = random.Random(4)  # noqa: S311 - the same cases each time
    for _ in range(3_000):
        time, value = NOW, _some(dice, NOW)
        begun, told = _is_online(value, time), False
        for _ in range(dice.randrange(1, 4)):
            later = time + dice.choice([0, 1, 50, OFF])
            for _ in range(dice.randrange(3)):
                change, value = checkin(value, after := _some(dice, later)), after
                told |= derived(change, time, later)
            told |= value is not None and time - OFF <= value < later - OFF
            time = later
        assert told or _is_online(value, time) is begun


def _is_online(at: int | None, now: int) -> bool:
    return at is not None and at >= now - OFF


def _some(dice: random.Random, now: int) -> int | None:
    near = now - OFF + dice.randrange(-60, 60)
    return dice.choice([None, now, near, near, now - 2 * OFF])
