"""Small writes of many callers, gathered for some milliseconds and written together.

What waits is bounded, and nobody waits for a database that is away: both are refused at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from core.errors import InternalError, UnavailableError
from core.limits import CHECK_IN_AWAY_S

T = TypeVar("T")
R = TypeVar("R")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Room:
    """How much is gathered.

    Attributes:
        waiting: items that may wait.
        at_once: items of one batch at most.
        gather_s: how long a batch's first item waits for others, in seconds.
    """

    waiting: int
    at_once: int
    gather_s: float


class Gathering(Generic[T, R]):
    """Items on their way to the database, one batch at a time.

    Attributes:
        batches: how many were written so far.
        items: how many items were in them.
        refused: how many were not taken.
    """

    def __init__(
        self, write: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], room: Room
    ) -> None:
        """`write` answers each item of a batch, with an error where only that one failed, or raises for all."""
        self._write = write
        self._room = room
        self._waiting: deque[tuple[T, asyncio.Future[R], float]] = deque()
        self._filled = asyncio.Event()
        self._last: asyncio.Future[R] | None = None
        self._away_until = 0.0
        self.batches = 0
        self.items = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T) -> asyncio.Future[R]:
        """Let an item wait for its batch; the future ends once that is committed, or has failed.

        Raises:
            UnavailableError: too many wait, or the database is away.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if len(self._waiting) >= self._room.waiting or now < self._away_until:
            self.refused += 1
            raise UnavailableError("The server is busy, or its database is away. Try again later.")
        future: asyncio.Future[R] = loop.create_future()
        self._last = future
        self._waiting.append((item, future, now))
        self._filled.set()
        return future

    async def settle(self) -> None:
        """Wait until what waits now is written, or has failed."""
        if self._last is not None:
            await asyncio.wait((self._last,))

    async def run(self) -> None:
        """Write what comes, until cancelled; who waits then is told to try again, be it being written or not."""
        try:
            while True:
                await self._filled.wait()
                await self._gather()
                await self._write_batch()
        finally:
            self._refuse(UnavailableError("The server is stopping. Try again later."))

    async def _gather(self) -> None:
        loop = asyncio.get_running_loop()
        rest_s = self._waiting[0][2] + self._room.gather_s - loop.time()
        if rest_s > 0 and len(self._waiting) < self._room.at_once:
            await asyncio.sleep(rest_s)

    async def _write_batch(self) -> None:
        count = min(len(self._waiting), self._room.at_once)
        batch = [self._waiting.popleft() for _ in range(count)]
        if not self._waiting:
            self._filled.clear()
        try:
            answers = await self._write([item for item, _, _ in batch])
        except UnavailableError as error:
            self._away_until = asyncio.get_running_loop().time() + CHECK_IN_AWAY_S
            _log.warning("database away", waiting=count + len(self._waiting), error=repr(error.__cause__))
            answers = [error] * count
            self._refuse(error)
        except Exception:  # noqa: BLE001 - told to those who wait; the next batch may succeed
            told = InternalError()
            _log.exception("a batch failed", error_id=told.error_id)
            answers = [told] * count
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            raise
        self.batches += 1
        self.items += count
        for (_, future, _), answer in zip(batch, answers, strict=True):
            _end(future, answer)

    def _refuse(self, error: UnavailableError) -> None:
        while self._waiting:
            _end(self._waiting.popleft()[1], error)
        self._filled.clear()


def _end(future: "asyncio.Future[R]", answer: "R | Exception") -> None:
    if future.done():  # its caller has gone
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
