"""Data sources: which vendor's account a tenant or a site is connected to."""

from collections.abc import Iterator
from typing import Any, Final

from core.clock import NEVER
from services.demo.dice import DAY, HOUR, MINUTE, Dice
from services.demo.world import Demo, Row, Site, Source, Tenant, document, table

_AT_SOPHOS: Final = 0.45
_IN_A_DIRECTORY: Final = 0.6
_REGIONS: Final = ("eu01", "us03", "ca01")


def connect(dice: Dice, tenant: Tenant) -> list[Source]:
    """A tenant's data sources; those of a site are noted on the site."""
    psa = "autotask" if tenant.index % 3 == 2 else "halopsa"
    level = ["msp-agent", psa, "sophos-partner"]
    if psa == "autotask" or tenant.index % 4 != 1:
        level.append("datto-rmm")
    sources = [_source(dice, integration, tenant.age) for integration in level]
    sources += _replaced(dice, tenant)
    for source in sources:
        if source.integration == "datto-rmm":
            source.mapped = [site for site in tenant.sites if dice.chance(0.8)]
    return sources + _at_sophos(dice, tenant) + _directories(dice, tenant)


def _source(dice: Dice, integration: str, parent_age: int, **more: Any) -> Source:
    age = dice.age(parent_age // 3, parent_age * 3 // 4)
    return Source(dice.new_id(age), integration, "active", age, None, **more)


def _replaced(dice: Dice, tenant: Tenant) -> list[Source]:
    """The account that was used before today's: deleted, its mappings still there."""
    source = _source(dice, "sophos-partner", tenant.age)
    source.status, source.deleted = "inactive", source.age // 2
    return [source]


def _at_sophos(dice: Dice, tenant: Tenant) -> list[Source]:
    """Sites that are customers of the partner account, each with its own vendor-side tenant."""
    sources = []
    for i, site in enumerate(tenant.sites):
        if i == 0 or dice.chance(_AT_SOPHOS):
            source = _source(dice, "sophos-partner", site.age, site=site, external_id=dice.guid())
            source.status = dice.choices(("active", "inactive", "error"), (86, 7, 7))[0]
            source.deleted = dice.maybe_age(0.04, min(source.age, 60 * DAY))
            site.sophos = source
            sources.append(source)
    return sources


def _directories(dice: Dice, tenant: Tenant) -> list[Source]:
    """Microsoft 365 directories, each of one customer or a few sites that share it."""
    sources: list[Source] = []
    waiting = [site for i, site in enumerate(tenant.sites) if i == 0 or dice.chance(_IN_A_DIRECTORY)]
    while waiting:
        count = dice.randrange(1, 4)
        taken, waiting = waiting[:count], waiting[count:]
        oldest = max(site.age for site in taken)
        source = _source(dice, "microsoft-365", oldest, external_id=dice.guid(), mapped=taken)
        source.status = dice.choices(("active", "inactive", "error"), (84, 6, 10))[0]
        source.deleted = dice.maybe_age(0.04, min(source.age, 60 * DAY))
        for site in taken:
            site.directory = source
        sources.append(source)
    return sources


def _config(dice: Dice, source: Source, tenant: Tenant) -> dict[str, str]:
    """What `config` holds at rest: secrets as envelopes."""
    known = {"clientId": dice.guid(), "clientSecret": dice.envelope()}
    match source.integration:
        case "halopsa":
            return {"url": f"https://{tenant.slug}.halopsa.example", **known}
        case "sophos-partner":
            return {} if source.site else known
        case "microsoft-365":
            return {"directoryId": source.external_id or "", **known}
        case "datto-rmm":
            url = "https://pinotage-api.centrastage.example"
            return {"url": url, "apiKey": dice.base62(32), "apiSecretKey": dice.envelope()}
        case "autotask":
            return {
                "url": "https://webservices6.autotask.example",
                "userName": f"api@{tenant.slug}.example",
                "secret": dice.envelope(),
                "apiIntegrationCode": dice.envelope(),
            }
        case _:
            return {}


def _metadata(dice: Dice, source: Source) -> dict[str, str] | None:
    """What the vendor told of the account; a site's Sophos tenant is reached by its `apiHost`."""
    if source.integration != "sophos-partner":
        return None
    region = dice.choice(_REGIONS)
    if source.site is None:
        return {"partnerId": dice.guid(), "dataRegion": region}
    return {
        "name": source.site.name,
        "apiHost": f"https://api-{region}.central.sophos.example",
        "dataRegion": region,
        "status": "active",
        "billingType": dice.choice(("usage", "term", "trial")),
    }


def _expiry(dice: Dice, source: Source, now: int) -> int:
    """Directories' secrets expire, some did; the others never do."""
    if source.integration != "microsoft-365":
        return NEVER
    return now + (-dice.age(DAY, 20 * DAY) if dice.chance(0.06) else dice.age(5 * DAY, 700 * DAY))


def _last_sync(dice: Dice, source: Source) -> int | None:
    if source.integration == "msp-agent":
        return None
    if source.deleted is not None:
        return source.deleted
    return dice.age(2 * MINUTE, HOUR) if source.status == "active" else dice.age(DAY, 15 * DAY)


@table(
    "data_sources",
    "id tenant_id integration_id site_id external_id status config metadata"
    " credential_expiration_at last_sync_at created_at updated_at deleted_at",
)
def data_sources(demo: Demo) -> Iterator[Row]:
    """Tenant-level sources first, then those of sites and directories."""
    for tenant in demo.tenants:
        dice = demo.stream("source-rows", tenant.index)
        for source in tenant.sources:
            metadata = _metadata(dice, source)
            yield (
                source.id, tenant.id, source.integration, source.site and source.site.id, source.external_id,
                source.status, document(_config(dice, source, tenant)), metadata and document(metadata),
                _expiry(dice, source, demo.now), demo.at(_last_sync(dice, source)),
                *demo.times(source.age, source.deleted, dice.last_change(source.age)),
            )  # fmt: skip


@table("data_source_to_site", "id tenant_id data_source_id site_id created_at deleted_at")
def data_source_to_site(demo: Demo) -> Iterator[Row]:
    """Which sites a tenant-level source serves; some were unmapped once and mapped again."""
    for tenant in demo.tenants:
        dice = demo.stream("mappings", tenant.index)
        for source, site in _mappings(tenant):
            age = min(source.age, site.age)
            deleted = None if source.deleted is None else min(age, source.deleted)
            yield (dice.new_id(age), tenant.id, source.id, site.id, demo.now - age, demo.at(deleted))
            if dice.chance(0.08):
                yield (dice.new_id(age), tenant.id, source.id, site.id, demo.now - age, demo.now - age // 2)


def _mappings(tenant: Tenant) -> Iterator[tuple[Source, Site]]:
    for source in tenant.sources:
        for site in source.mapped:
            yield source, site
