"""Throwaway PostgreSQL clusters for the tests: the embedded 18, and Debian's 15."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from core.database.embedded.cluster import Cluster, build_dsn
from core.database.embedded.embedded_postgres import ensure_unprivileged_account, find_wheel_binaries
from core.database.embedded.postmaster import PORT, Postmaster, has_orphaned_children, stop_process
from services.activation import set_active

DEBIAN_15: Final = Path("/usr/lib/postgresql/15/bin")
VERSIONS: Final = (18, 15)
ROLE: Final = "msp"
"""The role of the tests' connections. It is no superuser, as a careful operator would have it."""

_OPTIONS: Final = {
    "fsync": "off",  # no test needs the data after a crash of the machine
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # tests of plans need statistics that change only when a test says so
    "max_connections": "60",
}


def find_binaries(version: int) -> Path:
    """The directory of that version's programs. Debian's 15 may be missing."""
    return find_wheel_binaries() if version == 18 else DEBIAN_15


class ThrowawayCluster:
    """A running cluster. Tests create and drop databases in it."""

    def __init__(self, version: int, cluster: Cluster, log: Path, options: Mapping[str, str]) -> None:
        self.version = version
        self._cluster = cluster
        self._log = log
        self._options = options
        self._server = cluster.start(log, options)
        self._numbers = itertools.count(1)

    @property
    def socket_dir(self) -> Path:
        """The directory of its socket."""
        return self._server.socket_dir

    def stop(self) -> None:
        """Stop it for good."""
        self._server.stop()

    def restart(self) -> None:
        """Stop it gracefully, and start it again."""
        self.stop()
        self._server = self._cluster.start(self._log, self._options)

    def kill(self) -> None:
        """Kill all its processes, as a power cut does."""
        stop_process(self._server.process, signal.SIGKILL)
        while has_orphaned_children(self._cluster.data):
            time.sleep(0.01)

    def crash(self) -> None:
        """Kill all its processes, and start it again: it recovers as after a power cut."""
        self.kill()
        self._server = self._cluster.start(self._log, self._options)

    @property
    def postmaster(self) -> psutil.Process:
        """Its main process."""
        return self._server.process

    def run_basebackup(self, data: Path) -> Cluster:
        """Copy the running cluster to `data` as a standby of it, not started yet."""
        copied = replace(self._cluster, data=data)
        copied._run_program(
            "pg_basebackup", "-D", str(data), "-R", "-X", "stream", "-c", "fast", "-U", "postgres",
            "-h", str(self.socket_dir), "-p", PORT,
        )  # fmt: skip
        return copied

    def copy_data(self) -> Path:
        """Stop it, copy its directory, and start it again; returns the copy, which is deleted with the cluster."""
        copied = self._log.with_name("copy")
        self.stop()
        self._replace(self._cluster.data, copied)
        self._server = self._cluster.start(self._log, _OPTIONS)
        return copied

    def restore_data(self, copied: Path) -> None:
        """Replace its files by a copy: everything written since is gone."""
        self.stop()
        self._replace(copied, self._cluster.data)
        self._server = self._cluster.start(self._log, _OPTIONS)

    @staticmethod
    def _replace(source: Path, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", source, target], check=True)

    def build_dsn(self, database: str, role: str = ROLE) -> str:
        """The DSN of one of its databases, by default for the tests' role."""
        return build_dsn(self.socket_dir, database, role)

    async def create_database(self, template: str = "template0", role: str = ROLE) -> str:
        """Create a database, empty (UTF8, locale C) or a copy of the database `template`; returns its name.

        `role` becomes its owner. It must own the template, too.
        """
        name = f"msp_{next(self._numbers)}"
        options = "ENCODING 'UTF8' LOCALE 'C'" if template == "template0" else ""
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {options}', role)
        if template != "template0":
            await self._activate(name, role)
        return name

    async def _activate(self, name: str, role: str) -> None:
        """Let servers act for a copy of a template, which is paused as every copy is."""
        connection = await asyncpg.connect(self.build_dsn(name, role))
        try:
            await set_active(connection, active=True)
        except asyncpg.UndefinedTableError:
            pass  # it is not migrated
        finally:
            await connection.close()

    async def drop_database(self, name: str) -> None:
        """Drop a database and close all connections to it."""
        await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)', role="postgres")

    async def _execute(self, statement: str, role: str = ROLE) -> None:
        connection = await asyncpg.connect(self.build_dsn("postgres", role))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def start_throwaway_cluster(version: int, **options: str) -> Iterator[ThrowawayCluster]:
    """A fresh cluster of that version in a directory of its own. It leaves nothing behind.

    `options` are settings of PostgreSQL in addition to the tests' usual ones.
    """
    home = Path(tempfile.mkdtemp(prefix=f"msp-test-{version}-", dir="/tmp"))
    account = ensure_unprivileged_account() if os.geteuid() == 0 else None
    try:
        if account:
            account.take_ownership(home)
        cluster = Cluster(find_binaries(version), home / "data", account)
        cluster.initialize()
        running = ThrowawayCluster(version, cluster, home / "log", _OPTIONS | options)
        try:
            cluster.run_sql(running.socket_dir, f"CREATE ROLE {ROLE} LOGIN CREATEDB CREATEROLE")
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(home)


class Standby:
    """A running standby of a throwaway cluster."""

    def __init__(self, server: Postmaster) -> None:
        self._server = server

    def build_dsn(self, database: str, role: str = ROLE) -> str:
        """The DSN of one of its databases."""
        return build_dsn(self._server.socket_dir, database, role)

    @property
    def socket_dir(self) -> Path:
        """The directory of its socket."""
        return self._server.socket_dir

    async def promote(self) -> None:
        """Make it a primary, and wait until it is one."""
        connection = await asyncpg.connect(self.build_dsn("postgres", "postgres"))
        try:
            assert await connection.fetchval("SELECT pg_promote()")
        finally:
            await connection.close()

    async def wait_until_replayed(self, lsn: str) -> None:
        """Wait until it shows what the primary had written up to this position of its log."""
        connection = await asyncpg.connect(self.build_dsn("postgres", "postgres"))
        try:
            query = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn FROM pg_sleep(0.05)"
            while not await connection.fetchval(query, lsn):
                pass
        finally:
            await connection.close()


@contextmanager
def start_standby(primary: ThrowawayCluster) -> Iterator[Standby]:
    """A streaming standby of a running cluster."""
    data = primary._log.with_name("standby")
    server = primary.run_basebackup(data).start(primary._log.with_name("standby.log"), primary._options)
    try:
        yield Standby(server)
    finally:
        server.stop()
