"""Values of a Supabase export that have another meaning here: the exceptions of the mapping, as data.

The original value is kept in the row's metadata, if it has any, and counted.
"""

from collections.abc import Mapping
from typing import Final

COLUMNS: Final[Mapping[tuple[str, str], str]] = {
    ("tenant_bill_line_items", "unti_cost"): "unit_cost",
    ("tenant_bill_line_items", "create_at"): "created_at",
}
"""Columns with another name there."""

ENUMS: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("users", "status"): {"invited": "pending"},
    ("data_sources", "status"): {"failed": "error", "expired": "error"},
    ("health_checks", "status"): {"critical": "down", "unknown": "degraded"},
    ("scheduled_jobs", "status"): {"cancelled": "failed"},
    ("events_log", "status"): {"cancelled": "failed"},
    ("tenant_bills", "status"): {"void": "cancelled", "failed": "draft"},
    ("tenant_billing_adjustments", "type"): {"fixed": "discount"},
}
"""Values of closed sets that do not exist here, and their replacements."""

REFUSED: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("tenant_billing_adjustments", "type"): {
        "percentage": "an adjustment by percentage is not supported: adjustments must be amounts",
        "free": "an adjustment that makes an item free is not supported: adjustments must be amounts",
    }
}
"""Values without a replacement, with the reason."""

EMPTIED: Final[Mapping[tuple[str, str], str]] = {("scheduled_jobs", "cancelled"): "next_retry_at"}
"""Columns that become null if the status had that value."""

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The site of data sources without a site."""
