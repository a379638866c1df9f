"""Transactions that write: whole or not at all, tried again where others were in the way."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

import asyncpg

from core.database import LOST, Database, Record, Snapshot
from core.errors import InTheWayError, UnavailableError
from core.limits import LOCK_WAIT_MS, POOL_WAIT_S, WRITE_ATTEMPTS_MAX, WRITE_PAUSE_S
from core.outages import outages_told

T = TypeVar("T")

_IN_THE_WAY: Final = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""What ends a transaction by no fault of its own: the same may succeed at once."""


class BrokenTransactionError(Exception):
    """A statement has failed, and somebody has told its error elsewhere: there is nothing to commit any more."""


class Transaction(Snapshot):
    """One connection in one transaction that writes; each statement sees what is committed when it begins.

    So that locks help: who has waited for a row sees what it waited for.
    """

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[Record]:
        """The rows of one statement.

        Raises:
            InTheWayError: Another held a row for longer than `LOCK_WAIT_MS`.
            QueryTooComplexError: The statement took longer than `STATEMENT_TIMEOUT_MS`.
            UnavailableError: The connection is lost.
        """
        try:
            return await super().fetch(sql, arguments)
        except asyncpg.LockNotAvailableError as error:
            raise InTheWayError(
                f"Somebody else has been changing the same for {LOCK_WAIT_MS} ms; try again"
            ) from error

    async def number(self) -> str:
        """What PostgreSQL and its snapshots know the transaction by: `pg_current_xact_id()` as text."""
        return str((await self.fetch("SELECT pg_current_xact_id()::text", ()))[0][0])


def unheard() -> None:
    """Rings for nobody."""


@asynccontextmanager
async def writing(
    database: Database, *, platform: bool = False, committed: Callable[[], None] = unheard
) -> AsyncIterator[Transaction]:
    """One transaction, committed where the block ends well; under row-level security unless `platform` writes.

    Args:
        database: The database.
        platform: Whether it is the platform that writes.
        committed: Called once the transaction is committed, also where the caller has been cancelled meanwhile.

    Raises:
        BrokenTransactionError: A statement failed in the block, which did not say so.
        UnavailableError: There is no connection within `POOL_WAIT_S`, or it is lost.
    """
    with outages_told():
        async with database.pool.acquire(timeout=POOL_WAIT_S) as connection:
            transaction = Transaction(connection)
            try:
                await connection.execute(database.beginning(platform=platform))
                yield transaction
                await transaction.end()
                await _commit(transaction, committed)
            finally:
                await transaction.end()
                with suppress(*LOST):
                    if connection.is_in_transaction():
                        await connection.execute("ROLLBACK")


async def _commit(transaction: Transaction, committed: Callable[[], None]) -> None:
    """Commit to the end, even for a caller who is cancelled: whether it has happened must be known."""
    ending = asyncio.ensure_future(_committed(transaction, committed))
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        await asyncio.wait((ending,))
        if not ending.cancelled():
            ending.exception()  # nobody is left to be told
        raise


async def _committed(transaction: Transaction, committed: Callable[[], None]) -> None:
    try:
        done = await transaction.connection.execute("COMMIT")
    except (OSError, *LOST, asyncpg.PostgresConnectionError) as error:
        raise UnavailableError(
            "The database went away during the commit: the change was made whole, or not at all."
        ) from error
    if done != "COMMIT":
        raise BrokenTransactionError
    committed()


async def carry_out(
    database: Database,
    work: Callable[[Transaction], Awaitable[T]],
    *,
    platform: bool = False,
    committed: Callable[[], None] = unheard,
) -> T:
    """Do `work` in one transaction, and anew in another where a deadlock or the like ended it.

    Raises:
        InTheWayError: Others were in the way `WRITE_ATTEMPTS_MAX` times.
        BrokenTransactionError: As `writing`.
        UnavailableError: As `writing`.
    """
    for attempt in range(WRITE_ATTEMPTS_MAX):
        if attempt:
            await asyncio.sleep(WRITE_PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311 - spreads tries
        try:
            async with writing(database, platform=platform, committed=committed) as transaction:
                return await work(transaction)
        except _IN_THE_WAY as error:
            last = error
    raise InTheWayError("Others were changing the same at the same time; try again") from last
