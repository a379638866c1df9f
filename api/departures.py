"""Clients that go away before their answer: their work is ended, so that no statement runs on for nobody."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from core.limits import DEPARTURE_PATIENCE_S

T = TypeVar("T")


async def unless_client_leaves(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """The result of `work`, which is cancelled where the client leaves; the request's body is read already.

    Most requests have ended before it is worth a task of its own to watch their client.

    Raises:
        ClientDisconnect: the client has left.
    """
    watch = _Watch(receive)
    later = asyncio.get_running_loop().call_later(DEPARTURE_PATIENCE_S, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.client_left and watch.worker.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        later.cancel()
        watch.end()


class _Watch:
    """Cancels the task that made it, once, when the client leaves."""

    def __init__(self, receive: Receive) -> None:
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - a coroutine is run by a task
        self.worker = worker
        self.client_left = False
        self._receive = receive
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look_out())

    def end(self) -> None:
        if self._task:
            self._task.cancel()

    async def _look_out(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.client_left = True
        self.worker.cancel()
