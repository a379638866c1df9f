"""What integrations cost, and what tenants are billed."""

from decimal import Decimal

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import AdjustmentType, BillStatus
from schema.scalars import Timestamp
from schema.table import Reference, Table, column


@strawberry.type(description="What a unit of an integration costs a tenant, over a time.")
class IntegrationPricingTier:
    id: ID = column("The tier's id.")
    tenant_id: ID = column("The tenant that it holds for.")
    integration_id: ID = column("The integration that it prices.")
    name: str = column("The tier's name.", search=True)
    description: str = column("What is priced.", search=True)
    unit_cost: Decimal = column("The price of one unit.")
    effective_from: Timestamp = column("When it begins to hold.")
    effective_until: Timestamp | None = column("When it ceases to hold; null while no end is set.")
    created_at: Timestamp = column("When it was created.")
    updated_at: Timestamp = column("When a person or a job last changed it.")
    deleted_at: Timestamp | None = column("When it was deleted; null while it is not.")


INTEGRATION_PRICING_TIERS = Table(
    IntegrationPricingTier, "integration_pricing_tiers", one="integrationPricingTier",
    many="integrationPricingTiers", module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="pricingTiers",
            about_one="The tenant that it holds for.", about_many="The prices that hold for this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="pricingTiers",
            about_one="The integration that it prices.",
            about_many="What this integration costs the viewer's tenant.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="What a tenant is billed for a period.")
class TenantBill:
    id: ID = column("The bill's id.")
    tenant_id: ID = column("The tenant that is billed.")
    period_start: Timestamp = column("When the billed period begins.")
    period_end: Timestamp = column("When it ends.")
    status: BillStatus = column("How far the bill is.")
    total: Decimal = column("The sum of its lines and adjustments.")
    notes: str | None = column("A note on the bill.", search=True)
    finalized_at: Timestamp | None = column("When it was made final; null while it is a draft.")
    paid_at: Timestamp | None = column("When it was paid; null while it is not.")
    created_at: Timestamp = column("When it was drafted.")
    updated_at: Timestamp = column("When it last changed.")


TENANT_BILLS = Table(
    TenantBill, "tenant_bills", one="tenantBill", many="tenantBills", module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="bills",
            about_one="The tenant that is billed.", about_many="The bills of this tenant.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="One line of a bill.")
class TenantBillLineItem:
    id: ID = column("The line's id.")
    tenant_id: ID = column("The tenant that is billed.")
    bill_id: ID = column("The bill that it is on.")
    integration_id: ID = column("The integration that it bills.")
    pricing_tier_id: ID = column("The price that it was reckoned with.")
    description: str = column("What is billed.", search=True)
    units: Decimal = column("How many units.")
    unit_cost: Decimal = column("The price of one unit at the time.")
    total: Decimal = column("Units times price.")
    metadata: JSON | None = column("How the units were counted.")
    created_at: Timestamp = column("When it was reckoned.")


TENANT_BILL_LINE_ITEMS = Table(
    TenantBillLineItem, "tenant_bill_line_items", one="tenantBillLineItem", many="tenantBillLineItems",
    module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="billedLineItems",
            about_one="The tenant that is billed.", about_many="The lines of all bills of this tenant.",
        ),
        Reference(
            "bill_id", "tenant_bills", one="bill", many="lineItems",
            about_one="The bill that it is on.", about_many="The lines of this bill.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="billedLineItems",
            about_one="The integration that it bills.",
            about_many="The lines of the viewer's bills for this integration.",
        ),
        Reference(
            "pricing_tier_id", "integration_pricing_tiers", one="pricingTier", many="billedLineItems",
            about_one="The price that it was reckoned with.",
            about_many="The lines that were reckoned with this price.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="A credit, debit or discount on a tenant's bills, over a time.")
class TenantBillingAdjustment:
    id: ID = column("The adjustment's id.")
    tenant_id: ID = column("The tenant whose bills it changes.")
    integration_id: ID | None = column("The integration that it is for; null for the whole bill.")
    type: AdjustmentType = column("Which way it goes.")
    amount: Decimal = column("How much, in the bill's currency.")
    reason: str = column("Why it was given.", search=True)
    effective_from: Timestamp = column("When it begins to hold.")
    effective_to: Timestamp = column("When it ceases to hold.")
    created_by: ID | None = column("The user who gave it; null if it was no user.")
    created_at: Timestamp = column("When it was given.")
    updated_at: Timestamp = column("When a person or a job last changed it.")
    deleted_at: Timestamp | None = column("When it was taken back; null while it holds.")


TENANT_BILLING_ADJUSTMENTS = Table(
    TenantBillingAdjustment, "tenant_billing_adjustments", one="tenantBillingAdjustment",
    many="tenantBillingAdjustments", module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="billingAdjustments",
            about_one="The tenant whose bills it changes.", about_many="The adjustments of this tenant's bills.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="billingAdjustments",
            about_one="The integration that it is for.",
            about_many="The adjustments of the viewer's bills for this integration.",
        ),
        Reference(
            "created_by", "users", one="creator", many="billingAdjustments",
            about_one="The user who gave it.", about_many="The adjustments that this user gave.",
        ),
    ),
)  # fmt: skip
