"""The context of one operation: its viewer, its data access and its data loaders."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from graphql import GraphQLResolveInfo

from core.auth.viewer import Viewer
from core.errors import AnswerTooLargeError
from core.limits import ANSWER_BYTES_MAX
from resolvers.explain import Explanation
from resolvers.graphql_errors import ErrorCollector
from resolvers.sql.access import require_viewer
from resolvers.sql.data_access import DataAccess
from resolvers.write_transaction import MutationTransactions
from services.users.invitation_acceptance import PendingInvitation

T = TypeVar("T")

COMPILED: Final = "compiled"
"""The value of `RequestContext.strategy` if compiled statements answered all root fields."""


@dataclass(slots=True)
class AnswerSize:
    """The characters of long values in one answer. A row that is fetched once may be in the answer many times.

    Attributes:
        count: The characters so far.
    """

    count: int = 0

    def add(self, text: str) -> None:
        """Count a value.

        Raises:
            AnswerTooLargeError: The answer has more than `ANSWER_BYTES_MAX`.
        """
        self.count += len(text)
        if self.count > ANSWER_BYTES_MAX:
            raise AnswerTooLargeError


@dataclass(slots=True)
class RequestContext:
    """The context of one operation. Each run over a socket has a new one, too: no loader outlives its snapshot.

    Attributes:
        viewer: The viewer. None for an anonymous caller.
        rows: The data access. None for an anonymous caller.
        errors: The internal errors so far.
        compiled_fields: The response keys of the root fields that a compiled statement answered.
        used_loaders: Whether graphql-core and the data loaders answered any root field.
        writer: Opens the transactions of a mutation, which has no `viewer` and no `rows` before them. Else None.
        written: The rows or payload of the mutation that is being answered.
        transaction: The sealed token of the last transaction that a mutation has committed.
        committed: The response keys of the root fields that a mutation has committed, in their order.
        size: The size of the answer, as far as data loaders make it.
        invitations: The invitations of an invited person, who has no `viewer` and no `rows`. None for all other
            callers.
        explained: PostgreSQL's plans of the compiled root fields, by response key. None unless they are requested.
    """

    viewer: Viewer | None
    rows: DataAccess | None
    errors: ErrorCollector = field(default_factory=ErrorCollector)
    compiled_fields: list[str] = field(default_factory=list)
    used_loaders: bool = False
    writer: MutationTransactions | None = None
    written: Any = None
    transaction: str | None = None
    committed: list[str] = field(default_factory=list)
    invitations: Sequence[PendingInvitation] | None = None
    explained: dict[str, Explanation] | None = None
    size: AnswerSize = field(default_factory=AnswerSize)
    _created: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def strategy(self) -> str:
        """The way the operation ran: `compiled_fields`, `loaders`, or `mixed`."""
        if not self.compiled_fields:
            return "loaders"
        return "mixed" if self.used_loaders else COMPILED

    def require_data_access(self) -> DataAccess:
        """The data access.

        Raises:
            UnauthenticatedError: No viewer is signed in.
        """
        require_viewer(self.viewer)
        assert self.rows is not None  # noqa: S101 - a viewer comes with its data access
        return self.rows

    def get_or_create(self, info: GraphQLResolveInfo["RequestContext"], create: Callable[[], T]) -> T:
        """Make a value once for a place in the document, however many rows reach it.

        The place is identified by its nodes. Each parent comes with the same node objects, and the document outlives
        the operation.
        """
        key = (info.parent_type.name, *map(id, info.field_nodes))
        made: T | None = self._created.get(key)
        if made is None:
            made = self._created[key] = create()
        return made
