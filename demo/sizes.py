"""Sizes of the demo data."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DELETED_SHARE: Final = 0.03
"""The number of soft-deleted rows for each live row."""


class DemoSize(StrEnum):
    """How much data to load."""

    SMALL = "small"
    MEDIUM = "medium"


@dataclass(frozen=True, slots=True)
class SizePlan:
    """The number of rows that are not deleted. Deleted rows are added to them."""

    tenants: int
    sites: int
    agents: int
    entities: int
    global_entities: int
    api_logs: int

    @property
    def row_count(self) -> int:
        """The approximate number of rows in all tables: the total for the progress bar."""
        return round(2.21 * self.entities + 2.84 * self.agents + 18 * self.sites) + self.api_logs


PLANS: Final = {
    DemoSize.SMALL: SizePlan(5, 150, 1_800, 9_000, global_entities=24, api_logs=200),
    DemoSize.MEDIUM: SizePlan(50, 3_000, 60_000, 450_000, global_entities=24, api_logs=5_000),
}


def deleted_share_of(live: int) -> int:
    """The number of soft-deleted rows for that many live rows; at least one."""
    return max(1, math.ceil(live * DELETED_SHARE))
