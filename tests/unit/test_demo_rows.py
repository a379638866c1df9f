"""The rows before they are loaded: repeatable, complete, and valid by the product's own rules."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from demo import DemoSize
from demo.agents import build_guid, iter_agents
from demo.billing import iter_bills, list_months, list_tiers
from demo.load import TABLES, make_demo
from demo.seeded_random import MINUTE
from demo.sizes import PLANS
from demo.vendor_entities import list_entities
from demo.world import DemoTable, DemoWorld
from services.catalog.entries import CATALOG
from services.data_hash import compute_data_hash

NOW = 1_790_000_000_123
LATER = NOW + 86_400_000
AHEAD = {
    "next_retry_at",
    "scheduled_at",
    "expires_at",
    "credential_expiration_at",
    "period_end",
    "effective_to",
}
"""Moments that may lie ahead of now."""


@pytest.fixture(scope="module")
def demo_world() -> DemoWorld:
    return make_demo(now=NOW)


def hash_rows(demo_world: DemoWorld) -> str:
    rows = hashlib.sha256()
    for table in TABLES:
        for row in table.rows(demo_world):
            rows.update(repr(row).encode())
    return rows.hexdigest()


def iter_records(demo_world: DemoWorld, name: str) -> Iterator[dict[str, Any]]:
    table = next(table for table in TABLES if table.name == name)
    return (dict(zip(table.columns, row, strict=True)) for row in table.rows(demo_world))


def test_demo_rows_of_same_seed_and_time_are_equal(demo_world: DemoWorld) -> None:
    assert hash_rows(demo_world) == hash_rows(make_demo(now=NOW))


def test_demo_rows_of_another_seed_differ(demo_world: DemoWorld) -> None:
    assert hash_rows(demo_world) != hash_rows(make_demo(now=NOW, seed=7))


def test_demo_rows_at_a_later_time_differ_only_in_times(demo_world: DemoWorld) -> None:
    later = make_demo(now=LATER)
    for name in ("users", "sites", "agents", "entities", "scheduled_jobs", "health_checks", "tenant_bills"):
        assert [row["id"] for row in iter_records(demo_world, name)] == [
            row["id"] for row in iter_records(later, name)
        ]
    first, second = next(iter_records(demo_world, "agents")), next(iter_records(later, "agents"))
    assert second["created_at"] - first["created_at"] == LATER - NOW
    assert first["hostname"] == second["hostname"]


def test_demo_first_tenant_and_its_known_users_are_equal_in_every_demo(demo_world: DemoWorld) -> None:
    medium = make_demo(DemoSize.MEDIUM, now=LATER, seed=7)
    assert demo_world.tenants[0].id == medium.tenants[0].id
    assert [user.id for user in demo_world.tenants[0].users[:2]] == [
        user.id for user in medium.tenants[0].users[:2]
    ]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_demo_rows_have_all_columns_and_times_in_order(demo_world: DemoWorld, table: DemoTable) -> None:
    for row in iter_records(demo_world, table.name):
        times = {name: value for name, value in row.items() if name.endswith(("_at", "_from", "_until"))}
        assert all(value <= NOW for name, value in times.items() if value is not None and name not in AHEAD)
        created = row["created_at"]
        assert row.get("updated_at") is None or created <= row["updated_at"]
        assert row.get("deleted_at") is None or created <= row["deleted_at"]


@pytest.mark.parametrize("size", DemoSize)
def test_demo_undeleted_row_counts_are_as_planned(size: DemoSize) -> None:
    demo_world, plan = make_demo(size, now=NOW), PLANS[size]
    assert sum(tenant.deleted is None for tenant in demo_world.tenants) == plan.tenants
    sites = [site for tenant in demo_world.tenants for site in tenant.sites]
    assert sum(site.deleted is None for site in sites) == plan.sites
    agents = [agent for tenant in demo_world.tenants for agent in iter_agents(demo_world, tenant)]
    assert sum(agent.deleted is None for agent in agents) == plan.agents
    live = (
        sum(thing.deleted is None for thing in list_entities(demo_world, tenant))
        for tenant in demo_world.tenants
    )
    assert sum(live) == plan.entities


@pytest.mark.parametrize("size", DemoSize)
def test_demo_undeleted_slugs_and_emails_are_unique(size: DemoSize) -> None:
    for tenant in make_demo(size, now=NOW).tenants:
        slugs = Counter(site.slug for site in tenant.sites if site.deleted is None)
        emails = Counter(user.email.lower() for user in tenant.users if user.deleted is None)
        assert max(slugs.values()) == 1
        assert max(emails.values()) == 1


def test_demo_sizes_are_skewed() -> None:
    demo_world = make_demo(DemoSize.MEDIUM, now=NOW)
    agents = sorted((site.agents for tenant in demo_world.tenants for site in tenant.sites), reverse=True)
    assert sum(agents[: len(agents) // 5]) > sum(agents) / 2
    sites = sorted((len(tenant.sites) for tenant in demo_world.tenants), reverse=True)
    assert sum(sites[:10]) > sum(sites) / 2


def test_demo_agents_are_mostly_online_and_some_long_offline(demo_world: DemoWorld) -> None:
    agents = [
        row
        for row in iter_records(demo_world, "agents")
        if row["deleted_at"] is None and row["last_checkin_at"]
    ]
    silences = [NOW - row["last_checkin_at"] for row in agents]
    assert sum(silence < 3 * MINUTE for silence in silences) > 0.7 * len(silences)
    assert sum(silence > 60 * MINUTE for silence in silences) > 0.05 * len(silences)


def test_demo_guid_with_mac_is_the_hash_of_site_and_mac() -> None:
    compact = '{"mac":"02:00:5e:00:53:01","siteId":"site-1"}'
    assert build_guid("site-1", "H", "02:00:5e:00:53:01") == hashlib.sha256(compact.encode()).hexdigest()


def test_demo_guid_without_mac_is_the_hash_of_site_and_hostname() -> None:
    compact = '{"hostname":"ACME-LT-014","siteId":"site-1"}'
    assert build_guid("site-1", "ACME-LT-014", None) == hashlib.sha256(compact.encode()).hexdigest()


def test_demo_relationships_stay_in_their_tenant_and_are_unique(demo_world: DemoWorld) -> None:
    owner = {row["id"]: row["tenant_id"] for row in iter_records(demo_world, "entities")}
    seen = set()
    for row in iter_records(demo_world, "entity_relationships"):
        assert owner[row["parent_entity_id"]] == owner[row["child_entity_id"]] == row["tenant_id"]
        seen.add((row["parent_entity_id"], row["child_entity_id"], row["relationship_type"]))
    assert len(seen) == sum(1 for _ in iter_records(demo_world, "entity_relationships"))


def test_demo_entity_types_are_supported_by_their_integration(demo_world: DemoWorld) -> None:
    supported = {entry.id: entry.supported_types for entry in CATALOG}
    found = defaultdict(set)
    for row in iter_records(demo_world, "entities"):
        assert row["entity_type"] in supported[row["integration_id"]]
        found[row["entity_type"]].add(row["integration_id"])
    assert found.keys() == {
        "companies", "sites", "endpoints", "identities", "groups", "tickets", "licenses", "firewalls",
    }  # fmt: skip


def test_demo_data_hash_excludes_volatile_fields(demo_world: DemoWorld) -> None:
    for row in iter_records(demo_world, "entities"):
        raw = json.loads(row["raw_data"])
        assert row["data_hash"] == compute_data_hash(row["integration_id"], raw)
    assert compute_data_hash("sophos-partner", {"id": 1, "lastSeenAt": "a"}) == compute_data_hash(
        "sophos-partner", {"id": 1}
    )
    assert compute_data_hash("datto-rmm", {"id": 1, "lastSeenAt": "a"}) != compute_data_hash(
        "datto-rmm", {"id": 1}
    )


def test_demo_configs_match_their_schema_and_secrets_are_sealed(demo_world: DemoWorld) -> None:
    schemas = {entry.id: entry.config_schema or {"properties": {}, "required": []} for entry in CATALOG}
    secrets = 0
    for row in iter_records(demo_world, "data_sources"):
        config, schema = json.loads(row["config"]), schemas[row["integration_id"]]
        assert config.keys() <= schema["properties"].keys()
        assert not config or config.keys() >= set(schema["required"])
        for name in (name for name in config if schema["properties"][name].get("sensitive")):
            assert config[name].startswith("enc:v1:")
            secrets += 1
    assert secrets > 0


def test_demo_branches_have_a_linked_parent_in_their_tenant(demo_world: DemoWorld) -> None:
    tenant = demo_world.tenants[0]
    linked = {(site.psa_integration, site.psa_company_id) for site in tenant.sites if site.deleted is None}
    branches = [site for site in tenant.sites if site.psa_parent_id]
    assert branches
    assert all(
        (site.psa_integration, site.psa_parent_id) in linked for site in branches if site.deleted is None
    )


def test_demo_bills_add_up_and_have_every_status(demo_world: DemoWorld) -> None:
    statuses = Counter(
        bill.status for tenant in demo_world.tenants for bill in iter_bills(demo_world, tenant)
    )
    assert statuses.keys() == {"draft", "finalized", "paid", "cancelled"}
    lines = defaultdict(list)
    for line in iter_records(demo_world, "tenant_bill_line_items"):
        assert line["total"] == line["units"] * line["unit_cost"]
        lines[line["bill_id"]].append(line["total"])
    for bill in iter_records(demo_world, "tenant_bills"):
        assert bill["total"] == sum(lines[bill["id"]])


def test_demo_prices_of_one_integration_are_consecutive(demo_world: DemoWorld) -> None:
    for tenant in demo_world.tenants:
        launch, standard = list_tiers(demo_world, tenant)[:2]
        assert launch.integration == standard.integration
        assert launch.until == standard.since
        assert standard.until is None


def test_list_months_gives_whole_months_newest_first() -> None:
    december, november, *_ = list_months(1_766_500_000_000, 3)  # 2025-12-23
    assert december == (1_764_547_200_000, 1_767_225_600_000)
    assert november[1] == december[0]
