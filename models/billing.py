"""The prices of integrations for a tenant, and the tenant's bills."""

from decimal import Decimal

from tortoise.models import Model

from models import columns
from models.enums import AdjustmentType, BillStatus


class IntegrationPricingTier(Model):
    """What one unit of an integration costs a tenant, for a time."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    integration_id: str
    integration = columns.reference("Integration", "What is priced.")
    name = columns.Text(description="What the tier is called.")
    description = columns.Text(description="What the tier covers.")
    unit_cost = columns.Money(description="The price of one unit.")
    effective_from = columns.Milliseconds(description="From when on the price holds.")
    effective_until = columns.Milliseconds(null=True, description="Until when; absent while it holds.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "integration_pricing_tiers"


class TenantBill(Model):
    """A tenant's bill for one period."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    period_start = columns.Milliseconds(description="The first moment that is billed.")
    period_end = columns.Milliseconds(description="The moment at which the period is over.")
    status = columns.Enumerated(BillStatus, default=BillStatus.DRAFT, description="Where the bill stands.")
    total = columns.Money(default=Decimal(0), description="What is to be paid.")
    notes = columns.Text(null=True, description="What else is to be said.")
    finalized_at = columns.Milliseconds(null=True, description="When it was finalised.")
    paid_at = columns.Milliseconds(null=True, description="When it was paid.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "tenant_bills"


class TenantBillLineItem(Model):
    """One line of a bill: so many units of an integration at such a price."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    bill_id: str
    bill = columns.reference("TenantBill", "The bill on which it stands.")
    integration_id: str
    integration = columns.reference("Integration", "What is billed.")
    pricing_tier_id: str
    pricing_tier = columns.reference("IntegrationPricingTier", "The price list that was applied.")
    description = columns.Text(description="What the line says.")
    units = columns.Quantity(description="How many units.")
    unit_cost = columns.Money(description="The price of one unit when it was billed.")
    total = columns.Money(description="The line's amount.")
    metadata = columns.Json(null=True, description="What the amount was computed from.")
    created_at = columns.created_at()

    class Meta:
        table = "tenant_bill_line_items"


class TenantBillingAdjustment(Model):
    """A credit, debit or discount that moves a tenant's bills, for a time."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    integration_id: str | None
    integration = columns.reference("Integration", "What it concerns; absent for the whole bill.", null=True)
    type = columns.Enumerated(AdjustmentType, description="Which way it moves a bill.")
    amount = columns.Money(description="By how much.")
    reason = columns.Text(description="Why.")
    effective_from = columns.Milliseconds(description="From when on it counts.")
    effective_to = columns.Milliseconds(description="Until when it counts.")
    created_by = columns.Id(null=True, description="The person who made it: a user of the same tenant.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "tenant_billing_adjustments"
