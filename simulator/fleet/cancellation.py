"""Ends a running task on request."""

import asyncio
from typing import Any


class CancelOnce:
    """Cancels a task on request, once. A second Ctrl-C does not interrupt the clean-up."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._is_requested = False

    def watch_task(self, task: asyncio.Task[Any] | None) -> None:
        """Set the task to cancel."""
        self._task = task
        if self._is_requested and task is not None:
            task.cancel()

    def cancel_task(self, *_: object) -> None:
        """Cancel the task; usable as a signal handler."""
        if not self._is_requested and self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        self._is_requested = True
