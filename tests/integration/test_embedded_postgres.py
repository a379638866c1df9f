"""The embedded PostgreSQL: its directory, sharing by several servers, and a complete end."""

import multiprocessing
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import asyncpg
import psutil
import pytest

from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.errors import StartupError
from tests.postgres_processes import find_postgres_processes

_SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory of the test's own. A process that still runs on it afterwards fails the test.

    This is not pytest's tmp_path: other sessions of pytest make that inaccessible for PostgreSQL's account
    meanwhile.
    """
    path = Path(tempfile.mkdtemp(prefix="msp-test-", dir="/tmp"))
    yield path
    left = find_postgres_processes(path)
    for process in left:
        process.kill()
    shutil.rmtree(path, ignore_errors=True)
    assert not left


async def _query(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "folder",
    ["plain", "with spaces, a comma and 'quotes'", "ünï/$HOME/%20", "/".join(["deep" * 10] * 5)],
    ids=["plain", "spaces", "unicode", "deep"],
)
async def test_start_in_unusual_directory_succeeds(data_dir: Path, folder: str) -> None:
    postgres = EmbeddedPostgres.start(data_dir / folder)
    try:
        assert await _query(postgres.dsn, "SELECT current_database()") == "msp"
        assert await _query(postgres.dsn, "SHOW server_encoding") == "UTF8"
        assert await _query(postgres.dsn, "SHOW listen_addresses") == ""
    finally:
        postgres.stop()


async def test_log_after_constraint_error_has_no_row_values(data_dir: Path) -> None:
    postgres = EmbeddedPostgres.start(data_dir)
    try:
        await _query(postgres.dsn, "CREATE TABLE t (name text UNIQUE CHECK (length(name) < 20))")
        for value in ("planted-1", "planted-1", "planted-2-which-is-too-long"):
            with suppress(asyncpg.IntegrityConstraintViolationError):
                connection = await asyncpg.connect(postgres.dsn)
                try:
                    await connection.execute("INSERT INTO t VALUES ($1)", value)
                finally:
                    await connection.close()
    finally:
        postgres.stop()
    log = (data_dir / "postgres.log").read_text()
    assert log.count("ERROR:") == 2
    assert "planted" not in log


def test_start_creates_private_directory_and_log(data_dir: Path) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "postgres.log").touch(0o644)
    (data_dir / "postgres.log").chmod(0o644)
    postgres = EmbeddedPostgres.start(data_dir)
    postgres.stop()
    assert stat.S_IMODE((data_dir / "postgres.log").stat().st_mode) == 0o600
    assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700


async def test_restart_keeps_data(data_dir: Path) -> None:
    first = EmbeddedPostgres.start(data_dir)
    await _query(first.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    first.stop()
    assert not find_postgres_processes(data_dir)
    second = EmbeddedPostgres.start(data_dir)
    try:
        assert await _query(second.dsn, "SELECT number FROM kept") == 7
    finally:
        second.stop()


def test_stop_twice_does_nothing(data_dir: Path) -> None:
    postgres = EmbeddedPostgres.start(data_dir)
    postgres.stop()
    postgres.stop()


def _run_other_server(data_dir: Path, pipe: Connection) -> None:
    """Another server's process: starts it, sends its address, and stops it on request."""
    postgres = EmbeddedPostgres.start(data_dir)
    pipe.send(postgres.dsn)
    pipe.recv()
    postgres.stop()


@contextmanager
def _start_other_server(data_dir: Path) -> Iterator[tuple[SpawnProcess, Connection]]:
    ours, theirs = _SPAWN.Pipe()
    server = _SPAWN.Process(target=_run_other_server, args=(data_dir, theirs))
    server.start()
    try:
        assert ours.poll(30)
        yield server, ours
    finally:
        server.kill()
        server.join()
        server.close()
        ours.close()
        theirs.close()


async def test_stop_by_last_of_two_servers_stops_postgres(data_dir: Path) -> None:
    with _start_other_server(data_dir) as (server, pipe):
        postgres = EmbeddedPostgres.start(data_dir)
        assert pipe.recv() == postgres.dsn
        pipe.send("stop")
        server.join(30)
        assert server.exitcode == 0
        assert await _query(postgres.dsn, "SELECT 1") == 1
        postgres.stop()
    assert not find_postgres_processes(data_dir)


async def test_stop_by_first_of_two_servers_keeps_postgres_running(data_dir: Path) -> None:
    with _start_other_server(data_dir) as (server, pipe):
        postgres = EmbeddedPostgres.start(data_dir)
        postgres.stop()
        assert await _query(postgres.dsn, "SELECT 1") == 1
        pipe.send("stop")
        server.join(30)
    assert not find_postgres_processes(data_dir)


async def test_start_after_killed_server_takes_postgres_over(data_dir: Path) -> None:
    with _start_other_server(data_dir):
        pass  # and it is killed
    assert find_postgres_processes(data_dir)
    postgres = EmbeddedPostgres.start(data_dir)
    assert await _query(postgres.dsn, "SELECT 1") == 1
    postgres.stop()
    assert not find_postgres_processes(data_dir)


async def test_start_after_killed_server_and_postgres_recovers(data_dir: Path) -> None:
    with _start_other_server(data_dir):
        pass  # and it is killed
    for process in find_postgres_processes(data_dir):
        with suppress(psutil.NoSuchProcess):  # the others end by themselves when the first is gone
            process.kill()
    postgres = EmbeddedPostgres.start(data_dir)
    try:
        assert await _query(postgres.dsn, "SELECT 1") == 1
    finally:
        postgres.stop()


async def test_start_with_pid_file_of_another_program_succeeds(data_dir: Path) -> None:
    EmbeddedPostgres.start(data_dir).stop()
    (data_dir / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{data_dir}/postgres\n1\n5432\n\n\n\n"
    )
    postgres = EmbeddedPostgres.start(data_dir)
    try:
        assert await _query(postgres.dsn, "SELECT 1") == 1
    finally:
        postgres.stop()


def test_start_after_interrupted_initdb_removes_its_directory(data_dir: Path) -> None:
    (data_dir / "postgres.new-left-by-a-kill" / "base").mkdir(parents=True)
    EmbeddedPostgres.start(data_dir).stop()
    assert not list(data_dir.glob("postgres.new-*"))


def test_stop_after_directory_is_removed_ends_all_processes(data_dir: Path) -> None:
    postgres = EmbeddedPostgres.start(data_dir)
    processes = find_postgres_processes(data_dir)
    shutil.rmtree(data_dir)
    postgres.stop()
    assert processes
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_start_on_directory_of_another_version_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(StartupError, match="created by PostgreSQL 16; the embedded version is 18"):
        EmbeddedPostgres.start(data_dir)


def test_start_with_invalid_configuration_raises_one_line_error(data_dir: Path) -> None:
    EmbeddedPostgres.start(data_dir).stop()
    with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'a lot'\n")
    with pytest.raises(StartupError, match="did not start") as caught:
        EmbeddedPostgres.start(data_dir)
    assert "\n" not in str(caught.value)


def test_start_in_impossible_directory_raises_startup_error() -> None:
    with pytest.raises(StartupError, match="cannot use /proc/nowhere"):
        EmbeddedPostgres.start(Path("/proc/nowhere"))
