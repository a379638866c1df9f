"""Customers' sites: names, sizes, and their companies in the ticket system."""

from collections.abc import Iterator
from itertools import count
from typing import Final

from demo.names import (
    BRANCHES,
    COMPANY_ENDING,
    COMPANY_FIRST,
    COMPANY_TRADE,
    COMPANY_UNICODE,
    split_ascii_words,
    to_slug,
)
from demo.seeded_random import DAY, SeededRandom, split_in_shares
from demo.sizes import SizePlan, deleted_share_of
from demo.world import DemoWorld, Row, Site, Tenant, demo_table, dump_json

_SKEW: Final = 1.1
_LINKED: Final = 0.85
"""Share of the sites that are linked to a company of the ticket system."""


def make_sites(dice: SeededRandom, tenant: Tenant, live: int) -> list[Site]:
    """A tenant's sites, customer by customer: a head office, often with branches. Deleted ones come last."""
    psa = "autotask" if tenant.index % 3 == 2 else "halopsa"
    sites: list[Site] = []
    taken: set[str] = set()
    numbers = count(1_000)
    while len(sites) < live:
        branches = dice.randrange(1, 5) if dice.happens(0.25) else 0
        customer = _make_customer(dice, tenant, taken, branches, psa, numbers)
        sites += customer[: live - len(sites)]
    return sites + [_make_deleted_site(dice, tenant, sites[i % live]) for i in range(deleted_share_of(live))]


def _make_customer(
    dice: SeededRandom, tenant: Tenant, taken: set[str], branches: int, psa: str, numbers: Iterator[int]
) -> list[Site]:
    company = _choose_company(dice, taken)
    head = _make_site(dice, tenant, company, to_slug(company, f"site-{len(taken)}"))
    taken.add(head.slug)
    branches_chosen = [
        (f"{company}, {branch}", f"{head.slug}-{to_slug(branch, '')}")
        for branch in dice.sample(BRANCHES, branches)
    ]
    sites = [head, *(_make_site(dice, tenant, name, address) for name, address in branches_chosen)]
    if dice.happens(_LINKED):
        _link_companies(sites, psa, numbers)
    return sites


def _link_companies(sites: list[Site], psa: str, numbers: Iterator[int]) -> None:
    """Link a head office to its client, and each branch to a company below that client.

    HaloPSA numbers clients and sites separately. The numbers here start far apart, so that a parent's number
    is never another company's number.
    """
    parent = str(next(numbers))
    for site in sites:
        site.psa_integration = psa
        head = site is sites[0]
        site.psa_company_id = parent if head else str(20_000 + next(numbers))
        site.psa_parent_id = None if head else parent


def _choose_company(dice: SeededRandom, taken: set[str]) -> str:
    """A customer name that this tenant does not have yet."""
    for attempt in count():
        name = f"{dice.choice(COMPANY_FIRST)} {dice.choice(COMPANY_TRADE)}{dice.choice(COMPANY_ENDING)}"
        if len(taken) % 12 == 1:
            name = COMPANY_UNICODE[len(taken) // 12 % len(COMPANY_UNICODE)]
            name += f" {attempt + 1}" if attempt else ""
        if to_slug(name, f"site-{len(taken)}") not in taken:
            return name
    raise AssertionError  # count() has no end


def _make_site(dice: SeededRandom, tenant: Tenant, name: str, address: str) -> Site:
    age = dice.random_age(20 * DAY, tenant.age)
    words = "".join(split_ascii_words(name.partition(",")[0])) or address.replace("-", "")
    status = dice.choices(("active", "inactive", "archived"), (93, 4, 3))[0]
    weight = dice.lognormvariate(0, _SKEW)
    return Site(
        dice.generate_id(age),
        name,
        address,
        words[:6].upper(),
        status,
        age,
        deleted=None,
        weight=weight,
    )


def _make_deleted_site(dice: SeededRandom, tenant: Tenant, twin: Site) -> Site:
    """A deleted site with the name and slug of a live one. A slug is unique only among undeleted sites."""
    age = (twin.age + tenant.age) // 2
    return Site(
        dice.generate_id(age),
        twin.name,
        twin.slug,
        twin.prefix,
        "archived",
        age,
        deleted=twin.age,
        weight=twin.weight / 4,
    )


def distribute_rows(tenants: list[Tenant], plan: SizePlan) -> None:
    """Give every site its share of the agents and entities, and every tenant its share of the deleted ones."""
    sites = [site for tenant in tenants for site in tenant.sites]
    weights = [site.weight for site in sites]
    fixed = sum(count_fixed_entities(tenant) for tenant in tenants)
    agents = split_in_shares(plan.agents + deleted_share_of(plan.agents), weights)
    entities = split_in_shares(plan.entities + deleted_share_of(plan.entities) - fixed, weights)
    for i, site in enumerate(sites):
        site.agents, site.entities = agents[i], entities[i]
    _distribute_deleted(tenants, plan)


def _distribute_deleted(tenants: list[Tenant], plan: SizePlan) -> None:
    agents = [sum(site.agents for site in tenant.sites) for tenant in tenants]
    entities = [
        count_fixed_entities(tenant) + sum(site.entities for site in tenant.sites) for tenant in tenants
    ]
    deleted_agents = split_in_shares(deleted_share_of(plan.agents), agents)
    deleted_entities = split_in_shares(deleted_share_of(plan.entities), entities)
    for i, tenant in enumerate(tenants):
        tenant.deleted_agents, tenant.deleted_entities = deleted_agents[i], deleted_entities[i]


def count_fixed_entities(tenant: Tenant) -> int:
    """The number of a tenant's entities apart from its sites' weights: companies and vendors' own sites."""
    linked = sum(site.psa_company_id is not None for site in tenant.sites)
    at_sophos = sum(site.sophos is not None for site in tenant.sites)
    at_datto = len(tenant.sites) if tenant.find_source("datto-rmm") else 0
    return linked + count_prospects(tenant) + at_sophos + at_datto


def count_prospects(tenant: Tenant) -> int:
    """The number of companies in the ticket system that no site is linked to."""
    return 2 + len(tenant.sites) // 4


@demo_table(
    "sites",
    "id tenant_id name slug status psa_integration_id psa_company_id psa_parent_company_id metadata"
    " created_at updated_at deleted_at",
)
def sites(demo: DemoWorld) -> Iterator[Row]:
    """The sites of all tenants. Some have an address in their metadata."""
    for tenant in demo.tenants:
        dice = demo.random_stream("site-rows", tenant.index)
        for site in tenant.sites:
            address = {"timezone": "Europe/Berlin", "phone": f"+49 30 5550 {dice.randrange(1000):03d}"}
            yield (
                site.id, tenant.id, site.name, site.slug, site.status,
                site.psa_integration, site.psa_company_id, site.psa_parent_id,
                dump_json(address) if dice.happens(0.6) else None,
                *demo.row_times(site.age, site.deleted, dice.random_change_age(site.age)),
            )  # fmt: skip
