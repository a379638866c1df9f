"""The write barrier: a client gets a reply once all subscriptions of its socket show a transaction.

A client writes, and then sends a barrier request with the transaction. The next refresh cycle has a snapshot that
includes the write. The client gets the reply once every subscription of its socket is at least as new as that
snapshot. After the reply, the client has every message that its write caused.

    client     write committed, request      |                                       messages, then the reply
    cycle 7    ------------ `wait` ----------|
    cycle 8                                  |-- poll, match: `advance` --| run | send: `release_reached` --|

A slow query may send the answer in a later cycle. Then the reply waits for it, up to `SOCKET_BARRIER_S`. The reply is
false after that time. It is also false after a crash, a failover or a restore of PostgreSQL, which may have lost the
transaction: the id then counts in a timeline that is over.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.auth.sealing import TransactionId
from core.errors import RateLimitedError
from core.limits import SOCKET_BARRIER_S, SOCKET_BARRIERS_MAX
from subscriptions.change_log.snapshot import CycleSnapshot, Snapshot
from subscriptions.engine.shared_query_registry import SharedQueryRegistry

OnAnswered = Callable[[bool], None]
"""Called once: whether all subscriptions show the transaction."""


class BarrierMember(Protocol):
    """A subscription that a barrier request waits for."""

    def has_sent(self, reached: CycleSnapshot) -> bool:
        """Whether the subscriber has every message up to the snapshot of a cycle that has matched."""


@dataclass(slots=True, eq=False)
class BarrierWaiter:
    """One waiting barrier request.

    Attributes:
        members: The subscriptions that were open when the request came.
        transaction: The transaction that they have to show.
        on_answered: Called once.
        since_cycle: The cycle in which the request came.
        reached: The first cycle after `since_cycle` whose snapshot sees the transaction. None before that cycle.
    """

    members: Sequence[BarrierMember]
    transaction: TransactionId
    on_answered: OnAnswered
    since_cycle: int
    reached: CycleSnapshot | None = None


class WriteBarrier:
    """All waiting barrier requests. Each cycle passes its snapshot in, and calls `release_reached` after sending."""

    def __init__(self, registry: SharedQueryRegistry) -> None:
        self._registry = registry
        self._waiting: dict[BarrierWaiter, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(
        self, members: Sequence[BarrierMember], transaction: TransactionId, on_answered: OnAnswered
    ) -> BarrierWaiter:
        """Add a request. `on_answered` gets true once all these subscriptions show the transaction.

        It gets false if the timeline of the cluster is no longer that of the transaction.
        """
        waiter = BarrierWaiter(members, transaction, on_answered, self._registry.cycle)
        self._waiting[waiter] = None
        return waiter

    def cancel(self, waiter: BarrierWaiter) -> None:
        """Cancel a request. It is safe to call this twice."""
        self._waiting.pop(waiter, None)

    def advance(self, snapshot: Snapshot) -> None:
        """Record the snapshot of the running cycle. Everything up to it was matched and published to the streams."""
        for waiter in list(self._waiting):
            if not snapshot.is_of_timeline(waiter.transaction.timeline):
                self._answer(waiter, seen=False)
            elif (
                waiter.reached is None
                and waiter.since_cycle < self._registry.cycle
                and snapshot.is_visible(waiter.transaction.xid)
            ):
                waiter.reached = CycleSnapshot(self._registry.cycle, snapshot)

    def release_reached(self) -> None:
        """Answer the requests that have been reached. Call this after messages were sent."""
        for waiter in list(self._waiting):
            reached = waiter.reached
            if reached and all(member.has_sent(reached) for member in waiter.members):
                self._answer(waiter, seen=True)

    def _answer(self, waiter: BarrierWaiter, *, seen: bool) -> None:
        self.cancel(waiter)
        waiter.on_answered(seen)


class ConnectionBarriers:
    """The barrier requests of one socket."""

    __slots__ = ("_barrier", "_timers")

    def __init__(self, barrier: WriteBarrier) -> None:
        self._barrier = barrier
        self._timers: dict[BarrierWaiter, asyncio.TimerHandle] = {}

    def add(
        self, members: Sequence[BarrierMember], transaction: TransactionId, on_answered: OnAnswered
    ) -> None:
        """Add a request. `on_answered` gets false after `SOCKET_BARRIER_S`.

        Raises:
            RateLimitedError: This socket has `SOCKET_BARRIERS_MAX` requests already.
        """
        if len(self._timers) >= SOCKET_BARRIERS_MAX:
            raise RateLimitedError(
                f"More than {SOCKET_BARRIERS_MAX} pings of this socket wait for transactions"
            )

        def finish(seen: bool) -> None:  # noqa: FBT001 - required by the callback's type
            self._barrier.cancel(waiter)
            self._timers.pop(waiter).cancel()
            on_answered(seen)

        waiter = self._barrier.wait(members, transaction, finish)
        self._timers[waiter] = asyncio.get_running_loop().call_later(SOCKET_BARRIER_S, finish, False)

    def clear(self) -> None:
        """Cancel all requests of this socket."""
        for waiter, timer in self._timers.items():
            self._barrier.cancel(waiter)
            timer.cancel()
        self._timers.clear()
