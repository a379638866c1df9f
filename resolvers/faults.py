"""Our own faults in one request: what callers are told of them, and what the log has to tell."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from core.errors import InternalError

_STORIES_MAX: Final = 3
"""Faults told in full: where each of a thousand rows fails, it is for the same reason."""


@dataclass(slots=True)
class Faults:
    """The faults of one request; callers see one id for all of them.

    Attributes:
        told: What callers are told; None while nothing has failed.
        causes: The first few exceptions.
        paths: Where in the answer they struck, as GraphQL writes paths, with dots between.
    """

    told: InternalError | None = None
    causes: list[BaseException] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def note(self, cause: BaseException, path: Sequence[str | int] = ()) -> InternalError:
        """Take down a fault; returns what callers are told of it."""
        if self.told is None:
            self.told = cause if isinstance(cause, InternalError) else InternalError()
        if len(self.causes) < _STORIES_MAX and cause not in self.causes:
            self.causes.append(cause)
            self.paths.append(".".join(map(str, path)))
        return self.told

    def story(self) -> BaseException | None:
        """The exceptions as one, for a traceback that has them all."""
        if len(self.causes) < 2:
            return self.causes[0] if self.causes else None
        return BaseExceptionGroup("several fields failed", self.causes)
