"""A clock that a test sets."""

from dataclasses import dataclass
from typing import Generic, TypeVar

NumberT = TypeVar("NumberT", int, float)


@dataclass
class ManualClock(Generic[NumberT]):
    """A clock that stands still until a test moves it. Its unit is that of the code under test."""

    now: NumberT

    def __call__(self) -> NumberT:
        """The time."""
        return self.now
