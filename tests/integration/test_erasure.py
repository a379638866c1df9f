"""`erase-person`: what is erased of a person, what is kept, and what the audit log's trigger permits."""

import json
from typing import Any

import asyncpg
import pytest

from core.errors import StartupError
from services.users.erasure import erase_person
from tests.transaction_harness import TransactionHarness

pytestmark = pytest.mark.newest
EMAIL = "anna.berg@client.example"


async def _add_audit_row(
    harness: TransactionHarness, table: str, record: str, changes: dict[str, Any]
) -> str:
    record_id: str = await harness.owner.fetchval(
        "INSERT INTO audit_log (tenant_id, table_name, record_id, action, changes) "
        "VALUES ($1, $2, $3, 'update', $4::text::jsonb) RETURNING id",
        harness.tenant_id, table, record, json.dumps(changes),
    )  # fmt: skip
    return record_id


async def _read_changes(harness: TransactionHarness, row: str) -> Any:
    return json.loads(await harness.fetch_value("SELECT changes::text FROM audit_log WHERE id = $1", row))


async def _add_user(harness: TransactionHarness, *, deleted: bool = True) -> str:
    role = await harness.fetch_value(
        "SELECT role_id FROM users WHERE tenant_id = $1 LIMIT 1", harness.tenant_id
    )
    user_id: str = await harness.owner.fetchval(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status, metadata, deleted_at) "
        "VALUES ('user_anna', $1, $2, $3, 'Anna Berg', 'inactive', '{\"theme\": \"dark\"}', "
        "CASE WHEN $4 THEN app.now_ms() END) RETURNING id",
        harness.tenant_id, role, EMAIL, deleted,
    )  # fmt: skip
    return user_id


@pytest.mark.role_modes
async def test_erase_person_erases_the_user_and_all_audit_rows(
    transaction_harness: TransactionHarness,
) -> None:
    user = await _add_user(transaction_harness)
    add = transaction_harness
    invited = await _add_audit_row(
        add,
        "users",
        "generated",
        {"id": ["generated", user], "email": [None, EMAIL], "status": ["pending", "active"]},
    )
    renamed = await _add_audit_row(
        add,
        "users",
        user,
        {"name": ["Anna", "Anna Berg"], "metadata": [{"a": [1, None]}, {}], "roleId": ["r", "s"]},
    )
    mentioned = await _add_audit_row(
        add, "sites", "s1", {"notes": ["", "Call Anna.Berg@Client.Example"], "name": ["A", "B"]}
    )
    other = await _add_audit_row(add, "users", "user_other", {"name": ["Anna", "Anna Berg"]})
    done = await erase_person(transaction_harness.owner, user)
    assert done.audit_rows == 3
    assert await _read_changes(add, invited) == {
        "id": ["generated", user], "email": [None, "erased"], "status": ["pending", "active"],
    }  # fmt: skip
    assert await _read_changes(add, renamed) == {
        "name": ["erased", "erased"], "metadata": [{"a": ["erased", None]}, {}], "roleId": ["r", "s"],
    }  # fmt: skip
    assert await _read_changes(add, mentioned) == {"notes": ["", "erased"], "name": ["A", "B"]}
    assert await _read_changes(add, other) == {"name": ["Anna", "Anna Berg"]}
    (row,) = await add.fetch_rows("SELECT name, email, metadata::text FROM users WHERE id = $1", user)
    assert tuple(row.values()) == ("erased", f"erased-{user}@erased.invalid", "{}")
    (note,) = await add.fetch_rows(
        "SELECT actor_type, changes::text FROM audit_log WHERE record_id = $1 AND changes ? 'erased'", user
    )
    assert note["actor_type"] == "system"
    assert json.loads(note["changes"]) == {"erased": [False, True], "auditRows": [None, 3]}
    assert (await erase_person(transaction_harness.owner, user)).audit_rows == 0


async def test_erase_person_refuses_an_unknown_user_and_one_that_is_not_deleted(
    transaction_harness: TransactionHarness,
) -> None:
    with pytest.raises(StartupError, match="no user"):
        await erase_person(transaction_harness.owner, "nobody")
    user = await _add_user(transaction_harness, deleted=False)
    with pytest.raises(StartupError, match="not deleted"):
        await erase_person(transaction_harness.owner, user)
    assert await transaction_harness.fetch_value("SELECT name FROM users WHERE id = $1", user) == "Anna Berg"


@pytest.mark.parametrize(
    "changes",
    [{"name": ["erased", "x"]}, {"name": ["erased"]}, {}, {"name": ["erased", "erased"], "more": 1},
     {"name": "erased"}, {"other": ["erased", "erased"]}],
    ids=str,
)  # fmt: skip
async def test_audit_row_cannot_be_changed_to_anything_else(
    transaction_harness: TransactionHarness, changes: dict[str, Any]
) -> None:
    row = await _add_audit_row(transaction_harness, "users", "u", {"name": ["a", "b"]})
    update = "UPDATE audit_log SET changes = $2::text::jsonb WHERE id = $1"
    await transaction_harness.owner.execute("SELECT set_config('app.erasure', 'on', false)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await transaction_harness.owner.execute(update, row, json.dumps(changes))
    await transaction_harness.owner.execute(update, row, json.dumps({"name": ["erased", "b"]}))
    await transaction_harness.owner.execute("SELECT set_config('app.erasure', '', false)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await transaction_harness.owner.execute(update, row, json.dumps({"name": ["erased", "erased"]}))
