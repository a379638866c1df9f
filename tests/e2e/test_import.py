"""The commands `import` and `export` as an operator runs them, during live queries on a running server."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import zipfile
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.catalog.update import ACTOR
from tests.clusters import ThrowawayCluster
from tests.e2e.servers import ROOT, Server, run_command
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import (
    OLD_KEY,
    Row,
    expected_secrets,
    make_exported_world,
    with_sealed_secrets,
    without_secrets,
)
from tests.exports.supabase import write_folder
from tests.import_harness import expect_tables, read_tables, run_import
from tests.live.client import LiveQueryCase, open_live_client
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest

ROWS = without_secrets(make_exported_world())
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
ALL = LiveQueryCase.from_field("sites { totalCount }")


async def _fetch_first_site(url: str) -> Row:
    """A site of the demo's first administrator."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(
            "SELECT s.* FROM sites s JOIN users u USING (tenant_id) "
            "WHERE u.id = 'user_2NorthlightItAdministrator' AND s.deleted_at IS NULL LIMIT 1"
        )
    finally:
        await connection.close()
    assert row is not None
    return {**row, "metadata": None}


async def _run_import(url: str, path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(run_command, "import", "convex", path, *words, DATABASE_URL=url)


async def test_import_is_seen_by_live_queries(
    server: Server, writable_demo_database_url: str, tmp_path: Path
) -> None:
    site = await _fetch_first_site(writable_demo_database_url)
    new = [site | {"id": f"new-{number}", "slug": f"new-{number}"} for number in range(500)]
    path = write_snapshot(tmp_path / "a.zip", {"sites": [site | {"name": "Renamed by an import"}, *new]})
    one = LiveQueryCase.from_field(f'site(id: "{site["id"]}") {{ name }}')
    async with open_live_client(server.url, server.tokens[0][1]) as client:
        every, named = await client.subscribe(ALL), await client.subscribe(one)
        before = (await every.wait_for_first())["sites"]["totalCount"]
        assert (await named.wait_for_first())["site"]["name"] == site["name"]
        done = await _run_import(writable_demo_database_url, path, "--dry-run")
        assert done.returncode == 0, done.stderr
        done = await _run_import(writable_demo_database_url, path)
        assert done.returncode == 0, done.stderr
        await every.wait_until(lambda followed: followed.data["sites"]["totalCount"] == before + len(new))
        await named.wait_until(lambda followed: followed.data["site"]["name"] == "Renamed by an import")
        assert (every.state_count, named.state_count) == (2, 2)
        again = await _run_import(writable_demo_database_url, path)
        assert f"{len(new) + 1:>11}          0          0        501          0" in again.stdout
        probe = site | {"id": "probe", "slug": "probe"}
        await _run_import(writable_demo_database_url, write_snapshot(tmp_path / "b.zip", {"sites": [probe]}))
        await every.wait_until(lambda followed: followed.data["sites"]["totalCount"] == before + len(new) + 1)
        assert (every.state_count, named.state_count) == (3, 2)


def test_import_on_terminal_clears_the_progress_bar_before_the_report(
    database_url: str, tmp_path: Path
) -> None:
    """On a terminal, which shows both."""
    shown = _run_on_terminal(
        "import", "convex", write_snapshot(tmp_path / "a.zip", ROWS), DATABASE_URL=database_url
    )
    bar, report = shown.split("table  ", 1)
    assert "━" in bar
    assert bar.endswith("\x1b[2K"), "the line of the bar is cleared"
    assert "━" not in report
    assert "\x1b" not in report


def _run_on_terminal(*words: object, **environment: str) -> str:
    """The output of a command on a terminal until it ends."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "server.py", *map(str, words)]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment, "TERM": "xterm"}, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # raised by a terminal after its other side is closed
            while output := os.read(ours, 1 << 16):
                shown += output
        os.close(ours)
    assert process.returncode == 0, shown.decode()
    return shown.decode()


async def _read_imported(url: str) -> dict[str, dict[str, Any]]:
    """The rows of a database without those of the catalog, which the command loads before it imports."""
    tables = await read_tables(url)
    shipped = {row["record_id"] for row in tables["audit_log"].values() if row["actor_id"] == ACTOR.id} - set(
        expect_tables(ROWS)["integrations"]
    )
    tables["audit_log"] = {
        row_id: row for row_id, row in tables["audit_log"].items() if row["actor_id"] != ACTOR.id
    }
    tables["integrations"] = {
        row_id: row for row_id, row in tables["integrations"].items() if row_id not in shipped
    }
    return tables


async def test_import_into_empty_database_migrates_and_fills_it(
    empty_database_url: str, tmp_path: Path
) -> None:
    path = write_folder(tmp_path / "csv", ROWS)
    trial = run_command("import", "supabase", path, "--dry-run", DATABASE_URL=empty_database_url)
    assert (trial.returncode, trial.stderr) == (
        1, "A dry run does not migrate, and the database needs migration: run `python server.py migrate` first.\n"
    )  # fmt: skip
    done = run_command("import", "supabase", path, DATABASE_URL=empty_database_url)
    assert done.returncode == 0, done.stderr
    assert '"event":"migrated"' in done.stderr
    assert '"event":"catalog updated"' in done.stderr
    assert done.stderr.count("\n") == 2
    assert done.stdout.split()[:6] == ["table", "read", "inserted", "updated", "unchanged", "rejected"]
    assert len((await read_tables(empty_database_url))["agents"]) == len(ROWS["agents"])


async def test_import_of_an_export_gives_the_same_rows(
    cluster: ThrowawayCluster, migrated_template: str, database_url: str, tmp_path: Path
) -> None:
    source = write_snapshot(tmp_path / "a.zip", ROWS)
    assert run_command("import", "convex", source, DATABASE_URL=database_url).returncode == 0
    target = tmp_path / "out.zip"
    done = run_command("export", "convex", target, DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"agents                              {len(ROWS['agents'])}\n" in done.stdout
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "out.zip"]  # noqa: PTH208 - iterdir() blocks a coroutine
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
    other = await cluster.create_database(migrated_template)
    assert (
        run_command("import", "convex", target, "--strict", DATABASE_URL=cluster.build_dsn(other)).returncode
        == 0
    )
    assert (
        await _read_imported(cluster.build_dsn(other))
        == await _read_imported(database_url)
        == expect_tables(ROWS)
    )
    await cluster.drop_database(other)
    again = run_command("export", "convex", target, DATABASE_URL=database_url)
    assert (again.returncode, again.stderr) == (1, f"{target} exists already\n")


def test_import_with_rejected_row_exits_with_3(database_url: str, tmp_path: Path) -> None:
    bad = {**ROWS, "tenants": [*ROWS["tenants"], ROWS["tenants"][0] | {"id": "nameless", "name": None}]}
    path = write_snapshot(tmp_path / "a.zip", bad)
    for words in (["--strict"], ["--strict", "--dry-run"], ["--dry-run"], []):
        done = run_command("import", "convex", path, *words, DATABASE_URL=database_url)
        assert done.returncode == 3, done.stderr
        assert f"tenants, line {len(bad['tenants'])} (nameless): name: is required\n" in done.stdout


@pytest.mark.parametrize("key", [OLD_KEY.hex(), "k" * 32])
def test_import_output_has_no_secret(database_url: str, tmp_path: Path, key: str) -> None:
    rows = make_exported_world()
    known = [text for row in rows["data_sources"] for text in expected_secrets(row).values()]
    path = write_folder(tmp_path / "csv", with_sealed_secrets(rows))
    environment = {
        "DATABASE_URL": database_url,
        "IMPORT_SECRET_KEY": key,
        "SECRET_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }
    done = run_command("import", "supabase", path, **environment)
    assert done.returncode == 0, done.stderr
    assert not [text for text in (*known, key, *environment.values()) if text in done.stdout + done.stderr]


def test_import_of_no_export_prints_one_line(database_url: str, tmp_path: Path) -> None:
    done = run_command("import", "convex", tmp_path / "none.zip", DATABASE_URL=database_url)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{tmp_path}/none.zip does not exist\n")
    done = run_command("import", "convex", tmp_path, DATABASE_URL=database_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_import_and_export_invalid_arguments_print_usage(tmp_path: Path) -> None:
    for words in (
        ["import"],
        ["import", "oracle", tmp_path],
        ["import", "convex"],
        ["export"],
        ["export", "csv", tmp_path],
    ):
        done = run_command(*words)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: ")


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL", "lost connection"])
async def test_import_interrupted_names_the_imported_tables(
    database_url: str, tmp_path: Path, how: str
) -> None:
    """It waits for another transaction that adds the same site. Then it gets a signal, or loses its connection."""
    path = write_snapshot(tmp_path / "a.zip", ROWS)
    await run_import(database_url, path, "tenants")
    holder, site = await asyncpg.connect(database_url), ROWS["sites"][0]
    adding = holder.transaction()
    await adding.start()
    await holder.execute(
        "INSERT INTO sites (id, tenant_id, name, slug) VALUES ($1, $2, '', '')", site["id"], site["tenant_id"]
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "server.py", "import", "convex", path,
        cwd=ROOT, env={"DATABASE_URL": database_url, "PATH": ""}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    async with asyncio.timeout(HANG_S):
        while (waiting := await holder.fetchval(WAITING)) is None:  # noqa: ASYNC110 - PostgreSQL has no event for it
            await asyncio.sleep(0.05)
    if how == "lost connection":
        await holder.execute("SELECT pg_terminate_backend($1)", waiting)
    else:
        process.send_signal(signal.Signals[how])
    output, errors = map(bytes.decode, await asyncio.wait_for(process.communicate(), HANG_S))
    errors = "".join(line for line in errors.splitlines(keepends=True) if not line.startswith("{"))  # no log
    await adding.rollback()
    async with asyncio.timeout(HANG_S):
        while await holder.fetchval("SELECT true FROM pg_stat_activity WHERE pid = $1", waiting):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    await holder.close()
    if how != "SIGKILL":
        assert "\nImported before the failure: tenants, integrations, roles, users\n" in f"\n{output}"
    if how == "SIGKILL":
        assert process.returncode == -signal.SIGKILL
    elif how == "lost connection":
        assert output.startswith("The rejected rows cannot be listed, because the connection was lost.\n")
        assert process.returncode == 1
        assert errors.startswith("The import failed and can be repeated: ")
        assert "terminating connection due to administrator command" in errors
    else:
        assert (process.returncode, errors) == (130, "")
    there = await _read_imported(database_url)
    assert {table for table, rows in there.items() if rows} == {"tenants", "integrations", "roles", "users"}
    assert run_command("import", "convex", path, DATABASE_URL=database_url).returncode == 0
    assert await _read_imported(database_url) == expect_tables(ROWS)
