"""Prices of integrations, and tenants' bills."""

from decimal import Decimal

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import AdjustmentType, BillStatus
from schema.scalars import Timestamp
from schema.table import Reference, Table, column


@strawberry.type(description="The price of one unit of an integration for one tenant, valid for a period.")
class IntegrationPricingTier:
    id: ID = column("The id of the pricing tier.")
    tenant_id: ID = column("The tenant to which the price applies.")
    integration_id: ID = column("The integration that the tier prices.")
    name: str = column("The name of the tier.", search=True)
    description: str = column("The description of the priced item.", search=True)
    unit_cost: Decimal = column("The price of one unit.")
    effective_from: Timestamp = column("The start of the validity.")
    effective_until: Timestamp | None = column("The end of the validity; null if no end is set.", never=True)
    created_at: Timestamp = column("The time of the creation.")
    updated_at: Timestamp = column("The time of the last change by a person or a job.")
    deleted_at: Timestamp | None = column("The time of the deletion; null if the row is not deleted.")


INTEGRATION_PRICING_TIERS = Table(
    IntegrationPricingTier, "integration_pricing_tiers", one="integrationPricingTier",
    many="integrationPricingTiers", module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="pricingTiers",
            about_one="The tenant to which the price applies.", about_many="The pricing tiers of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="pricingTiers",
            about_one="The integration that the tier prices.",
            about_many="The pricing tiers of this integration for the viewer's tenant.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="The bill of a tenant for one period.")
class TenantBill:
    id: ID = column("The id of the bill.")
    tenant_id: ID = column("The billed tenant.")
    period_start: Timestamp = column("The start of the billed period.")
    period_end: Timestamp = column("The end of the billed period.")
    status: BillStatus = column("The status of the bill.")
    total: Decimal = column("The sum of the line items and adjustments.")
    notes: str | None = column("A note on the bill.", search=True)
    finalized_at: Timestamp | None = column("The time when the bill was finalized; null for a draft.")
    paid_at: Timestamp | None = column("The time of the payment; null if the bill is not paid.")
    created_at: Timestamp = column("The time when the bill was drafted.")
    updated_at: Timestamp = column("The time of the last change.")


TENANT_BILLS = Table(
    TenantBill, "tenant_bills", one="tenantBill", many="tenantBills", module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="bills",
            about_one="The billed tenant.", about_many="The bills of this tenant.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="One line item of a bill.")
class TenantBillLineItem:
    id: ID = column("The id of the line item.")
    tenant_id: ID = column("The billed tenant.")
    bill_id: ID = column("The bill of the line item.")
    integration_id: ID = column("The billed integration.")
    pricing_tier_id: ID = column("The pricing tier used for the calculation.")
    description: str = column("The description of the billed item.", search=True)
    units: Decimal = column("The number of units.")
    unit_cost: Decimal = column("The price of one unit at the time of billing.")
    total: Decimal = column("The number of units multiplied by the price.")
    metadata: JSON | None = column("Data about the count of the units.")
    created_at: Timestamp = column("The time of the calculation.")


TENANT_BILL_LINE_ITEMS = Table(
    TenantBillLineItem, "tenant_bill_line_items", one="tenantBillLineItem", many="tenantBillLineItems",
    module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="billedLineItems",
            about_one="The billed tenant.", about_many="The line items of all bills of this tenant.",
        ),
        Reference(
            "bill_id", "tenant_bills", one="bill", many="lineItems",
            about_one="The bill of the line item.", about_many="The line items of this bill.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="billedLineItems",
            about_one="The billed integration.",
            about_many="The line items for this integration on the bills of the viewer's tenant.",
        ),
        Reference(
            "pricing_tier_id", "integration_pricing_tiers", one="pricingTier", many="billedLineItems",
            about_one="The pricing tier used for the calculation.",
            about_many="The line items calculated with this pricing tier.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="A credit, debit or discount on the bills of a tenant, valid for a period.")
class TenantBillingAdjustment:
    id: ID = column("The id of the adjustment.")
    tenant_id: ID = column("The tenant whose bills are adjusted.")
    integration_id: ID | None = column(
        "The integration to which the adjustment applies; null for the whole bill."
    )
    type: AdjustmentType = column("The type of the adjustment.")
    amount: Decimal = column("The amount, in the currency of the bill.")
    reason: str = column("The reason for the adjustment.", search=True)
    effective_from: Timestamp = column("The start of the validity.")
    effective_to: Timestamp | None = column(
        "The end of the validity; null if it never ends.", never=True, not_null=True
    )
    created_by: ID | None = column("The user who created the adjustment; null if no user did.")
    created_at: Timestamp = column("The time of the creation.")
    updated_at: Timestamp = column("The time of the last change by a person or a job.")
    deleted_at: Timestamp | None = column("The time of the deletion; null if the row is not deleted.")


TENANT_BILLING_ADJUSTMENTS = Table(
    TenantBillingAdjustment, "tenant_billing_adjustments", one="tenantBillingAdjustment",
    many="tenantBillingAdjustments", module="Billing",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="billingAdjustments",
            about_one="The tenant whose bills are adjusted.",
            about_many="The adjustments to the bills of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="billingAdjustments",
            about_one="The integration to which the adjustment applies.",
            about_many="The adjustments for this integration to the bills of the viewer's tenant.",
        ),
        Reference(
            "created_by", "users", one="creator", many="billingAdjustments",
            about_one="The user who created the adjustment.", about_many="The adjustments that this user created.",
        ),
    ),
)  # fmt: skip
