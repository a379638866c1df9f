"""The state of live queries without a database: shared groups, recipients of messages, and complete clean-up."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from core.limits import LIVE_BATCH_MAX, LIVE_REPLAYED_ROWS_MAX, LIVE_RUN_S
from resolvers.execution_strategy import ExecutionStrategy
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin
from subscriptions.change_log.replay_buffer import ReplayBuffer
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.engine.live_query import LiveQuery, LiveQueryFactory
from subscriptions.engine.query_result import QueryResult
from subscriptions.engine.query_runner import build_batches
from subscriptions.engine.query_states import QueryState
from subscriptions.engine.run_outcome import RunOutcome
from subscriptions.engine.shared_query import SharedQuery, Subscription
from subscriptions.engine.shared_query_registry import SharedQueryRegistry
from subscriptions.invalidation.matcher import ChangeMatcher
from subscriptions.invalidation.read_sets import Dependency
from tests.live.recording_subscriber import RecordingSubscriber
from tests.live.unit_queries import DOCUMENTS, SITE, VIEWER, RecordingRun, build_live_query
from tests.operations import validate_text

NEIGHBOR = Viewer(ViewerKind.USER, "neighbour", "user", "role", RIGHTS, 1)
COLLEAGUE = replace(VIEWER, user_id="colleague", role_id="another", expires_at=2)
SNAPSHOT = Snapshot.parse("10:10:")
LATER = Snapshot.parse("11:11:")
SNAPSHOT_TOKEN, LATER_TOKEN = "sealed moment", "sealed later moment"


@pytest.fixture
def registry() -> Iterator[SharedQueryRegistry]:
    made = SharedQueryRegistry(ChangeMatcher())
    yield made
    made.validate()


def subscribe(
    registry: SharedQueryRegistry, live_query: LiveQuery | None = None
) -> tuple[Subscription, RecordingSubscriber]:
    subscriber = RecordingSubscriber()
    subscription = Subscription(subscriber, registry.remove_subscription)
    registry.add_subscription(subscription, live_query or build_live_query(id="one"))
    return subscription, subscriber


def shared_query_of(subscription: Subscription) -> SharedQuery:
    assert subscription.shared_query is not None
    return subscription.shared_query


def build_outcome(name: str) -> RunOutcome:
    reads = Dependency("sites", frozenset({"tenant"}), {"id": frozenset({"one"})}, frozenset({"id", "name"}))
    return RunOutcome(QueryResult.from_compiled("site", f'{{"name":"{name}"}}'), name.encode(), (reads,))


def build_change(id_: str, *columns: str) -> Change:
    values = {"id": id_, "tenant_id": "tenant"}
    row = ChangedRow(id_, values, values, frozenset(columns or ("name",)))
    return Change("sites", ChangeKind.UPDATE, ChangeOrigin(1, 1, 1), (row,))


def run_query(
    registry: SharedQueryRegistry, group: SharedQuery, name: str, missed: list[Change] | None
) -> int:
    """A run that began in this tick."""
    registry.mark_running(group, RecordingRun(registry.cycle))
    registry.validate()
    return registry.complete(group, build_outcome(name), missed)


def run_cycle(registry: SharedQueryRegistry, name: str, missed: list[Change] | None = None) -> None:
    """A tick that runs all dirty shared queries, and sends their answers."""
    registry.matched = registry.begin_cycle()
    welcome = registry.take_new_subscribers()
    landed = [(group, run_query(registry, group, name, missed or [])) for group in registry.list_runnable()]
    for group, before in landed:
        group.send_result(SNAPSHOT_TOKEN, before)
    for group in welcome:
        group.send_result(SNAPSHOT_TOKEN, registry.cycle)
    registry.validate()


def test_registry_equal_queries_of_different_users_are_shared(registry: SharedQueryRegistry) -> None:
    one, _ = subscribe(registry)
    other, _ = subscribe(registry, build_live_query(viewer=COLLEAGUE, id="one"))
    assert one.shared_query is other.shared_query
    assert (len(registry), registry.subscriptions) == (1, 2)


@pytest.mark.parametrize(
    "other",
    [
        build_live_query(id="two"),
        build_live_query(viewer=NEIGHBOR, id="one"),
        build_live_query(viewer=replace(VIEWER, rights=RIGHTS - {"Audit.Read"}), id="one"),
        build_live_query(wants=("snapshot",), id="one"),
        build_live_query(SITE.replace("name", "id"), id="one"),
    ],
    ids=["variables", "tenant", "rights", "extensions", "document"],
)
def test_registry_different_queries_are_not_shared(registry: SharedQueryRegistry, other: LiveQuery) -> None:
    subscribe(registry)
    subscribe(registry, other)
    assert len(registry) == 2


def test_registry_query_about_the_viewer_is_not_shared(registry: SharedQueryRegistry) -> None:
    query = "subscription { viewer { expiresAt } }"
    subscribe(registry, build_live_query(query))
    subscribe(registry, build_live_query(query, viewer=COLLEAGUE))
    subscribe(registry, build_live_query(query))
    assert len(registry) == 2


def test_subscriber_first_message_is_of_a_later_cycle(registry: SharedQueryRegistry) -> None:
    registry.begin_cycle()
    subscription, subscriber = subscribe(registry)
    assert registry.list_runnable() == []
    registry.begin_cycle()
    group = shared_query_of(subscription)
    assert registry.list_runnable() == [group]
    group.send_result(SNAPSHOT_TOKEN, run_query(registry, group, "A", []))
    assert subscriber.site_names == ["A"]


def test_new_subscriber_of_clean_query_gets_its_result_without_a_run(registry: SharedQueryRegistry) -> None:
    subscribe(registry)
    run_cycle(registry, "A")
    subscription, subscriber = subscribe(registry)
    assert subscriber.site_names == []
    run_cycle(registry, "not run")
    assert subscriber.site_names == ["A"]
    assert registry.is_clean(shared_query_of(subscription))


def test_new_subscriber_of_dirty_query_gets_the_next_run(registry: SharedQueryRegistry) -> None:
    first, first_subscriber = subscribe(registry)
    run_cycle(registry, "A")
    _, subscriber = subscribe(registry)
    registry.mark_dirty(shared_query_of(first))
    run_cycle(registry, "B")
    assert (first_subscriber.site_names, subscriber.site_names) == (["A", "B"], ["B"])


def test_new_subscriber_during_run_does_not_get_an_outdated_result(registry: SharedQueryRegistry) -> None:
    first, first_subscriber = subscribe(registry)
    registry.begin_cycle()
    registry.mark_running(shared_query_of(first), RecordingRun(registry.cycle))
    _, subscriber = subscribe(registry)
    before = registry.complete(shared_query_of(first), build_outcome("A"), [build_change("one")])
    shared_query_of(first).send_result(SNAPSHOT_TOKEN, before)
    assert (first_subscriber.site_names, subscriber.site_names) == (["A"], [])
    run_cycle(registry, "B")
    assert (first_subscriber.site_names, subscriber.site_names) == (["A", "B"], ["B"])


def test_new_subscriber_during_run_gets_a_result_that_is_still_current(registry: SharedQueryRegistry) -> None:
    first, _ = subscribe(registry)
    registry.begin_cycle()
    registry.mark_running(shared_query_of(first), RecordingRun(registry.cycle))
    _, subscriber = subscribe(registry)
    registry.matched = registry.begin_cycle()
    assert registry.take_new_subscribers() == []
    shared_query_of(first).send_result(
        LATER_TOKEN, registry.complete(shared_query_of(first), build_outcome("A"), [])
    )
    assert subscriber.site_names == ["A"]


def test_subscriber_is_not_sent_an_equal_result_again(registry: SharedQueryRegistry) -> None:
    subscription, subscriber = subscribe(registry)
    for name in ("A", "A", "B", "B", "A"):
        registry.mark_dirty(shared_query_of(subscription))
        run_cycle(registry, name)
    assert subscriber.site_names == ["A", "B", "A"]


@pytest.mark.parametrize(
    ("missed", "dirty"),
    [
        ([], False),
        ([build_change("one")], True),
        ([build_change("two")], False),
        ([build_change("one", "status")], False),
        (None, True),
    ],
)
def test_complete_replays_missed_changes_against_the_reads_of_the_run(
    registry: SharedQueryRegistry, missed: list[Change] | None, *, dirty: bool
) -> None:
    subscription, _ = subscribe(registry)
    registry.begin_cycle()
    run_query(registry, shared_query_of(subscription), "A", missed)
    expected = QueryState.DIRTY if dirty else QueryState.CLEAN
    assert registry.get_state(shared_query_of(subscription)) is expected


def test_changes_during_run_cause_one_more_run(registry: SharedQueryRegistry) -> None:
    subscription, _ = subscribe(registry)
    group = shared_query_of(subscription)
    registry.begin_cycle()
    registry.mark_running(group, RecordingRun(registry.cycle))
    for _ in range(10):
        registry.mark_dirty(group)
    assert registry.get_state(group) is QueryState.RUNNING
    registry.complete(group, build_outcome("A"), [build_change("one")] * 10)
    registry.begin_cycle()
    assert registry.list_runnable() == [group]
    registry.mark_running(group, RecordingRun(registry.cycle))
    assert registry.list_runnable() == []


def test_complete_of_run_with_another_clock_reruns_clock_queries(registry: SharedQueryRegistry) -> None:
    subscription, _ = subscribe(registry)
    registry.begin_cycle()
    group = shared_query_of(subscription)
    registry.mark_running(group, RecordingRun(registry.cycle))
    online = Dependency("agents", None, {}, frozenset({"is_online"}))
    registry.complete(group, replace(build_outcome("A"), dependencies=(online,)), [], same_clock=False)
    assert registry.get_state(group) is QueryState.DIRTY
    assert registry.has_time_dependent
    subscription.cancel()
    assert not registry.has_time_dependent


def test_failed_run_leaves_its_query_dirty(registry: SharedQueryRegistry) -> None:
    subscription, _ = subscribe(registry)
    registry.begin_cycle()
    registry.mark_running(shared_query_of(subscription), RecordingRun(registry.cycle))
    registry.mark_failed(shared_query_of(subscription))
    assert registry.list_runnable() == [shared_query_of(subscription)]


def test_new_subscriber_does_not_revisit_the_present_ones(registry: SharedQueryRegistry) -> None:
    present = [subscribe(registry)[0] for _ in range(100)]
    group = shared_query_of(present[0])
    run_cycle(registry, "A")
    run_cycle(registry, "A")
    assert not group.behind
    guest, subscriber = subscribe(registry)
    assert list(group.behind) == [guest]
    run_cycle(registry, "A")
    assert subscriber.site_names == ["A"]
    assert not group.behind
    registry.mark_dirty(group)
    run_cycle(registry, "B")
    assert subscriber.site_names == ["A", "B"]
    assert not group.behind


def test_registry_drops_query_with_its_last_subscriber(registry: SharedQueryRegistry) -> None:
    one, _ = subscribe(registry)
    other, _ = subscribe(registry)
    run_cycle(registry, "A")
    group = shared_query_of(one)
    one.cancel()
    assert len(registry.matcher) == 1
    other.cancel()
    other.cancel()
    assert (len(registry), len(registry.matcher), registry.subscriptions, registry._results.chars) == (
        0,
        0,
        0,
        0,
    )
    registry.mark_dirty(group)
    assert registry.list_runnable() == []


def test_query_dropped_during_run_keeps_and_sends_nothing(registry: SharedQueryRegistry) -> None:
    subscription, subscriber = subscribe(registry)
    group = shared_query_of(subscription)
    registry.begin_cycle()
    run = RecordingRun(registry.cycle)
    registry.mark_running(group, run)
    subscription.cancel()
    assert run.closed == 1
    registry.complete(group, build_outcome("A"), None)
    assert (len(registry.matcher), subscriber.states) == (0, [])


def test_moved_subscriber_is_not_sent_an_equal_result(registry: SharedQueryRegistry) -> None:
    moving, subscriber = subscribe(registry)
    staying, _ = subscribe(
        registry, build_live_query(viewer=replace(VIEWER, rights=RIGHTS - {"Audit.Read"}), id="one")
    )
    run_cycle(registry, "A")
    registry.matched = tick = registry.begin_cycle()
    registry.add_subscription(moving, shared_query_of(staying).query, since_cycle=tick - 1)
    for group in registry.take_new_subscribers():
        group.send_result(SNAPSHOT_TOKEN, tick)
    assert moving.shared_query is staying.shared_query
    assert subscriber.site_names == ["A"]
    assert len(registry) == 1


def test_evict_beyond_the_limit_drops_cached_results(
    registry: SharedQueryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription, subscriber = subscribe(registry)
    run_cycle(registry, "A")
    monkeypatch.setattr("subscriptions.engine.result_cache.LIVE_RESULTS_CACHED_CHARS_MAX", 10)
    registry.evict(shared_query_of(subscription))
    assert registry._results.chars == 0
    _, later_subscriber = subscribe(registry)
    run_cycle(registry, "A")
    assert (subscriber.site_names, later_subscriber.site_names) == (["A"], ["A"])


def test_message_with_requested_extensions_has_snapshot_and_cost(registry: SharedQueryRegistry) -> None:
    _, subscriber = subscribe(registry, build_live_query(wants=("snapshot", "cost"), id="one"))
    run_cycle(registry, "A")
    extensions = subscriber.states[0]["extensions"]
    assert extensions["snapshot"] == SNAPSHOT_TOKEN
    assert extensions["cost"]["estimated"] > 0


def test_registry_after_many_subscriptions_is_empty(registry: SharedQueryRegistry) -> None:
    for number in range(10_000):
        subscription, _ = subscribe(registry, build_live_query(id=str(number % 7)))
        if number % 3 == 0:
            run_cycle(registry, "A")
        subscription.cancel()
        if number % 3 == 1:
            run_cycle(registry, "B")
    run_cycle(registry, "B")
    assert (len(registry), len(registry.matcher), len(registry._states), registry._joined) == (
        0,
        0,
        0,
        {},
    )


class RandomRegistryUse:
    """Performs random operations on live queries, in any order."""

    def __init__(self, seed: int) -> None:
        self.registry = SharedQueryRegistry(ChangeMatcher())
        self.dice = random.Random(seed)  # noqa: S311 - tests are to be repeatable
        self.subscriptions: list[Subscription] = []
        self.running: list[SharedQuery] = []

    def step(self) -> None:
        self.dice.choice(
            (
                self.subscribe,
                self.subscribe,
                self.unsubscribe,
                self.invalidate,
                self.start_cycle,
                self.complete_run,
                self.fail_run,
            )
        )()
        self.registry.validate()

    def subscribe(self) -> None:
        self.subscriptions.append(
            subscribe(self.registry, build_live_query(id=self.dice.choice("abcdef")))[0]
        )

    def unsubscribe(self) -> None:
        if self.subscriptions:
            self.subscriptions.pop(self.dice.randrange(len(self.subscriptions))).cancel()

    def invalidate(self) -> None:
        if self.subscriptions:
            self.registry.mark_dirty(shared_query_of(self.dice.choice(self.subscriptions)))

    def start_cycle(self) -> None:
        self.registry.matched = self.registry.begin_cycle()
        self.registry.take_new_subscribers()
        for group in self.registry.list_runnable()[: self.dice.randrange(3)]:
            self.registry.mark_running(group, RecordingRun(self.registry.cycle))
            self.running.append(group)

    def complete_run(self) -> None:
        if self.running:
            missed = self.dice.choice([[], [build_change("one")], None])
            self.registry.complete(self.running.pop(), build_outcome(self.dice.choice("xyz")), missed)

    def fail_run(self) -> None:
        if self.running:
            self.registry.mark_failed(self.running.pop())


def test_registry_under_random_use_stays_consistent() -> None:
    life = RandomRegistryUse(5)
    for _ in range(3_000):
        life.step()
    for subscription in life.subscriptions:
        subscription.cancel()
    assert (len(life.registry), len(life.registry.matcher), len(life.registry._states)) == (0, 0, 0)


def test_recording_has_the_changes_since_it_began() -> None:
    history = ReplayBuffer()
    history.add((build_change("before"),))
    recording, other = history.start_recording(), history.start_recording()
    history.add((build_change("one"),))
    other.stop()
    history.add((build_change("two"),))
    assert recording.take_missed() == [build_change("one"), build_change("two")]
    assert other.take_missed() == [build_change("one")]
    recording.stop()
    assert len(history) == 0


@pytest.mark.parametrize("lost", [None, (build_change("x"),) * (LIVE_REPLAYED_ROWS_MAX // 2 + 1)])
def test_recording_with_lost_changes_is_unknown(lost: tuple[Change, ...] | None) -> None:
    history = ReplayBuffer()
    recording = history.start_recording()
    history.add((build_change("one"),))
    history.add(lost)
    history.add((build_change("two"),))
    assert recording.take_missed() is None


def subscribe_many(registry: SharedQueryRegistry, count: int, viewer: Viewer = VIEWER) -> list[SharedQuery]:
    made = [
        subscribe(registry, build_live_query(viewer=viewer, id=f"{viewer.tenant_id} {n}"))[0]
        for n in range(count)
    ]
    return [shared_query_of(subscription) for subscription in made]


def test_batches_contain_one_query_shape_and_one_tenant(registry: SharedQueryRegistry) -> None:
    ours, theirs = (
        subscribe_many(registry, LIVE_BATCH_MAX + 1),
        subscribe_many(registry, 3, NEIGHBOR),
    )
    about_me, _ = subscribe(registry, build_live_query("subscription { viewer { expiresAt } }"))
    ours[7].runs_unbatched = True
    made = [
        list(batch.shared_queries) for batch in build_batches([*ours, *theirs, shared_query_of(about_me)])
    ]
    assert sorted(map(len, made)) == [1, 1, 3, LIVE_BATCH_MAX]
    assert [ours[7]] in made
    assert theirs in made


def test_batches_isolate_a_slow_query_in_a_few_rounds(registry: SharedQueryRegistry) -> None:
    """As runs are measured: a batch takes as long as its slowest query, whichever that is."""
    everybody = subscribe_many(registry, LIVE_BATCH_MAX)
    slow = everybody[77]
    rounds = 0
    while not slow.is_slow:
        rounds += 1
        for batch in build_batches(everybody):
            taken = 0.0001 * len(batch.shared_queries) + (5.0 if slow in batch.shared_queries else 0.0)
            for group in batch.shared_queries:
                group.seconds = taken / len(batch.shared_queries)
    quick = build_batches([group for group in everybody if not group.is_slow])
    assert rounds <= 4
    assert slow.seconds is not None
    assert slow.seconds > LIVE_RUN_S
    for batch in quick:
        for group in batch.shared_queries:
            group.seconds = 0.0001
    assert len(build_batches([group for group in everybody if not group.is_slow])) <= 2


def test_batches_of_quick_queries_come_first(registry: SharedQueryRegistry) -> None:
    unknown, quick, slower = subscribe_many(registry, 3)
    quick.seconds, slower.seconds = 0.001, 0.02
    for group in (unknown, quick, slower):
        group.runs_unbatched = True
    assert [batch.shared_queries[0] for batch in build_batches([unknown, slower, quick])] == [
        quick,
        slower,
        unknown,
    ]


@pytest.mark.parametrize(
    ("query", "shared"),
    [
        ("subscription { agents { nodes { hostname } } }", True),
        ("subscription { agents { nodes { site { tenant { name } } } } }", True),
        ("subscription { users { nodes { name } } }", False),
        ("subscription { viewer { kind } }", False),
        ("subscription { auditLog { nodes { user { name } } } }", False),
    ],
)
def test_registry_loader_queries_are_shared_unless_about_persons(
    registry: SharedQueryRegistry, query: str, *, shared: bool
) -> None:
    by_loaders = LiveQueryFactory(ExecutionStrategy.LOADERS)
    for viewer in (VIEWER, COLLEAGUE):
        live_query = by_loaders.build(validate_text(DOCUMENTS, query), viewer)
        subscribe(registry, live_query)
    assert len(registry) == (1 if shared else 2)


def test_registry_forgets_subscriber_that_leaves_before_the_next_cycle(registry: SharedQueryRegistry) -> None:
    """While the database is unavailable there is no tick. Subscribers that come and go must not accumulate."""
    staying, _ = subscribe(registry)
    for _ in range(3):
        subscription, _told = subscribe(registry)
        subscription.cancel()
    shared = shared_query_of(staying)
    assert (list(registry._joined), list(shared.behind)) == ([shared], [staying])
