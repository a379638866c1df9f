"""How commands run what is asynchronous, and what they say."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

Result = TypeVar("Result")


def run_to_end(task: Coroutine[Any, Any, Result]) -> Result:
    """The task's result, on an event loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(task)


def say(*lines: str) -> None:
    """Print lines, and have them seen at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
