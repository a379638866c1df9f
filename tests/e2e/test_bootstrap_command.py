"""`server.py bootstrap` and `server.py key`, as an operator runs them."""

import asyncio
import base64
import re
import subprocess
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from core.auth.signing import SigningKey
from core.encryption import SecretKeys
from core.settings import Settings
from tests.e2e.servers import ROOT, run_command, start_server

ADMIN = ("--tenant", "Byte", "--admin-email", "a@byte.example")
SUBJECT = ("--admin-id", "user_2abc")
CREATED = ("tenants", "roles", "users")
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest_asyncio.fixture
async def owner(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


async def count_created(owner: asyncpg.Connection) -> list[int]:
    return [await owner.fetchval(f"SELECT count(*) FROM {table}") for table in CREATED]


async def test_bootstrap_command_prints_what_there_is_and_the_next_step(
    empty_database_url: str, owner: asyncpg.Connection
) -> None:
    first = run_command("bootstrap", *ADMIN, *SUBJECT, DATABASE_URL=empty_database_url)
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "Catalog", "Global roles", "Tenant", "Administrator", "Next",
    ]  # fmt: skip
    assert re.search(r"Tenant: Byte \([0-9a-f-]{36}, new\)", first.stdout)
    assert "a@byte.example (user_2abc, new)" in first.stdout
    again = run_command("bootstrap", *ADMIN, *SUBJECT, DATABASE_URL=empty_database_url)
    assert again.stdout == first.stdout.replace("new)", "there already)").replace(
        "(4 there already)", "(0 new)"
    )
    assert await count_created(owner) == [1, 4, 1]


@pytest.mark.newest
async def test_bootstrap_command_by_invitation_prints_a_code(empty_database_url: str) -> None:
    secret = run_command("key", "--secret").stdout.strip()
    done = run_command("bootstrap", *ADMIN, "--invite", DATABASE_URL=empty_database_url, SECRET_KEYS=secret)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Invitation code, until [0-9: -]{16} UTC: \S{40,}$", done.stdout, re.MULTILINE)


@pytest.mark.newest
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((*ADMIN, *SUBJECT, "--timezone", "Mars/Base"), "Mars/Base"),
        ((*ADMIN, "--invite"), "SECRET_KEYS"),
        ((*ADMIN[:2], "--admin-email", "nobody", *SUBJECT), "email"),
    ],
)
async def test_bootstrap_command_that_is_refused_says_why_in_one_line(
    empty_database_url: str,
    owner: asyncpg.Connection,
    tmp_path: Path,
    given: tuple[str, ...],
    message: str,
) -> None:
    done = run_command("bootstrap", *given, "--data-dir", tmp_path, DATABASE_URL=empty_database_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr.splitlines()[-1]
    assert await count_created(owner) == [0, 0, 0]


async def test_bootstrap_command_killed_before_its_commit_leaves_nothing(
    empty_database_url: str, owner: asyncpg.Connection
) -> None:
    assert run_command("migrate", DATABASE_URL=empty_database_url).returncode == 0
    watcher = await asyncpg.connect(empty_database_url)  # a transaction sees one state of pg_stat_activity
    async with owner.transaction():
        await owner.execute(
            "LOCK TABLE users IN EXCLUSIVE MODE"
        )  # its last row waits, the others are written
        process = await asyncio.create_subprocess_exec(
            sys.executable, "server.py", "bootstrap", *ADMIN, *SUBJECT,
            cwd=ROOT, env={"DATABASE_URL": empty_database_url}, stdout=DEVNULL, stderr=DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                while not await watcher.fetchval(WAITING):
                    assert process.returncode is None
                    await asyncio.sleep(0.02)
        finally:
            process.kill()
            await process.wait()
            await watcher.close()
    assert await count_created(owner) == [0, 0, 0]
    done = run_command("bootstrap", *ADMIN, *SUBJECT, DATABASE_URL=empty_database_url)
    assert done.returncode == 0, done.stderr
    assert await count_created(owner) == [1, 4, 1]


def test_key_command_prints_keys_that_the_settings_take() -> None:
    signing, secret = (run_command("key", kind).stdout for kind in ("--signing", "--secret"))
    assert signing.count("\n") == secret.count("\n") == 1
    settings = Settings(signing_key=SecretStr(signing.strip()), secret_keys=(SecretStr(secret.strip()),))
    assert SigningKey.load(settings) is not None
    assert SecretKeys.load(settings)
    assert len(base64.b64decode(secret)) == 32
    assert run_command("key", "--signing").stdout != signing
    assert run_command("key", "--secret").stdout != secret


@pytest.mark.parametrize("kind", ["--signing", "--secret"])
def test_key_command_prints_no_character_that_needs_quotes(kind: str, tmp_path: Path) -> None:
    """Neither a shell, nor an EnvironmentFile of systemd, nor a .env file gives these characters a meaning."""
    key = run_command("key", kind).stdout.removesuffix("\n")
    assert re.fullmatch("[A-Za-z0-9+/=]+", key)
    (tmp_path / "environment").write_text(f"KEY={key}\n")
    command = ["sh", "-euc", '. "$0"; printf %s "$KEY"', str(tmp_path / "environment")]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout == key


def test_key_command_without_a_kind_is_refused() -> None:
    assert run_command("key").returncode == 2


async def test_demo_in_a_real_database_is_refused_and_changes_nothing(
    empty_database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    done = run_command("bootstrap", *ADMIN, *SUBJECT, DATABASE_URL=empty_database_url)
    assert done.returncode == 0, done.stderr
    refused = run_command("--demo", "--port", 0, "--data-dir", tmp_path, DATABASE_URL=empty_database_url)
    assert refused.returncode == 1
    assert not list(tmp_path.iterdir()), "a key would make a demo of the directory"  # noqa: ASYNC240
    assert "not a demo's" in refused.stderr.splitlines()[-1]
    assert await count_created(owner) == [1, 4, 1]


def test_demo_with_an_issuer_is_refused(tmp_path: Path) -> None:
    refused = run_command("--demo", "--port", 0, "--data-dir", tmp_path, OIDC_ISSUER="https://issuer.example")
    assert not list(tmp_path.iterdir())
    assert refused.returncode == 1
    assert "OIDC_ISSUER" in refused.stderr


@pytest.mark.newest
@pytest.mark.newest
def test_demo_in_the_environment_is_not_read(empty_database_url: str) -> None:
    issuer: dict[str, Any] = {"OIDC_ISSUER": "https://issuer.example", "OIDC_AUDIENCES": "a"}
    with start_server(DATABASE_URL=empty_database_url, DEMO="true", **issuer) as server:
        assert server.lines[0].startswith("Serving on ")
        assert len(server.lines) == 1
