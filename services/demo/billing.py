"""Prices, bills that add up to the cent, and adjustments."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Final

from services.demo.dice import DAY, Dice
from services.demo.world import Demo, Row, Tenant, document, table

_PRICES: Final = {
    "halopsa": Decimal("0.85"),
    "autotask": Decimal("0.95"),
    "sophos-partner": Decimal("3.475"),
    "microsoft-365": Decimal("1.20"),
    "datto-rmm": Decimal("1.9999"),
    "msp-agent": Decimal("2.25"),
}
"""What a unit costs a month: some not in whole cents, as vendors' price lists have it."""
_STATUSES: Final = ("draft", "finalized", "paid", "paid", "paid", "paid")
"""Of the bills of this month, the last, and so on back."""
_CANCELLED: Final = 2
"""The month whose bill was cancelled first and then written anew."""


@dataclass(slots=True, eq=False)
class Tier:
    """A price for a time: effective `since` until `until`, ages in ms."""

    id: str
    integration: str
    name: str
    unit_cost: Decimal
    since: int
    until: int | None
    deleted: int | None = None


@dataclass(slots=True, eq=False)
class Line:
    """So many units of something at a price."""

    id: str
    tier: Tier
    units: Decimal

    @property
    def total(self) -> Decimal:
        """The exact amount."""
        return self.units * self.tier.unit_cost


@dataclass(slots=True, eq=False)
class Bill:
    """A month's bill; `start` and `end` are ms since the epoch."""

    id: str
    start: int
    end: int
    status: str
    lines: list[Line]

    @property
    def total(self) -> Decimal:
        """What its lines add up to, exactly."""
        return sum((line.total for line in self.lines), Decimal(0))


def tiers_of(demo: Demo, tenant: Tenant) -> list[Tier]:
    """For each integration of a tenant: last year's price, today's, and for the first one a withdrawn one."""
    dice = demo.stream("tiers", tenant.index)
    tiers = []
    for integration in dict.fromkeys(source.integration for source in tenant.sources):
        price = _PRICES[integration] * (100 - dice.choice((0, 0, 5, 10))) / 100
        start, change = tenant.age, dice.age(200 * DAY, 400 * DAY)
        tiers.append(Tier(dice.new_id(start), integration, "Launch", price * 2, start, change))
        tiers.append(Tier(dice.new_id(change), integration, "Standard", price, change, None))
    withdrawn = Tier(
        dice.new_id(90 * DAY), tiers[0].integration, "Promotion", Decimal("0.01"), 90 * DAY, 60 * DAY
    )
    withdrawn.deleted = 80 * DAY
    return [*tiers, withdrawn]


def months(now: int, count: int) -> list[tuple[int, int]]:
    """This month (UTC) and those before it, newest first: first moment and end of each, in ms."""
    at = datetime.fromtimestamp(now / 1000, UTC)
    this = at.year * 12 + at.month - 1
    firsts = [datetime(i // 12, i % 12 + 1, 1, tzinfo=UTC) for i in range(this + 1, this - count, -1)]
    return [(int(start.timestamp()) * 1000, int(end.timestamp()) * 1000) for end, start in pairwise(firsts)]


def bills_of(demo: Demo, tenant: Tenant) -> Iterator[Bill]:
    """A tenant's bills, this month's first; the same again whenever asked."""
    dice = demo.stream("bills", tenant.index)
    tiers = [tier for tier in tiers_of(demo, tenant) if tier.until is None]
    for back, (start, end) in enumerate(months(demo.now, len(_STATUSES))):
        if back == _CANCELLED:
            yield _bill(dice, tiers, (start, end), back, "cancelled")
        yield _bill(dice, tiers, (start, end), back, _STATUSES[back])


def _bill(dice: Dice, tiers: list[Tier], period: tuple[int, int], back: int, status: str) -> Bill:
    age = back * 30 * DAY
    lines = [Line(dice.new_id(age), tier, _units(dice)) for tier in tiers]
    return Bill(dice.new_id(age), *period, status, lines)


def _units(dice: Dice) -> Decimal:
    """A number of units, at times with half a unit for half a month."""
    return Decimal(dice.randrange(1, 400)) + (Decimal("0.5") if dice.chance(0.2) else 0)


@table(
    "integration_pricing_tiers",
    "id tenant_id integration_id name description unit_cost effective_from effective_until"
    " created_at updated_at deleted_at",
)
def integration_pricing_tiers(demo: Demo) -> Iterator[Row]:
    """Every tenant's prices."""
    for tenant in demo.tenants:
        for tier in tiers_of(demo, tenant):
            yield (
                tier.id, tenant.id, tier.integration, tier.name,
                f"{tier.name} price of {tier.integration}, per unit", tier.unit_cost,
                demo.at(tier.since), demo.at(tier.until), *demo.times(tier.since, tier.deleted),
            )  # fmt: skip


@table(
    "tenant_bills",
    "id tenant_id period_start period_end status total notes finalized_at paid_at created_at updated_at",
)
def tenant_bills(demo: Demo) -> Iterator[Row]:
    """Every tenant's bills: finalised a day after the month, paid within ten."""
    for tenant in demo.tenants:
        for bill in bills_of(demo, tenant):
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


@table(
    "tenant_bill_line_items",
    "id tenant_id bill_id integration_id pricing_tier_id description units unit_cost total metadata"
    " created_at",
)
def tenant_bill_line_items(demo: Demo) -> Iterator[Row]:
    """The lines of every bill."""
    for tenant in demo.tenants:
        dice = demo.stream("lines", tenant.index)
        for bill in bills_of(demo, tenant):
            for line in bill.lines:
                tier = line.tier
                metadata = document({"tier": tier.name}) if dice.chance(0.5) else None
                yield (
                    line.id, tenant.id, bill.id, tier.integration, tier.id,
                    f"{tier.integration}: {tier.name}", line.units, tier.unit_cost, line.total, metadata,
                    min(demo.now, bill.end),
                )  # fmt: skip


@table(
    "tenant_billing_adjustments",
    "id tenant_id integration_id type amount reason effective_from effective_to created_by"
    " created_at updated_at deleted_at",
)
def tenant_billing_adjustments(demo: Demo) -> Iterator[Row]:
    """Credits, debits and discounts; some for one integration, some made by nobody in particular."""
    for tenant in demo.tenants:
        dice = demo.stream("adjustments", tenant.index)
        for i, (kind, reason) in enumerate(_REASONS):
            age = dice.age(20 * DAY, 120 * DAY)
            yield (
                dice.new_id(age), tenant.id, None if i % 2 else dice.choice(tenant.sources).integration,
                kind, Decimal(dice.randrange(100, 50_000)) / 100, reason, demo.at(age),
                demo.at(age - 90 * DAY), None if i == 0 else dice.choice(tenant.users).id,
                *demo.times(age, age // 2 if i == 3 else None),
            )  # fmt: skip


_REASONS: Final = (
    ("credit", "Outage of the ticket system: 4 hours"),
    ("debit", "Emergency call-out on a holiday"),
    ("discount", "Rahmenvertrag über zwölf Monate"),
    ("discount", "Entered twice"),
)
