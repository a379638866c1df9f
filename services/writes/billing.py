"""Prices of integrations for a tenant, and adjustments of its bills.

Only the platform writes both: a tenant does not set its own prices. Tenants read them with `Billing.Read`.
"""

from typing import Final

from core.limits import LONG_TEXT_MAX_CHARS
from models.enums import AdjustmentType
from services.writes.field_kinds import AmountKind, EnumKind, ReferenceKind, TextKind, TimestampKind
from services.writes.record import Row, Values, WritableField, WritableTable, WriteVerb
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

_LONG: Final = TextKind(LONG_TEXT_MAX_CHARS, lines=True)
_EVERY_VERB: Final = frozenset(WriteVerb)


def _check_span(
    before: Row | None, values: Values, begins: str, ends: str, complaints: ValidationErrors
) -> None:
    """Require that a period ends after it begins."""
    row = {**(before or {}), **values}
    if row.get(begins) is not None and row.get(ends) is not None and row[ends] <= row[begins]:
        complaints.add(ends, "must be after the start")


async def _prepare_tier(
    _writing: WriteContext, before: Row | None, values: Values, complaints: ValidationErrors
) -> None:
    if before is None:
        values.setdefault("description", "")
    _check_span(before, values, "effective_from", "effective_until", complaints)


async def _prepare_adjustment(
    writing: WriteContext, before: Row | None, values: Values, complaints: ValidationErrors
) -> None:
    if before is None:
        values["created_by"] = writing.viewer.user_id
    _check_span(before, values, "effective_from", "effective_to", complaints)


INTEGRATION_PRICING_TIERS: Final = WritableTable(
    "integration_pricing_tiers", "pricing tier", "Billing",
    (
        WritableField("integration_id", ReferenceKind("integrations"), fixed=True),
        WritableField("name", TextKind()),
        WritableField("description", TextKind(LONG_TEXT_MAX_CHARS, empty=True, lines=True), default=True),
        WritableField("unit_cost", AmountKind()),
        WritableField("effective_from", TimestampKind()),
        WritableField("effective_until", TimestampKind(never=True), null=True),
    ),
    platform=_EVERY_VERB,
    prepare=_prepare_tier,
)  # fmt: skip

TENANT_BILLING_ADJUSTMENTS: Final = WritableTable(
    "tenant_billing_adjustments", "adjustment", "Billing",
    (
        WritableField("integration_id", ReferenceKind("integrations"), null=True),
        WritableField("type", EnumKind(AdjustmentType)),
        WritableField("amount", AmountKind()),
        WritableField("reason", _LONG),
        WritableField("effective_from", TimestampKind()),
        WritableField(
            "effective_to", TimestampKind(never=True), about="It must be given, although it may be null."
        ),
    ),
    platform=_EVERY_VERB,
    extra={"created_by": "text"},
    prepare=_prepare_adjustment,
)  # fmt: skip
