"""Handlers of SIGINT, SIGTERM and SIGHUP for the duration of a block; in the main thread only."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SHUTDOWN_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Sent by Ctrl-C, a service manager and a closing terminal to end the process."""

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def handle_signals(
    handler: Handler, signals: tuple[signal.Signals, ...] = SHUTDOWN_SIGNALS
) -> Iterator[None]:
    """Handle these signals by `handler`, and restore the former handlers afterwards."""
    previous = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, former in previous.items():
            signal.signal(number, former)


def raise_keyboard_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Handle any signal like Ctrl-C, which unwinds the stack instead of ending the process immediately.

    It does not raise SIGINT, because a shell starts background processes with SIGINT ignored.
    """
    raise KeyboardInterrupt
