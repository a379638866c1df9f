"""A group: one live query and all who asked it; pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.limits import LIVE_RUN_S
from subscriptions.changes.moment import Moment
from subscriptions.engine.answers import Answer, payload
from subscriptions.engine.questions import Question
from subscriptions.matching.read_sets import Dependence
from subscriptions.sinks import Sink


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscriber's place in a group.

    Attributes:
        sink: Where it is told.
        group: Where it stands; None once it is over.
        arrived: The tick in which it came.
        told: The digest of the answer that it was told last.
    """

    sink: Sink
    leave: Callable[["Subscription"], None]
    group: "Group | None" = None
    arrived: int = 0
    told: bytes = b""

    def cancel(self) -> None:
        """Be told nothing more; to say so twice does no harm."""
        self.leave(self)


@dataclass(slots=True, eq=False)
class Group:
    """A live query, and those who asked it.

    Attributes:
        question: What is asked.
        subscriptions: By whom; none once the group is over.
        untold: Those among them who may not know the answer; a tick that has nothing new looks at no others.
        answer: The last that was found.
        facts: The digest of what the run told of its reads.
        dependences: The read set.
        dirty: Whether it is to be run.
        asked: The tick in which it was first asked; it is run in a later one.
        flight: The tick whose snapshot it is being run on.
        alone: Whether it is to be run by a statement of its own, as one with others has failed.
        seconds: What running it took the last time, or its share in that; None until it is known.
        told_at: The latest tick as of whose moment it was told, to all who had come before that tick.
    """

    question: Question
    asked: int
    subscriptions: dict[Subscription, None] = field(default_factory=dict)
    untold: dict[Subscription, None] = field(default_factory=dict)
    answer: Answer | None = None
    facts: bytes | None = None
    dependences: tuple[Dependence, ...] = ()
    dirty: bool = True
    flight: int | None = None
    alone: bool = False
    seconds: float | None = None
    told_at: int = 0

    @property
    def over(self) -> bool:
        """Whether nobody is there any more."""
        return not self.subscriptions

    @property
    def slow(self) -> bool:
        """Whether others must not wait for it."""
        return self.seconds is not None and self.seconds >= LIVE_RUN_S

    @property
    def clean(self) -> bool:
        """Whether the last answer is true as far as is known."""
        return self.answer is not None and not self.dirty and self.flight is None

    def enter(self, subscription: Subscription) -> None:
        """Take a subscriber in, who is to be told the answer."""
        subscription.group = self
        self.subscriptions[subscription] = None
        self.untold[subscription] = None

    def part(self, subscription: Subscription) -> None:
        """Let a subscriber go."""
        subscription.group = None
        del self.subscriptions[subscription]
        self.untold.pop(subscription, None)

    def take(self, answer: Answer) -> None:
        """Have another answer, which nobody knows yet."""
        self.answer = answer
        self.untold = dict(self.subscriptions)

    def tell(self, moment: Moment, before: int) -> int:
        """Tell the answer to those who came before a tick and do not know it; returns to how many."""
        assert self.answer is not None  # noqa: S101 - told of groups that have one
        digest = self.answer.digest
        self.told_at = max(self.told_at, before)
        present = [s for s in self.untold if s.arrived < before]
        self.untold = {s: None for s in self.untold if s.arrived >= before}
        to_tell = [s for s in present if s.told != digest]
        message = payload(self.answer, self.question, moment) if to_tell else None
        for subscription in to_tell:
            if (
                message and subscription.group is self
            ):  # one that was told may have closed the socket of another
                subscription.told = digest
                subscription.sink.state(message)
        return len(to_tell)
