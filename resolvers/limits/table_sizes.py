"""What the cost of an operation takes from PostgreSQL's own statistics: the rows of a tenant, and the indexes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_SKEW: Final = 4
"""How many times as many rows as the average one parent, value or tenant may have."""


@dataclass(frozen=True, slots=True)
class TableSizes:
    """The sizes for one tenant. A table without a size counts as empty.

    Attributes:
        rows: The tenant's rows, by the table's SQL name.
        shares: The shares of a table's rows with frequent values of a column, by table, column and value. Views are
            selected by such a value.
        indexed: The columns by which an index finds or orders a tenant's rows, by the table's SQL name.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    indexed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shares: Mapping[tuple[str, str, str], float] = field(default_factory=dict)

    def of(self, table: str) -> int:
        """The tenant's rows of a table."""
        return self.rows.get(table, 0)

    def of_key(self, table: str, parent: str) -> int:
        """The most rows of a table that one row of `parent` is expected to have."""
        return min(self.of(table), _SKEW * (1 + self.of(table) // max(1, self.of(parent))))

    def share_of(self, table: str, column: str, value: object) -> float:
        """The share of a table's rows with a value that a tenant is expected to have at most: all if unknown."""
        known = self.shares.get((table, column, str(value)))
        return 1.0 if known is None else min(1.0, _SKEW * known)

    def is_indexed(self, table: str, column: str) -> bool:
        """Whether an index finds a tenant's rows by this column."""
        return column == "id" or column in self.indexed.get(table, ())


NO_SIZES: Final = TableSizes()
"""Nothing is known: every table counts as empty."""
