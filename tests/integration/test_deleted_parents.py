"""Below a deleted parent no row is restored, moved to, or reported as silent. Lists still show the rows."""

from typing import Final

import pytest

from core.settings import Settings
from schema.tables import BY_NAME
from services.agents.offline_sweeper import sweep_offline_agents
from services.writes.field_kinds import ReferenceKind
from services.writes.parents import PARENTS
from services.writes.record import WriteVerb
from services.writes.records import RECORDS
from tests.agent_api_harness import AgentApiHarness, EnrolledAgent

SETTINGS: Final = Settings(agent_offline_after=180, agent_down_after=900)


async def _enroll_silent_agent(fresh_agent_api: AgentApiHarness) -> EnrolledAgent:
    agent = await fresh_agent_api.enroll_agent()
    await fresh_agent_api.owner.execute(
        "UPDATE agents SET last_checkin_at = app.now_ms() - 5000000 WHERE id = $1", agent.id
    )
    return agent


@pytest.mark.parametrize(
    ("change", "turned"),
    [
        ("UPDATE sites SET deleted_at = 1", 0),
        ("UPDATE sites SET status = 'archived'", 0),
        ("UPDATE sites SET status = 'inactive'", 1),  # its agents check in still
        ("UPDATE tenants SET status = 'suspended'", 0),
        ("UPDATE tenants SET deleted_at = 1", 0),
    ],
)
async def test_sweep_of_agents_that_cannot_check_in_changes_nothing(
    fresh_agent_api: AgentApiHarness, change: str, turned: int
) -> None:
    agent = await _enroll_silent_agent(fresh_agent_api)
    await fresh_agent_api.owner.execute(change)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == turned
    assert bool(await fresh_agent_api.read_health_check(agent.id)) == bool(turned)


RESTORABLE: Final = [(table, parent.column) for table, parents in PARENTS.items() for parent in parents]


@pytest.mark.parametrize(("table", "column"), RESTORABLE)
async def test_restore_below_deleted_parent_is_conflict(
    fresh_agent_api: AgentApiHarness, table: str, column: str
) -> None:
    record = RECORDS[table]
    parent = next(each for each in PARENTS[table] if each.column == column)
    row_id = fresh_agent_api.mine.ids[table]
    parent_id = await fresh_agent_api.owner.fetchval(f"SELECT {column} FROM {table} WHERE id = $1", row_id)
    assert parent_id, f"the row of {table} names no {column}"
    await fresh_agent_api.owner.execute(f"UPDATE {table} SET deleted_at = 1 WHERE id = $1", row_id)
    await fresh_agent_api.owner.execute(f"UPDATE {parent.table} SET deleted_at = 1 WHERE id = $1", parent_id)
    user = await fresh_agent_api.create_user_token("Global.Admin")
    name = _restore_mutation_name(record.table)
    query = f"mutation ($id: ID!) {{ {name}(id: $id) {{ id }} }}"
    refused = await fresh_agent_api.execute(query, user, id=row_id)
    assert refused["errors"][0]["extensions"]["code"] == "CONFLICT"
    assert await fresh_agent_api.owner.fetchval(f"SELECT deleted_at FROM {table} WHERE id = $1", row_id) == 1
    await fresh_agent_api.owner.execute(
        f"UPDATE {parent.table} SET deleted_at = NULL WHERE id = $1", parent_id
    )
    assert (await fresh_agent_api.execute(query, user, id=row_id))["data"][name]["id"] == row_id


def _restore_mutation_name(table: str) -> str:
    one = BY_NAME[table].one
    return f"restore{one[0].upper()}{one[1:]}"


async def test_restore_below_deleted_tenant_is_refused(fresh_agent_api: AgentApiHarness) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await fresh_agent_api.owner.execute("UPDATE agents SET deleted_at = 1 WHERE id = $1", agent.id)
    await fresh_agent_api.owner.execute(
        "UPDATE tenants SET deleted_at = 1 WHERE id = $1", fresh_agent_api.mine.id
    )
    query = "mutation ($id: ID!) { restoreAgent(id: $id) { id } }"
    answer = await fresh_agent_api.execute(
        query, fresh_agent_api.platform_token, fresh_agent_api.mine.id, id=agent.id
    )
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert (await fresh_agent_api.read_agent_row(agent.id))["deleted_at"] == 1


def test_parents_cover_every_reference_to_deletable_row() -> None:
    named = {
        (name, field.name)
        for name, record in RECORDS.items()
        if WriteVerb.RESTORE in record.verbs
        for field in record.fields
        if isinstance(field.kind, ReferenceKind) and field.kind.table not in ("integrations", "roles")
    }
    assert named | {("agents", "site_id")} == set(RESTORABLE)


async def test_move_to_deleted_site_is_refused_and_lists_show_its_agents(
    fresh_agent_api: AgentApiHarness,
) -> None:
    agent = await fresh_agent_api.enroll_agent()
    user = await fresh_agent_api.create_user_token("Global.Admin")
    (other,) = [
        await fresh_agent_api.owner.fetchval(
            "INSERT INTO sites (tenant_id, name, slug, deleted_at) VALUES ($1, 'gone', 'gone', 1) RETURNING id",
            fresh_agent_api.mine.id,
        )
    ]
    query = "mutation ($id: ID!, $site: ID!) { moveAgent(id: $id, siteId: $site) { id } }"
    answer = await fresh_agent_api.execute(query, user, id=agent.id, site=other)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    await fresh_agent_api.owner.execute(
        "UPDATE sites SET deleted_at = 1 WHERE id = $1", fresh_agent_api.mine.site
    )
    listed = await fresh_agent_api.execute("{ agents(first: 100) { nodes { id site { id } } } }", user)
    assert {"id": agent.id, "site": None} in listed["data"]["agents"]["nodes"]
