"""Arrivals: users who come at the same time are signed in together.

Ten thousand sockets that come back after a restart would else queue for ten thousand transactions, until the queue is
too long for the last of them. Who comes while a look is under way waits for the next: nobody is taken for what was
read before they came.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.database import Database
from core.errors import UnavailableError
from core.limits import LIVE_SIGN_INS
from core.tokens import Identity
from core.viewer import Viewer
from services.sign_in import not_active, users_now
from subscriptions.changes.change import Change
from subscriptions.engine.history import History

Enter = Callable[[Viewer, list[Change] | None], None]
"""Takes a viewer in, with what has happened since the look that found it; None where anything may have."""


@dataclass(slots=True, eq=False)
class _Arrival:
    """One who waits to be let in."""

    identity: Identity
    enter: Enter
    done: "asyncio.Future[None]"

    def take(self, viewer: Viewer | None, missed: list[Change] | None) -> None:
        """Let them in, if they are somebody, and have not gone while they waited."""
        if self.done.done():
            return
        if viewer is None:
            self.fail(not_active())
            return
        self.enter(replace(viewer, expires_at=self.identity.expires_at), missed)
        self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Tell them why not."""
        if not self.done.done():
            self.done.set_exception(error)


class Arrivals:
    """Signs users in, as many by one look as wait for it."""

    def __init__(self, database: Database, history: History) -> None:
        self._database = database
        self._history = history
        self._waiting: list[_Arrival] = []
        self._looking: asyncio.Task[None] | None = None

    async def arrive(self, identity: Identity, enter: Enter) -> None:
        """Sign a user in; cancelled, it may have called `enter` all the same.

        Args:
            identity: What the token proved.
            enter: Called within the look that has found the viewer.

        Raises:
            UnauthenticatedError: The user may not sign in.
            UnavailableError: Nobody can be looked up.
        """
        arrival = _Arrival(identity, enter, asyncio.get_running_loop().create_future())
        self._waiting.append(arrival)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        await arrival.done

    async def close(self) -> None:
        """Look nobody up any more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        """Look up all who wait, and all who come meanwhile."""
        some: list[_Arrival] = []
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:LIVE_SIGN_INS], self._waiting[LIVE_SIGN_INS:]
                await self._sign_in(some)
        except UnavailableError as error:
            self._refuse(some, error)
        except asyncio.CancelledError:
            self._refuse(some, UnavailableError("The server is going away."))
            raise
        finally:
            self._looking = None

    def _refuse(self, some: list[_Arrival], error: UnavailableError) -> None:
        """Tell these, and those whose turn would have been next."""
        waiting, self._waiting = self._waiting, []
        for arrival in (*some, *waiting):
            arrival.fail(error)

    async def _sign_in(self, some: list[_Arrival]) -> None:
        """Sign some in together; where that fails, one by one, to find whose fault it was."""
        try:
            await self._take_in(some)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - for those who wait
            if len(some) == 1:
                some[0].fail(error)
                return
            for arrival in some:
                await self._sign_in([arrival])

    async def _take_in(self, some: list[_Arrival]) -> None:
        hold = self._history.hold()
        try:
            async with self._database.snapshot(platform=True) as snapshot:
                found = await users_now(snapshot, list({arrival.identity.subject for arrival in some}))
            for arrival in some:
                arrival.take(found.get(arrival.identity.subject), hold.missed())
        finally:
            hold.release()
