"""Secrets in imported logs: none of them is stored."""

from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import pytest

from services.convex_export import export_convex
from services.imports.log_secrets import redact_text
from tests.counted_work import fail_if_hung
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import ExportedWorld, make_exported_world, without_secrets
from tests.exports.supabase import write_dump
from tests.import_harness import read_tables, run_import

pytestmark = pytest.mark.newest

SECRET: Final = "hunter2-hunter2"
LOGS: Final = ("api_logs", "agent_api_logs", "audit_log")
JWT: Final = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln"


@pytest.fixture(scope="module")
def exported_world() -> ExportedWorld:
    """A world whose first rows of each log have secrets in them."""
    found = dict(without_secrets(make_exported_world()))
    headers = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "accept": "text/html"}
    call = {
        "url": f"https://user:{SECRET}@api.example/v1?page=2&access_token={SECRET}&size=9",
        "headers": headers | {"more": [{"set-cookie": [SECRET, None]}, f"Bearer {SECRET}", JWT]},
        "body": f"grant_type=refresh&client_secret={SECRET}&scope=all",
        "response_body": orjson.dumps({"token": SECRET, "kind": "mac"}).decode(),
    }
    verb = {"req_metadata": {"query": f"/v1.0/x?token={SECRET}", "headers": headers}, "error_message": JWT}
    entry = {"changes": {"password": [None, SECRET], "name": ["a", "b"], "apiKey": [{"secret": True}, None]}}
    changes: tuple[dict[str, Any], ...] = (call, verb, entry)
    for table, change in zip(LOGS, changes, strict=True):
        found[table] = [found[table][0] | change, *found[table][1:]]
    return found


@pytest.mark.parametrize("form", ["convex", "dump"])
async def test_import_logs_with_secrets_redacts_them(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path, form: str
) -> None:
    write = write_dump if form == "dump" else write_snapshot
    path = write(tmp_path / ("a.sql" if form == "dump" else "a.zip"), exported_world)
    outcome = await run_import(database_url, path)
    assert outcome.report.rejected == 0, outcome.text
    assert all(
        f"{table}: {count} secrets hidden" in outcome.text
        for table, count in zip(LOGS, (9, 4, 1), strict=True)
    )
    there = await read_tables(database_url)
    logs = {table: there[table] for table in LOGS}
    assert SECRET not in str(logs)
    assert JWT not in str(logs)
    call, verb, entry = (logs[table][exported_world[table][0]["id"]] for table in LOGS)
    assert call["url"] == "https://[hidden]@api.example/v1?page=2&access_token=[hidden]&size=9"
    assert call["body"] == "grant_type=refresh&client_secret=[hidden]&scope=all"
    assert orjson.loads(call["response_body"]) == {"token": "[hidden]", "kind": "mac"}
    assert call["headers"]["accept"] == "text/html"
    assert call["headers"]["more"][0] == {"set-cookie": ["[hidden]", None]}
    assert verb["req_metadata"]["query"] == "/v1.0/x?token=[hidden]"
    assert entry["changes"]["password"] == [None, "[hidden]"]
    assert entry["changes"]["name"] == ["a", "b"]
    assert entry["changes"]["apiKey"] == [{"secret": True}, None]
    again = await run_import(database_url, path)
    assert {numbers[1:3] + numbers[4:] for numbers in again.row_counts.values()} == {(0, 0, 0)}
    assert await read_tables(database_url) == there


async def test_import_own_audit_log_again_is_left_unchanged(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    """The audit log may have names that only look like secrets. An import of its own export leaves it unchanged."""
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", exported_world))
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO audit_log (id, actor_type, table_name, record_id, action, changes, created_at) "
        """VALUES ('own', 'system', 'integrations', 'x', 'update', '{"tokenUrl": ["a", "b"]}', 1)"""
    )
    await connection.close()
    before = await read_tables(database_url)
    await export_convex(database_url, tmp_path / "b.zip")
    again = await run_import(database_url, tmp_path / "b.zip")
    assert {numbers[1:3] + numbers[4:] for numbers in again.row_counts.values()} == {(0, 0, 0)}
    assert await read_tables(database_url) == before


@pytest.mark.parametrize("part", ["-eyJ", "token=", "token", "://a:", "authorization: a ", 'token\\"'])
def test_redact_text_adversarial_input_takes_linear_time(part: str) -> None:
    """Following each beginning to the end took a minute for 200 kB: more than two for half as much again."""
    with fail_if_hung():
        redact_text(part * (300_000 // len(part)))
