"""Prices, bills that add up to the cent, and adjustments."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

from demo.seeded_random import DAY, SeededRandom
from demo.world import DemoWorld, Row, Tenant, demo_table, dump_json

_PRICES: Final = {
    "halopsa": Decimal("0.85"),
    "autotask": Decimal("0.95"),
    "sophos-partner": Decimal("3.475"),
    "microsoft-365": Decimal("1.20"),
    "datto-rmm": Decimal("1.9999"),
    "msp-agent": Decimal("2.25"),
}
"""The monthly price of a unit. Some prices have fractions of a cent, as in vendors' price lists."""
_STATUSES: Final = ("draft", "finalized", "paid", "paid", "paid", "paid")
"""The status of this month's bill, the last month's, and so on back."""
_CANCELLED: Final = 2
"""The index of the month with a first bill that was cancelled and then replaced."""


@dataclass(slots=True, eq=False)
class DemoTier:
    """A price for a period: valid from `since` to `until`, which are ages in ms."""

    id: str
    integration: str
    name: str
    unit_cost: Decimal
    since: int
    until: int | None
    deleted: int | None = None


@dataclass(slots=True, eq=False)
class BillLine:
    """A number of units at a price."""

    id: str
    tier: DemoTier
    units: Decimal

    @property
    def amount(self) -> Decimal:
        """The exact amount."""
        return self.units * self.tier.unit_cost


@dataclass(slots=True, eq=False)
class DemoBill:
    """A month's bill; `start` and `end` are ms since the epoch."""

    id: str
    start: int
    end: int
    status: str
    lines: list[BillLine]

    @property
    def total(self) -> Decimal:
        """The exact sum of its lines."""
        return sum((line.amount for line in self.lines), Decimal(0))


def list_tiers(demo: DemoWorld, tenant: Tenant) -> list[DemoTier]:
    """The prices of each integration of a tenant: last year's and today's.

    The first one has a withdrawn price, too.
    """
    dice = demo.random_stream("tiers", tenant.index)
    tiers = []
    for integration in dict.fromkeys(source.integration for source in tenant.sources):
        price = _PRICES[integration] * (100 - dice.choice((0, 0, 5, 10))) / 100
        start, change = tenant.age, dice.random_age(200 * DAY, 400 * DAY)
        tiers.append(DemoTier(dice.generate_id(start), integration, "Launch", price * 2, start, change))
        tiers.append(DemoTier(dice.generate_id(change), integration, "Standard", price, change, None))
    withdrawn = DemoTier(
        dice.generate_id(90 * DAY), tiers[0].integration, "Promotion", Decimal("0.01"), 90 * DAY, 60 * DAY
    )
    withdrawn.deleted = 80 * DAY
    return [*tiers, withdrawn]


