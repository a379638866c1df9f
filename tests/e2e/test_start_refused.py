"""Starts that cannot be: each says why in one line on stderr, and how it ends is not success."""

import subprocess
from pathlib import Path

import asyncpg
import pytest

from tests.clusters import ThrowawayCluster
from tests.e2e.servers import data_directory, ended

ISSUER = {"OIDC_ISSUER": "https://issuer.example"}


def _only_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip("\n")


def test_without_an_issuer_it_says_what_to_set() -> None:
    with data_directory() as fresh:
        line = _only_line(ended("--port", 0, "--data-dir", fresh))
        assert "OIDC_ISSUER" in line
        assert "--demo" in line
        assert not fresh.exists()


@pytest.mark.parametrize("command", [("--port", 0), ("migrate",)], ids=["serve", "migrate"])
def test_an_unreachable_database(command: tuple[object, ...]) -> None:
    line = _only_line(ended(*command, DATABASE_URL="postgresql://msp:hunter2@127.0.0.1:1/msp", **ISSUER))
    assert line.startswith("The database cannot be reached: ")
    assert "hunter2" not in line


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/msp", "postgresql://localhost:port/msp"])
def test_an_address_that_is_none(url: str) -> None:
    assert _only_line(ended("migrate", DATABASE_URL=url)).startswith("The database cannot be reached: ")


def test_a_bad_setting_is_named() -> None:
    assert _only_line(ended("--port", 70000)).startswith("PORT: ")
    assert _only_line(ended("migrate", POOL_SIZE="0")).startswith("POOL_SIZE: ")


def test_a_collector_without_the_packages(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()  # comes before the one that is installed
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "PYTHONPATH": str(tmp_path)}
    line = _only_line(ended("--port", 0, **ISSUER, **collector))
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set, but opentelemetry")
    assert "requirements-otel.txt" in line


def test_a_collector_that_is_no_address() -> None:
    line = _only_line(ended("--port", 0, OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317", **ISSUER))
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT: ")


def test_a_host_that_is_not_ours() -> None:
    line = _only_line(ended("--host", "192.0.2.1", "--port", 0, **ISSUER))
    assert line == "Cannot listen on 192.0.2.1, port 0: Cannot assign requested address"


def test_a_data_directory_that_cannot_be() -> None:
    assert "/proc/nowhere" in _only_line(ended("migrate", "--data-dir", "/proc/nowhere"))


def test_a_signing_key_that_is_none() -> None:
    line = _only_line(ended("token", "--platform", SIGNING_KEY="hunter2"))
    assert "SIGNING_KEY" in line
    assert "hunter2" not in line


def test_tokens_need_a_demo_or_a_key() -> None:
    with data_directory() as fresh:
        assert "--demo" in _only_line(ended("token", "somebody", "--data-dir", fresh))
        assert "SIGNING_KEY" in _only_line(ended("token", "--platform", "--data-dir", fresh))
        assert not fresh.exists()


async def _note_future_migration(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO aerich (version, app, content) VALUES ('999_future.py', 'models', '{}')"
        )
    finally:
        await connection.close()


@pytest.mark.parametrize("command", [("--port", 0), ("migrate",)], ids=["serve", "migrate"])
async def test_a_database_newer_than_the_code(database_url: str, command: tuple[object, ...]) -> None:
    await _note_future_migration(database_url)
    assert "newer" in _only_line(ended(*command, DATABASE_URL=database_url, **ISSUER))


async def test_a_migration_that_fails(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE tenants (id text)")
    await connection.close()
    line = _only_line(ended("--port", 0, DATABASE_URL=empty_database_url, **ISSUER))
    assert line.startswith("The migration of the database failed: ")
    assert "tenants" in line


async def test_a_database_that_is_not_utf8(cluster: ThrowawayCluster) -> None:
    connection = await asyncpg.connect(cluster.dsn("postgres"))
    await connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    await connection.close()
    try:
        line = _only_line(ended("migrate", DATABASE_URL=cluster.dsn("latin")))
    finally:
        await cluster.drop("latin")
    assert line == "The database's encoding is LATIN1; this needs UTF8."
