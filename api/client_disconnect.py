"""Cancels the work of a request after its client disconnects, so no statement runs without a reader."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from core.limits import CLIENT_DISCONNECT_DELAY_S

T = TypeVar("T")


async def run_until_disconnect(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """The result of `work`, which is cancelled if the client disconnects. The request's body must be read already.

    Most requests end before a separate task to watch their client is worthwhile.

    Raises:
        ClientDisconnect: The client has disconnected.
    """
    watch = _DisconnectWatch(receive)
    later = asyncio.get_running_loop().call_later(CLIENT_DISCONNECT_DELAY_S, watch.start)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.is_disconnected and watch.worker.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        later.cancel()
        watch.stop()


class _DisconnectWatch:
    """Cancels the task that created it, once, when the client disconnects."""

    def __init__(self, receive: Receive) -> None:
        worker = asyncio.current_task()
        assert worker is not None  # noqa: S101 - a task runs each coroutine
        self.worker = worker
        self.is_disconnected = False
        self._receive = receive
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._wait_for_disconnect())

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_disconnected = True
        self.worker.cancel()
