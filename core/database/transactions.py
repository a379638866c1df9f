"""Transactions that write, committed completely or not at all, and retried after conflicts."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, Final, TypeVar

import asyncpg

from core.database.connection_errors import translate_connection_errors
from core.database.database import CONNECTION_LOST_ERRORS, Database, ReadTransaction, Record
from core.errors import UnavailableError, WriteContentionError, require_within_limit
from core.fair_queue import SERVER
from core.limits import (
    LOCK_TIMEOUT_MS,
    WRITE_ATTEMPTS_MAX,
    WRITE_PAUSE_S,
    WRITE_READ_BYTES_MAX,
    WRITTEN_BYTES_MAX,
)

T = TypeVar("T")

_RETRYABLE_ERRORS: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Errors that end a transaction because of a conflict. The same transaction may succeed at once."""


class FailedTransactionError(Exception):
    """A statement failed, and its error was reported elsewhere. The transaction cannot be committed any more."""


class WriteTransaction(ReadTransaction):
    """One connection in one transaction that writes. Each statement sees the state committed when it begins.

    So locks are effective: a statement that waited for a row sees the change that it waited for.

    Attributes:
        written_bytes: Bytes of rows and audit rows that the request has written so far.
    """

    bytes_max: ClassVar[float] = WRITE_READ_BYTES_MAX
    written_bytes = 0

    def charge_bytes(self, count: int) -> None:
        """Count bytes that a statement is about to write.

        Raises:
            LimitExceededError: The request writes more than `WRITTEN_BYTES_MAX`.
        """
        self.written_bytes += count
        require_within_limit(
            "writtenBytes",
            WRITTEN_BYTES_MAX,
            self.written_bytes,
            "bytes to write, audit rows included",
            "Write fewer rows or smaller values in one request",
        )

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[Record]:
        """The rows of one statement.

        Raises:
            InTheWayError: Another transaction locked a row for longer than `LOCK_TIMEOUT_MS`.
            QueryTooComplexError: The statement took longer than `STATEMENT_TIMEOUT_MS`.
            UnavailableError: The connection is lost.
        """
        try:
            return await super().fetch(sql, arguments)
        except asyncpg.LockNotAvailableError as error:
            raise WriteContentionError(
                f"Another transaction has locked the same rows for {LOCK_TIMEOUT_MS} ms; try again"
            ) from error

    async def fetch_id(self) -> str:
        """The id of the transaction in PostgreSQL and its snapshots: `pg_current_xact_id()` as text."""
        return str((await self.fetch("SELECT pg_current_xact_id()::text", ()))[0][0])


def count_bytes(value: object) -> int:
    """The approximate bytes of a bound value in the database: a text's characters, and eight of anything else."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list | tuple):
        return sum(map(count_bytes, value))
    return 8


def charge_write(transaction: ReadTransaction, bound: object) -> None:
    """Count bound values that a statement is about to write.

    Raises:
        LimitExceededError: The request writes more than `WRITTEN_BYTES_MAX`.
    """
    if isinstance(transaction, WriteTransaction):
        transaction.charge_bytes(count_bytes(bound))


def ignore_commit() -> None:
    """Do nothing after a commit."""


@asynccontextmanager
async def begin_write(
    database: Database,
    *,
    platform: bool = False,
    share: str = SERVER,
    on_commit: Callable[[], None] = ignore_commit,
) -> AsyncIterator[WriteTransaction]:
    """One transaction, committed if the block succeeds; under row-level security unless `platform` is set.

    Args:
        database: The database.
        platform: Whether the platform writes.
        share: Whose work it is, by `core.fair_queue`.
        on_commit: Called after the commit, even if the caller has been cancelled meanwhile.

    Raises:
        BrokenTransactionError: A statement failed in the block, but the block raised no error.
        UnavailableError: There is no connection within `POOL_ACQUIRE_TIMEOUT_S`, or it is lost.
    """
    with translate_connection_errors():
        async with database.pool.acquire_for(share) as connection:
            transaction = WriteTransaction(connection)
            try:
                await database.begin_on(connection, database.begin_write_sql(platform=platform))
                yield transaction
                await transaction.end()
                await _commit(transaction, on_commit)
            finally:
                await transaction.end()
                with suppress(*CONNECTION_LOST_ERRORS):
                    if connection.is_in_transaction():
                        await connection.execute("ROLLBACK")


async def _commit(transaction: WriteTransaction, on_commit: Callable[[], None]) -> None:
    """Finish the commit even if the caller is cancelled, because its outcome must be known."""
    ending = asyncio.ensure_future(_execute_commit(transaction, on_commit))
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await asyncio.wait((ending,))
        if not ending.cancelled():
            ending.exception()  # no caller is left to receive it
        raise


async def _execute_commit(transaction: WriteTransaction, on_commit: Callable[[], None]) -> None:
    try:
        done = await transaction.connection.execute("COMMIT")
    except (OSError, *CONNECTION_LOST_ERRORS, asyncpg.PostgresConnectionError) as error:
        raise UnavailableError(
            "The connection to the database was lost during the commit. The change was committed as a whole "
            "or not at all."
        ) from error
    if done != "COMMIT":
        raise FailedTransactionError
    on_commit()


async def run_in_transaction(
    database: Database,
    work: Callable[[WriteTransaction], Awaitable[T]],
    *,
    platform: bool = False,
    share: str = SERVER,
    on_commit: Callable[[], None] = ignore_commit,
) -> T:
    """Run `work` in one transaction; retry in a new one if a deadlock or a similar conflict ended it.

    `share` is whose work it is, by `core.fair_queue`.

    Raises:
        InTheWayError: There were conflicts in all `WRITE_ATTEMPTS_MAX` attempts.
        BrokenTransactionError: As for `begin_write`.
        UnavailableError: As for `begin_write`.
    """
    for attempt in range(WRITE_ATTEMPTS_MAX):
        if attempt:
            await asyncio.sleep(WRITE_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - spreads tries
        try:
            async with begin_write(
                database, platform=platform, share=share, on_commit=on_commit
            ) as transaction:
                return await work(transaction)
        except _RETRYABLE_ERRORS as error:
            last = error
    raise WriteContentionError(
        "Other transactions changed the same rows at the same time; try again"
    ) from last
