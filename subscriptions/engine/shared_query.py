"""A shared query: one live query with all its subscribers. It does no I/O.

`query_states.py` owns its state, and draws the states.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.auth.viewer import ViewerKind
from core.fair_queue import PLATFORM
from core.limits import LIVE_RUN_S
from subscriptions.engine.live_query import LiveQuery
from subscriptions.engine.query_result import QueryResult, build_payload
from subscriptions.invalidation.read_sets import Dependency
from subscriptions.subscriber import Subscriber


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscription to a shared query.

    Attributes:
        subscriber: Receives the messages.
        leave: Called by `cancel`.
        shared_query: The shared query. None once the subscription has ended.
        since_cycle: The cycle in which the subscription began.
        last_sent_digest: The digest of the answer that was sent last.
    """

    subscriber: Subscriber
    leave: Callable[["Subscription"], None]
    shared_query: "SharedQuery | None" = None
    since_cycle: int = 0
    last_sent_digest: bytes = b""

    def cancel(self) -> None:
        """End the subscription: no message follows. It is safe to call this twice."""
        self.leave(self)


@dataclass(slots=True, eq=False)
class SharedQuery:
    """A live query and its subscribers.

    Attributes:
        query: The live query.
        subscriptions: Its subscribers. Empty once the shared query is closed.
        behind: Subscribers that may lack the current answer. If a run finds the same answer, only these are checked.
        result: The latest answer.
        facts: The digest of the values from which the run's read set was made.
        dependencies: The read set.
        since_cycle: The cycle in which the query was first subscribed to. It runs in a later cycle.
        runs_unbatched: Whether it must run in a statement of its own, because a batch with it failed.
        seconds: The duration of the last run, or its share of a batch. None if it has never run.
        size: The characters of the latest answer, whether it is kept or not.
        sent_cycle: The latest cycle to which the sent answers correspond, for all subscribers from before that cycle.
    """

    query: LiveQuery
    since_cycle: int
    subscriptions: dict[Subscription, None] = field(default_factory=dict, init=False)
    behind: dict[Subscription, None] = field(default_factory=dict, init=False)
    result: QueryResult | None = field(default=None, init=False)
    facts: bytes | None = field(default=None, init=False)
    dependencies: tuple[Dependency, ...] = field(default=(), init=False)
    runs_unbatched: bool = field(default=False, init=False)
    seconds: float | None = field(default=None, init=False)
    size: int = field(default=0, init=False)
    sent_cycle: int = field(default=0, init=False)

    @property
    def share(self) -> str:
        """Whose work its runs are, by `core.fair_queue`."""
        viewer = self.query.viewer
        return viewer.tenant_id if viewer.tenant_id and viewer.kind is not ViewerKind.PLATFORM else PLATFORM

    @property
    def is_slow(self) -> bool:
        """Whether other queries must not wait for this one."""
        return self.seconds is not None and self.seconds >= LIVE_RUN_S

    def has_current_answer(self, subscription: Subscription) -> bool:
        """Whether the latest answer was sent to a subscriber, or an equal one."""
        return self.result is not None and subscription.last_sent_digest == self.result.digest

    def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscriber. It needs the answer."""
        subscription.shared_query = self
        self.subscriptions[subscription] = None
        self.behind[subscription] = None

    def remove_subscription(self, subscription: Subscription) -> None:
        """Remove a subscriber."""
        subscription.shared_query = None
        del self.subscriptions[subscription]
        self.behind.pop(subscription, None)

    def set_result(self, result: QueryResult) -> None:
        """Store a new answer. Every subscriber needs it."""
        self.result = result
        self.size = result.size
        self.behind = dict(self.subscriptions)

    def send_result(self, snapshot: str, before_cycle: int) -> int:
        """Send the answer to subscribers from before cycle `before_cycle` that lack it. Returns how many got it.

        `snapshot` is the sealed text of the snapshot that the answer shows.
        """
        assert self.result is not None  # noqa: S101 - only groups with an answer are sent
        digest = self.result.digest
        self.sent_cycle = max(self.sent_cycle, before_cycle)
        # A subscriber from cycle `before_cycle` or later may have written something that this answer's snapshot
        # does not see. It stays in `behind` until a later cycle.
        present = [s for s in self.behind if s.since_cycle < before_cycle]
        self.behind = {s: None for s in self.behind if s.since_cycle >= before_cycle}
        recipients = [s for s in present if s.last_sent_digest != digest]
        message = build_payload(self.result, self.query, snapshot) if recipients else None
        for subscription in recipients:
            if (
                message and subscription.shared_query is self
            ):  # a sink may have closed another subscriber's socket
                subscription.last_sent_digest = digest
                subscription.subscriber.send_state(message)
        return len(recipients)
