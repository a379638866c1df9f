"""Throw-away PostgreSQL clusters for the tests: the embedded 18, and Debian's 15."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg

from core.cluster import Cluster, dsn
from core.embedded import binaries_of_wheel, roots_stand_in
from core.postmaster import end, has_survivors

DEBIAN_15: Final = Path("/usr/lib/postgresql/15/bin")
VERSIONS: Final = (18, 15)
ROLE: Final = "msp"
"""The role that tests connect as: no superuser, as a careful operator would have it."""

_OPTIONS: Final = {
    "fsync": "off",  # what a crash would lose is thrown away anyway
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # plans are tested: statistics change when a test says so
    "max_connections": "60",
}


def binaries(version: int) -> Path:
    """Where the programs of that version are; Debian's 15 may be missing."""
    return binaries_of_wheel() if version == 18 else DEBIAN_15


class ThrowawayCluster:
    """A running cluster; databases are made in it and dropped as tests come and go."""

    def __init__(self, version: int, cluster: Cluster, log: Path, options: Mapping[str, str]) -> None:
        self.version = version
        self._cluster = cluster
        self._log = log
        self._options = options
        self._server = cluster.start(log, options)
        self._numbers = itertools.count(1)

    @property
    def socket_dir(self) -> Path:
        """Where it listens."""
        return self._server.socket_dir

    def stop(self) -> None:
        """Stop it for good."""
        self._server.stop()

    def restart(self) -> None:
        """Stop it as one should, and start it again."""
        self.stop()
        self._server = self._cluster.start(self._log, self._options)

    def crash(self) -> None:
        """Kill it with all of its processes, and start it again: it recovers as after a power cut."""
        end(self._server.process, signal.SIGKILL)
        while has_survivors(self._cluster.data):
            time.sleep(0.01)
        self._server = self._cluster.start(self._log, self._options)

    def copy(self) -> Path:
        """Stop it, copy its directory, and start it again; gives the copy, which goes with the cluster."""
        copied = self._log.with_name("copy")
        self.stop()
        self._replace(self._cluster.data, copied)
        self._server = self._cluster.start(self._log, _OPTIONS)
        return copied

    def go_back_to(self, copied: Path) -> None:
        """Put a copy in the place of what is there: everything since is as if it had never been."""
        self.stop()
        self._replace(copied, self._cluster.data)
        self._server = self._cluster.start(self._log, _OPTIONS)

    @staticmethod
    def _replace(source: Path, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", source, target], check=True)

    def dsn(self, database: str, role: str = ROLE) -> str:
        """The address of one of its databases, for the tests' role unless another is named."""
        return dsn(self.socket_dir, database, role)

    async def create(self, template: str = "template0") -> str:
        """Makes a database, empty (UTF8, locale C) or a copy of the database `template`; returns its name."""
        name = f"msp_{next(self._numbers)}"
        options = "ENCODING 'UTF8' LOCALE 'C'" if template == "template0" else ""
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {options}')
        return name

    async def drop(self, name: str) -> None:
        """Drops a database, throwing out whoever is connected to it."""
        await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)', role="postgres")

    async def _execute(self, statement: str, role: str = ROLE) -> None:
        connection = await asyncpg.connect(self.dsn("postgres", role))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def throwaway_cluster(version: int, **options: str) -> Iterator[ThrowawayCluster]:
    """A fresh cluster of that version in a directory of its own; nothing of it is left afterwards.

    `options` are settings of PostgreSQL other than those that tests have.
    """
    home = Path(tempfile.mkdtemp(prefix=f"msp-test-{version}-", dir="/tmp"))
    account = roots_stand_in() if os.geteuid() == 0 else None
    try:
        if account:
            account.own(home)
        cluster = Cluster(binaries(version), home / "data", account)
        cluster.initialise()
        running = ThrowawayCluster(version, cluster, home / "log", _OPTIONS | options)
        try:
            cluster.sql(running.socket_dir, f"CREATE ROLE {ROLE} LOGIN CREATEDB CREATEROLE")
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(home)
