"""Customers' sites: who they are, how large, and how the ticket system knows them."""

from collections.abc import Iterator
from itertools import count
from typing import Final

from services.demo.dice import DAY, Dice, shares
from services.demo.names import (
    BRANCHES,
    COMPANY_ENDING,
    COMPANY_FIRST,
    COMPANY_TRADE,
    COMPANY_UNICODE,
    ascii_words,
    slug,
)
from services.demo.sizes import Plan, deleted_beside
from services.demo.world import Demo, Row, Site, Tenant, document, table

_SKEW: Final = 1.1
_LINKED: Final = 0.85
"""Share of the sites that are linked to a company of the ticket system."""


def open_sites(dice: Dice, tenant: Tenant, live: int) -> list[Site]:
    """A tenant's sites, customer by customer: a head office, often with branches. Deleted ones come last."""
    psa = "autotask" if tenant.index % 3 == 2 else "halopsa"
    sites: list[Site] = []
    taken: set[str] = set()
    numbers = count(1_000)
    while len(sites) < live:
        branches = dice.randrange(1, 5) if dice.chance(0.25) else 0
        customer = _customer(dice, tenant, taken, branches, psa, numbers)
        sites += customer[: live - len(sites)]
    return sites + [_closed(dice, tenant, sites[i % live]) for i in range(deleted_beside(live))]


def _customer(
    dice: Dice, tenant: Tenant, taken: set[str], branches: int, psa: str, numbers: Iterator[int]
) -> list[Site]:
    company = _company(dice, taken)
    head = _site(dice, tenant, company, slug(company, f"site-{len(taken)}"))
    taken.add(head.slug)
    places = [
        (f"{company}, {place}", f"{head.slug}-{slug(place, '')}") for place in dice.sample(BRANCHES, branches)
    ]
    sites = [head, *(_site(dice, tenant, name, address) for name, address in places)]
    if dice.chance(_LINKED):
        _link(sites, psa, numbers)
    return sites


def _link(sites: list[Site], psa: str, numbers: Iterator[int]) -> None:
    """Links a head office to its client and each branch to a company below that client.

    HaloPSA counts clients and their sites apart; the numbers here start far enough from each other that
    a parent's number never is another company's by accident.
    """
    parent = str(next(numbers))
    for site in sites:
        site.psa = psa
        head = site is sites[0]
        site.psa_company_id = parent if head else str(20_000 + next(numbers))
        site.psa_parent_id = None if head else parent


def _company(dice: Dice, taken: set[str]) -> str:
    """A customer's name that this tenant doesn't have yet."""
    for attempt in count():
        name = f"{dice.choice(COMPANY_FIRST)} {dice.choice(COMPANY_TRADE)}{dice.choice(COMPANY_ENDING)}"
        if len(taken) % 12 == 1:
            name = COMPANY_UNICODE[len(taken) // 12 % len(COMPANY_UNICODE)]
            name += f" {attempt + 1}" if attempt else ""
        if slug(name, f"site-{len(taken)}") not in taken:
            return name
    raise AssertionError  # count() has no end


def _site(dice: Dice, tenant: Tenant, name: str, address: str) -> Site:
    age = dice.age(20 * DAY, tenant.age)
    words = "".join(ascii_words(name.partition(",")[0])) or address.replace("-", "")
    status = dice.choices(("active", "inactive", "archived"), (93, 4, 3))[0]
    weight = dice.lognormvariate(0, _SKEW)
    return Site(
        dice.new_id(age),
        name,
        address,
        words[:6].upper(),
        status,
        age,
        deleted=None,
        weight=weight,
    )


def _closed(dice: Dice, tenant: Tenant, twin: Site) -> Site:
    """A deleted site under a live one's name and slug: a slug is unique only among the undeleted."""
    age = (twin.age + tenant.age) // 2
    return Site(
        dice.new_id(age),
        twin.name,
        twin.slug,
        twin.prefix,
        "archived",
        age,
        deleted=twin.age,
        weight=twin.weight / 4,
    )


def share_out(tenants: list[Tenant], plan: Plan) -> None:
    """Gives every site its part of the agents and entities, and every tenant its part of the deleted ones."""
    sites = [site for tenant in tenants for site in tenant.sites]
    weights = [site.weight for site in sites]
    fixed = sum(standing_entities(tenant) for tenant in tenants)
    agents = shares(plan.agents + deleted_beside(plan.agents), weights)
    entities = shares(plan.entities + deleted_beside(plan.entities) - fixed, weights)
    for i, site in enumerate(sites):
        site.agents, site.entities = agents[i], entities[i]
    _share_deleted(tenants, plan)


def _share_deleted(tenants: list[Tenant], plan: Plan) -> None:
    agents = [sum(site.agents for site in tenant.sites) for tenant in tenants]
    entities = [standing_entities(tenant) + sum(site.entities for site in tenant.sites) for tenant in tenants]
    deleted_agents = shares(deleted_beside(plan.agents), agents)
    deleted_entities = shares(deleted_beside(plan.entities), entities)
    for i, tenant in enumerate(tenants):
        tenant.deleted_agents, tenant.deleted_entities = deleted_agents[i], deleted_entities[i]


def standing_entities(tenant: Tenant) -> int:
    """How many entities a tenant has whatever its sites' weights: companies and vendors' own sites."""
    linked = sum(site.psa_company_id is not None for site in tenant.sites)
    at_sophos = sum(site.sophos is not None for site in tenant.sites)
    at_datto = len(tenant.sites) if tenant.source("datto-rmm") else 0
    return linked + prospects(tenant) + at_sophos + at_datto


def prospects(tenant: Tenant) -> int:
    """How many companies of the ticket system are linked to no site."""
    return 2 + len(tenant.sites) // 4


@table(
    "sites",
    "id tenant_id name slug status psa_integration_id psa_company_id psa_parent_company_id metadata"
    " created_at updated_at deleted_at",
)
def sites(demo: Demo) -> Iterator[Row]:
    """Every tenant's sites; some have an address in their metadata."""
    for tenant in demo.tenants:
        dice = demo.stream("site-rows", tenant.index)
        for site in tenant.sites:
            address = {"timezone": "Europe/Berlin", "phone": f"+49 30 5550 {dice.randrange(1000):03d}"}
            yield (
                site.id, tenant.id, site.name, site.slug, site.status,
                site.psa, site.psa_company_id, site.psa_parent_id,
                document(address) if dice.chance(0.6) else None,
                *demo.times(site.age, site.deleted, dice.last_change(site.age)),
            )  # fmt: skip
