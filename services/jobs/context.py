"""The context of a running job: its transactions, its progress and its log.

Each transaction of a job runs under the row-level security of its tenant, and locks the job's lease first. If the
lease is another worker's by now, nothing is written.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import orjson
import structlog

from core.database.database import Database
from core.database.transactions import WriteTransaction, begin_write, ignore_commit
from core.limits import JOB_LEASE_MS, JOB_PAUSE_S
from models.enums import JobOutcome
from services.jobs.job_errors import (
    JobCanceledError,
    JobError,
    JobOutcomeUnknownError,
    JobReleasedError,
    LeaseLostError,
)
from services.jobs.job_queue import ClaimedJob, JobResult, Lease, Progress, render_results

_LOCK_LEASE: Final = """
SELECT l.is_valid, l.is_canceled, l.may_write, set_config('idle_in_transaction_session_timeout', $4, true)
FROM app.lock_lease($1, $2, $3) l
"""
_FINISH: Final = "SELECT * FROM app.finish_jobs($1::jsonb)"
_BEGIN_CALL: Final = "SELECT is_new, outcome FROM app.begin_job_call($1, $2)"
_END_CALL: Final = "SELECT app.end_job_call($1, $2, $3::jsonb)"


class JobContext:
    """What an action gets.

    Attributes:
        job: The job.
        log: The log, with the job's id, action and tenant in each line.
    """

    def __init__(
        self,
        database: Database,
        lease: Lease,
        is_stopping: Callable[[], bool],
        on_commit: Callable[[], None] = ignore_commit,
    ) -> None:
        self.job: Final[ClaimedJob] = lease.job
        self.log: Final = structlog.get_logger("jobs").bind(
            job=lease.job.id, action=lease.job.action, tenant=lease.job.tenant_id
        )
        self._database = database
        self._lease = lease
        self._is_stopping = is_stopping
        self._on_commit = on_commit

    def checkpoint(self) -> None:
        """Stop here if the job was canceled or its worker stops. The job runs again from its beginning, if at all.

        Raises:
            JobError: It is to stop.
            LeaseLostError: The lease is another worker's.
        """
        if self._lease.is_lost:
            raise LeaseLostError
        if self._lease.is_canceled:
            raise JobCanceledError("Canceled")
        if self._is_stopping():
            raise JobReleasedError("The worker stopped")

    def report_progress(self, done: int, total: int | None = None, unit: str | None = None) -> None:
        """Report how far the job is. It is written a few times a second, without touching the job's row."""
        self._lease.progress = Progress(done, total, unit)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[WriteTransaction]:
        """A transaction under the tenant's row-level security, committed if the block succeeds.

        While an import runs, it waits for its end.

        Raises:
            LeaseLostError: The lease is another worker's.
            JobCanceledError: The job was canceled.
            UnavailableError: The database is unavailable.
        """
        while True:
            async with AsyncExitStack() as stack:
                transaction = await stack.enter_async_context(
                    begin_write(self._database, share=self.job.tenant_id, on_commit=self._on_commit)
                )
                if await self._lock_lease(transaction):
                    yield transaction
                    return
            await asyncio.sleep(JOB_PAUSE_S)

    async def _lock_lease(self, transaction: WriteTransaction) -> bool:
        """Lock the lease. Returns whether the transaction may write, which it may not while an import runs.

        The lock would keep the job from other workers for as long as this one stalls. So PostgreSQL ends the
        transaction if no statement comes within the time of a lease.
        """
        values = (self.job.id, self.job.token, self.job.tenant_id, str(JOB_LEASE_MS))
        (found,) = await transaction.fetch(_LOCK_LEASE, values)
        if not found["is_valid"]:
            self._lease.is_lost = True
            raise LeaseLostError
        if found["is_canceled"]:
            self._lease.is_canceled = True
            raise JobCanceledError("Canceled")
        return bool(found["may_write"])

    @asynccontextmanager
    async def final_transaction(
        self, outcome: JobOutcome = JobOutcome.COMPLETED, error: str | None = None
    ) -> AsyncIterator[WriteTransaction]:
        """The last transaction: its writes and the end of the job are committed together, or not at all.

        Raises:
            LeaseLostError: The lease is another worker's.
            JobCanceledError: The job was canceled.
            UnavailableError: The database is unavailable.
        """
        try:
            async with self.transaction() as transaction:
                yield transaction
                result = render_results([JobResult(self.job, outcome, error)])
                self._lease.is_ending = True
                if not await transaction.fetch(_FINISH, (result,)):
                    raise LeaseLostError
            self._lease.is_ended = True
        finally:
            self._lease.is_ending = self._lease.is_ended

    async def call_once(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call that must not be repeated, such as one that creates a ticket. Returns its result, as JSON.

        A later attempt of the job gets the recorded result. A `JobError` of the call says that it was not made.

        Raises:
            JobOutcomeUnknownError: An earlier attempt began the call, or the call failed in another way.
        """
        async with self.transaction() as transaction:
            (found,) = await transaction.fetch(_BEGIN_CALL, (self.job.id, name))
        if not found["is_new"]:
            if found["outcome"] is None:
                raise JobOutcomeUnknownError(f"It is unknown whether {name} was done before")
            return orjson.loads(found["outcome"])
        try:
            result = await call()
        except JobError:
            await self._end_call(name, None)
            raise
        except Exception as error:
            self.log.exception("call with unknown outcome", call=name)
            raise JobOutcomeUnknownError(f"It is unknown whether {name} was done") from error
        await self._end_call(name, orjson.dumps(result).decode())
        return result

    async def _end_call(self, name: str, result: str | None) -> None:
        async with self.transaction() as transaction:
            await transaction.fetch(_END_CALL, (self.job.id, name, result))
