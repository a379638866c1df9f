"""How much demo data there is."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

DELETED_SHARE: Final = 0.03
"""Soft-deleted rows for each live one."""


class DemoSize(StrEnum):
    """How much to load."""

    SMALL = "small"
    MEDIUM = "medium"


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows that are not deleted; the deleted ones come on top."""

    tenants: int
    sites: int
    agents: int
    entities: int
    global_entities: int
    api_logs: int

    @property
    def rows(self) -> int:
        """About how many rows all tables hold together: what the progress counts towards."""
        return round(2.21 * self.entities + 2.84 * self.agents + 18 * self.sites) + self.api_logs


PLANS: Final = {
    DemoSize.SMALL: Plan(5, 150, 1_800, 9_000, global_entities=24, api_logs=200),
    DemoSize.MEDIUM: Plan(50, 3_000, 60_000, 450_000, global_entities=24, api_logs=5_000),
}


def deleted_beside(live: int) -> int:
    """How many soft-deleted rows stand beside that many live ones; at least one."""
    return max(1, math.ceil(live * DELETED_SHARE))
