"""The state of live queries without a database: who shares a group, who is told what, and that nothing is left."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson
import pytest

from core.limits import LIVE_BATCH_MAX, LIVE_REPLAYED_ROWS_MAX, LIVE_RUN_S
from core.rights import RIGHTS
from core.viewer import Viewer, ViewerKind
from resolvers.binding import bound_schema
from resolvers.documents import Documents
from resolvers.execution import Request
from resolvers.ways import Way
from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.changes.moment import Moment
from subscriptions.engine.answers import Answer
from subscriptions.engine.group import Group, Subscription
from subscriptions.engine.groups import Groups
from subscriptions.engine.history import History
from subscriptions.engine.outcomes import Outcome
from subscriptions.engine.questions import Asking, Question
from subscriptions.engine.runs import batches
from subscriptions.matching.matcher import Matcher
from subscriptions.matching.read_sets import Dependence
from subscriptions.sinks import Payload

SCHEMA = bound_schema()[1]
DOCUMENTS = Documents(SCHEMA)
ASKING = Asking(SCHEMA, Way.AUTO)
VIEWER = Viewer(ViewerKind.USER, "tenant", "user", "role", RIGHTS, 1)
COLLEAGUE = replace(VIEWER, user_id="colleague", role_id="another", expires_at=2)
SITE: Final = "subscription ($id: ID!) { site(id: $id) { name } }"
MOMENT = Moment.parse("10:10:")
LATER = Moment.parse("11:11:")


def question(
    query: str = SITE, viewer: Viewer = VIEWER, wants: tuple[str, ...] = (), **variables: Any
) -> Question:
    extensions = dict.fromkeys(wants, True)
    return ASKING.question(DOCUMENTS.get(query), Request(query, variables, None, extensions), viewer)


@dataclass
class Told:
    """A sink that takes down what it is told."""

    states: list[Any] = field(default_factory=list)

    def state(self, payload: Payload) -> None:
        self.states.append(orjson.loads(payload.text))

    def event(self, payload: Payload) -> None:
        raise AssertionError(f"a live query has no events: {payload}")

    def error(self, errors: list[dict[str, Any]]) -> None:
        raise AssertionError(errors)

    def complete(self) -> None:
        raise AssertionError("a live query does not end")

    @property
    def names(self) -> list[str]:
        return [state["data"]["site"]["name"] for state in self.states]


@pytest.fixture
def groups() -> Iterator[Groups]:
    made = Groups(Matcher())
    yield made
    made.validate()


def subscribed(groups: Groups, asked: Question | None = None) -> tuple[Subscription, Told]:
    told = Told()
    subscription = Subscription(told, groups.leave)
    groups.join(subscription, asked or question(id="one"))
    return subscription, told


def group_of(subscription: Subscription) -> Group:
    assert subscription.group is not None
    return subscription.group


def found(name: str) -> Outcome:
    reads = Dependence("sites", frozenset({"tenant"}), {"id": frozenset({"one"})}, frozenset({"id", "name"}))
    return Outcome(Answer.compiled("site", f'{{"name":"{name}"}}'), name.encode(), (reads,))


def renamed(id_: str, *columns: str) -> Change:
    values = {"id": id_, "tenant_id": "tenant"}
    row = ChangedRow(id_, values, values, frozenset(columns or ("name",)))
    return Change("sites", ChangeKind.UPDATE, 1, 1, 1, (row,))


def run(groups: Groups, group: Group, name: str, missed: list[Change] | None) -> int:
    """A run that began in this tick."""
    groups.depart(group)
    groups.validate()
    return groups.land(group, found(name), missed)


def ticked(groups: Groups, name: str, missed: list[Change] | None = None) -> None:
    """A tick that runs whatever is dirty, and tells it."""
    groups.matched = groups.begin()
    welcome = groups.welcome()
    landed = [(group, run(groups, group, name, missed or [])) for group in groups.ready()]
    for group, before in landed:
        group.tell(MOMENT, before)
    for group in welcome:
        group.tell(MOMENT, groups.tick)
    groups.validate()


def test_equal_questions_share_a_group_whoever_asks(groups: Groups) -> None:
    one, _ = subscribed(groups)
    other, _ = subscribed(groups, question(viewer=COLLEAGUE, id="one"))
    assert one.group is other.group
    assert (len(groups), groups.subscriptions) == (1, 2)


@pytest.mark.parametrize(
    "other",
    [
        question(id="two"),
        question(viewer=replace(VIEWER, tenant_id="neighbour"), id="one"),
        question(viewer=replace(VIEWER, rights=RIGHTS - {"Audit.Read"}), id="one"),
        question(wants=("snapshot",), id="one"),
        question(SITE.replace("name", "id"), id="one"),
    ],
    ids=["variables", "tenant", "rights", "extensions", "document"],
)
def test_what_tells_groups_apart(groups: Groups, other: Question) -> None:
    subscribed(groups)
    subscribed(groups, other)
    assert len(groups) == 2


def test_an_answer_about_the_viewer_is_shared_with_nobody(groups: Groups) -> None:
    query = "subscription { viewer { expiresAt } }"
    subscribed(groups, question(query))
    subscribed(groups, question(query, viewer=COLLEAGUE))
    subscribed(groups, question(query))
    assert len(groups) == 2


def test_the_first_message_is_of_a_later_tick_than_the_arrival(groups: Groups) -> None:
    groups.begin()
    subscription, told = subscribed(groups)
    assert groups.ready() == []
    groups.begin()
    group = group_of(subscription)
    assert groups.ready() == [group]
    group.tell(MOMENT, run(groups, group, "A", []))
    assert told.names == ["A"]


def test_a_guest_is_told_without_a_run_once_a_tick_has_found_nothing(groups: Groups) -> None:
    subscribed(groups)
    ticked(groups, "A")
    subscription, told = subscribed(groups)
    assert told.names == []
    ticked(groups, "not run")
    assert told.names == ["A"]
    assert group_of(subscription).clean


def test_a_guest_of_a_dirty_group_waits_for_its_run(groups: Groups) -> None:
    first, told_first = subscribed(groups)
    ticked(groups, "A")
    _, told = subscribed(groups)
    groups.touch(group_of(first))
    ticked(groups, "B")
    assert (told_first.names, told.names) == (["A", "B"], ["B"])


def test_who_came_during_a_flight_is_not_told_what_it_found_before(groups: Groups) -> None:
    first, told_first = subscribed(groups)
    groups.begin()
    groups.depart(group_of(first))
    _, told = subscribed(groups)
    before = groups.land(group_of(first), found("A"), [renamed("one")])
    group_of(first).tell(MOMENT, before)
    assert (told_first.names, told.names) == (["A"], [])
    ticked(groups, "B")
    assert (told_first.names, told.names) == (["A", "B"], ["B"])


def test_who_came_during_a_flight_is_told_once_a_later_tick_has_found_it_true(groups: Groups) -> None:
    first, _ = subscribed(groups)
    groups.begin()
    groups.depart(group_of(first))
    _, told = subscribed(groups)
    groups.matched = groups.begin()
    assert groups.welcome() == []
    group_of(first).tell(LATER, groups.land(group_of(first), found("A"), []))
    assert told.names == ["A"]


def test_an_equal_answer_is_not_told_again(groups: Groups) -> None:
    subscription, told = subscribed(groups)
    for name in ("A", "A", "B", "B", "A"):
        groups.touch(group_of(subscription))
        ticked(groups, name)
    assert told.names == ["A", "B", "A"]


@pytest.mark.parametrize(
    ("missed", "dirty"),
    [
        ([], False),
        ([renamed("one")], True),
        ([renamed("two")], False),
        ([renamed("one", "status")], False),
        (None, True),
    ],
)
def test_what_a_flight_missed_is_replayed_against_what_it_read(
    groups: Groups, missed: list[Change] | None, *, dirty: bool
) -> None:
    subscription, _ = subscribed(groups)
    groups.begin()
    run(groups, group_of(subscription), "A", missed)
    assert group_of(subscription).dirty is dirty


def test_changes_during_a_flight_cause_one_more_run(groups: Groups) -> None:
    subscription, _ = subscribed(groups)
    group = group_of(subscription)
    groups.begin()
    groups.depart(group)
    for _ in range(10):
        groups.touch(group)
    assert not group.dirty
    groups.land(group, found("A"), [renamed("one")] * 10)
    groups.begin()
    assert groups.ready() == [group]
    groups.depart(group)
    assert groups.ready() == []


def test_what_time_has_changed_since_another_clock_is_run_again(groups: Groups) -> None:
    subscription, _ = subscribed(groups)
    groups.begin()
    group = group_of(subscription)
    groups.depart(group)
    online = Dependence("agents", None, {}, frozenset({"is_online"}))
    groups.land(group, replace(found("A"), dependences=(online,)), [], same_clock=False)
    assert group.dirty
    assert groups.clocked
    subscription.cancel()
    assert not groups.clocked


def test_a_flight_that_came_to_nothing_is_as_dirty_as_before(groups: Groups) -> None:
    subscription, _ = subscribed(groups)
    groups.begin()
    groups.depart(group_of(subscription))
    groups.give_up(group_of(subscription))
    assert groups.ready() == [group_of(subscription)]


def test_a_guest_costs_no_look_at_those_who_know(groups: Groups) -> None:
    present = [subscribed(groups)[0] for _ in range(100)]
    group = group_of(present[0])
    ticked(groups, "A")
    ticked(groups, "A")
    assert not group.untold
    guest, told = subscribed(groups)
    assert list(group.untold) == [guest]
    ticked(groups, "A")
    assert told.names == ["A"]
    assert not group.untold
    groups.touch(group)
    ticked(groups, "B")
    assert told.names == ["A", "B"]
    assert not group.untold


def test_a_group_is_gone_with_its_last_subscriber(groups: Groups) -> None:
    one, _ = subscribed(groups)
    other, _ = subscribed(groups)
    ticked(groups, "A")
    group = group_of(one)
    one.cancel()
    assert len(groups.matcher) == 1
    other.cancel()
    other.cancel()
    assert (len(groups), len(groups.matcher), groups.subscriptions, groups._kept) == (0, 0, 0, 0)
    groups.touch(group)
    assert groups.ready() == []


def test_a_group_that_ends_in_flight_takes_nothing_home(groups: Groups) -> None:
    subscription, told = subscribed(groups)
    group = group_of(subscription)
    groups.begin()
    groups.depart(group)
    subscription.cancel()
    groups.land(group, found("A"), None)
    assert (len(groups.matcher), told.states) == (0, [])


def test_who_moves_is_told_in_the_same_tick_and_only_what_is_new(groups: Groups) -> None:
    moving, told = subscribed(groups)
    staying, _ = subscribed(
        groups, question(viewer=replace(VIEWER, rights=RIGHTS - {"Audit.Read"}), id="one")
    )
    ticked(groups, "A")
    groups.matched = tick = groups.begin()
    groups.join(moving, group_of(staying).question, arrived=tick - 1)
    for group in groups.welcome():
        group.tell(MOMENT, tick)
    assert moving.group is staying.group
    assert told.names == ["A"]
    assert len(groups) == 1


def test_an_answer_is_not_kept_beyond_the_room(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    subscription, told = subscribed(groups)
    ticked(groups, "A")
    monkeypatch.setattr("subscriptions.engine.groups.LIVE_ANSWERS_KEPT_CHARS", 10)
    groups.spare(group_of(subscription))
    assert groups._kept == 0
    _, told_later = subscribed(groups)
    ticked(groups, "A")
    assert (told.names, told_later.names) == (["A"], ["A"])


def test_a_message_tells_its_moment_and_its_cost_where_that_is_wanted(groups: Groups) -> None:
    _, told = subscribed(groups, question(wants=("snapshot", "cost"), id="one"))
    ticked(groups, "A")
    extensions = told.states[0]["extensions"]
    assert extensions["snapshot"] == str(MOMENT)
    assert extensions["cost"]["estimated"] > 0


def test_nothing_grows_over_many_that_come_and_go(groups: Groups) -> None:
    for number in range(10_000):
        subscription, _ = subscribed(groups, question(id=str(number % 7)))
        if number % 3 == 0:
            ticked(groups, "A")
        subscription.cancel()
        if number % 3 == 1:
            ticked(groups, "B")
    ticked(groups, "B")
    assert (len(groups), len(groups.matcher), groups._dirty, groups._guests) == (0, 0, {}, {})


class RandomLife:
    """Does anything that may happen to live queries, in any order."""

    def __init__(self, seed: int) -> None:
        self.groups = Groups(Matcher())
        self.dice = random.Random(seed)  # noqa: S311 - tests are to be repeatable
        self.there: list[Subscription] = []
        self.flying: list[Group] = []

    def step(self) -> None:
        self.dice.choice((self.come, self.come, self.go, self.change, self.tick, self.land, self.give_up))()
        self.groups.validate()

    def come(self) -> None:
        self.there.append(subscribed(self.groups, question(id=self.dice.choice("abcdef")))[0])

    def go(self) -> None:
        if self.there:
            self.there.pop(self.dice.randrange(len(self.there))).cancel()

    def change(self) -> None:
        if self.there:
            self.groups.touch(group_of(self.dice.choice(self.there)))

    def tick(self) -> None:
        self.groups.matched = self.groups.begin()
        self.groups.welcome()
        for group in self.groups.ready()[: self.dice.randrange(3)]:
            self.groups.depart(group)
            self.flying.append(group)

    def land(self) -> None:
        if self.flying:
            missed = self.dice.choice([[], [renamed("one")], None])
            self.groups.land(self.flying.pop(), found(self.dice.choice("xyz")), missed)

    def give_up(self) -> None:
        if self.flying:
            self.groups.give_up(self.flying.pop())


def test_random_lives_keep_the_state_in_order() -> None:
    life = RandomLife(5)
    for _ in range(3_000):
        life.step()
    for subscription in life.there:
        subscription.cancel()
    assert (len(life.groups), len(life.groups.matcher), life.groups._dirty) == (0, 0, {})


def test_a_hold_has_what_happened_since_it_began() -> None:
    history = History()
    history.add((renamed("before"),))
    hold, other = history.hold(), history.hold()
    history.add((renamed("one"),))
    other.release()
    history.add((renamed("two"),))
    assert hold.missed() == [renamed("one"), renamed("two")]
    assert other.missed() == [renamed("one")]
    hold.release()
    assert len(history) == 0


@pytest.mark.parametrize("lost", [None, (renamed("x"),) * (LIVE_REPLAYED_ROWS_MAX // 2 + 1)])
def test_a_hold_that_cannot_know_says_so(lost: tuple[Change, ...] | None) -> None:
    history = History()
    hold = history.hold()
    history.add((renamed("one"),))
    history.add(lost)
    history.add((renamed("two"),))
    assert hold.missed() is None


def many(groups: Groups, count: int, viewer: Viewer = VIEWER) -> list[Group]:
    made = [
        subscribed(groups, question(viewer=viewer, id=f"{viewer.tenant_id} {n}"))[0] for n in range(count)
    ]
    return [group_of(subscription) for subscription in made]


def test_batches_are_of_one_shape_and_one_tenant(groups: Groups) -> None:
    ours, theirs = many(groups, LIVE_BATCH_MAX + 1), many(groups, 3, replace(VIEWER, tenant_id="neighbour"))
    about_me, _ = subscribed(groups, question("subscription { viewer { expiresAt } }"))
    ours[7].alone = True
    made = [list(batch.groups) for batch in batches([*ours, *theirs, group_of(about_me)])]
    assert sorted(map(len, made)) == [1, 1, 3, LIVE_BATCH_MAX]
    assert [ours[7]] in made
    assert theirs in made


def test_a_slow_one_among_many_is_found_in_a_few_steps(groups: Groups) -> None:
    """As the runs measure: a batch of several takes as long as its slowest, whoever that is."""
    everybody = many(groups, LIVE_BATCH_MAX)
    slow = everybody[77]
    rounds = 0
    while not slow.slow:
        rounds += 1
        for batch in batches(everybody):
            taken = 0.0001 * len(batch.groups) + (5.0 if slow in batch.groups else 0.0)
            for group in batch.groups:
                group.seconds = taken / len(batch.groups)
    quick = batches([group for group in everybody if not group.slow])
    assert rounds <= 4
    assert slow.seconds is not None
    assert slow.seconds > LIVE_RUN_S
    for batch in quick:
        for group in batch.groups:
            group.seconds = 0.0001
    assert len(batches([group for group in everybody if not group.slow])) <= 2


def test_what_is_known_to_be_quick_comes_first(groups: Groups) -> None:
    unknown, quick, slower = many(groups, 3)
    quick.seconds, slower.seconds = 0.001, 0.02
    for group in (unknown, quick, slower):
        group.alone = True
    assert [batch.groups[0] for batch in batches([unknown, slower, quick])] == [quick, slower, unknown]


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
def test_what_the_loaders_answer_is_shared_unless_it_tells_of_persons(
    groups: Groups, query: str, *, shared: bool
) -> None:
    by_loaders = Asking(SCHEMA, Way.LOADERS)
    for viewer in (VIEWER, COLLEAGUE):
        asked = by_loaders.question(DOCUMENTS.get(query), Request(query, {}, None), viewer)
        subscribed(groups, asked)
    assert len(groups) == (1 if shared else 2)


def test_who_leaves_before_the_next_tick_is_forgotten(groups: Groups) -> None:
    """While the database is away there is no tick, and who comes and goes must not add up."""
    staying, _ = subscribed(groups)
    for _ in range(3):
        subscription, _told = subscribed(groups)
        subscription.cancel()
    assert list(groups._guests) == [staying]
