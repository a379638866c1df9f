"""What in a Supabase export means something else here: the exceptions of the mapping, as data.

What stood there before is kept in the row's metadata where it has one, and counted.
"""

from collections.abc import Mapping
from typing import Final

COLUMNS: Final[Mapping[tuple[str, str], str]] = {
    ("tenant_bill_line_items", "unti_cost"): "unit_cost",
    ("tenant_bill_line_items", "create_at"): "created_at",
}
"""Columns that are spelled differently there."""

ENUMS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("users", "status"): {"invited": "pending"},
    ("data_sources", "status"): {"failed": "error", "expired": "error"},
    ("health_checks", "status"): {"critical": "down", "unknown": "degraded"},
    ("scheduled_jobs", "status"): {"cancelled": "failed"},
    ("events_log", "status"): {"cancelled": "failed"},
    ("tenant_bills", "status"): {"void": "cancelled", "failed": "draft"},
    ("tenant_billing_adjustments", "type"): {"fixed": "discount"},
}
"""Values of closed sets that there are none of here, and what stands for them."""

REFUSED: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("tenant_billing_adjustments", "type"): {
        "percentage": "an adjustment by percentage has no meaning here: adjustments are amounts",
        "free": "an adjustment that makes free has no meaning here: adjustments are amounts",
    }
}
"""Values that nothing stands for, with the reason."""

EMPTIED: Final[Mapping[tuple[str, str], str]] = {("scheduled_jobs", "cancelled"): "next_retry_at"}
"""Columns that become absent where the status was that."""

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The site of data sources that have none."""
