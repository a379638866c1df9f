"""How somebody ends what would go on."""

import asyncio
from typing import Any


class Ending:
    """Cancels a task when it is asked to, once: who presses Ctrl-C again does not disturb what is being put away."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._asked = False

    def ends(self, task: asyncio.Task[Any] | None) -> None:
        """This is the task."""
        self._task = task
        if self._asked and task is not None:
            task.cancel()

    def ask(self, *_: object) -> None:
        """End it; a handler of signals."""
        if not self._asked and self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        self._asked = True
