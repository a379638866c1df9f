"""What integrations cost a tenant, and what is added to and taken off its bills."""

from typing import Final

from core.limits import LONG_TEXT_MAX_CHARS
from models.enums import AdjustmentType
from services.writes.complaints import Complaints
from services.writes.record import Field, Record, Row, Values
from services.writes.values import Amount, Moment, OneOf, Reference, Text
from services.writes.writing import Writing

_LONG: Final = Text(LONG_TEXT_MAX_CHARS, lines=True)


def _check_span(before: Row | None, values: Values, begins: str, ends: str, complaints: Complaints) -> None:
    """A time in which something holds ends after it has begun."""
    row = {**(before or {}), **values}
    if row.get(begins) is not None and row.get(ends) is not None and row[ends] <= row[begins]:
        complaints.add(ends, "is not after the beginning")


async def _prepare_tier(
    _writing: Writing, before: Row | None, values: Values, complaints: Complaints
) -> None:
    if before is None:
        values.setdefault("description", "")
    _check_span(before, values, "effective_from", "effective_until", complaints)


async def _prepare_adjustment(
    writing: Writing, before: Row | None, values: Values, complaints: Complaints
) -> None:
    if before is None:
        values["created_by"] = writing.viewer.user_id
    _check_span(before, values, "effective_from", "effective_to", complaints)


INTEGRATION_PRICING_TIERS: Final = Record(
    "integration_pricing_tiers", "pricing tier", "Billing",
    (
        Field("integration_id", Reference("integrations"), fixed=True),
        Field("name", Text()),
        Field("description", Text(LONG_TEXT_MAX_CHARS, empty=True, lines=True), default=True),
        Field("unit_cost", Amount()),
        Field("effective_from", Moment()),
        Field("effective_until", Moment(), null=True),
    ),
    prepare=_prepare_tier,
)  # fmt: skip

TENANT_BILLING_ADJUSTMENTS: Final = Record(
    "tenant_billing_adjustments", "adjustment", "Billing",
    (
        Field("integration_id", Reference("integrations"), null=True),
        Field("type", OneOf(AdjustmentType)),
        Field("amount", Amount()),
        Field("reason", _LONG),
        Field("effective_from", Moment()),
        Field("effective_to", Moment()),
    ),
    extra={"created_by": "text"},
    prepare=_prepare_adjustment,
)  # fmt: skip
