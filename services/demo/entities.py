"""Entities as rows, and how they hang together."""

from collections import defaultdict
from collections.abc import Iterator

from services.data_hash import data_hash
from services.demo.dice import DAY, Dice
from services.demo.names import LICENSES
from services.demo.things import Thing, things
from services.demo.vendors import describe
from services.demo.world import Demo, Row, Site, document, table


@table(
    "entities",
    "id tenant_id integration_id data_source_id site_id entity_type external_id data_hash raw_data"
    " normalized_data created_at updated_at deleted_at",
)
def entities(demo: Demo) -> Iterator[Row]:
    """Every tenant's entities, one tenant in memory at a time."""
    for tenant in demo.tenants:
        dice = demo.stream("entity-rows", tenant.index)
        for thing in things(demo, tenant):
            source, site = thing.source, thing.site
            raw, normalized = describe(dice, thing, demo.now)
            yield (
                thing.id, tenant.id, source.integration, source.id, site and site.id,
                thing.kind, thing.external_id, data_hash(source.integration, raw),
                document(raw), document(normalized),
                *demo.times(thing.age, thing.deleted, dice.last_change(thing.age)),
            )  # fmt: skip


@table(
    "entity_relationships",
    "id tenant_id parent_entity_id child_entity_id relationship_type metadata"
    " created_at updated_at deleted_at",
)
def entity_relationships(demo: Demo) -> Iterator[Row]:
    """Who is a member of what, who has which licence and device, what a company contains."""
    for tenant in demo.tenants:
        dice = demo.stream("relationships", tenant.index)
        for parent, child, kind in _bonds(dice, things(demo, tenant)):
            age = min(parent.age, child.age)
            metadata = document({"source": child.source.integration}) if dice.chance(0.3) else None
            deleted = dice.maybe_age(0.03, age)
            yield (
                dice.new_id(age),
                tenant.id,
                parent.id,
                child.id,
                kind,
                metadata,
                *demo.times(age, deleted),
            )


def _bonds(dice: Dice, found: list[Thing]) -> Iterator[tuple[Thing, Thing, str]]:
    """Parent, child and relationship type; no pair twice under one type."""
    by_site: defaultdict[Site, defaultdict[str, list[Thing]]] = defaultdict(lambda: defaultdict(list))
    for thing in found:
        if thing.site:
            by_site[thing.site][thing.kind].append(thing)
    for at_site in by_site.values():
        yield from _people(dice, at_site)
        yield from _devices(dice, at_site)


def _people(dice: Dice, at_site: defaultdict[str, list[Thing]]) -> Iterator[tuple[Thing, Thing, str]]:
    groups, licenses = at_site["groups"], at_site["licenses"]
    for identity in at_site["identities"]:
        for group in dice.sample(groups, min(len(groups), dice.choice((1, 1, 1, 2)))):
            yield group, identity, "member"
        if licenses and dice.chance(0.7):
            yield dice.choice(licenses), identity, "assigned"


def _devices(dice: Dice, at_site: defaultdict[str, list[Thing]]) -> Iterator[tuple[Thing, Thing, str]]:
    companies, identities, endpoints = at_site["companies"], at_site["identities"], at_site["endpoints"]
    for endpoint in endpoints:
        if companies:
            yield companies[0], endpoint, "contains"
        if identities and dice.chance(0.4):
            yield dice.choice(identities), endpoint, "assigned"
    for ticket in at_site["tickets"] if endpoints else ():
        if dice.chance(0.5):
            yield ticket, dice.choice(endpoints), "concerns"


@table(
    "global_entities",
    "id integration_id entity_type external_id data_hash raw_data normalized_data"
    " created_at updated_at deleted_at",
)
def global_entities(demo: Demo) -> Iterator[Row]:
    """What is the same for every tenant: the vendors' licences, by month of their price list."""
    dice = demo.stream("global-entities")
    for ordinal in range(demo.plan.global_entities):
        sku, name = LICENSES[ordinal % len(LICENSES)]
        edition = ordinal // len(LICENSES) + 1
        raw = {
            "skuPartNumber": sku,
            "displayName": name,
            "edition": edition,
            "unitPrice": f"{4 + ordinal / 2:.2f}",
        }
        age, deleted = (900 - 30 * ordinal % 700) * DAY, 20 * DAY if ordinal % 9 == 8 else None
        yield (
            dice.new_id(age), "microsoft-365", "licenses", f"{sku}-{edition}", data_hash("microsoft-365", raw),
            document(raw), document({"name": name, "type": "license"}), *demo.times(age, deleted),
        )  # fmt: skip
