"""Work counted in steps of Python, which are the same on any machine, and a guard against work that does not end.

No test asserts seconds: a slow machine would fail it. Count steps instead. The work of one call into C, such as a
search of a regular expression, is no step. If it might take quadratic time, run it on a long text within
`fail_if_hung`: linear work takes less than a second there, quadratic work longer than the guard allows.
"""

import gc
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

HUNG_CPU_S: Final = 60.0
"""Only work that hangs takes so many seconds of CPU."""


def count_calls(work: Callable[[], object]) -> int:
    """How many Python functions are called."""
    return _count(work, sys.setprofile, frozenset({"call"}))


def count_steps(work: Callable[[], object]) -> int:
    """How many lines of Python run, and how many Python functions are called."""
    return _count(work, sys.settrace, frozenset({"call", "line"}))


def list_c_calls(work: Callable[[], object]) -> list[str]:
    """The names of the functions and methods in C that Python calls, in their order."""
    names: list[str] = []

    def record(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            names.append(function.__name__)

    sys.setprofile(record)
    try:
        work()
    finally:
        sys.setprofile(None)
    return names


def _count(work: Callable[[], object], install: Callable[[Any], None], counted: frozenset[str]) -> int:
    count = 0

    def record(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event in counted
        return record

    gc.disable()  # a collection in between would count, too
    install(record)
    try:
        work()
    finally:
        install(None)
        gc.enable()
    return count


@contextmanager
def fail_if_hung() -> Iterator[None]:
    """Break off the work inside once it has taken as much CPU time as only a hang does."""

    def fail(_signal: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"hangs: it has run for {HUNG_CPU_S} s of CPU")

    before = signal.signal(signal.SIGVTALRM, fail)
    signal.setitimer(signal.ITIMER_VIRTUAL, HUNG_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
