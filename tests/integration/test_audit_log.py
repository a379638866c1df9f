"""The audit log is only ever added to, whoever is connected; and no row of it holds a secret."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.database import Database
from core.settings import Settings
from core.transactions import writing
from schema.mutation import MUTATIONS
from tests.desk import Call, Desk, call_of, desk

FALSIFYING = (
    "UPDATE audit_log SET changes = '{}'",
    "UPDATE audit_log SET actor_type = 'system', user_id = NULL",
    "UPDATE audit_log SET user_id = (SELECT min(id) FROM users u WHERE u.tenant_id = audit_log.tenant_id)",
    "DELETE FROM audit_log",
    "TRUNCATE audit_log",
    "TRUNCATE tenants CASCADE",
)


@pytest_asyncio.fixture
async def at(shared_database_url: str) -> AsyncIterator[Desk]:
    async with desk(shared_database_url) as made:
        assert not (await made.ask(call_of("updateSite", made.mine))).errors
        yield made


async def trail(at: Desk) -> list[Any]:
    return await at.connection.fetch("SELECT to_jsonb(a) FROM audit_log a ORDER BY id")


@pytest.mark.parametrize("statement", FALSIFYING)
class TestThePast:
    async def test_its_owner_does_not_change_it(self, at: Desk, statement: str) -> None:
        before = await trail(at)
        assert before
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
            await at.connection.execute(statement)
        assert await trail(at) == before

    @pytest.mark.parametrize("platform", [False, True])
    async def test_nor_does_a_request(
        self, at: Desk, shared_database_url: str, statement: str, *, platform: bool
    ) -> None:
        before = await trail(at)
        database = await Database.connect(shared_database_url, Settings())
        with suppress(asyncpg.InsufficientPrivilegeError):
            async with writing(database, platform=platform) as transaction:
                await transaction.fetch("SELECT set_config('app.tenant_id', $1, true)", (at.mine.tenant,))
                await transaction.fetch(statement, ())
        await database.close()
        assert await trail(at) == before


async def test_an_invitation_taken_up_is_no_falsification(at: Desk) -> None:
    clerk = await at.hire({"Sites.Write"})
    await at.ask(call_of("deleteSite", at.mine), who=clerk)
    await at.connection.execute("UPDATE users SET id = id || '-known' WHERE id = $1", clerk)
    entry = (await at.trail("sites", at.mine.ids["sites"]))[-1]
    assert (entry["user_id"], entry["actor_id"]) == (f"{clerk}-known", clerk)


async def test_nobody_is_named_where_nobody_was(at: Desk) -> None:
    query = 'mutation { createRole(input: {name: "x"}) { id } }'
    answer = await at.graph.as_platform(at.mine.tenant, query)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await at.connection.execute(
            "UPDATE audit_log SET user_id = $2 WHERE record_id = $1",
            answer.data["createRole"]["id"],
            at.mine.admin,
        )


async def test_a_change_is_told_field_by_field(at: Desk) -> None:
    asked = Call(
        MUTATIONS["updateSite"], {"id": at.mine.ids["sites"], "input": {"name": "B", "status": "ARCHIVED"}}
    )
    before = await at.row("sites", at.mine.ids["sites"])
    await at.ask(asked)
    entry = (await at.trail("sites", at.mine.ids["sites"]))[-1]
    assert entry["changes"] == {"name": [before["name"], "B"]}, "the status was that already"
    query = """query($id: String) {
        auditLog(where: {recordId: {eq: $id}}, last: 1, orderBy: [{field: CREATED_AT}]) { nodes { action changes } }
    }"""
    answer = await at.graph.as_user(at.mine.admin, query, id=at.mine.ids["sites"])
    assert answer.data["auditLog"]["nodes"] == [{"action": "UPDATE", "changes": entry["changes"]}]
