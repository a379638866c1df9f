"""What vendors know of a tenant's customers: which entities there are, and where they come from."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from services.demo.dice import DAY, HOUR, Dice, shares, spread
from services.demo.names import COMPANY_FIRST, COMPANY_TRADE
from services.demo.sites import prospects
from services.demo.world import Demo, Site, Source, Tenant

_EVERYWHERE: Final = {"endpoints": 36.0, "tickets": 20.0}
_IN_A_DIRECTORY: Final = {"identities": 32.0, "groups": 6.0, "licenses": 4.0}
_AT_SOPHOS: Final = {"firewalls": 2.0}
_NUMBERED: Final = frozenset({"halopsa", "autotask"})
"""Vendors whose ids are whole numbers; the others' are UUIDs."""


@dataclass(slots=True, eq=False)
class Thing:
    """One entity before it is written down: `site` None when it belongs to no site."""

    id: str
    kind: str
    external_id: str
    source: Source
    site: Site | None
    name: str
    parent: str | None
    age: int
    deleted: int | None = None


def things(demo: Demo, tenant: Tenant) -> list[Thing]:
    """A tenant's entities; the same again whenever asked."""
    dice = demo.stream("entities", tenant.index)
    numbers = count(100_000)
    found = [*_companies(dice, tenant, numbers), *_vendor_sites(dice, tenant)]
    for site in tenant.sites:
        found += _at_site(dice, tenant, site, numbers)
    for ordinal, thing in enumerate(found):
        if spread(ordinal, tenant.deleted_entities, len(found)):
            thing.deleted = dice.age(0, min(thing.age, 60 * DAY))
    return found


def _thing(
    dice: Dice,
    kind: str,
    source: Source,
    site: Site | None,
    name: str,
    external_id: str,
    parent: str | None = None,
) -> Thing:
    age = dice.age(HOUR, min(source.age, site.age) if site else source.age)
    return Thing(dice.new_id(age), kind, external_id, source, site, name, parent, age)


def _companies(dice: Dice, tenant: Tenant, numbers: Iterator[int]) -> Iterator[Thing]:
    """The ticket system's companies: those that a site is linked to, and others."""
    psa = tenant.psa
    for site in tenant.sites:
        if site.psa_company_id:
            yield _thing(dice, "companies", psa, site, site.name, site.psa_company_id, site.psa_parent_id)
    for _ in range(prospects(tenant)):
        yield _thing(
            dice,
            "companies",
            psa,
            None,
            f"{dice.choice(COMPANY_FIRST)} {dice.choice(COMPANY_TRADE)}",
            str(next(numbers)),
        )


def _vendor_sites(dice: Dice, tenant: Tenant) -> Iterator[Thing]:
    """The sites as Sophos and Datto list them, on the tenant's own account and so without a site of ours."""
    sophos, datto = tenant.source("sophos-partner"), tenant.source("datto-rmm")
    for site in tenant.sites:
        if sophos and site.sophos:
            yield _thing(dice, "sites", sophos, None, site.name, site.sophos.external_id or dice.guid())
        if datto:
            yield _thing(dice, "sites", datto, None, site.name, dice.guid())


def _at_site(dice: Dice, tenant: Tenant, site: Site, numbers: Iterator[int]) -> Iterator[Thing]:
    """A site's own entities, of the kinds that its data sources bring."""
    weights = _EVERYWHERE | (_IN_A_DIRECTORY if site.directory else {}) | (_AT_SOPHOS if site.sophos else {})
    for kind, number in zip(weights, shares(site.entities, list(weights.values())), strict=True):
        source = _source_of(kind, tenant, site)
        for ordinal in range(1, number + 1):
            external_id = str(next(numbers)) if source.integration in _NUMBERED else dice.guid()
            yield _thing(dice, kind, source, site, f"{ordinal:03d}", external_id)


def _source_of(kind: str, tenant: Tenant, site: Site) -> Source:
    if kind in _IN_A_DIRECTORY and site.directory:
        return site.directory
    if kind in ("endpoints", "firewalls") and site.sophos:
        return site.sophos
    return (kind == "endpoints" and tenant.source("datto-rmm")) or tenant.psa
