"""The result of running a live query."""

from dataclasses import dataclass
from typing import Any

from subscriptions.engine.query_result import QueryResult
from subscriptions.invalidation.read_sets import Dependency


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """An answer and its read set.

    Attributes:
        result: The answer.
        facts: The digest of the values from which a compiled plan's read set is made. Equal digests mean equal read
            sets.
        dependencies: The read set. None if the shared query has this read set already.
    """

    result: QueryResult
    facts: bytes | None
    dependencies: tuple[Dependency, ...] | None


@dataclass(frozen=True, slots=True)
class RunFailure:
    """The query has failed and will not run again.

    Attributes:
        errors: The errors for the subscribers, in the form of a GraphQL response.
    """

    errors: list[dict[str, Any]]
