"""A PostgreSQL cluster on this machine: created, started and stopped with the binaries of any version."""

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import psutil

from core.database.embedded.postmaster import (
    POLL_INTERVAL_S,
    PORT,
    SOCKET_DIR_PREFIX,
    Postmaster,
    has_orphaned_children,
    remove_stale_locks,
    stop_process,
)
from core.errors import StartupError

SOCKET_DIR_MAX: Final = 85
"""Bytes. A socket's address holds 104 on macOS and 108 on Linux, and the socket's own name takes 14."""
START_TIMEOUT_S: Final = 300
"""Crash recovery replays up to max_wal_size (1 GiB). This takes minutes on a slow disk."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that PostgreSQL runs as. PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @classmethod
    def find_by_name(cls, name: str) -> "Account":
        """The account of that name; raises KeyError if there is none."""
        entry = pwd.getpwnam(name)
        return cls(entry.pw_uid, entry.pw_gid)

    def take_ownership(self, path: Path) -> None:
        """Make the account the owner of a directory, and make the directory reachable for it."""
        os.chown(path, self.uid, self.gid)
        self.make_reachable(path)

    @staticmethod
    def make_reachable(path: Path) -> None:
        """Allow every account to pass through (not list) the directories above, if one of them is closed."""
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory and the binaries that serve it.

    `account` is the system account to run as, None for the current one. All failures are StartupErrors of one line.
    """

    binaries: Path
    data: Path
    account: Account | None

    def initialize(self) -> None:
        """Create the data directory completely or not at all. Do nothing if it exists."""
        if (self.data / "PG_VERSION").exists():
            return
        for stale in self.data.parent.glob(self.data.name + ".new-*"):
            shutil.rmtree(stale, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=self.data.name + ".new-", dir=self.data.parent))
        try:
            if self.account:
                self.account.take_ownership(fresh)
            self._run_program(
                "initdb", "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"
            )
            fresh.rename(self.data)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def start(self, log: Path, options: Mapping[str, str]) -> Postmaster:
        """Start the server, unless it is running, and wait until it accepts connections.

        `options` are PostgreSQL's settings. PostgreSQL's own messages go to the file `log`.
        """
        started: list[psutil.Popen] = []
        try:
            return self._wait_until_started(started, log, options)
        except BaseException:
            for process in started:
                stop_process(process, signal.SIGQUIT)
            raise

    def _wait_until_started(
        self, started: list[psutil.Popen], log: Path, options: Mapping[str, str]
    ) -> Postmaster:
        """As `start`; adds the process that it starts to `started`."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            running = Postmaster.read(self.data)
            if running and running.accepts_connections():
                return replace(running, process=started[0] if started else running.process)
            if started and started[0].poll() is not None:
                raise StartupError(f"PostgreSQL did not start in {self.data}: {_read_last_error(log)}")
            if running is None and not started and not has_orphaned_children(self.data):
                started.append(self._spawn_postgres(log, options))
            time.sleep(POLL_INTERVAL_S)
        raise StartupError(f"PostgreSQL in {self.data} is not ready after {START_TIMEOUT_S} s; see {log}")

    def run_sql(self, socket_dir: Path, script: str) -> None:
        """Run a psql script in the database `postgres` as its superuser."""
        self._run_program(
            "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", build_dsn(socket_dir, "postgres"), script=script
        )

    def _spawn_postgres(self, log: Path, options: Mapping[str, str]) -> psutil.Popen:
        remove_stale_locks(self.data)
        arguments = {"listen_addresses": "", "unix_socket_permissions": "0700", "port": PORT, **options}
        arguments["unix_socket_directories"] = str(self._choose_socket_dir())
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        command += [f"--{name}={value}" for name, value in arguments.items()]
        with _open_private(log) as output:
            return psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self._build_process_options(),
            )

    def _choose_socket_dir(self) -> Path:
        """The data directory if its path is short and plain, else a private directory under /tmp."""
        if len(str(self.data)) <= SOCKET_DIR_MAX and re.fullmatch(r"[\w./-]+", str(self.data), re.ASCII):
            return self.data
        path = Path(tempfile.mkdtemp(prefix=SOCKET_DIR_PREFIX, dir="/tmp"))
        if self.account:
            self.account.take_ownership(path)
        return path

    def _run_program(self, program: str, *arguments: str, script: str = "") -> None:
        result = subprocess.run(  # noqa: S603 - PostgreSQL programs, without a shell
            [str(self.binaries / program), *arguments],
            input=script,
            capture_output=True,
            text=True,
            **self._build_process_options(),
        )
        if result.returncode:
            words = " ".join(result.stderr.split()) or f"exit status {result.returncode}"
            raise StartupError(f"{program} failed for {self.data}: {words}")

    def _build_process_options(self) -> dict[str, Any]:
        """The account, and an environment without PG* variables and with a fixed locale."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))
        }
        keywords: dict[str, Any] = {"cwd": "/", "env": {**environment, "LC_ALL": "C"}}
        if self.account:
            keywords |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        return keywords


def _open_private(log: Path) -> IO[bytes]:
    """An empty file that only this account can read: PostgreSQL's messages may quote statements."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # the file of a former version may be open to all
    return os.fdopen(descriptor, "wb")


def build_dsn(socket_dir: Path, database: str, user: str = "postgres") -> str:
    """The address of a database over a unix socket."""
    return f"postgresql://{user}@/{database}?host={quote(str(socket_dir))}&port={PORT}"


def _read_last_error(log: Path) -> str:
    """The last FATAL or PANIC line of a log, else its last line."""
    lines = log.read_text(errors="replace").splitlines() or ["no output"]
    grave = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return re.sub(r"^.*?(FATAL|PANIC):\s+", "", (grave or lines)[-1])
