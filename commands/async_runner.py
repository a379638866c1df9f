"""How commands run coroutines and print messages."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

import uvloop

from api.shutdown import Shutdown
from core.signals import SHUTDOWN_SIGNALS, handle_signals

Result = TypeVar("Result")


def run_to_end(task: Coroutine[Any, Any, Result]) -> Result:
    """Run the task on a new event loop; returns its result.

    Raises:
        KeyboardInterrupt: SIGINT, SIGTERM or SIGHUP came. The first one cancels the task, which can clean up.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_cancel_at_signals(task))


async def _cancel_at_signals(task: Coroutine[Any, Any, Result]) -> Result:
    """Treat SIGTERM and SIGHUP as asyncio's runner treats SIGINT."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    signals = 0

    def cancel(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        if signals > 1 or main is None:
            raise KeyboardInterrupt
        main.cancel()
        loop.call_soon_threadsafe(lambda: None)  # wakes the loop

    with handle_signals(cancel, (signal.SIGTERM, signal.SIGHUP)):
        try:
            return await task
        except asyncio.CancelledError:
            if signals and main is not None and main.uncancel() == 0:
                raise KeyboardInterrupt from None
            raise


async def run_until_shutdown(task: Coroutine[Any, Any, Result], shutdown: Shutdown) -> Result:
    """Run a server's task. During its clean-up, too, a second signal skips the grace; a third cancels the task.

    Before the shutdown a signal has its former handler, since the start is not finished.
    """
    former = {number: signal.getsignal(number) for number in SHUTDOWN_SIGNALS}

    def skip(number: int, frame: FrameType | None) -> None:
        handler = former[signal.Signals(number)]
        if shutdown.is_requested and not shutdown.is_urgent:
            shutdown.request(urgent=True)
        elif callable(handler):
            handler(number, frame)

    with handle_signals(skip):
        return await task


def print_lines(*lines: str) -> None:
    """Print lines and flush them at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
