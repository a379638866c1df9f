"""Data sources: the vendor accounts to which tenants and sites are connected."""

from collections.abc import Iterator
from typing import Any, Final

from core.clock import NEVER
from demo.seeded_random import DAY, HOUR, MINUTE, SeededRandom
from demo.world import DemoDataSource, DemoWorld, Row, Site, Tenant, demo_table, dump_json

_AT_SOPHOS: Final = 0.45
_IN_A_DIRECTORY: Final = 0.6
_REGIONS: Final = ("eu01", "us03", "ca01")


def make_sources(dice: SeededRandom, tenant: Tenant) -> list[DemoDataSource]:
    """A tenant's data sources. Those of a site are also recorded on the site."""
    psa = "autotask" if tenant.index % 3 == 2 else "halopsa"
    level = ["msp-agent", psa, "sophos-partner"]
    if psa == "autotask" or tenant.index % 4 != 1:
        level.append("datto-rmm")
    sources = [_make_source(dice, integration, tenant.age) for integration in level]
    sources += _make_replaced(dice, tenant)
    for source in sources:
        if source.integration == "datto-rmm":
            source.mapped_sites = [site for site in tenant.sites if dice.happens(0.8)]
    return sources + _make_sophos_sources(dice, tenant) + _make_directories(dice, tenant)


def _make_source(dice: SeededRandom, integration: str, parent_age: int, **more: Any) -> DemoDataSource:
    age = dice.random_age(parent_age // 3, parent_age * 3 // 4)
    return DemoDataSource(dice.generate_id(age), integration, "active", age, None, **more)


def _make_replaced(dice: SeededRandom, tenant: Tenant) -> list[DemoDataSource]:
    """An earlier account: deleted, with its mappings still there."""
    source = _make_source(dice, "sophos-partner", tenant.age)
    source.status, source.deleted = "inactive", source.age // 2
    return [source]


def _make_sophos_sources(dice: SeededRandom, tenant: Tenant) -> list[DemoDataSource]:
    """Sites that are customers of the partner account, each with its own tenant at the vendor."""
    sources = []
    for i, site in enumerate(tenant.sites):
        if i == 0 or dice.happens(_AT_SOPHOS):
            source = _make_source(dice, "sophos-partner", site.age, site=site, external_id=dice.random_guid())
            source.status = dice.choices(("active", "inactive", "error"), (86, 7, 7))[0]
            source.deleted = dice.random_age_or_none(0.04, min(source.age, 60 * DAY))
            site.sophos = source
            sources.append(source)
    return sources


def _make_directories(dice: SeededRandom, tenant: Tenant) -> list[DemoDataSource]:
    """Microsoft 365 directories. Each belongs to one customer or to a few sites that share it."""
    sources: list[DemoDataSource] = []
    waiting = [site for i, site in enumerate(tenant.sites) if i == 0 or dice.happens(_IN_A_DIRECTORY)]
    while waiting:
        count = dice.randrange(1, 4)
        taken, waiting = waiting[:count], waiting[count:]
        oldest = max(site.age for site in taken)
        source = _make_source(
            dice, "microsoft-365", oldest, external_id=dice.random_guid(), mapped_sites=taken
        )
        source.status = dice.choices(("active", "inactive", "error"), (84, 6, 10))[0]
        source.deleted = dice.random_age_or_none(0.04, min(source.age, 60 * DAY))
        for site in taken:
            site.directory = source
        sources.append(source)
    return sources


def _make_config(dice: SeededRandom, source: DemoDataSource, tenant: Tenant) -> dict[str, str]:
    """The stored `config`: secrets are envelopes."""
    known = {"clientId": dice.random_guid(), "clientSecret": dice.random_envelope()}
    match source.integration:
        case "halopsa":
            return {"url": f"https://{tenant.slug}.halopsa.example", **known}
        case "sophos-partner":
            return {} if source.site else known
        case "microsoft-365":
            return {"directoryId": source.external_id or "", **known}
        case "datto-rmm":
            url = "https://pinotage-api.centrastage.example"
            return {"url": url, "apiKey": dice.random_base62(32), "apiSecretKey": dice.random_envelope()}
        case "autotask":
            return {
                "url": "https://webservices6.autotask.example",
                "userName": f"api@{tenant.slug}.example",
                "secret": dice.random_envelope(),
                "apiIntegrationCode": dice.random_envelope(),
            }
        case _:
            return {}


def _make_metadata(dice: SeededRandom, source: DemoDataSource) -> dict[str, str] | None:
    """The vendor's data about the account. A site's Sophos tenant is reached through its `apiHost`."""
    if source.integration != "sophos-partner":
        return None
    region = dice.choice(_REGIONS)
    if source.site is None:
        return {"partnerId": dice.random_guid(), "dataRegion": region}
    return {
        "name": source.site.name,
        "apiHost": f"https://api-{region}.central.sophos.example",
        "dataRegion": region,
        "status": "active",
        "billingType": dice.choice(("usage", "term", "trial")),
    }


def _choose_expiry(dice: SeededRandom, source: DemoDataSource, now: int) -> int:
    """The secrets of directories expire, and some have expired. The others never expire."""
    if source.integration != "microsoft-365":
        return NEVER
    return now + (
        -dice.random_age(DAY, 20 * DAY) if dice.happens(0.06) else dice.random_age(5 * DAY, 700 * DAY)
    )


def _choose_last_sync(dice: SeededRandom, source: DemoDataSource) -> int | None:
    if source.integration == "msp-agent":
        return None
    if source.deleted is not None:
        return source.deleted
    return dice.random_age(2 * MINUTE, HOUR) if source.status == "active" else dice.random_age(DAY, 15 * DAY)


@demo_table(
    "data_sources",
    "id tenant_id integration_id site_id external_id status config metadata"
    " credential_expiration_at last_sync_at created_at updated_at deleted_at",
)
def data_sources(demo: DemoWorld) -> Iterator[Row]:
    """Tenant-level sources first, then those of sites and directories."""
    for tenant in demo.tenants:
        dice = demo.random_stream("source-rows", tenant.index)
        for source in tenant.sources:
            metadata = _make_metadata(dice, source)
            yield (
                source.id, tenant.id, source.integration, source.site and source.site.id, source.external_id,
                source.status, dump_json(_make_config(dice, source, tenant)), metadata and dump_json(metadata),
                _choose_expiry(dice, source, demo.now), demo.ms_at(_choose_last_sync(dice, source)),
                *demo.row_times(source.age, source.deleted, dice.random_change_age(source.age)),
            )  # fmt: skip


@demo_table("data_source_to_site", "id tenant_id data_source_id site_id created_at deleted_at")
def data_source_to_site(demo: DemoWorld) -> Iterator[Row]:
    """The sites that each tenant-level source serves. Some were unmapped once and mapped again."""
    for tenant in demo.tenants:
        dice = demo.random_stream("mappings", tenant.index)
        for source, site in _iter_mappings(tenant):
            age = min(source.age, site.age)
            deleted = None if source.deleted is None else min(age, source.deleted)
            yield (dice.generate_id(age), tenant.id, source.id, site.id, demo.now - age, demo.ms_at(deleted))
            if dice.happens(0.08):
                yield (
                    dice.generate_id(age),
                    tenant.id,
                    source.id,
                    site.id,
                    demo.now - age,
                    demo.now - age // 2,
                )


def _iter_mappings(tenant: Tenant) -> Iterator[tuple[DemoDataSource, Site]]:
    for source in tenant.sources:
        for site in source.mapped_sites:
            yield source, site
