"""The answer of a shared query: encoded once, compared by its digest, sent with the extensions of its subscribers."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

import orjson

from core.limits import COST_MAX
from subscriptions.engine.live_query import LiveQuery
from subscriptions.subscriber import Payload


def compute_digest(text: str) -> bytes:
    """Sixteen bytes that are equal for equal texts."""
    return blake2b(text.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of one run.

    Attributes:
        body: The members of the response without the braces around them. None if the body is not kept.
        digest: Equal for equal bodies.
    """

    body: str | None
    digest: bytes

    @classmethod
    def from_compiled(cls, field: str, data: str | None) -> Self:
        """Make the answer of a compiled root field. `data` is its JSON, or None for null."""
        return cls._from_body(f'"data":{{"{field}":{data or "null"}}}')

    @classmethod
    def from_response(cls, response: Mapping[str, Any]) -> Self:
        """Make the answer of a response, given as a mapping."""
        return cls._from_body(orjson.dumps(response).decode()[1:-1])

    @classmethod
    def _from_body(cls, body: str) -> Self:
        return cls(body, compute_digest(body))

    @property
    def size(self) -> int:
        """Characters in memory for this answer."""
        return len(self.body or "")

    def without_body(self) -> "QueryResult":
        """The same answer without its body."""
        return QueryResult(None, self.digest)


def build_payload(result: QueryResult, query: LiveQuery, snapshot: str) -> Payload:
    """Encode the message for an answer, which must have a body. `snapshot` is the sealed text of its snapshot."""
    extensions: dict[str, Any] = {}
    if query.cost is not None:
        extensions["cost"] = {"estimated": query.cost, "allowed": COST_MAX}
    if query.wants_snapshot:
        extensions["snapshot"] = snapshot
    extensions_json = f',"extensions":{orjson.dumps(extensions).decode()}' if extensions else ""
    return Payload(f"{{{result.body}{extensions_json}}}")
