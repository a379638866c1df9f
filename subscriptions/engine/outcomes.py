"""What running a live query comes to."""

from dataclasses import dataclass
from typing import Any

from subscriptions.engine.answers import Answer
from subscriptions.matching.read_sets import Dependence


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and what it depends on.

    Attributes:
        answer: The answer.
        facts: The digest of what tells the read set, where it was compiled; equal facts are an equal read set.
        dependences: The read set; None where it is the one that the group has.
    """

    answer: Answer
    facts: bytes | None
    dependences: tuple[Dependence, ...] | None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, now or later: what the subscribers are told.

    Attributes:
        errors: As a response has them.
    """

    errors: list[dict[str, Any]]
