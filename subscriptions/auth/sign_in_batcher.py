"""Signs in users in batches: all users who connect at the same time share one query.

After a restart, ten thousand sockets reconnect at once. Ten thousand transactions would fill the queue of the
connection pool, and the last sockets would time out. A user who connects during a query waits for the next query. So
no user is signed in from rows that were read before the user connected.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.auth.tokens import Identity
from core.auth.viewer import Viewer
from core.database.database import Database
from core.errors import UnavailableError
from core.limits import LIVE_SIGN_INS
from services.users.sign_in import build_inactive_user_error, load_users
from subscriptions.change_log.change import Change
from subscriptions.change_log.replay_buffer import ReplayBuffer

OnSignedIn = Callable[[Viewer, list[Change] | None], None]
"""Registers a signed-in viewer.

The second argument has the changes since the query that found the viewer. It is None if these changes are unknown.
"""


@dataclass(slots=True, eq=False)
class _PendingSignIn:
    """One user who waits for sign-in."""

    identity: Identity
    on_signed_in: OnSignedIn
    done: "asyncio.Future[None]"

    def complete(self, viewer: Viewer | None, missed: list[Change] | None) -> None:
        """Register the viewer, unless the caller has been cancelled. Fail if there is no such active user."""
        if self.done.done():
            return
        if viewer is None:
            self.fail(build_inactive_user_error())
            return
        self.on_signed_in(replace(viewer, expires_at=self.identity.expires_at), missed)
        self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Raise an error in the waiting caller."""
        if not self.done.done():
            self.done.set_exception(error)


class SignInBatcher:
    """Signs in users. One query serves all users who wait for it, up to `LIVE_SIGN_INS`."""

    def __init__(self, database: Database, history: ReplayBuffer) -> None:
        self._database = database
        self._history = history
        self._pending: list[_PendingSignIn] = []
        self._task: asyncio.Task[None] | None = None

    async def sign_in(self, identity: Identity, on_signed_in: OnSignedIn) -> None:
        """Sign in a user. A cancelled call may still have called `on_signed_in`.

        Args:
            identity: The identity that the token proved.
            on_signed_in: Called while the batch that found the viewer is processed.

        Raises:
            UnauthenticatedError: The user may not sign in.
            UnavailableError: The database is unavailable.
        """
        pending = _PendingSignIn(identity, on_signed_in, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        if self._task is None:
            self._task = asyncio.create_task(self._sign_in_pending())
        await pending.done

    async def close(self) -> None:
        """Stop all sign-ins. Users who still wait get an `UnavailableError`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sign_in_pending(self) -> None:
        """Sign in everyone in the queue, and everyone who joins the queue meanwhile."""
        batch: list[_PendingSignIn] = []
        try:
            while self._pending:
                batch, self._pending = self._pending[:LIVE_SIGN_INS], self._pending[LIVE_SIGN_INS:]
                await self._sign_in_batch(batch)
        except UnavailableError as error:
            self._fail_batch(batch, error)
        except asyncio.CancelledError:
            self._fail_batch(batch, UnavailableError("The server is shutting down."))
            raise
        finally:
            self._task = None

    def _fail_batch(self, batch: list[_PendingSignIn], error: UnavailableError) -> None:
        """Fail the users of this batch and all users in the queue."""
        waiting, self._pending = self._pending, []
        for pending in (*batch, *waiting):
            pending.fail(error)

    async def _sign_in_batch(self, batch: list[_PendingSignIn]) -> None:
        """Sign in a batch with one query. If it fails, sign in each user alone to confine the error."""
        try:
            await self._load_viewers(batch)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - for those who wait
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for pending in batch:
                await self._sign_in_batch([pending])

    async def _load_viewers(self, batch: list[_PendingSignIn]) -> None:
        # The recording begins before the read. `missed()` then has every change that this read may not have
        # seen.
        recording = self._history.start_recording()
        try:
            async with self._database.read_transaction(platform=True) as snapshot:
                found = await load_users(snapshot, list({pending.identity.subject for pending in batch}))
            for pending in batch:
                pending.complete(found.get(pending.identity.subject), recording.take_missed())
        finally:
            recording.stop()
