"""The rows before they are loaded: repeatable, whole, and true to what the product says of them."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from services.data_hash import data_hash
from services.demo import DemoSize
from services.demo.agents import enrolled, guid_of
from services.demo.billing import bills_of, months, tiers_of
from services.demo.catalogue import CATALOGUE
from services.demo.dice import MINUTE
from services.demo.load import TABLES, make_demo
from services.demo.sizes import PLANS
from services.demo.things import things
from services.demo.world import Demo, Table

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
def demo() -> Demo:
    return make_demo(now=NOW)


def digest(demo: Demo) -> str:
    rows = hashlib.sha256()
    for table in TABLES:
        for row in table.rows(demo):
            rows.update(repr(row).encode())
    return rows.hexdigest()


def records(demo: Demo, name: str) -> Iterator[dict[str, Any]]:
    table = next(table for table in TABLES if table.name == name)
    return (dict(zip(table.columns, row, strict=True)) for row in table.rows(demo))


def test_the_same_seed_and_now_give_the_same_rows(demo: Demo):
    assert digest(demo) == digest(make_demo(now=NOW))


def test_another_seed_gives_others(demo: Demo):
    assert digest(demo) != digest(make_demo(now=NOW, seed=7))


def test_only_times_follow_now(demo: Demo):
    later = make_demo(now=LATER)
    for name in ("users", "sites", "agents", "entities", "scheduled_jobs", "health_checks", "tenant_bills"):
        assert [row["id"] for row in records(demo, name)] == [row["id"] for row in records(later, name)]
    first, second = next(records(demo, "agents")), next(records(later, "agents"))
    assert second["created_at"] - first["created_at"] == LATER - NOW
    assert first["hostname"] == second["hostname"]


def test_known_users_and_the_first_tenant_are_the_same_in_every_demo(demo: Demo):
    medium = make_demo(DemoSize.MEDIUM, now=LATER, seed=7)
    assert demo.tenants[0].id == medium.tenants[0].id
    assert [user.id for user in demo.tenants[0].users[:2]] == [
        user.id for user in medium.tenants[0].users[:2]
    ]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_rows_have_a_value_for_each_column_and_times_in_their_order(demo: Demo, table: Table):
    for row in records(demo, table.name):
        moments = {name: value for name, value in row.items() if name.endswith(("_at", "_from", "_until"))}
        assert all(value <= NOW for name, value in moments.items() if value is not None and name not in AHEAD)
        created = row["created_at"]
        assert row.get("updated_at") is None or created <= row["updated_at"]
        assert row.get("deleted_at") is None or created <= row["deleted_at"]


@pytest.mark.parametrize("size", DemoSize)
def test_rows_that_are_not_deleted_are_as_many_as_planned(size: DemoSize):
    demo, plan = make_demo(size, now=NOW), PLANS[size]
    assert sum(tenant.deleted is None for tenant in demo.tenants) == plan.tenants
    sites = [site for tenant in demo.tenants for site in tenant.sites]
    assert sum(site.deleted is None for site in sites) == plan.sites
    agents = [agent for tenant in demo.tenants for agent in enrolled(demo, tenant)]
    assert sum(agent.deleted is None for agent in agents) == plan.agents
    live = (sum(thing.deleted is None for thing in things(demo, tenant)) for tenant in demo.tenants)
    assert sum(live) == plan.entities


@pytest.mark.parametrize("size", DemoSize)
def test_what_is_unique_among_the_undeleted(size: DemoSize):
    for tenant in make_demo(size, now=NOW).tenants:
        slugs = Counter(site.slug for site in tenant.sites if site.deleted is None)
        emails = Counter(user.email.lower() for user in tenant.users if user.deleted is None)
        assert max(slugs.values()) == 1
        assert max(emails.values()) == 1


def test_a_few_hold_most():
    demo = make_demo(DemoSize.MEDIUM, now=NOW)
    agents = sorted((site.agents for tenant in demo.tenants for site in tenant.sites), reverse=True)
    assert sum(agents[: len(agents) // 5]) > sum(agents) / 2
    sites = sorted((len(tenant.sites) for tenant in demo.tenants), reverse=True)
    assert sum(sites[:10]) > sum(sites) / 2


def test_most_agents_are_alive_and_some_are_long_gone(demo: Demo):
    agents = [row for row in records(demo, "agents") if row["deleted_at"] is None and row["last_checkin_at"]]
    silences = [NOW - row["last_checkin_at"] for row in agents]
    assert sum(silence < 3 * MINUTE for silence in silences) > 0.7 * len(silences)
    assert sum(silence > 60 * MINUTE for silence in silences) > 0.05 * len(silences)


def test_a_guid_is_the_hash_of_the_mac_at_the_site():
    compact = '{"mac":"02:00:5e:00:53:01","siteId":"site-1"}'
    assert guid_of("site-1", "H", "02:00:5e:00:53:01") == hashlib.sha256(compact.encode()).hexdigest()


def test_without_a_mac_a_guid_is_the_hash_of_the_hostname_at_the_site():
    compact = '{"hostname":"ACME-LT-014","siteId":"site-1"}'
    assert guid_of("site-1", "ACME-LT-014", None) == hashlib.sha256(compact.encode()).hexdigest()


def test_relationships_stay_in_their_tenant_and_stand_once(demo: Demo):
    owner = {row["id"]: row["tenant_id"] for row in records(demo, "entities")}
    seen = set()
    for row in records(demo, "entity_relationships"):
        assert owner[row["parent_entity_id"]] == owner[row["child_entity_id"]] == row["tenant_id"]
        seen.add((row["parent_entity_id"], row["child_entity_id"], row["relationship_type"]))
    assert len(seen) == sum(1 for _ in records(demo, "entity_relationships"))


def test_every_type_of_entity_comes_of_an_integration_that_supports_it(demo: Demo):
    supported = {entry.id: entry.supported_types for entry in CATALOGUE}
    found = defaultdict(set)
    for row in records(demo, "entities"):
        assert row["entity_type"] in supported[row["integration_id"]]
        found[row["entity_type"]].add(row["integration_id"])
    assert found.keys() == {
        "companies", "sites", "endpoints", "identities", "groups", "tickets", "licenses", "firewalls",
    }  # fmt: skip


def test_the_hash_is_of_what_does_not_change_at_every_look(demo: Demo):
    for row in records(demo, "entities"):
        raw = json.loads(row["raw_data"])
        assert row["data_hash"] == data_hash(row["integration_id"], raw)
    assert data_hash("sophos-partner", {"id": 1, "lastSeenAt": "a"}) == data_hash("sophos-partner", {"id": 1})
    assert data_hash("datto-rmm", {"id": 1, "lastSeenAt": "a"}) != data_hash("datto-rmm", {"id": 1})


def test_secrets_are_envelopes_and_configs_have_what_their_schema_requires(demo: Demo):
    schemas = {entry.id: entry.config_schema or {"properties": {}, "required": []} for entry in CATALOGUE}
    secrets = 0
    for row in records(demo, "data_sources"):
        config, schema = json.loads(row["config"]), schemas[row["integration_id"]]
        assert config.keys() <= schema["properties"].keys()
        assert not config or config.keys() >= set(schema["required"])
        for name in (name for name in config if schema["properties"][name].get("sensitive")):
            assert config[name].startswith("enc:v1:")
            secrets += 1
    assert secrets > 0


def test_branches_have_a_linked_parent_of_the_same_tenant(demo: Demo):
    tenant = demo.tenants[0]
    linked = {(site.psa, site.psa_company_id) for site in tenant.sites if site.deleted is None}
    branches = [site for site in tenant.sites if site.psa_parent_id]
    assert branches
    assert all((site.psa, site.psa_parent_id) in linked for site in branches if site.deleted is None)


def test_bills_of_every_status_add_up(demo: Demo):
    statuses = Counter(bill.status for tenant in demo.tenants for bill in bills_of(demo, tenant))
    assert statuses.keys() == {"draft", "finalized", "paid", "cancelled"}
    lines = defaultdict(list)
    for line in records(demo, "tenant_bill_line_items"):
        assert line["total"] == line["units"] * line["unit_cost"]
        lines[line["bill_id"]].append(line["total"])
    for bill in records(demo, "tenant_bills"):
        assert bill["total"] == sum(lines[bill["id"]])


def test_prices_of_one_integration_follow_each_other(demo: Demo):
    for tenant in demo.tenants:
        launch, standard = tiers_of(demo, tenant)[:2]
        assert launch.integration == standard.integration
        assert launch.until == standard.since
        assert standard.until is None


def test_months_are_whole_and_newest_first():
    december, november, *_ = months(1_766_500_000_000, 3)  # 2025-12-23
    assert december == (1_764_547_200_000, 1_767_225_600_000)
    assert november[1] == december[0]
