"""The commands of the operators' pages, on one database, by a role that may create no roles."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import asyncpg
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

PAGES: Final = ("adoption", "bootstrap", "database", "operations", "secrets", "upgrade")
BLOCKS: Final = {
    page: re.findall(
        r"^```(?:sh|sql)\n(.*?)^```",
        (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    for page in PAGES
}


class PlainDatabase(NamedTuple):
    """An empty database of a role that may create no roles, and a name for the role of requests."""

    dsn: str
    admin_dsn: str
    owner: str
    request_role: str


@pytest_asyncio.fixture
async def plain_database(cluster: ThrowawayCluster) -> AsyncIterator[PlainDatabase]:
    name, suffix = await cluster.create_database(), secrets.token_hex(4)
    owner, request_role = f"plain_{suffix}", f"requests_{suffix}"
    admin_dsn = cluster.build_dsn(name, "postgres")
    admin = await asyncpg.connect(admin_dsn)
    await admin.execute(f'CREATE ROLE {owner} LOGIN; ALTER DATABASE "{name}" OWNER TO {owner}')
    await admin.close()
    yield PlainDatabase(cluster.build_dsn(name, owner), admin_dsn, owner, request_role)
    await cluster.drop_database(name)


def find_block(page: str, words: str) -> str:
    """The only block of a page with these words."""
    (block,) = [block for block in BLOCKS[page] if words in block]
    return str(block)


def run_block(database: PlainDatabase, commands: str) -> str:
    """The output of commands as a page has them, with our interpreter and the test's database."""
    done = subprocess.run(
        ["bash", "-euc", commands.replace(".venv/bin/python", sys.executable)],
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


async def read_mode(database: PlainDatabase) -> RoleMode | None:
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
        "operations": 1,
        "secrets": 1,
        "upgrade": 1,
    }


def test_address_of_several_hosts_is_understood() -> None:
    dsn = find_block("database", "db2.example").partition("'")[2].rstrip("'\n")
    assert split_hosts(dsn) == [f"postgresql://msp:password@db{n}.example:5432/msp" for n in (1, 2)]


async def test_commands_of_operators_pages_work(plain_database: PlainDatabase) -> None:
    signing, secret = run_block(plain_database, find_block("bootstrap", "key --signing")).splitlines()
    assert SigningKey.load(Settings(signing_key=SecretStr(signing)))
    assert SecretKeys.load(Settings(secret_keys=(SecretStr(secret),)))
    random_secret = run_block(plain_database, find_block("secrets", "openssl"))
    assert SecretKeys.load(Settings(secret_keys=(SecretStr(random_secret.strip()),)))
    output = run_block(plain_database, find_block("bootstrap", "--admin-id"))
    assert "Administrator: a@byte.example (user_2abc, new)" in output
    assert await read_mode(plain_database) is RoleMode.FORCED

    sql = find_block("database", "CREATE ROLE").replace("msp_request", plain_database.request_role)
    await run_sql(plain_database.admin_dsn, sql.replace(" TO msp;", f" TO {plain_database.owner};"))
    run_block(plain_database, find_block("database", "--change-rls-mode"))
    assert await read_mode(plain_database) is RoleMode.ROLE

    await run_sql(
        plain_database.dsn,
        "INSERT INTO sites (id, tenant_id, name, slug) SELECT 'site-1', id, 'Main', 'main' FROM tenants",
    )
    soon = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    adopt = re.sub(r"\d{4}-\d\d-\d\d", soon, find_block("adoption", "adopt-agents"))
    adopted = run_block(plain_database, f"SITE=site-1\n{adopt}")
    assert adopted.count("Listed 0 agents, and changed the date of 0.") == 2

    await run_sql(plain_database.dsn, "UPDATE users SET deleted_at = app.now_ms()")
    erased = run_block(plain_database, find_block("operations", "erase-person"))
    assert erased == "Erased the user's row and values in 1 audit rows.\n"

    target = find_block("upgrade", "--to")
    reverted = re.findall(r"^Reverted (\d+)_", run_block(plain_database, target), re.MULTILINE)
    (last,) = re.findall(r"--to (\d+)", target)
    assert list(map(int, reverted)) == list(range(find_latest_step(), int(last), -1))
    assert await find_pending(plain_database.dsn) is Pending.BEHIND
