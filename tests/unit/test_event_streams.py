"""Streams without a database: the changes that are events, their tenants, and delivery exactly once."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.errors import BadUserInputError
from core.limits import STREAM_CURSOR_CHARS_MAX, STREAM_EVENTS_MAX, STREAM_PENDING_EVENTS_MAX
from resolvers.documents.cache import DocumentCache
from resolvers.documents.live import find_stream_nodes
from resolvers.loaders.bindings import build_executable_schema
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.event_streams.cursors import PartialSnapshot, StreamCursor, compute_binding
from subscriptions.event_streams.events import (
    CHECKINS,
    HEALTH,
    EventFilter,
    Position,
    StreamEvent,
    extract_events,
    extract_gaps,
)
from subscriptions.event_streams.stream import EventStream, Listener
from subscriptions.event_streams.stream_index import StreamIndex
from subscriptions.event_streams.stream_request import build_stream
from tests.live.recording_subscriber import RecordingSubscriber
from tests.operations import validate_text
from tests.sealed_tokens import SEALER

SCHEMA: Final = build_executable_schema()[1]
DOCUMENTS: Final = DocumentCache(SCHEMA)
VIEWER: Final = Viewer(
    ViewerKind.USER, "t1", "u1", "r1", frozenset({"Agents.Read", "HealthChecks.Read"}), NEVER
)
START: Final = Snapshot(10, 10)


def build_agent_row(id_: str = "a1", **values: Any) -> dict[str, Any]:
    return {
        "id": id_, "tenant_id": "t1", "site_id": "s1", "last_checkin_at": None, "deleted_at": None, **values
    }  # fmt: skip


def build_health_check_row(id_: str = "h1", **values: Any) -> dict[str, Any]:
    row = {"id": id_, "tenant_id": "t1", "resource_type": "agent", "resource_id": "a1", "status": "healthy"}
    return {**row, "failure_count": 0, "last_check_at": 5, **values}


def build_change(
    table: str, before: dict[str, Any] | None, after: dict[str, Any] | None, xid: int = 10, number: int = 1
) -> Change:
    kind = ChangeKind.UPDATE if before and after else ChangeKind.INSERT if after else ChangeKind.DELETE
    whole = after or before
    assert whole
    columns = frozenset(n for n in whole if not (before and after) or before[n] != after[n])
    return Change(
        table, kind, ChangeOrigin(xid, number, 0), (ChangedRow(whole["id"], before, after, columns),)
    )


def build_check_in(at: int = 7, id_: str = "a1", xid: int = 10, number: int = 1, **values: Any) -> Change:
    return build_change(
        "agents",
        build_agent_row(id_, **values),
        build_agent_row(id_, last_checkin_at=at, **values),
        xid,
        number,
    )


class TestEvents:
    def test_event_of_check_in_has_its_values(self) -> None:
        before, after = build_agent_row(last_checkin_at=3), build_agent_row(last_checkin_at=9, version="2")
        (event,) = extract_events([build_change("agents", {**before, "version": "1"}, after, 12, 4)])
        assert event.values == {"agentId": "a1", "siteId": "s1", "checkedInAt": 9, "previousCheckinAt": 3}
        assert (event.stream, event.tenant_id, event.xid) == (CHECKINS, "t1", 12)
        assert event.position == Position(4, 0)

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (build_agent_row(last_checkin_at=3), build_agent_row(last_checkin_at=3, site_id="s2")),
            (build_agent_row(last_checkin_at=3), build_agent_row(last_checkin_at=2)),
            (build_agent_row(last_checkin_at=3), build_agent_row()),
            (build_agent_row(), build_agent_row(last_checkin_at=3, deleted_at=2)),
            (None, build_agent_row(last_checkin_at=3)),
            (build_agent_row(last_checkin_at=3), None),
        ],
    )
    def test_events_of_other_agent_writes_are_none(self, before: Any, after: Any) -> None:
        assert list(extract_events([build_change("agents", before, after)])) == []

    def test_events_of_new_health_check_and_status_change_have_their_values(self) -> None:
        new = build_change("health_checks", None, build_health_check_row(status="down", failure_count=2))
        turned = build_change(
            "health_checks",
            build_health_check_row(),
            build_health_check_row(status="degraded", last_check_at=9),
        )
        first, second = extract_events([new, turned])
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

    @pytest.mark.parametrize(
        "after", [build_health_check_row(last_check_at=9), build_health_check_row(failure_count=3), None]
    )
    def test_events_of_other_health_check_writes_are_none(self, after: Any) -> None:
        assert list(extract_events([build_change("health_checks", build_health_check_row(), after)])) == []

    def test_events_of_other_tables_are_none(self) -> None:
        assert (
            list(
                extract_events(
                    [
                        build_change(
                            "sites", {"id": "s", "status": "inactive"}, {"id": "s", "status": "active"}
                        )
                    ]
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
    def test_gaps_of_coarse_change_are_of_its_streams(
        self, table: str, kind: ChangeKind, columns: set[str] | None, gaps: list[str]
    ) -> None:
        of_columns = None if columns is None else frozenset(columns)
        coarse = Change(table, kind, ChangeOrigin(10, 1, 0), None, frozenset({"t1"}), of_columns)
        assert list(extract_events([coarse])) == []
        found = list(extract_gaps([coarse]))
        assert [gap.stream for gap in found] == gaps
        for gap in found:
            assert EventFilter(gap.stream, "t1").is_affected_by(gap)
            assert not EventFilter(gap.stream, "t2").is_affected_by(gap)
            assert EventFilter(gap.stream, "t2").is_affected_by(gap._replace(tenants=None))


class TestCursors:
    BINDING: Final = compute_binding(CHECKINS, "t1", {"siteId": "s1"})
    CURSORS: Final = (
        StreamCursor(Snapshot(10, 20, frozenset({10, 14}), "era-1")),
        StreamCursor(START, PartialSnapshot(Snapshot(12, 15, frozenset({12})), Position(2**40, 3))),
    )

    @pytest.mark.parametrize("cursor", CURSORS)
    def test_stream_cursor_text_round_trips(self, cursor: StreamCursor) -> None:
        assert StreamCursor.open(cursor.seal(self.BINDING, SEALER), self.BINDING, SEALER) == cursor

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
    def test_stream_cursor_of_another_stream_is_refused(
        self, stream: str, tenant: str, arguments: dict[str, Any]
    ) -> None:
        with pytest.raises(BadUserInputError, match="other arguments"):
            StreamCursor.open(
                self.CURSORS[0].seal(compute_binding(stream, tenant, arguments), SEALER), self.BINDING, SEALER
            )

    def test_stream_binding_ignores_order_of_agents_and_cursor(self) -> None:
        one = compute_binding(CHECKINS, "t1", {"agentIds": ["a", "b"], "since": "x", "siteId": None})
        assert one == compute_binding(CHECKINS, "t1", {"agentIds": ["b", "a", "b"]})

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
    def test_stream_cursor_malformed_is_refused(self, text: str) -> None:
        with pytest.raises(BadUserInputError):
            StreamCursor.open(text, self.BINDING, SEALER)

    def test_stream_cursor_altered_is_refused_or_another_cursor(self) -> None:
        dice = random.Random(2)  # noqa: S311 - the same cases each time
        text = self.CURSORS[1].seal(self.BINDING, SEALER)
        for _ in range(2_000):
            position = dice.randrange(len(text))
            bent = text[:position] + dice.choice("AZaz09-_=") + text[position + dice.randrange(2) :]
            try:
                StreamCursor.open(bent, self.BINDING, SEALER)
            except BadUserInputError:
                continue


def open_stream(arguments: str = "", now: Snapshot = START) -> EventStream:
    text = f"subscription {{ agentCheckins{arguments} {{ cursor events {{ agentId }} }} }}"
    operation = validate_text(DOCUMENTS, text)
    made = build_stream(operation, find_stream_nodes(operation) or [], VIEWER, now, SEALER)
    made.add_listener(Listener(RecordingSubscriber()))
    made.sends_first_message = False
    return made


def reopen(at: EventStream, cursor: StreamCursor) -> StreamCursor:
    """The cursor after a client has kept it."""
    binding = at.definition.binding
    return StreamCursor.open(cursor.seal(binding, SEALER), binding, SEALER)


def drain_stream(at: EventStream) -> list[tuple[int, int]]:
    """All waiting events, message by message, as transaction and change."""
    found = []
    while at.has_waiting:
        events, cursor = at.take_message()
        assert 0 < len(events) <= STREAM_EVENTS_MAX
        found += [(event.xid, event.position.number) for event in events]
        at.cursor = reopen(at, cursor)
    return found


def build_events(*positions: tuple[int, int]) -> list[StreamEvent]:
    """Events of these transactions and numbers, in the order of their numbers."""
    changes = [
        build_check_in(xid=xid, number=number) for xid, number in sorted(positions, key=lambda p: p[1])
    ]
    return list(extract_events(changes))


class TestStream:
    def test_stream_sends_events_in_order_and_moves_its_cursor(self) -> None:
        at = open_stream()
        at.add_events(build_events((10, 1), (11, 2)), START, Snapshot(12, 12))
        at.add_events(build_events((12, 3)), Snapshot(12, 12), Snapshot(13, 13))
        assert drain_stream(at) == [(10, 1), (11, 2), (12, 3)]
        assert at.cursor == StreamCursor(Snapshot(13, 13))

    def test_stream_skips_events_visible_to_its_cursor(self) -> None:
        at = open_stream(now=Snapshot(10, 13, frozenset({10})))
        at.add_events(build_events((10, 1), (11, 2), (12, 3), (13, 4)), START, Snapshot(14, 14))
        assert drain_stream(at) == [(10, 1), (13, 4)]

    def test_stream_when_idle_has_the_cursor_of_the_last_delta(self) -> None:
        at = open_stream()
        assert at.build_cursor_at(Snapshot(20, 20)) == StreamCursor(Snapshot(20, 20))
        at.add_events(build_events((20, 1)), Snapshot(20, 20), Snapshot(21, 21))
        assert at.build_cursor_at(Snapshot(22, 22)) == StreamCursor(Snapshot(20, 20))

    def test_stream_ahead_of_the_delta_keeps_its_cursor(self) -> None:
        at = open_stream(now=Snapshot(30, 30))
        assert at.build_cursor_at(Snapshot(20, 20)) == StreamCursor(Snapshot(30, 30))

    def test_stream_beyond_message_size_resumes_in_the_middle(self) -> None:
        positions = [(10 + n % 7, n) for n in range(2 * STREAM_EVENTS_MAX + 5)]
        after = Snapshot(17, 17)
        at = open_stream()
        at.add_events(build_events(*positions), START, after)
        first, cursor = at.take_message()
        assert (len(first), cursor.snapshot) == (STREAM_EVENTS_MAX, START)
        assert cursor.partial is not None
        again = open_stream()
        again.cursor = reopen(again, cursor)
        late = (9, STREAM_EVENTS_MAX // 2)  # committed later with a lower number
        again.cursor = replace(again.cursor, snapshot=Snapshot(9, 10, frozenset({9})))
        again.cursor = replace(
            again.cursor, partial=PartialSnapshot(Snapshot(9, 17, frozenset({9})), cursor.partial.last)
        )
        again.catch_up(build_events(*positions, late, (18, 5_000)), Snapshot(19, 19))
        assert sorted(drain_stream(again)) == sorted([*positions[STREAM_EVENTS_MAX:], late, (18, 5_000)])
        assert again.cursor == StreamCursor(Snapshot(19, 19))

    def test_stream_catch_up_sends_events_of_log_and_delta_once(self) -> None:
        at = open_stream()
        at.add_events(build_events((10, 1), (12, 2)), START, Snapshot(13, 13))
        at.add_events(build_events((13, 3), (15, 4)), Snapshot(13, 13), Snapshot(16, 16))
        at.catch_up(build_events((10, 1), (12, 2), (13, 3)), Snapshot(14, 14))
        assert drain_stream(at) == [(10, 1), (12, 2), (13, 3), (15, 4)]
        assert at.cursor == StreamCursor(Snapshot(16, 16))

    def test_stream_catch_up_with_empty_log_moves_its_cursor(self) -> None:
        at = open_stream()
        at.catch_up([], Snapshot(14, 14))
        assert (at.has_waiting, at.cursor) == (False, StreamCursor(Snapshot(14, 14)))

    def test_stream_beyond_pending_limit_falls_behind(self) -> None:
        at = open_stream()
        at.add_events(
            build_events(*((10, n) for n in range(STREAM_PENDING_EVENTS_MAX))), START, Snapshot(11, 11)
        )
        is_behind_at_limit = at.is_behind
        assert not is_behind_at_limit
        at.add_events(build_events((11, STREAM_PENDING_EVENTS_MAX)), Snapshot(11, 11), Snapshot(12, 12))
        at.add_events(build_events((12, STREAM_PENDING_EVENTS_MAX + 1)), Snapshot(12, 12), Snapshot(13, 13))
        assert at.is_behind
        assert len(drain_stream(at)) == STREAM_PENDING_EVENTS_MAX
        assert at.cursor == StreamCursor(Snapshot(11, 11))

    def test_stream_put_back_events_are_read_again(self) -> None:
        at = open_stream()
        at.add_events(build_events((10, 1)), START, Snapshot(11, 11))
        taken, _ = at.take_message()
        at.requeue(taken)
        assert (at.is_behind, at.has_waiting, at.cursor) == (True, False, StreamCursor(START))


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
    def test_stream_index_event_finds_matching_streams(self, arguments: str, wanted: bool) -> None:
        index, at = StreamIndex(), open_stream(arguments)
        index.add(at, unshared=False)
        (event,) = extract_events([build_check_in()])
        assert index.route_events([event]) == ({at: [event]} if wanted else {})
        (foreign,) = extract_events([build_check_in(tenant_id="t2")])
        assert index.route_events([foreign]) == {}
        index.validate()
        index.discard(at)
        assert (len(index), index._by_routing_key) == (0, {})

    @pytest.mark.parametrize(
        ("wanted", "has"),
        [
            (EventFilter(HEALTH, "t1"), True),
            (EventFilter(HEALTH, "t1", resource_type="agent", status="down"), True),
            (EventFilter(HEALTH, "t1", site_id="s9"), True),  # looked up later
            (EventFilter(HEALTH, "t1", resource_type="site"), False),
            (EventFilter(HEALTH, "t1", status="healthy"), False),
            (EventFilter(HEALTH, "t2"), False),
            (EventFilter(CHECKINS, "t1"), False),
        ],
    )
    def test_wanted_matches_health_change_by_its_arguments(self, wanted: EventFilter, has: bool) -> None:
        (event,) = extract_events(
            [build_change("health_checks", build_health_check_row(), build_health_check_row(status="down"))]
        )
        assert wanted.matches(event) is has

    def test_stream_index_merges_streams_at_one_snapshot(self) -> None:
        index, shared, apart = StreamIndex(), open_stream(), open_stream(now=Snapshot(15, 15))
        index.add(shared, unshared=False)
        index.add(apart, unshared=True)
        index.merge_listeners(Snapshot(12, 12))
        assert len(index) == 2  # one is ahead
        index.merge_listeners(Snapshot(15, 15))
        assert list(index) == [shared]
        assert [len(at.listeners) for at in index] == [2]
        index.validate()

    def test_stream_index_does_not_merge_busy_or_behind_streams(self) -> None:
        index, shared, apart = StreamIndex(), open_stream(), open_stream()
        index.add(shared, unshared=False)
        index.add(apart, unshared=True)
        shared.is_busy = True
        index.merge_listeners(START)
        assert len(index) == 2
        shared.is_busy, apart.is_behind = False, True
        index.merge_listeners(START)
        assert len(index) == 2
        index.discard(shared)
        apart.is_behind = False
        index.merge_listeners(START)
        assert index.find_shared(apart.key) is apart


def test_stream_under_random_transactions_sends_each_event_once() -> None:
    """Random overlapping transactions, seen by ticks and read from the log, with subscribers that reconnect."""
    dice = random.Random(11)  # noqa: S311 - the same cases each time
    for _ in range(300):
        _run_random_transactions(dice)


def _run_random_transactions(dice: random.Random) -> None:
    log: list[tuple[int, int]] = []
    running: set[int] = set()
    xid, number, seen = 10, 0, START
    at = open_stream()
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
                now = Snapshot(min(running, default=xid), xid, frozenset(running))
                at.add_events(_events_between(log, seen, now), seen, now)
                seen = now
                found += drain_stream(at) if dice.random() < 0.7 else []
            case 4:
                cursor = at.build_cursor_at(seen)
                at = open_stream()
                at.cursor = reopen(at, cursor)
                now = Snapshot(min(running, default=xid), xid, frozenset(running))
                at.catch_up(_events_between(log, cursor.snapshot, now), now)
    now = Snapshot(xid, xid)
    at.add_events(_events_between(log, seen, now), seen, now)
    found += drain_stream(at)
    assert sorted(found) == sorted(log)


def _events_between(log: Sequence[tuple[int, int]], before: Snapshot, after: Snapshot) -> list[StreamEvent]:
    return build_events(
        *(
            position
            for position in log
            if after.is_visible(position[0]) and not before.is_visible(position[0])
        )
    )
