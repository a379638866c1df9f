"""What SIGINT, SIGTERM and SIGHUP do, for as long as a block runs; in the main thread only."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a service manager, a closed terminal: each asks the process to end."""

Handler = Callable[[int, FrameType | None], object] | signal.Handlers


@contextmanager
def handled_by(handler: Handler, signals: tuple[signal.Signals, ...] = ENDING) -> Iterator[None]:
    """Handles these signals so, and as before afterwards."""
    previous = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, former in previous.items():
            signal.signal(number, former)


def as_interrupt(_number: int, _frame: FrameType | None) -> None:
    """Makes any signal a Ctrl-C, which unwinds the stack instead of ending the process where it stands."""
    signal.raise_signal(signal.SIGINT)
