"""A PostgreSQL cluster on this machine: made, started and stopped with the binaries of any version."""

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
from typing import Any, Final
from urllib.parse import quote

import psutil

from core.errors import StartupError
from core.postmaster import (
    POLL_S,
    PORT,
    SOCKET_DIR_PREFIX,
    Postmaster,
    clear_locks_of_the_dead,
    end,
    has_survivors,
)

SOCKET_DIR_MAX: Final = 85
"""Bytes: a socket's address holds 104 on macOS, 108 on Linux; the socket's own name takes 14."""
START_PATIENCE_S: Final = 300
"""Crash recovery replays up to max_wal_size (1 GiB), which takes minutes on a slow disk."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that PostgreSQL runs as; it refuses to run as root."""

    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> "Account":
        """The account of that name; KeyError if there is none."""
        entry = pwd.getpwnam(name)
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, path: Path) -> None:
        """Makes it the owner of a directory, and lets it reach it."""
        os.chown(path, self.uid, self.gid)
        self.reach(path)

    @staticmethod
    def reach(path: Path) -> None:
        """Lets every account pass (not list) the directories above, where one of them is closed."""
        for parent in path.parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data directory and the binaries that serve it.

    `account` is the system account to run as, None for our own. All failures are StartupErrors of one line.
    """

    binaries: Path
    data: Path
    account: Account | None

    def initialise(self) -> None:
        """Makes the data directory, whole or not at all; does nothing where one stands."""
        if (self.data / "PG_VERSION").exists():
            return
        for stale in self.data.parent.glob(self.data.name + ".new-*"):
            shutil.rmtree(stale, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=self.data.name + ".new-", dir=self.data.parent))
        try:
            if self.account:
                self.account.own(fresh)
            self._run(
                "initdb", "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"
            )
            fresh.rename(self.data)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def start(self, log: Path, options: Mapping[str, str]) -> Postmaster:
        """Starts it, or finds it running, and waits until it accepts connections.

        `options` are PostgreSQL's settings; its own messages go to the file `log`.
        """
        started: list[psutil.Popen] = []
        try:
            return self._started(started, log, options)
        except BaseException:
            for process in started:
                end(process, signal.SIGQUIT)
            raise

    def _started(self, started: list[psutil.Popen], log: Path, options: Mapping[str, str]) -> Postmaster:
        """As `start`; puts the process that it starts into `started`."""
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            running = Postmaster.read(self.data)
            if running and running.accepts():
                return replace(running, process=started[0] if started else running.process)
            if started and started[0].poll() is not None:
                raise StartupError(f"PostgreSQL did not start in {self.data}: {_last_words(log)}")
            if running is None and not started and not has_survivors(self.data):
                started.append(self._spawn(log, options))
            time.sleep(POLL_S)
        raise StartupError(f"PostgreSQL in {self.data} is not ready after {START_PATIENCE_S} s; see {log}")

    def sql(self, socket_dir: Path, script: str) -> None:
        """Runs a script of psql in the database `postgres` as its superuser."""
        self._run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", dsn(socket_dir, "postgres"), script=script)

    def _spawn(self, log: Path, options: Mapping[str, str]) -> psutil.Popen:
        clear_locks_of_the_dead(self.data)
        arguments = {"listen_addresses": "", "unix_socket_permissions": "0700", "port": PORT, **options}
        arguments["unix_socket_directories"] = str(self._socket_dir())
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        command += [f"--{name}={value}" for name, value in arguments.items()]
        with log.open("wb") as output:
            return psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self._as(),
            )

    def _socket_dir(self) -> Path:
        """The data directory where its path is short and plain, else a private one under /tmp."""
        if len(str(self.data)) <= SOCKET_DIR_MAX and re.fullmatch(r"[\w./-]+", str(self.data), re.ASCII):
            return self.data
        path = Path(tempfile.mkdtemp(prefix=SOCKET_DIR_PREFIX, dir="/tmp"))
        if self.account:
            self.account.own(path)
        return path

    def _run(self, program: str, *arguments: str, script: str = "") -> None:
        result = subprocess.run(  # noqa: S603 - PostgreSQL's own programs, without a shell
            [str(self.binaries / program), *arguments],
            input=script,
            capture_output=True,
            text=True,
            **self._as(),
        )
        if result.returncode:
            words = " ".join(result.stderr.split()) or f"exit status {result.returncode}"
            raise StartupError(f"{program} failed for {self.data}: {words}")

    def _as(self) -> dict[str, Any]:
        """The account, and an environment in which neither PG* variables nor the locale matter."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))
        }
        keywords: dict[str, Any] = {"cwd": "/", "env": {**environment, "LC_ALL": "C"}}
        if self.account:
            keywords |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        return keywords


def dsn(socket_dir: Path, database: str, user: str = "postgres") -> str:
    """The address of a database over a unix socket."""
    return f"postgresql://{user}@/{database}?host={quote(str(socket_dir))}&port={PORT}"


def _last_words(log: Path) -> str:
    """The last FATAL or PANIC of a log, else its last line."""
    lines = log.read_text(errors="replace").splitlines() or ["it said nothing"]
    grave = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
    return re.sub(r"^.*?(FATAL|PANIC):\s+", "", (grave or lines)[-1])
