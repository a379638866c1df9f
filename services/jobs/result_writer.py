"""Writes the results of jobs, many in one statement: those that end while one is written share the next."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from core.errors import UnavailableError
from core.limits import JOB_CLOSE_S, JOB_PAUSE_S, JOB_RESULTS_BATCH
from services.jobs.job_queue import JobQueue, JobResult

_log: Final = structlog.get_logger("jobs")


class ResultWriter:
    """The results of one worker that wait to be written."""

    def __init__(self, queue: JobQueue, on_commit: Callable[[], None]) -> None:
        self._queue = queue
        self._on_commit = on_commit
        self._waiting: deque[tuple[JobResult, asyncio.Future[bool]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    async def write(self, result: JobResult) -> bool:
        """Write a result. Returns whether the lease was valid, so that it counts.

        While the database is away or an import runs, it waits. After `close` nothing is written.
        """
        if self._is_closed:
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((result, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_waiting())
        return await future

    async def close(self) -> None:
        """Write what waits, within `JOB_CLOSE_S`. The leases of the rest expire."""
        self._is_closed = True
        if self._task is None:
            return
        try:
            await asyncio.wait([self._task], timeout=JOB_CLOSE_S)
        finally:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), JOB_RESULTS_BATCH))]
            ended = await self._write_batch([result for result, _ in batch])
            for result, future in batch:
                if not future.done():
                    future.set_result(result.job.id in ended)

    async def _write_batch(self, results: list[JobResult]) -> set[str]:
        while True:
            try:
                ended = await self._queue.finish(results)
            except UnavailableError:
                ended = None
            except Exception:  # noqa: BLE001 - logged; the leases expire, and the jobs run again
                _log.exception("results of jobs not written", count=len(results))
                return set()
            if ended is not None:
                self._on_commit()
                return ended
            await asyncio.sleep(JOB_PAUSE_S)
