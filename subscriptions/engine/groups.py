"""Groups: the live queries that are open, each run once for all who asked it; pure, apart from what runs them.

A group is *dirty* when its answer may not be true any more, and *in flight* while it is run. What changes during a
flight is not marked but replayed against the read set that the run brings home: it causes one more run at most.

Time is told in ticks. A subscription knows the tick in which it arrived, and is told nothing that was read before the
end of it: so whoever has written something and then subscribes finds it in the first message.
"""

from collections.abc import Callable, Iterator, Sequence

from core.limits import LIVE_ANSWERS_KEPT_CHARS
from subscriptions.changes.change import Change
from subscriptions.engine.group import Group, Subscription
from subscriptions.engine.outcomes import Outcome
from subscriptions.engine.questions import Key, Question
from subscriptions.engine.turns import IS_ONLINE
from subscriptions.matching.matcher import Matcher


class Groups:
    """All groups.

    Attributes:
        tick: The number of the latest tick that has begun.
        matched: That of the latest whose changes have been matched.
        matcher: Who depends on what.
        abandoned: Told of a group that is over while it is in flight.
    """

    def __init__(self, matcher: "Matcher[object]") -> None:
        self.tick = 0
        self.matched = 0
        self.matcher = matcher
        self.abandoned: Callable[[Group], None] = lambda _: None
        self._by_key: dict[Key, Group] = {}
        self._dirty: dict[Group, None] = {}
        self._guests: dict[Subscription, None] = {}
        self._subscriptions = 0
        self._clocked: set[Group] = set()
        self._kept = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._by_key.values())

    @property
    def subscriptions(self) -> int:
        """How many are open."""
        return self._subscriptions

    @property
    def clocked(self) -> bool:
        """Whether any answer changes with time alone."""
        return bool(self._clocked)

    def begin(self) -> int:
        """Begin a tick; returns its number."""
        self.tick += 1
        return self.tick

    def join(self, subscription: Subscription, question: Question, *, arrived: int | None = None) -> None:
        """Put a subscription into the group of a question, out of the one that it is in.

        Args:
            subscription: A new one, or one whose viewer has changed.
            question: What it asks.
            arrived: The tick in which it came, if not in this one.
        """
        group = self._by_key.get(question.key)
        if group is not None and subscription.group is group:
            return
        self._part(subscription)
        subscription.arrived = self.tick if arrived is None else arrived
        if group is None:
            group = self._by_key[question.key] = Group(question, subscription.arrived)
            self._dirty[group] = None
        group.enter(subscription)
        self._subscriptions += 1
        self._guests[subscription] = None

    def leave(self, subscription: Subscription) -> None:
        """End a subscription; a group that nobody is in any more is gone with all that was kept of it."""
        self._part(subscription)
        subscription.told = b""

    def touch(self, group: Group) -> None:
        """The group's answer may have changed."""
        if group.flight is None and not group.over:
            group.dirty = True
            self._dirty[group] = None

    def touch_all(self) -> None:
        """Any answer may have changed."""
        for group in self._by_key.values():
            self.touch(group)

    def ready(self) -> list[Group]:
        """The dirty groups that this tick may run; those that were dirty first come first."""
        return [group for group in self._dirty if group.asked < self.tick]

    def welcome(self) -> list[Group]:
        """The clean groups with guests, who may now be told; to be asked when the tick's changes are matched.

        A guest of a group that is dirty or in flight is told by the run. An answer that was not kept is run for.
        """
        present = [g for g in self._guests if g.arrived < self.tick]
        self._guests = {g: None for g in self._guests if g.arrived >= self.tick}
        clean = dict.fromkeys(g.group for g in present if g.group is not None and g.group.clean)
        for group in clean:
            if group.answer is None or group.answer.body is None:
                self.touch(group)
        return [group for group in clean if group.clean]

    def depart(self, group: Group) -> None:
        """The group is being run, on the snapshot of this tick."""
        del self._dirty[group]
        group.dirty = False
        group.flight = self.tick

    def give_up(self, group: Group) -> None:
        """Its run came to nothing: it is as dirty as before."""
        group.flight = None
        self.touch(group)

    def land(
        self, group: Group, outcome: Outcome, missed: Sequence[Change] | None, *, same_clock: bool = True
    ) -> int:
        """Take home what a run has found; returns before which tick those must have come who may be told.

        Args:
            group: One in flight; where it is over by now, nothing is taken.
            outcome: The answer and its read set.
            missed: What happened since the run's snapshot; None where anything may have.
            same_clock: Whether what time alone has changed since then is among it.
        """
        flight, group.flight = group.flight or 0, None
        if group.over:
            return 0
        self._place(group, outcome)
        self._keep(group, outcome)
        lost = missed is None or (group in self._clocked and not same_clock)
        if lost or self._is_touched(group, missed or ()):
            self.touch(group)
            return flight
        return max(flight, self.matched)

    def _place(self, group: Group, outcome: Outcome) -> None:
        if outcome.dependences is None:
            return
        group.facts, group.dependences = outcome.facts, outcome.dependences
        self.matcher.place(group, group.dependences)
        if any(IS_ONLINE in dependence.uses for dependence in group.dependences):
            self._clocked.add(group)
        else:
            self._clocked.discard(group)

    def _keep(self, group: Group, outcome: Outcome) -> None:
        answer = outcome.answer
        if group.answer is not None:
            if group.answer.digest == answer.digest and group.answer.body is not None:
                return
            self._kept -= group.answer.size
        group.take(answer)
        self._kept += answer.size

    def told_at(self, subscription: Subscription) -> int:
        """The latest tick as of whose moment a subscription, which must not be over, has been told; 0 for none."""
        group = subscription.group
        if group is None or group.answer is None or subscription.told != group.answer.digest:
            return 0
        tick = max(group.told_at, self.matched if group.clean else 0)
        return tick if subscription.arrived < tick else 0

    def spare(self, group: Group) -> None:
        """Keep no more of a told answer than its digest, where all answers together have grown too large."""
        if group.answer is not None and self._kept > LIVE_ANSWERS_KEPT_CHARS:
            self._kept -= group.answer.size
            group.answer = group.answer.unkept()

    @staticmethod
    def _is_touched(group: Group, missed: Sequence[Change]) -> bool:
        if not missed:
            return False
        matcher: Matcher[Group] = Matcher()
        matcher.place(group, group.dependences)
        return bool(matcher.touched(missed))

    def _part(self, subscription: Subscription) -> None:
        group = subscription.group
        if group is None:
            return
        self._subscriptions -= 1
        self._guests.pop(subscription, None)
        group.part(subscription)
        if group.over:
            self._forget(group)

    def _forget(self, group: Group) -> None:
        del self._by_key[group.question.key]
        self._dirty.pop(group, None)
        self._clocked.discard(group)
        self._kept -= group.answer.size if group.answer else 0
        self.matcher.remove(group)
        if group.flight is not None:
            self.abandoned(group)

    def validate(self) -> None:
        """Make sure that everything agrees with everything; tests call it.

        Raises:
            AssertionError: It does not.
        """
        groups = list(self._by_key.values())
        for holds, about in (
            (all(key == group.question.key for key, group in self._by_key.items()), "keys"),
            (not any(group.over for group in groups), "groups without subscribers"),
            (all(s.group is group for group in groups for s in group.subscriptions), "places"),
            (all(_is_known(s, group) for group in groups for s in group.subscriptions), "untold"),
            (self._subscriptions == sum(len(group.subscriptions) for group in groups), "subscribers"),
            (set(self._dirty) == {group for group in groups if group.dirty}, "dirty groups"),
            (not any(group.dirty and group.flight is not None for group in groups), "flights"),
            (self._clocked <= set(groups), "groups that go by time"),
            ({guest.group for guest in self._guests} <= set(groups), "guests"),
            (self._kept == sum(group.answer.size for group in groups if group.answer), "kept answers"),
        ):
            if not holds:
                raise AssertionError(f"the {about} are not in order")
        self.matcher.validate()


def _is_known(subscription: Subscription, group: Group) -> bool:
    """Whether a subscriber knows the answer, or stands among those who may not."""
    return subscription in group.untold or (
        group.answer is not None and subscription.told == group.answer.digest
    )
