"""Streams without a database: which changes are events, whose they are, and that each is told once."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from core.clock import NEVER
from core.errors import BadUserInputError
from core.limits import STREAM_CURSOR_CHARS_MAX, STREAM_EVENTS_MAX, STREAM_WAITING_MAX
from core.viewer import Viewer, ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.execution import Request
from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.changes.moment import Moment
from subscriptions.sinks import Payload
from subscriptions.streams.cursors import Part, StreamCursor, binding_of
from subscriptions.streams.events import CHECKINS, HEALTH, Event, Position, Wanted, events_of, gaps_of
from subscriptions.streams.index import StreamIndex
from subscriptions.streams.requests import stream_for
from subscriptions.streams.stream import Listener, Stream

SCHEMA: Final = bound_schema()[1]
DOCUMENTS: Final = Documents(SCHEMA)
VIEWER: Final = Viewer(
    ViewerKind.USER, "t1", "u1", "r1", frozenset({"Agents.Read", "HealthChecks.Read"}), NEVER
)
START: Final = Moment(10, 10)


def agent(id_: str = "a1", **values: Any) -> dict[str, Any]:
    return {
        "id": id_, "tenant_id": "t1", "site_id": "s1", "last_checkin_at": None, "deleted_at": None, **values
    }  # fmt: skip


def check(id_: str = "h1", **values: Any) -> dict[str, Any]:
    row = {"id": id_, "tenant_id": "t1", "resource_type": "agent", "resource_id": "a1", "status": "healthy"}
    return {**row, "failure_count": 0, "last_check_at": 5, **values}


def change(
    table: str, before: dict[str, Any] | None, after: dict[str, Any] | None, xid: int = 10, number: int = 1
) -> Change:
    kind = ChangeKind.UPDATE if before and after else ChangeKind.INSERT if after else ChangeKind.DELETE
    whole = after or before
    assert whole
    columns = frozenset(n for n in whole if not (before and after) or before[n] != after[n])
    return Change(table, kind, xid, number, 0, (ChangedRow(whole["id"], before, after, columns),))


def checkin(at: int = 7, id_: str = "a1", xid: int = 10, number: int = 1, **values: Any) -> Change:
    return change("agents", agent(id_, **values), agent(id_, last_checkin_at=at, **values), xid, number)


class TestEvents:
    def test_a_check_in_is_one(self) -> None:
        before, after = agent(last_checkin_at=3), agent(last_checkin_at=9, version="2")
        (event,) = events_of([change("agents", {**before, "version": "1"}, after, 12, 4)])
        assert event.values == {"agentId": "a1", "siteId": "s1", "checkedInAt": 9, "previousCheckinAt": 3}
        assert (event.stream, event.tenant_id, event.xid) == (CHECKINS, "t1", 12)
        assert event.position == Position(4, 0)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (agent(last_checkin_at=3), agent(last_checkin_at=3, site_id="s2")),
            (agent(last_checkin_at=3), agent(last_checkin_at=2)),
            (agent(last_checkin_at=3), agent()),
            (agent(), agent(last_checkin_at=3, deleted_at=2)),
            (None, agent(last_checkin_at=3)),
            (agent(last_checkin_at=3), None),
        ],
    )
    def test_other_writes_to_agents_are_none(self, before: Any, after: Any) -> None:
        assert list(events_of([change("agents", before, after)])) == []

    def test_a_new_health_check_is_one_and_a_change_of_its_status(self) -> None:
        new = change("health_checks", None, check(status="down", failure_count=2))
        turned = change("health_checks", check(), check(status="degraded", last_check_at=9))
        first, second = events_of([new, turned])
        assert first.values == {
            "healthCheckId": "h1",
            "resourceType": "agent",
            "resourceId": "a1",
            "status": "down",
            "previousStatus": None,
            "failureCount": 2,
            "lastCheckAt": 5,
        }
        assert (second.values["status"], second.values["previousStatus"]) == ("degraded", "healthy")

    @pytest.mark.parametrize("after", [check(last_check_at=9), check(failure_count=3), None])
    def test_other_writes_to_health_checks_are_none(self, after: Any) -> None:
        assert list(events_of([change("health_checks", check(), after)])) == []

    def test_other_tables_have_none(self) -> None:
        assert (
            list(
                events_of(
                    [change("sites", {"id": "s", "status": "inactive"}, {"id": "s", "status": "active"})]
                )
            )
            == []
        )

    @pytest.mark.parametrize(
        ("table", "kind", "columns", "gaps"),
        [
            ("agents", ChangeKind.UPDATE, {"last_checkin_at", "version"}, [CHECKINS]),
            ("agents", ChangeKind.UPDATE, None, [CHECKINS]),
            ("agents", ChangeKind.UPDATE, {"version"}, []),
            ("agents", ChangeKind.INSERT, None, []),
            ("agents", ChangeKind.DELETE, None, []),
            ("agents", ChangeKind.TRUNCATE, None, []),
            ("health_checks", ChangeKind.INSERT, None, [HEALTH]),
            ("health_checks", ChangeKind.UPDATE, {"status"}, [HEALTH]),
            ("health_checks", ChangeKind.UPDATE, {"last_check_at"}, []),
            ("sites", ChangeKind.UPDATE, None, []),
        ],
    )
    def test_what_is_told_coarsely_may_hide_some(
        self, table: str, kind: ChangeKind, columns: set[str] | None, gaps: list[str]
    ) -> None:
        of_columns = None if columns is None else frozenset(columns)
        coarse = Change(table, kind, 10, 1, 0, None, frozenset({"t1"}), of_columns)
        assert list(events_of([coarse])) == []
        found = list(gaps_of([coarse]))
        assert [gap.stream for gap in found] == gaps
        for gap in found:
            assert Wanted(gap.stream, "t1").misses(gap)
            assert not Wanted(gap.stream, "t2").misses(gap)
            assert Wanted(gap.stream, "t2").misses(gap._replace(tenants=None))


class TestCursors:
    BINDING: Final = binding_of(CHECKINS, "t1", {"siteId": "s1"})
    CURSORS: Final = (
        StreamCursor(Moment(10, 20, frozenset({10, 14}), "era-1")),
        StreamCursor(START, Part(Moment(12, 15, frozenset({12})), Position(2**40, 3))),
    )

    @pytest.mark.parametrize("cursor", CURSORS)
    def test_one_is_read_as_it_was_written(self, cursor: StreamCursor) -> None:
        assert StreamCursor.parse(cursor.text(self.BINDING), self.BINDING) == cursor

    @pytest.mark.parametrize(
        ("stream", "tenant", "arguments"),
        [
            (HEALTH, "t1", {"siteId": "s1"}),
            (CHECKINS, "t2", {"siteId": "s1"}),
            (CHECKINS, "t1", {"siteId": "s2"}),
            (CHECKINS, "t1", {}),
            (CHECKINS, "t1", {"siteId": "s1", "agentIds": []}),
        ],
    )
    def test_another_streams_is_refused(self, stream: str, tenant: str, arguments: dict[str, Any]) -> None:
        with pytest.raises(BadUserInputError, match="other arguments"):
            StreamCursor.parse(self.CURSORS[0].text(binding_of(stream, tenant, arguments)), self.BINDING)

    def test_the_order_of_agents_and_where_to_begin_make_no_other_stream(self) -> None:
        one = binding_of(CHECKINS, "t1", {"agentIds": ["a", "b"], "since": "x", "siteId": None})
        assert one == binding_of(CHECKINS, "t1", {"agentIds": ["b", "a", "b"]})

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x",
            "é",
            "WyJ4Il0",
            "bnVsbA",
            "e30",
            "W10",
            "A" * 5,
            "!" * 8,
            "\ud800",
            "A" * STREAM_CURSOR_CHARS_MAX * 2,
        ],
    )
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(BadUserInputError):
            StreamCursor.parse(text, self.BINDING)

    def test_whatever_is_bent_is_refused_or_another_cursor(self) -> None:
        dice = random.Random(2)  # noqa: S311 - the same cases each time
        text = self.CURSORS[1].text(self.BINDING)
        for _ in range(2_000):
            place = dice.randrange(len(text))
            bent = text[:place] + dice.choice("AZaz09-_=") + text[place + dice.randrange(2) :]
            try:
                StreamCursor.parse(bent, self.BINDING)
            except BadUserInputError:
                continue


@dataclass(eq=False)
class Heard:
    """A sink that keeps what it is told."""

    texts: list[str] = field(default_factory=list)

    def event(self, payload: Payload) -> None:
        self.texts.append(payload.text)

    def state(self, payload: Payload) -> None:  # noqa: ARG002 - as a sink has it
        raise AssertionError("streams tell events")

    def error(self, errors: list[dict[str, Any]]) -> None:
        self.texts.append(str(errors))

    def complete(self) -> None:
        raise AssertionError("streams do not end by themselves")


def stream(arguments: str = "", now: Moment = START) -> Stream:
    text = f"subscription {{ agentCheckins{arguments} {{ cursor events {{ agentId }} }} }}"
    made = stream_for(SCHEMA, DOCUMENTS.get(text), Request(text, {}, None), VIEWER, now)
    made.add(Listener(Heard()))
    made.greets = False
    return made


def told(at: Stream) -> list[tuple[int, int]]:
    """Everything that waits, told message by message, as transaction and change."""
    found = []
    while at.waits:
        events, cursor = at.take()
        assert 0 < len(events) <= STREAM_EVENTS_MAX
        found += [(event.xid, event.position.number) for event in events]
        at.cursor = StreamCursor.parse(cursor.text(at.binding), at.binding)
    return found


def made(*places: tuple[int, int]) -> list[Event]:
    """Events of these transactions and numbers, in the order of their numbers."""
    changes = [checkin(xid=xid, number=number) for xid, number in sorted(places, key=lambda p: p[1])]
    return list(events_of(changes))


class TestStream:
    def test_what_it_heard_is_told_in_order_with_the_moment_behind_it(self) -> None:
        at = stream()
        at.hear(made((10, 1), (11, 2)), START, Moment(12, 12))
        at.hear(made((12, 3)), Moment(12, 12), Moment(13, 13))
        assert told(at) == [(10, 1), (11, 2), (12, 3)]
        assert at.cursor == StreamCursor(Moment(13, 13))

    def test_what_the_cursor_has_seen_is_not_told_again(self) -> None:
        at = stream(now=Moment(10, 13, frozenset({10})))
        at.hear(made((10, 1), (11, 2), (12, 3), (13, 4)), START, Moment(14, 14))
        assert told(at) == [(10, 1), (13, 4)]

    def test_idle_it_stands_where_all_was_heard(self) -> None:
        at = stream()
        assert at.stands_at(Moment(20, 20)) == StreamCursor(Moment(20, 20))
        at.hear(made((20, 1)), Moment(20, 20), Moment(21, 21))
        assert at.stands_at(Moment(22, 22)) == StreamCursor(Moment(20, 20))

    def test_ahead_of_what_was_heard_it_stands_where_it_is(self) -> None:
        at = stream(now=Moment(30, 30))
        assert at.stands_at(Moment(20, 20)) == StreamCursor(Moment(30, 30))

    def test_more_than_a_message_holds_takes_several_and_can_be_resumed_in_the_middle(self) -> None:
        places = [(10 + n % 7, n) for n in range(2 * STREAM_EVENTS_MAX + 5)]
        after = Moment(17, 17)
        at = stream()
        at.hear(made(*places), START, after)
        first, cursor = at.take()
        assert (len(first), cursor.told) == (STREAM_EVENTS_MAX, START)
        assert cursor.part is not None
        again = stream()
        again.cursor = StreamCursor.parse(cursor.text(again.binding), again.binding)
        late = (9, STREAM_EVENTS_MAX // 2)  # committed later with a lower number
        again.cursor = replace(again.cursor, told=Moment(9, 10, frozenset({9})))
        again.cursor = replace(again.cursor, part=Part(Moment(9, 17, frozenset({9})), cursor.part.last))
        again.catch_up(made(*places, late, (18, 5_000)), Moment(19, 19))
        assert sorted(told(again)) == sorted([*places[STREAM_EVENTS_MAX:], late, (18, 5_000)])
        assert again.cursor == StreamCursor(Moment(19, 19))

    def test_caught_up_with_the_log_what_was_heard_meanwhile_is_told_once(self) -> None:
        at = stream()
        at.hear(made((10, 1), (12, 2)), START, Moment(13, 13))
        at.hear(made((13, 3), (15, 4)), Moment(13, 13), Moment(16, 16))
        at.catch_up(made((10, 1), (12, 2), (13, 3)), Moment(14, 14))
        assert told(at) == [(10, 1), (12, 2), (13, 3), (15, 4)]
        assert at.cursor == StreamCursor(Moment(16, 16))

    def test_nothing_in_the_log_leaves_it_at_the_moment_that_was_read(self) -> None:
        at = stream()
        at.catch_up([], Moment(14, 14))
        assert (at.waits, at.cursor) == (False, StreamCursor(Moment(14, 14)))

    def test_what_is_too_much_to_wait_is_read_from_the_log_instead(self) -> None:
        at = stream()
        at.hear(made(*((10, n) for n in range(STREAM_WAITING_MAX))), START, Moment(11, 11))
        assert not at.behind
        at.hear(made((11, STREAM_WAITING_MAX)), Moment(11, 11), Moment(12, 12))
        at.hear(made((12, STREAM_WAITING_MAX + 1)), Moment(12, 12), Moment(13, 13))
        assert at.behind
        assert len(told(at)) == STREAM_WAITING_MAX
        assert at.cursor == StreamCursor(Moment(11, 11))

    def test_what_could_not_be_told_is_read_again(self) -> None:
        at = stream()
        at.hear(made((10, 1)), START, Moment(11, 11))
        taken, _ = at.take()
        at.put_back(taken)
        assert (at.behind, at.waits, at.cursor) == (True, False, StreamCursor(START))


class TestIndex:
    @pytest.mark.parametrize(
        ("arguments", "wanted"),
        [
            ("", True),
            ('(siteId: "s1")', True),
            ('(siteId: "s2")', False),
            ('(agentIds: ["a2", "a1", "a1"])', True),
            ('(agentIds: [])', False),
            ('(agentIds: ["a2"])', False),
            ('(siteId: "s1", agentIds: ["a1"])', True),
            ('(siteId: "s2", agentIds: ["a1"])', False),
        ],
    )  # fmt: skip
    def test_an_event_finds_who_asked_for_it(self, arguments: str, wanted: bool) -> None:  # noqa: FBT001 - pytest
        index, at = StreamIndex(), stream(arguments)
        index.add(at, apart=False)
        (event,) = events_of([checkin()])
        assert index.asked([event]) == ({at: [event]} if wanted else {})
        (foreign,) = events_of([checkin(tenant_id="t2")])
        assert index.asked([foreign]) == {}
        index.validate()
        index.discard(at)
        assert (len(index), index._places) == (0, {})

    @pytest.mark.parametrize(
        ("wanted", "has"),
        [
            (Wanted(HEALTH, "t1"), True),
            (Wanted(HEALTH, "t1", resource_type="agent", status="down"), True),
            (Wanted(HEALTH, "t1", site_id="s9"), True),  # looked up later
            (Wanted(HEALTH, "t1", resource_type="site"), False),
            (Wanted(HEALTH, "t1", status="healthy"), False),
            (Wanted(HEALTH, "t2"), False),
            (Wanted(CHECKINS, "t1"), False),
        ],
    )
    def test_a_change_of_health_is_wanted_or_not(self, wanted: Wanted, has: bool) -> None:  # noqa: FBT001 - pytest
        (event,) = events_of([change("health_checks", check(), check(status="down"))])
        assert wanted.has(event) is has

    def test_listeners_are_put_together_where_they_stand_at_one_moment(self) -> None:
        index, shared, apart = StreamIndex(), stream(), stream(now=Moment(15, 15))
        index.add(shared, apart=False)
        index.add(apart, apart=True)
        index.put_together(Moment(12, 12))
        assert len(index) == 2  # one is ahead
        index.put_together(Moment(15, 15))
        assert list(index) == [shared]
        assert [len(at.listeners) for at in index] == [2]
        index.validate()

    def test_one_that_is_told_something_is_left_alone(self) -> None:
        index, shared, apart = StreamIndex(), stream(), stream()
        index.add(shared, apart=False)
        index.add(apart, apart=True)
        shared.busy = True
        index.put_together(START)
        assert len(index) == 2
        shared.busy, apart.behind = False, True
        index.put_together(START)
        assert len(index) == 2
        index.discard(shared)
        apart.behind = False
        index.put_together(START)
        assert index.shared(apart.key) is apart


def test_whatever_way_events_come_each_is_told_once() -> None:
    """Random transactions that overlap, seen by ticks and read from the log, by subscribers who come back."""
    dice = random.Random(11)  # noqa: S311 - the same cases each time
    for _ in range(300):
        _live_through(dice)


def _live_through(dice: random.Random) -> None:
    log: list[tuple[int, int]] = []
    running: set[int] = set()
    xid, number, heard = 10, 0, START
    at = stream()
    found: list[tuple[int, int]] = []
    for _ in range(40):
        match dice.randrange(5):
            case 0:
                running.add(xid)
                xid += 1
            case 1 if running:
                number += 1
                log.append((dice.choice(sorted(running)), number))
            case 2 if running:
                running.discard(dice.choice(sorted(running)))
            case 3:
                now = Moment(min(running, default=xid), xid, frozenset(running))
                at.hear(_between(log, heard, now), heard, now)
                heard = now
                found += told(at) if dice.random() < 0.7 else []
            case 4:
                cursor = at.stands_at(heard)
                at = stream()
                at.cursor = StreamCursor.parse(cursor.text(at.binding), at.binding)
                now = Moment(min(running, default=xid), xid, frozenset(running))
                at.catch_up(_between(log, cursor.told, now), now)
    now = Moment(xid, xid)
    at.hear(_between(log, heard, now), heard, now)
    found += told(at)
    assert sorted(found) == sorted(log)


def _between(log: Sequence[tuple[int, int]], before: Moment, after: Moment) -> list[Event]:
    return made(*(place for place in log if after.sees(place[0]) and not before.sees(place[0])))
