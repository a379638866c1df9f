"""Positions of selections in a generated document: how much may stand below them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a selection in a document.

    Attributes:
        depth: The number of further levels of rows that may follow.
        row_limit: The maximum number of rows.
        in_union: Whether a union stands above it, below which equal keys must have equal types.
    """

    depth: int
    row_limit: int
    in_union: bool = False

    def fits(self, other: "Position") -> bool:
        """Whether a selection written for this position may stand in the other."""
        return (
            self.depth <= other.depth
            and self.row_limit >= other.row_limit
            and (self.in_union or not other.in_union)
        )
