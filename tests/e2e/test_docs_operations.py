"""The commands of the operators' pages, on one database, by a role that may create roles and by one that may not."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from core.auth.signing import SigningKey
from core.database.connecting import split_hosts
from core.database.request_role import RoleMode, find_role_mode
from core.encryption import SecretKeys
from core.settings import Settings
from services.migrations import Pending, find_latest_step, find_pending
from tests.clusters import ThrowawayCluster
from tests.e2e.servers import ROOT

PAGES: Final = ("adoption", "bootstrap", "database", "import", "jobs", "operations", "secrets", "upgrade")
BLOCKS: Final = {
    page: re.findall(
        r"^```(?:sh|sql)\n(.*?)^```",
        (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    for page in PAGES
}


class OperatorDatabase(NamedTuple):
    """An empty database, the mode that its owner can have, and a name for the role of requests."""

    dsn: str
    admin_dsn: str
    owner: str
    mode: RoleMode
    request_role: str


@pytest_asyncio.fixture(params=list(RoleMode))
async def operator_database(
    request: pytest.FixtureRequest, cluster: ThrowawayCluster
) -> AsyncIterator[OperatorDatabase]:
    name, suffix, mode = await cluster.create_database(), secrets.token_hex(4), RoleMode(request.param)
    owner, request_role = f"operator_{suffix}", f"requests_{suffix}"
    right = "CREATEROLE" if mode is RoleMode.ROLE else "NOCREATEROLE"
    admin_dsn = cluster.build_dsn(name, "postgres")
    admin = await asyncpg.connect(admin_dsn)
    await admin.execute(f'CREATE ROLE {owner} LOGIN {right}; ALTER DATABASE "{name}" OWNER TO {owner}')
    await admin.close()
    yield OperatorDatabase(cluster.build_dsn(name, owner), admin_dsn, owner, mode, request_role)
    await cluster.drop_database(name)


def find_block(page: str, words: str) -> str:
    """The only block of a page with these words."""
    (block,) = [block for block in BLOCKS[page] if words in block]
    return str(block)


def run_block(database: OperatorDatabase, commands: str) -> str:
    """The output of commands as a page has them, with our interpreter and the test's database."""
    done = subprocess.run(
        ["bash", "-euc", re.sub(r"(?:\.venv/bin/)?python (?=server)", f"{sys.executable} ", commands)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.dsn, "REQUEST_ROLE": database.request_role},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def run_sql(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    await connection.execute(sql)
    await connection.close()


async def read_mode(database: OperatorDatabase) -> RoleMode | None:
    connection = await asyncpg.connect(database.dsn)
    try:
        return await find_role_mode(connection, database.request_role)
    finally:
        await connection.close()


def test_operators_pages_have_only_the_blocks_that_are_known() -> None:
    assert {page: len(blocks) for page, blocks in BLOCKS.items()} == {
        "adoption": 2,  # the trade is run by test_legacy_agents.py
        "bootstrap": 3,  # --invite is run by test_bootstrap_command.py
        "database": 3,
        "import": 1,
        "jobs": 3,  # `server.py work` is run by test_job_workers.py
        "operations": 1,
        "secrets": 1,
        "upgrade": 1,
    }


def test_address_of_several_hosts_is_understood() -> None:
    dsn = find_block("database", "db2.example").partition("'")[2].rstrip("'\n")
    assert split_hosts(dsn) == [f"postgresql://msp:password@db{n}.example:5432/msp" for n in (1, 2)]


async def test_commands_of_operators_pages_work(operator_database: OperatorDatabase, tmp_path: Path) -> None:
    signing, secret = run_block(operator_database, find_block("bootstrap", "key --signing")).splitlines()
    assert SigningKey.load(Settings(signing_key=SecretStr(signing)))
    assert SecretKeys.load(Settings(secret_keys=(SecretStr(secret),)))
    random_secret = run_block(operator_database, find_block("secrets", "openssl"))
    assert SecretKeys.load(Settings(secret_keys=(SecretStr(random_secret.strip()),)))
    output = run_block(operator_database, find_block("bootstrap", "--admin-id"))
    assert "Administrator: a@byte.example (user_2abc, new)" in output
    assert await read_mode(operator_database) is operator_database.mode
    if operator_database.mode is RoleMode.FORCED:
        sql = find_block("database", "CREATE ROLE").replace("msp_request", operator_database.request_role)
        await run_sql(operator_database.admin_dsn, sql.replace(" TO msp;", f" TO {operator_database.owner};"))
    run_block(operator_database, find_block("database", "--change-rls-mode"))
    assert await read_mode(operator_database) is RoleMode.ROLE

    to_import, _, to_export = find_block("import", "export convex").splitlines()
    run_block(operator_database, to_export.replace("FILE.zip", str(tmp_path / "all.zip")))
    imported = run_block(operator_database, to_import.replace("SNAPSHOT.zip", str(tmp_path / "all.zip")))
    assert "users" in imported
    await run_sql(operator_database.dsn, find_block("jobs", "jobs_per_tenant"))
    assert run_block(operator_database, find_block("jobs", "--status")) == ""

    await run_sql(
        operator_database.dsn,
        "INSERT INTO sites (id, tenant_id, name, slug) SELECT 'site-1', id, 'Main', 'main' FROM tenants",
    )
    soon = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    adopt = re.sub(r"\d{4}-\d\d-\d\d", soon, find_block("adoption", "adopt-agents"))
    adopted = run_block(operator_database, f"SITE=site-1\n{adopt}")
    assert adopted.count("Listed 0 agents, and changed the date of 0.") == 2

    await run_sql(operator_database.dsn, "UPDATE users SET deleted_at = app.now_ms()")
    erased = run_block(operator_database, find_block("operations", "erase-person"))
    assert erased == "Erased the user's row and values in 1 audit rows.\n"

    target = find_block("upgrade", "--to")
    reverted = re.findall(r"^Reverted (\d+)_", run_block(operator_database, target), re.MULTILINE)
    (last,) = re.findall(r"--to (\d+)", target)
    assert list(map(int, reverted)) == list(range(find_latest_step(), int(last), -1))
    assert await find_pending(operator_database.dsn) is Pending.BEHIND
