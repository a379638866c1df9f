"""Rows of entities and of their relationships."""

from collections import defaultdict
from collections.abc import Iterator

from demo.names import LICENSES
from demo.seeded_random import DAY, SeededRandom
from demo.vendor_documents import build_documents
from demo.vendor_entities import VendorEntity, list_entities
from demo.world import DemoWorld, Row, Site, demo_table, dump_json
from services.data_hash import compute_data_hash


@demo_table(
    "entities",
    "id tenant_id integration_id data_source_id site_id entity_type external_id data_hash raw_data"
    " normalized_data created_at updated_at deleted_at",
)
def entities(demo: DemoWorld) -> Iterator[Row]:
    """The entities of all tenants. One tenant is in memory at a time."""
    for tenant in demo.tenants:
        dice = demo.random_stream("entity-rows", tenant.index)
        for thing in list_entities(demo, tenant):
            source, site = thing.source, thing.site
            raw, normalized = build_documents(dice, thing, demo.now)
            yield (
                thing.id, tenant.id, source.integration, source.id, site and site.id,
                thing.kind, thing.external_id, compute_data_hash(source.integration, raw),
                dump_json(raw), dump_json(normalized),
                *demo.row_times(thing.age, thing.deleted, dice.random_change_age(thing.age)),
            )  # fmt: skip


@demo_table(
    "entity_relationships",
    "id tenant_id parent_entity_id child_entity_id relationship_type metadata"
    " created_at updated_at deleted_at",
)
def entity_relationships(demo: DemoWorld) -> Iterator[Row]:
    """Relationships of entities: members, licenses, devices, and the content of companies."""
    for tenant in demo.tenants:
        dice = demo.random_stream("relationships", tenant.index)
        for parent, child, kind in _iter_relationships(dice, list_entities(demo, tenant)):
            age = min(parent.age, child.age)
            metadata = dump_json({"source": child.source.integration}) if dice.happens(0.3) else None
            deleted = dice.random_age_or_none(0.03, age)
            yield (
                dice.generate_id(age),
                tenant.id,
                parent.id,
                child.id,
                kind,
                metadata,
                *demo.row_times(age, deleted),
            )


def _iter_relationships(
    dice: SeededRandom, found: list[VendorEntity]
) -> Iterator[tuple[VendorEntity, VendorEntity, str]]:
    """Parent, child and relationship type. No pair occurs twice with the same type."""
    by_site: defaultdict[Site, defaultdict[str, list[VendorEntity]]] = defaultdict(lambda: defaultdict(list))
    for thing in found:
        if thing.site:
            by_site[thing.site][thing.kind].append(thing)
    for at_site in by_site.values():
        yield from _iter_people_relationships(dice, at_site)
        yield from _iter_device_relationships(dice, at_site)


def _iter_people_relationships(
    dice: SeededRandom, at_site: defaultdict[str, list[VendorEntity]]
) -> Iterator[tuple[VendorEntity, VendorEntity, str]]:
    groups, licenses = at_site["groups"], at_site["licenses"]
    for identity in at_site["identities"]:
        for group in dice.sample(groups, min(len(groups), dice.choice((1, 1, 1, 2)))):
            yield group, identity, "member"
        if licenses and dice.happens(0.7):
            yield dice.choice(licenses), identity, "assigned"


def _iter_device_relationships(
    dice: SeededRandom, at_site: defaultdict[str, list[VendorEntity]]
) -> Iterator[tuple[VendorEntity, VendorEntity, str]]:
    companies, identities, endpoints = at_site["companies"], at_site["identities"], at_site["endpoints"]
    for endpoint in endpoints:
        if companies:
            yield companies[0], endpoint, "contains"
        if identities and dice.happens(0.4):
            yield dice.choice(identities), endpoint, "assigned"
    for ticket in at_site["tickets"] if endpoints else ():
        if dice.happens(0.5):
            yield ticket, dice.choice(endpoints), "concerns"


@demo_table(
    "global_entities",
    "id integration_id entity_type external_id data_hash raw_data normalized_data"
    " created_at updated_at deleted_at",
)
def global_entities(demo: DemoWorld) -> Iterator[Row]:
    """Entities that all tenants share: the vendors' licenses, by month of the price list."""
    dice = demo.random_stream("global-entities")
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
            dice.generate_id(age), "microsoft-365", "licenses", f"{sku}-{edition}", compute_data_hash("microsoft-365", raw),  # noqa: E501
            dump_json(raw), dump_json({"name": name, "type": "license"}), *demo.row_times(age, deleted),
        )  # fmt: skip
