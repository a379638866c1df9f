"""The audit log is append-only for every connection, and none of its rows has a secret."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.database.database import Database
from core.database.transactions import begin_write
from core.settings import Settings
from schema.mutation import MUTATIONS
from tests.mutation_harness import MutationCall, MutationHarness, build_call, open_mutation_harness

FALSIFYING = (
    "UPDATE audit_log SET changes = '{}'",
    "UPDATE audit_log SET actor_type = 'system', user_id = NULL",
    "UPDATE audit_log SET user_id = (SELECT min(id) FROM users u WHERE u.tenant_id = audit_log.tenant_id)",
    "DELETE FROM audit_log",
    "TRUNCATE audit_log",
    "TRUNCATE tenants CASCADE",
)


@pytest_asyncio.fixture
async def mutation_harness(shared_database_url: str) -> AsyncIterator[MutationHarness]:
    async with open_mutation_harness(shared_database_url) as made:
        assert not (await made.execute(build_call("updateSite", made.mine))).errors
        yield made


async def read_all_audit_rows(mutation_harness: MutationHarness) -> list[Any]:
    return await mutation_harness.connection.fetch("SELECT to_jsonb(a) FROM audit_log a ORDER BY id")


@pytest.mark.parametrize("statement", FALSIFYING)
class TestExistingRows:
    async def test_change_by_owner_is_refused(
        self, mutation_harness: MutationHarness, statement: str
    ) -> None:
        before = await read_all_audit_rows(mutation_harness)
        assert before
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
            await mutation_harness.connection.execute(statement)
        assert await read_all_audit_rows(mutation_harness) == before

    @pytest.mark.parametrize("platform", [False, True])
    async def test_change_by_request_leaves_rows_unchanged(
        self, mutation_harness: MutationHarness, shared_database_url: str, statement: str, *, platform: bool
    ) -> None:
        before = await read_all_audit_rows(mutation_harness)
        database = await Database.connect(shared_database_url, Settings())
        with suppress(asyncpg.InsufficientPrivilegeError):
            async with begin_write(database, platform=platform) as transaction:
                await transaction.fetch(
                    "SELECT set_config('app.tenant_id', $1, true)", (mutation_harness.mine.tenant_id,)
                )
                await transaction.fetch(statement, ())
        await database.close()
        assert await read_all_audit_rows(mutation_harness) == before


async def test_audit_row_after_user_id_changes_keeps_actor_id(mutation_harness: MutationHarness) -> None:
    clerk = await mutation_harness.add_user({"Sites.Write"})
    await mutation_harness.execute(build_call("deleteSite", mutation_harness.mine), user_id=clerk)
    await mutation_harness.connection.execute("UPDATE users SET id = id || '-known' WHERE id = $1", clerk)
    entry = (await mutation_harness.read_audit_log("sites", mutation_harness.mine.ids["sites"]))[-1]
    assert (entry["user_id"], entry["actor_id"]) == (f"{clerk}-known", clerk)


async def test_audit_row_without_user_cannot_be_given_one(mutation_harness: MutationHarness) -> None:
    query = 'mutation { createRole(input: {name: "x"}) { id } }'
    answer = await mutation_harness.graphql.execute_as_platform(mutation_harness.mine.tenant_id, query)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await mutation_harness.connection.execute(
            "UPDATE audit_log SET user_id = $2 WHERE record_id = $1",
            answer.data["createRole"]["id"],
            mutation_harness.mine.administrator_id,
        )


async def test_audit_row_of_update_has_changed_fields_only(mutation_harness: MutationHarness) -> None:
    call = MutationCall(
        MUTATIONS["updateSite"],
        {"id": mutation_harness.mine.ids["sites"], "input": {"name": "B", "status": "ARCHIVED"}},
    )
    before = await mutation_harness.read_row("sites", mutation_harness.mine.ids["sites"])
    await mutation_harness.execute(call)
    entry = (await mutation_harness.read_audit_log("sites", mutation_harness.mine.ids["sites"]))[-1]
    assert entry["changes"] == {"name": [before["name"], "B"]}, "the status was that already"
    query = """query($id: String) {
        auditLog(where: {recordId: {eq: $id}}, last: 1, orderBy: [{field: CREATED_AT}]) { nodes { action changes } }
    }"""
    answer = await mutation_harness.graphql.execute_as_user(
        mutation_harness.mine.administrator_id, query, id=mutation_harness.mine.ids["sites"]
    )
    assert answer.data["auditLog"]["nodes"] == [{"action": "UPDATE", "changes": entry["changes"]}]
