"""Failing starts: each prints its reason in one line on stderr, and exits with an error."""

import subprocess
from pathlib import Path

import asyncpg
import pytest

from tests.clusters import ThrowawayCluster
from tests.e2e.servers import run_command, temporary_data_dir

ISSUER = {"OIDC_ISSUER": "https://issuer.example", "OIDC_AUDIENCES": "msp"}


def _read_only_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.endswith("\n")
    (line,) = [each for each in result.stderr.splitlines() if '"event":"starting"' not in each]
    return line


def test_start_without_issuer_names_what_to_set() -> None:
    with temporary_data_dir() as fresh:
        line = _read_only_line(run_command("--port", 0, "--data-dir", fresh))
        assert "OIDC_ISSUER" in line
        assert "--demo" in line
        assert not fresh.exists()


def test_start_for_any_client_of_the_issuer_names_what_to_set() -> None:
    line = _read_only_line(run_command("--port", 0, OIDC_ISSUER="https://issuer.example"))
    assert "OIDC_ANY_CLIENT=true" in line


def test_command_with_misspelled_variable_warns_with_the_near_name() -> None:
    result = run_command("key", "--secret", OIDC_AUTHORISED_PARTIES="x", DEMO="1")
    assert result.returncode == 0
    (line,) = result.stderr.splitlines()
    assert '"variable":"OIDC_AUTHORISED_PARTIES"' in line
    assert '"near":"OIDC_AUTHORIZED_PARTIES"' in line


@pytest.mark.parametrize("command", [("--port", 0), ("migrate",)], ids=["serve", "migrate"])
def test_start_with_unreachable_database_is_refused_without_password(command: tuple[object, ...]) -> None:
    line = _read_only_line(
        run_command(*command, DATABASE_URL="postgresql://msp:hunter2@127.0.0.1:1/msp", **ISSUER)
    )
    assert line.startswith("The database is unreachable: ")
    assert "hunter2" not in line


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/msp", "postgresql://localhost:port/msp"])
def test_start_with_invalid_database_url_is_refused(url: str) -> None:
    assert _read_only_line(run_command("migrate", DATABASE_URL=url)).startswith(
        "The database is unreachable: "
    )


def test_start_with_invalid_setting_names_it() -> None:
    assert _read_only_line(run_command("--port", 70000)).startswith("PORT: ")
    assert _read_only_line(run_command("migrate", POOL_SIZE="0")).startswith("POOL_SIZE: ")


def test_start_with_collector_but_without_packages_is_refused(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()  # found before the installed one
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "PYTHONPATH": str(tmp_path)}
    line = _read_only_line(run_command("--port", 0, **ISSUER, **collector))
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set, but opentelemetry")
    assert "requirements-otel.txt" in line


def test_start_with_invalid_collector_url_is_refused() -> None:
    line = _read_only_line(run_command("--port", 0, OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317", **ISSUER))
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT: ")


def test_start_on_foreign_host_is_refused() -> None:
    line = _read_only_line(run_command("--host", "192.0.2.1", "--port", 0, **ISSUER))
    assert line == "Cannot listen on 192.0.2.1, port 0: Cannot assign requested address"


def test_start_with_unusable_data_dir_is_refused() -> None:
    assert "/proc/nowhere" in _read_only_line(run_command("migrate", "--data-dir", "/proc/nowhere"))


def test_token_command_with_invalid_signing_key_is_refused() -> None:
    line = _read_only_line(run_command("token", "--platform", SIGNING_KEY="hunter2"))
    assert "SIGNING_KEY" in line
    assert "hunter2" not in line


def test_token_command_without_demo_or_key_is_refused() -> None:
    with temporary_data_dir() as fresh:
        assert "--demo" in _read_only_line(run_command("token", "somebody", "--data-dir", fresh))
        assert "SIGNING_KEY" in _read_only_line(run_command("token", "--platform", "--data-dir", fresh))
        assert not fresh.exists()


async def _insert_future_migration(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO aerich (version, app, content) VALUES ('999_future.py', 'models', '{}')"
        )
    finally:
        await connection.close()


@pytest.mark.newest
@pytest.mark.parametrize("command", [("--port", 0), ("migrate",)], ids=["serve", "migrate"])
async def test_start_with_newer_database_is_refused(database_url: str, command: tuple[object, ...]) -> None:
    await _insert_future_migration(database_url)
    assert "newer" in _read_only_line(run_command(*command, DATABASE_URL=database_url, **ISSUER))


@pytest.mark.newest
async def test_start_with_failing_migration_is_refused(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE tenants (id text)")
    await connection.close()
    line = _read_only_line(run_command("--port", 0, DATABASE_URL=empty_database_url, **ISSUER))
    assert line.startswith("The migration of the database failed: ")
    assert "tenants" in line


async def test_migrate_command_with_latin1_database_is_refused(cluster: ThrowawayCluster) -> None:
    connection = await asyncpg.connect(cluster.build_dsn("postgres"))
    await connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    await connection.close()
    try:
        line = _read_only_line(run_command("migrate", DATABASE_URL=cluster.build_dsn("latin")))
    finally:
        await cluster.drop_database("latin")
    assert line == "The encoding of the database must be UTF8, not LATIN1."
