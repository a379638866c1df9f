"""The commands of docs/backup.md, as they stand there, in both modes of row-level security."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from core.database.request_role import RoleMode
from services.activation import is_active
from tests.backup_databases import (
    create_empty_database,
    fetch_contents,
    mode,
    new_cluster,
    old_cluster,
    source,
)
from tests.clusters import DEBIAN_15, ThrowawayCluster
from tests.e2e.servers import ROOT

__all__ = ["mode", "new_cluster", "old_cluster", "source"]  # fixtures

pytestmark = pytest.mark.skipif(not DEBIAN_15.exists(), reason="PostgreSQL 15 is not installed")

PAGE: Final = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def find_block(words: str) -> str:
    """The only block of commands with these words."""
    (block,) = [block for block in BLOCKS if words in block]
    return str(block)


def run_block(words: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a block as the page has it, with our interpreter and a folder of the test."""
    commands = find_block(words).replace(".venv/bin/python", sys.executable)
    return subprocess.run(
        ["bash", "-euc", commands.replace("/var/backups", str(folder))],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{DEBIAN_15}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


async def read_activity(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        return await is_active(connection)
    finally:
        await connection.close()


def test_backup_page_has_only_the_blocks_that_are_run() -> None:
    words = (
        "server.py backup",
        "server.py restore",
        "activate",
        "role.dump",
        "forced.dump",
        "pg_restore",
        "pause",
    )
    assert len(BLOCKS) == len(words)
    assert len({find_block(each) for each in words}) == len(words)


async def fetch_tenant_contents(dsn: str) -> dict[str, str]:
    """The contents without the catalog, which each migration brings up to date."""
    contents = await fetch_contents(dsn)
    return {
        table: text
        for table, text in contents.items()
        if table.startswith("public.") and table not in ("public.integrations", "public.aerich")
    }


async def test_commands_of_backup_page_work(
    old_cluster: ThrowawayCluster,
    mode: RoleMode,
    source: str,
    tmp_path: Path,
) -> None:
    contents = await fetch_tenant_contents(source)
    by_command, by_hand, by_tool = [await create_empty_database(old_cluster, mode) for _ in range(3)]
    original = {"DATABASE_URL": source}
    done = run_block("server.py backup", tmp_path, original)
    assert done.returncode == 0, done.stderr
    done = run_block("server.py restore", tmp_path, {"NEW_URL": by_command})
    assert done.returncode == 0, done.stderr
    assert await fetch_tenant_contents(by_command) == contents
    for command, active in (("activate", True), ("pause", False)):
        done = run_block(command, tmp_path, {"NEW_URL": by_command})
        assert (done.returncode, await read_activity(by_command)) == (0, active), done.stderr
    done = run_block("pg_restore", tmp_path, {"NEW_URL": by_tool})
    assert done.returncode == 0, done.stderr
    assert (await fetch_tenant_contents(by_tool), await read_activity(by_tool)) == (contents, False)
    done = run_block(f"{mode}.dump", tmp_path, original)
    assert done.returncode == 0, done.stderr
    (tmp_path / "msp.dump").write_bytes((tmp_path / f"{mode}.dump").read_bytes())
    done = run_block("server.py restore", tmp_path, {"NEW_URL": by_hand})
    assert done.returncode == 0, done.stderr
    assert (await fetch_tenant_contents(by_hand), await read_activity(by_hand)) == (contents, False)
    if mode is RoleMode.FORCED:
        refused = run_block("role.dump", tmp_path, original)
        assert "row-level security" in refused.stderr
