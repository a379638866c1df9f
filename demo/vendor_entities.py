"""Vendors' data about a tenant's customers: the entities and their data sources."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from demo.names import COMPANY_FIRST, COMPANY_TRADE
from demo.seeded_random import DAY, HOUR, SeededRandom, is_chosen, split_in_shares
from demo.sites import count_prospects
from demo.world import DemoDataSource, DemoWorld, Site, Tenant

_EVERYWHERE: Final = {"endpoints": 36.0, "tickets": 20.0}
_IN_A_DIRECTORY: Final = {"identities": 32.0, "groups": 6.0, "licenses": 4.0}
_AT_SOPHOS: Final = {"firewalls": 2.0}
_NUMBERED: Final = frozenset({"halopsa", "autotask"})
"""Vendors with integer ids. The others have UUIDs."""


@dataclass(slots=True, eq=False)
class VendorEntity:
    """An entity before it becomes a row. `site` is None if it belongs to no site."""

    id: str
    kind: str
    external_id: str
    source: DemoDataSource
    site: Site | None
    name: str
    parent: str | None
    age: int
    deleted: int | None = None


def list_entities(demo: DemoWorld, tenant: Tenant) -> list[VendorEntity]:
    """A tenant's entities. Each call returns the same entities."""
    dice = demo.random_stream("entities", tenant.index)
    numbers = count(100_000)
    found = [*_iter_companies(dice, tenant, numbers), *_iter_vendor_sites(dice, tenant)]
    for site in tenant.sites:
        found += _iter_site_entities(dice, tenant, site, numbers)
    for ordinal, thing in enumerate(found):
        if is_chosen(ordinal, tenant.deleted_entities, len(found)):
            thing.deleted = dice.random_age(0, min(thing.age, 60 * DAY))
    return found


def _make_entity(
    dice: SeededRandom,
    kind: str,
    source: DemoDataSource,
    site: Site | None,
    name: str,
    external_id: str,
    parent: str | None = None,
) -> VendorEntity:
    age = dice.random_age(HOUR, min(source.age, site.age) if site else source.age)
    return VendorEntity(dice.generate_id(age), kind, external_id, source, site, name, parent, age)


def _iter_companies(dice: SeededRandom, tenant: Tenant, numbers: Iterator[int]) -> Iterator[VendorEntity]:
    """The ticket system's companies: those linked to a site, and others."""
    psa = tenant.psa_source
    for site in tenant.sites:
        if site.psa_company_id:
            yield _make_entity(
                dice, "companies", psa, site, site.name, site.psa_company_id, site.psa_parent_id
            )
    for _ in range(count_prospects(tenant)):
        yield _make_entity(
            dice,
            "companies",
            psa,
            None,
            f"{dice.choice(COMPANY_FIRST)} {dice.choice(COMPANY_TRADE)}",
            str(next(numbers)),
        )


def _iter_vendor_sites(dice: SeededRandom, tenant: Tenant) -> Iterator[VendorEntity]:
    """The sites in Sophos and Datto. They belong to the tenant's own account, and so to no site of ours."""
    sophos, datto = tenant.find_source("sophos-partner"), tenant.find_source("datto-rmm")
    for site in tenant.sites:
        if sophos and site.sophos:
            yield _make_entity(
                dice, "sites", sophos, None, site.name, site.sophos.external_id or dice.random_guid()
            )
        if datto:
            yield _make_entity(dice, "sites", datto, None, site.name, dice.random_guid())


def _iter_site_entities(
    dice: SeededRandom, tenant: Tenant, site: Site, numbers: Iterator[int]
) -> Iterator[VendorEntity]:
    """A site's own entities, of the kinds that its data sources deliver."""
    weights = _EVERYWHERE | (_IN_A_DIRECTORY if site.directory else {}) | (_AT_SOPHOS if site.sophos else {})
    for kind, number in zip(weights, split_in_shares(site.entities, list(weights.values())), strict=True):
        source = _find_source(kind, tenant, site)
        for ordinal in range(1, number + 1):
            external_id = str(next(numbers)) if source.integration in _NUMBERED else dice.random_guid()
            yield _make_entity(dice, kind, source, site, f"{ordinal:03d}", external_id)


def _find_source(kind: str, tenant: Tenant, site: Site) -> DemoDataSource:
    if kind in _IN_A_DIRECTORY and site.directory:
        return site.directory
    if kind in ("endpoints", "firewalls") and site.sophos:
        return site.sophos
    return (kind == "endpoints" and tenant.find_source("datto-rmm")) or tenant.psa_source
