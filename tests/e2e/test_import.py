"""The commands `import` and `export` as an operator runs them, beside a server whose live queries see what comes."""

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

import asyncpg
import pytest

from tests.clusters import ThrowawayCluster
from tests.e2e.servers import ROOT, Server, ended
from tests.exports.convex import write_snapshot
from tests.exports.supabase import write_folder
from tests.exports.world import OLD_KEY, Row, secrets, with_sealed, without_secrets, world
from tests.importing import contents, expected, imported
from tests.live.client import Question, live_client

pytestmark = pytest.mark.newest

ROWS = without_secrets(world())
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
ALL = Question.of("sites { totalCount }")


async def _first_site(url: str) -> Row:
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


async def _import(url: str, path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(ended, "import", "convex", path, *words, DATABASE_URL=url)


async def test_live_queries_see_an_import(server: Server, demo_database: str, tmp_path: Path) -> None:
    site = await _first_site(demo_database)
    new = [site | {"id": f"new-{number}", "slug": f"new-{number}"} for number in range(500)]
    path = write_snapshot(tmp_path / "a.zip", {"sites": [site | {"name": "Renamed by an import"}, *new]})
    one = Question.of(f'site(id: "{site["id"]}") {{ name }}')
    async with live_client(server.url, server.tokens[0][1]) as client:
        every, named = await client.follow(ALL), await client.follow(one)
        before = (await every.first())["sites"]["totalCount"]
        assert (await named.first())["site"]["name"] == site["name"]
        done = await _import(demo_database, path, "--dry-run")
        assert done.returncode == 0, done.stderr
        done = await _import(demo_database, path)
        assert done.returncode == 0, done.stderr
        await every.until(lambda told: told.data["sites"]["totalCount"] == before + len(new))
        await named.until(lambda told: told.data["site"]["name"] == "Renamed by an import")
        assert (every.states, named.states) == (2, 2)
        again = await _import(demo_database, path)
        assert f"{len(new) + 1:>11}          0          0        501          0" in again.stdout
        probe = site | {"id": "probe", "slug": "probe"}
        await _import(demo_database, write_snapshot(tmp_path / "b.zip", {"sites": [probe]}))
        await every.until(lambda told: told.data["sites"]["totalCount"] == before + len(new) + 1)
        assert (every.states, named.states) == (3, 2)


def test_the_bar_is_gone_when_the_report_is_told(database_url: str, tmp_path: Path) -> None:
    """On a terminal, where both are shown."""
    shown = _on_a_terminal(
        "import", "convex", write_snapshot(tmp_path / "a.zip", ROWS), DATABASE_URL=database_url
    )
    bar, report = shown.split("table  ", 1)
    assert "━" in bar
    assert bar.endswith("\x1b[2K"), "the line of the bar is cleared"
    assert "━" not in report
    assert "\x1b" not in report


def _on_a_terminal(*words: object, **environment: str) -> str:
    """What a command shows on a terminal until it ends."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "server.py", *map(str, words)]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment, "TERM": "xterm"}, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # so says a terminal whose other side is gone
            while part := os.read(ours, 1 << 16):
                shown += part
        os.close(ours)
    assert process.returncode == 0, shown.decode()
    return shown.decode()


async def test_an_empty_database_is_migrated_and_filled(empty_database_url: str, tmp_path: Path) -> None:
    path = write_folder(tmp_path / "csv", ROWS)
    trial = ended("import", "supabase", path, "--dry-run", DATABASE_URL=empty_database_url)
    assert (trial.returncode, trial.stderr) == (
        1, "A dry run changes nothing, and the database needs migration: run `python server.py migrate` first.\n"
    )  # fmt: skip
    done = ended("import", "supabase", path, DATABASE_URL=empty_database_url)
    assert done.returncode == 0, done.stderr
    assert '"event":"migrated"' in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout.split()[:6] == ["table", "read", "inserted", "updated", "unchanged", "rejected"]
    assert len((await contents(empty_database_url))["agents"]) == len(ROWS["agents"])


async def test_out_and_in_again(
    cluster: ThrowawayCluster, template: str, database_url: str, tmp_path: Path
) -> None:
    source = write_snapshot(tmp_path / "a.zip", ROWS)
    assert ended("import", "convex", source, DATABASE_URL=database_url).returncode == 0
    target = tmp_path / "out.zip"
    done = ended("export", "convex", target, DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"agents                              {len(ROWS['agents'])}\n" in done.stdout
    assert target.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "out.zip"]  # noqa: PTH208 - iterdir() is not for coroutines
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
    other = await cluster.create(template)
    assert ended("import", "convex", target, "--strict", DATABASE_URL=cluster.dsn(other)).returncode == 0
    assert await contents(cluster.dsn(other)) == await contents(database_url) == expected(ROWS)
    await cluster.drop(other)
    again = ended("export", "convex", target, DATABASE_URL=database_url)
    assert (again.returncode, again.stderr) == (1, f"{target} is there already\n")


def test_strict_ends_with_status_1_where_a_row_is_rejected(database_url: str, tmp_path: Path) -> None:
    bad = {**ROWS, "tenants": [*ROWS["tenants"], ROWS["tenants"][0] | {"id": "nameless", "name": None}]}
    path = write_snapshot(tmp_path / "a.zip", bad)
    for words, status in ((["--strict"], 1), (["--strict", "--dry-run"], 1), (["--dry-run"], 0), ([], 0)):
        done = ended("import", "convex", path, *words, DATABASE_URL=database_url)
        assert done.returncode == status, done.stderr
        assert f"tenants, line {len(bad['tenants'])} (nameless): name: is missing\n" in done.stdout


@pytest.mark.parametrize("key", [OLD_KEY.hex(), "k" * 32])
def test_no_secret_is_ever_shown(database_url: str, tmp_path: Path, key: str) -> None:
    rows = world()
    known = [text for row in rows["data_sources"] for text in secrets(row).values()]
    path = write_folder(tmp_path / "csv", with_sealed(rows))
    environment = {
        "DATABASE_URL": database_url,
        "IMPORT_SECRET_KEY": key,
        "SECRET_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    }
    done = ended("import", "supabase", path, **environment)
    assert done.returncode == 0, done.stderr
    assert not [text for text in (*known, key, *environment.values()) if text in done.stdout + done.stderr]


def test_what_is_no_export_ends_with_one_line(database_url: str, tmp_path: Path) -> None:
    done = ended("import", "convex", tmp_path / "none.zip", DATABASE_URL=database_url)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{tmp_path}/none.zip is not there\n")
    done = ended("import", "convex", tmp_path, DATABASE_URL=database_url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_bad_command_line(tmp_path: Path) -> None:
    for words in (
        ["import"],
        ["import", "oracle", tmp_path],
        ["import", "convex"],
        ["export"],
        ["export", "csv", tmp_path],
    ):
        done = ended(*words)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: ")


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "lost connection"])
async def test_an_import_that_is_broken_off_says_what_is_in(
    database_url: str, tmp_path: Path, how: str
) -> None:
    """It waits for somebody who is adding the same site, and is told to end, or loses its connection."""
    path = write_snapshot(tmp_path / "a.zip", ROWS)
    await imported(database_url, path, "tenants")
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
    async with asyncio.timeout(30):
        while (waiting := await holder.fetchval(WAITING)) is None:  # noqa: ASYNC110 - it is PostgreSQL that waits
            await asyncio.sleep(0.05)
    if how == "lost connection":
        await holder.execute("SELECT pg_terminate_backend($1)", waiting)
    else:
        process.send_signal(signal.Signals[how])
    output, errors = map(bytes.decode, await asyncio.wait_for(process.communicate(), 10))
    await adding.rollback()
    await holder.close()
    assert "\nImported before it broke off: tenants, integrations, roles, users\n" in f"\n{output}"
    if how == "lost connection":
        assert output.startswith("The rejected rows cannot be named, as the connection is gone.\n")
        assert process.returncode == 1
        assert errors.startswith("The import broke off, and may be run again: ")
        assert "terminating connection due to administrator command" in errors
    else:
        assert (process.returncode, errors) == (130, "")
    there = await contents(database_url)
    assert {table for table, rows in there.items() if rows} == {"tenants", "integrations", "roles", "users"}
    assert ended("import", "convex", path, DATABASE_URL=database_url).returncode == 0
    assert await contents(database_url) == expected(ROWS)
