"""The embedded PostgreSQL: where it can live, who shares it, and that nothing of it is left behind."""

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

from core.embedded import EmbeddedPostgres
from core.errors import StartupError
from tests.postgres_processes import postgres_processes

_SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory of the test's own; whatever still runs on it afterwards fails the test.

    Not pytest's tmp_path: other sessions of pytest close that for PostgreSQL's account while we run.
    """
    path = Path(tempfile.mkdtemp(prefix="msp-test-", dir="/tmp"))
    yield path
    left = postgres_processes(path)
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
    "place",
    ["plain", "with spaces, a comma and 'quotes'", "ünï/$HOME/%20", "/".join(["deep" * 10] * 5)],
    ids=["plain", "spaces", "unicode", "deep"],
)
async def test_it_lives_anywhere(data_dir: Path, place: str) -> None:
    postgres = EmbeddedPostgres.start(data_dir / place)
    try:
        assert await _query(postgres.dsn, "SELECT current_database()") == "msp"
        assert await _query(postgres.dsn, "SHOW server_encoding") == "UTF8"
        assert await _query(postgres.dsn, "SHOW listen_addresses") == ""
    finally:
        postgres.stop()


def test_only_its_own_account_may_enter(data_dir: Path) -> None:
    postgres = EmbeddedPostgres.start(data_dir)
    postgres.stop()
    assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700


async def test_data_outlive_a_restart(data_dir: Path) -> None:
    first = EmbeddedPostgres.start(data_dir)
    await _query(first.dsn, "CREATE TABLE kept AS SELECT 7 AS number")
    first.stop()
    assert not postgres_processes(data_dir)
    second = EmbeddedPostgres.start(data_dir)
    try:
        assert await _query(second.dsn, "SELECT number FROM kept") == 7
    finally:
        second.stop()


def test_stopping_twice_does_nothing(data_dir: Path) -> None:
    postgres = EmbeddedPostgres.start(data_dir)
    postgres.stop()
    postgres.stop()


def _hold(data_dir: Path, pipe: Connection) -> None:
    """Another server's process: starts it, tells its address, and stops it when told to."""
    postgres = EmbeddedPostgres.start(data_dir)
    pipe.send(postgres.dsn)
    pipe.recv()
    postgres.stop()


@contextmanager
def _another_server(data_dir: Path) -> Iterator[tuple[SpawnProcess, Connection]]:
    ours, theirs = _SPAWN.Pipe()
    server = _SPAWN.Process(target=_hold, args=(data_dir, theirs))
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


async def test_the_last_of_two_stops_it(data_dir: Path) -> None:
    with _another_server(data_dir) as (server, pipe):
        postgres = EmbeddedPostgres.start(data_dir)
        assert pipe.recv() == postgres.dsn
        pipe.send("stop")
        server.join(30)
        assert server.exitcode == 0
        assert await _query(postgres.dsn, "SELECT 1") == 1
        postgres.stop()
    assert not postgres_processes(data_dir)


async def test_the_first_to_leave_leaves_it_to_the_other(data_dir: Path) -> None:
    with _another_server(data_dir) as (server, pipe):
        postgres = EmbeddedPostgres.start(data_dir)
        postgres.stop()
        assert await _query(postgres.dsn, "SELECT 1") == 1
        pipe.send("stop")
        server.join(30)
    assert not postgres_processes(data_dir)


async def test_after_a_kill_the_next_one_takes_it_over_and_stops_it(data_dir: Path) -> None:
    with _another_server(data_dir):
        pass  # and it is killed
    assert postgres_processes(data_dir)
    postgres = EmbeddedPostgres.start(data_dir)
    assert await _query(postgres.dsn, "SELECT 1") == 1
    postgres.stop()
    assert not postgres_processes(data_dir)


async def test_after_a_kill_of_both_it_recovers(data_dir: Path) -> None:
    with _another_server(data_dir):
        pass  # and it is killed
    for process in postgres_processes(data_dir):
        with suppress(psutil.NoSuchProcess):  # the others end by themselves when the first is gone
            process.kill()
    postgres = EmbeddedPostgres.start(data_dir)
    try:
        assert await _query(postgres.dsn, "SELECT 1") == 1
    finally:
        postgres.stop()


async def test_a_pid_that_another_program_has_now_is_no_rival(data_dir: Path) -> None:
    EmbeddedPostgres.start(data_dir).stop()
    (data_dir / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{data_dir}/postgres\n1\n5432\n\n\n\n"
    )
    postgres = EmbeddedPostgres.start(data_dir)
    try:
        assert await _query(postgres.dsn, "SELECT 1") == 1
    finally:
        postgres.stop()


def test_a_half_made_directory_is_made_anew(data_dir: Path) -> None:
    (data_dir / "postgres.new-left-by-a-kill" / "base").mkdir(parents=True)
    EmbeddedPostgres.start(data_dir).stop()
    assert not list(data_dir.glob("postgres.new-*"))


def test_it_stops_although_its_directory_is_gone(data_dir: Path) -> None:
    postgres = EmbeddedPostgres.start(data_dir)
    processes = postgres_processes(data_dir)
    shutil.rmtree(data_dir)
    postgres.stop()
    assert processes
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_another_version_s_directory_is_refused(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(StartupError, match="made by PostgreSQL 16; the embedded one is 18"):
        EmbeddedPostgres.start(data_dir)


def test_what_hinders_postgresql_is_told_in_one_line(data_dir: Path) -> None:
    EmbeddedPostgres.start(data_dir).stop()
    with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = 'a lot'\n")
    with pytest.raises(StartupError, match="did not start") as caught:
        EmbeddedPostgres.start(data_dir)
    assert "\n" not in str(caught.value)


def test_a_directory_that_cannot_be_made_is_told_in_one_line() -> None:
    with pytest.raises(StartupError, match="cannot use /proc/nowhere"):
        EmbeddedPostgres.start(Path("/proc/nowhere"))
