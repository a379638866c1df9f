"""An answer as a group keeps it: encoded once, compared by its digest, told with what each message has beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

import orjson

from core.limits import COST_MAX
from subscriptions.changes.moment import Moment
from subscriptions.engine.questions import Question
from subscriptions.sinks import Payload


def digest(text: str) -> bytes:
    """Sixteen bytes that are equal for equal texts."""
    return blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run found.

    Attributes:
        body: The members of the response without the braces around them; None where it is not kept.
        digest: Equal for equal bodies.
    """

    body: str | None
    digest: bytes

    @classmethod
    def compiled(cls, field: str, data: str | None) -> Self:
        """Of a compiled root field: `data` is its JSON, None for null."""
        return cls._of(f'"data":{{"{field}":{data or "null"}}}')

    @classmethod
    def executed(cls, response: Mapping[str, Any]) -> Self:
        """Of a response's map."""
        return cls._of(orjson.dumps(response).decode()[1:-1])

    @classmethod
    def _of(cls, body: str) -> Self:
        return cls(body, digest(body))

    @property
    def size(self) -> int:
        """Characters that keeping it takes."""
        return len(self.body or "")

    def unkept(self) -> "Answer":
        """The same without its body."""
        return Answer(None, self.digest)


def payload(answer: Answer, question: Question, moment: Moment) -> Payload:
    """The message that tells an answer, which must be kept, as true of a moment."""
    beside: dict[str, Any] = {}
    if question.cost is not None:
        beside["cost"] = {"estimated": question.cost, "allowed": COST_MAX}
    if question.wants_snapshot:
        beside["snapshot"] = str(moment)
    told = f',"extensions":{orjson.dumps(beside).decode()}' if beside else ""
    return Payload(f"{{{answer.body}{told}}}")