def list_months(now: int, count: int) -> list[tuple[int, int]]:
    """This month (UTC) and the ones before, newest first: the first and the last moment of each, in ms."""
    at = datetime.fromtimestamp(now / 1000, UTC)
    this = at.year * 12 + at.month - 1
    firsts = [datetime(i // 12, i % 12 + 1, 1, tzinfo=UTC) for i in range(this + 1, this - count, -1)]
    return [(int(start.timestamp()) * 1000, int(end.timestamp()) * 1000) for end, start in pairwise(firsts)]


def iter_bills(demo: DemoWorld, tenant: Tenant) -> Iterator[DemoBill]:
    """A tenant's bills, this month's first. Each call yields the same bills."""
    dice = demo.random_stream("bills", tenant.index)
    tiers = [tier for tier in list_tiers(demo, tenant) if tier.until is None]
    for back, (start, end) in enumerate(list_months(demo.now, len(_STATUSES))):
        if back == _CANCELLED:
            yield _make_bill(dice, tiers, (start, end), back, "cancelled")
        yield _make_bill(dice, tiers, (start, end), back, _STATUSES[back])


def _make_bill(
    dice: SeededRandom, tiers: list[DemoTier], period: tuple[int, int], back: int, status: str
) -> DemoBill:
    age = back * 30 * DAY
    lines = [BillLine(dice.generate_id(age), tier, _choose_units(dice)) for tier in tiers]
    return DemoBill(dice.generate_id(age), *period, status, lines)


def _choose_units(dice: SeededRandom) -> Decimal:
    """A number of units. Sometimes it has half a unit, for half a month."""
    return Decimal(dice.randrange(1, 400)) + (Decimal("0.5") if dice.happens(0.2) else 0)


@demo_table(
    "integration_pricing_tiers",
    "id tenant_id integration_id name description unit_cost effective_from effective_until"
    " created_at updated_at deleted_at",
)
def integration_pricing_tiers(demo: DemoWorld) -> Iterator[Row]:
    """The prices of all tenants."""
    for tenant in demo.tenants:
        for tier in list_tiers(demo, tenant):
            yield (
                tier.id, tenant.id, tier.integration, tier.name,
                f"{tier.name} price of {tier.integration}, per unit", tier.unit_cost,
                demo.ms_at(tier.since), demo.ms_at(tier.until), *demo.row_times(tier.since, tier.deleted),
            )  # fmt: skip


@demo_table(
    "tenant_bills",
    "id tenant_id period_start period_end status total notes finalized_at paid_at created_at updated_at",
)
def tenant_bills(demo: DemoWorld) -> Iterator[Row]:
    """The bills of all tenants. A bill is finalized a day after the month and paid within ten."""
    for tenant in demo.tenants:
        for bill in iter_bills(demo, tenant):
            finalized = None if bill.status == "draft" else min(demo.now, bill.end + DAY)
            paid = min(demo.now, bill.end + 9 * DAY) if bill.status == "paid" else None
            notes = (
                "Cancelled: the units of two sites were counted twice."
                if bill.status == "cancelled"
                else None
            )
            yield (
                bill.id, tenant.id, bill.start, bill.end, bill.status, bill.total, notes, finalized, paid,
                min(demo.now, bill.end), paid or finalized or demo.now,
            )  # fmt: skip


@demo_table(
    "tenant_bill_line_items",
    "id tenant_id bill_id integration_id pricing_tier_id description units unit_cost total metadata"
    " created_at",
)
def tenant_bill_line_items(demo: DemoWorld) -> Iterator[Row]:
    """The lines of all bills."""
    for tenant in demo.tenants:
        dice = demo.random_stream("lines", tenant.index)
        for bill in iter_bills(demo, tenant):
            for line in bill.lines:
                tier = line.tier
                metadata = dump_json({"tier": tier.name}) if dice.happens(0.5) else None
                yield (
                    line.id, tenant.id, bill.id, tier.integration, tier.id,
                    f"{tier.integration}: {tier.name}", line.units, tier.unit_cost, line.amount, metadata,
                    min(demo.now, bill.end),
                )  # fmt: skip


@demo_table(
    "tenant_billing_adjustments",
    "id tenant_id integration_id type amount reason effective_from effective_to created_by"
    " created_at updated_at deleted_at",
)
def tenant_billing_adjustments(demo: DemoWorld) -> Iterator[Row]:
    """Credits, debits and discounts. Some are for one integration, and some have no author."""
    for tenant in demo.tenants:
        dice = demo.random_stream("adjustments", tenant.index)
        for i, (kind, reason) in enumerate(_REASONS):
            age = dice.random_age(20 * DAY, 120 * DAY)
            yield (
                dice.generate_id(age), tenant.id, None if i % 2 else dice.choice(tenant.sources).integration,
                kind, Decimal(dice.randrange(100, 50_000)) / 100, reason, demo.ms_at(age),
                demo.ms_at(age - 90 * DAY), None if i == 0 else dice.choice(tenant.users).id,
                *demo.row_times(age, age // 2 if i == 3 else None),
            )  # fmt: skip


_REASONS: Final = (
    ("credit", "Outage of the ticket system: 4 hours"),
    ("debit", "Emergency call-out on a holiday"),
    ("discount", "Rahmenvertrag über zwölf Monate"),
    ("discount", "Entered twice"),
)
