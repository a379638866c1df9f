"""A request of a client, whatever way it came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.errors import BadUserInputError, ProductError
from resolvers.execution_strategy import ExecutionStrategy


class PersistedQueryNotSupportedError(ProductError):
    """The request names a document by its hash (Apollo's persisted queries).

    Message, code and status are those of Apollo Server. Clients then send the document itself.
    """

    code: ClassVar[str] = "PERSISTED_QUERY_NOT_SUPPORTED"
    status: ClassVar[int] = 200

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported")


def is_persisted_query(values: Mapping[str, Any]) -> bool:
    """Whether the members of a request name its document by a hash, and do not contain the document."""
    extensions = values.get("extensions")
    return not values.get("query") and isinstance(extensions, dict) and bool(extensions.get("persistedQuery"))


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """A client's request, over HTTP or a socket."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wants_cost(self) -> bool:
        """Whether the response has to contain the estimated cost of the operation."""
        return self.extensions.get("cost") is True

    @property
    def wants_explanation(self) -> bool:
        """Whether the response has to contain PostgreSQL's plans of the compiled statements.

        Only the platform may request this.
        """
        return self.extensions.get("explain") is True

    @property
    def requested_strategy(self) -> ExecutionStrategy | None:
        """The execution strategy that the request forces. Only the platform may force one.

        Raises:
            BadUserInputError: There is no such strategy.
        """
        wanted = self.extensions.get("way")
        if wanted is None:
            return None
        if wanted not in tuple(ExecutionStrategy):
            raise BadUserInputError(f"extensions.way must be one of {', '.join(ExecutionStrategy)}")
        return ExecutionStrategy(wanted)
