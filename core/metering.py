"""The CPU meter of a request, as a context variable. Nested code that compiles charges the request through it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import thread_time
from typing import Final

Meter = Callable[[float], None]
"""Charges one caller the CPU seconds of finished work."""

METER: Final[ContextVar[Meter | None]] = ContextVar("meter", default=None)
"""The meter of the running request; None if no caller is charged, as for refreshes of live queries."""


@contextmanager
def meter_cpu_time() -> Iterator[None]:
    """Charge the CPU time of a block without `await` to the running request."""
    meter = METER.get()
    if meter is None:
        yield
        return
    began = thread_time()
    try:
        yield
    finally:
        meter(thread_time() - began)
