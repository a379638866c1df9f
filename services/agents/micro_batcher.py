"""A micro-batcher: collects small writes of many callers for some milliseconds, and writes them together.

The backlog is bounded. While the database is unavailable, new items are refused at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import structlog

from core.durations import Durations
from core.error_text import format_error_line
from core.errors import InternalError, UnavailableError
from core.limits import CHECK_IN_UNAVAILABLE_S

T = TypeVar("T")
R = TypeVar("R")

_log = structlog.get_logger(__name__)
_BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The limits of a batcher.

    Attributes:
        queued_max: The number of items that may wait.
        batch_max: The maximum number of items in a batch.
        delay_s: How long the first item of a batch waits for others, in seconds.
    """

    queued_max: int
    batch_max: int
    delay_s: float


class MicroBatcher(Generic[T, R]):
    """Batches items and writes one batch at a time.

    Attributes:
        batches: The number of batches written so far.
        items: The number of items in them.
        refused: The number of items that were refused.
        durations: How long items waited until their batch was committed or failed.
    """

    def __init__(
        self, write: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], settings: BatchSettings
    ) -> None:
        """A batcher over `write`, which returns a result or an error for each item, or raises for all of them."""
        self._write = write
        self._settings = settings
        self._waiting: deque[tuple[T, asyncio.Future[R], float]] = deque()
        self._batch_full = asyncio.Event()
        self._last: asyncio.Future[R] | None = None
        self._unavailable_until = 0.0
        self.batches = 0
        self.items = 0
        self.refused = 0
        self.durations = Durations(_BOUNDS_S)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T) -> asyncio.Future[R]:
        """Queue an item. The future completes when the item's batch is committed or has failed.

        Raises:
            UnavailableError: Too many items wait, or the database is unavailable.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if len(self._waiting) >= self._settings.queued_max or now < self._unavailable_until:
            self.refused += 1
            raise UnavailableError("The server is busy, or its database is unavailable. Try again later.")
        future: asyncio.Future[R] = loop.create_future()
        self._last = future
        self._waiting.append((item, future, now))
        self._batch_full.set()
        return future

    async def flush(self) -> None:
        """Wait until all items queued so far are written or have failed."""
        if self._last is not None:
            await asyncio.wait((self._last,))

    async def run(self) -> None:
        """Write batches until cancelled.

        Items that wait or are being written then fail, and their callers must retry.
        """
        try:
            while True:
                await self._batch_full.wait()
                await self._wait_for_batch()
                await self._write_batch()
        finally:
            self._fail_queued(UnavailableError("The server is shutting down. Try again later."))

    async def _wait_for_batch(self) -> None:
        loop = asyncio.get_running_loop()
        rest_s = self._waiting[0][2] + self._settings.delay_s - loop.time()
        if rest_s > 0 and len(self._waiting) < self._settings.batch_max:
            await asyncio.sleep(rest_s)

    async def _write_batch(self) -> None:
        count = min(len(self._waiting), self._settings.batch_max)
        batch = [self._waiting.popleft() for _ in range(count)]
        if not self._waiting:
            self._batch_full.clear()
        try:
            answers = await self._write([item for item, _, _ in batch])
        except UnavailableError as error:
            self._unavailable_until = asyncio.get_running_loop().time() + CHECK_IN_UNAVAILABLE_S
            _log.warning(
                "database unavailable",
                waiting=count + len(self._waiting),
                error=format_error_line(error.__cause__ or error),
            )
            answers = [error] * count
            self._fail_queued(error)
        except Exception:  # noqa: BLE001 - passed to the callers; the next batch may succeed
            reported = InternalError()
            _log.exception("batch write failed", error_id=reported.error_id)
            answers = [reported] * count
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(batch))
            raise
        self.batches += 1
        self.items += count
        now = asyncio.get_running_loop().time()
        for (_, future, queued_at), answer in zip(batch, answers, strict=True):
            self.durations.record(now - queued_at)
            _set_result(future, answer)

    def _fail_queued(self, error: UnavailableError) -> None:
        while self._waiting:
            _set_result(self._waiting.popleft()[1], error)
        self._batch_full.clear()


def _set_result(future: "asyncio.Future[R]", answer: "R | Exception") -> None:
    if future.done():  # the caller was cancelled
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
