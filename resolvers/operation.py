"""What lives as long as one operation: the viewer, the door to rows, and the data loaders."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from graphql import GraphQLResolveInfo

from core.viewer import Viewer
from resolvers.access import require_viewer
from resolvers.explanations import Explanation
from resolvers.faults import Faults
from resolvers.rows import Rows
from resolvers.writer import Writer

T = TypeVar("T")

COMPILED: Final = "compiled"
"""The way of an operation whose root fields were all answered by compiled statements."""


@dataclass(slots=True)
class Operation:
    """The context of one operation; new for each over a socket, too: no loader outlives its snapshot.

    Attributes:
        viewer: Who is asking; None for an anonymous caller, who has no door either.
        rows: The door; None for an anonymous caller.
        faults: What has gone wrong by our own fault.
        compiled: The response keys of the root fields that were answered by a compiled statement.
        loaded: Whether graphql-core and the data loaders answered any.
        writer: What opens the transactions of a mutation, which has no `viewer` and no `rows` before; else None.
        written: What the mutation has written that is being answered.
        transaction: The last transaction that a mutation has committed, as PostgreSQL's snapshots know it.
        explained: How PostgreSQL runs each of them, by the same keys; None unless it is asked for.
    """

    viewer: Viewer | None
    rows: Rows | None
    faults: Faults = field(default_factory=Faults)
    compiled: list[str] = field(default_factory=list)
    loaded: bool = False
    writer: Writer | None = None
    written: Any = None
    transaction: str | None = None
    explained: dict[str, Explanation] | None = None
    _made: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def way(self) -> str:
        """Which way it went: `compiled`, `loaders`, or `mixed`."""
        if not self.compiled:
            return "loaders"
        return "mixed" if self.loaded else COMPILED

    def door(self) -> Rows:
        """The door to rows.

        Raises:
            UnauthenticatedError: Nobody is signed in.
        """
        require_viewer(self.viewer)
        assert self.rows is not None  # noqa: S101 - whoever has a viewer has a door
        return self.rows

    def once(self, info: GraphQLResolveInfo["Operation"], make: Callable[[], T]) -> T:
        """Make something once for a place in the document, however many rows come to it.

        The place is told by its nodes: the same ones reach here for each parent, and the document outlives us.
        """
        place = (info.parent_type.name, *map(id, info.field_nodes))
        made: T | None = self._made.get(place)
        if made is None:
            made = self._made[place] = make()
        return made
