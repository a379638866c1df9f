"""PostgreSQL server processes: the one that runs on a data directory, leftovers of a dead one, and stopping it."""

import contextlib
import shutil
import signal
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

PORT: Final = "5432"
"""Only a part of the socket's name; the server does not listen on TCP."""
SOCKET_DIR_PREFIX: Final = "msp-postgres-"
STOP_TIMEOUT_S: Final = 0.6
"""A fast shutdown writes a checkpoint. One that takes longer is interrupted, and the next start recovers."""
POLL_INTERVAL_S: Final = 0.02
RESPONSE_TIMEOUT_S: Final = 1
_TLS_REQUEST: Final = struct.pack("!ii", 8, 80877103)
"""The shortest request that a server answers before authentication (PostgreSQL's SSLRequest)."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server, as recorded in its `postmaster.pid`."""

    process: psutil.Process
    socket_dir: Path
    status: str

    @classmethod
    def read(cls, data: Path) -> "Postmaster | None":
        """The live server of a data directory; None if there is none, or if another program has its pid now."""
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        process = _find_postgres(int(lines[0]), data) if lines else None
        if process is None:
            return None
        lines += [""] * 8  # the starting server writes the file line by line
        return cls(process, Path(lines[4]), lines[7].strip())

    def accepts_connections(self) -> bool:
        """Whether the server answers.

        A killed one may still be marked as ready and accept connections, but does not answer.
        """
        if self.status != "ready":
            return False
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(RESPONSE_TIMEOUT_S)
            probe.connect(str(self.socket_dir / f".s.PGSQL.{PORT}"))
            probe.sendall(_TLS_REQUEST)
            return probe.recv(1) in (b"N", b"S")
        return False

    def stop(self) -> None:
        """Fast shutdown, followed by an immediate one if it takes longer than STOP_PATIENCE_S."""
        stop_process(self.process, signal.SIGINT) or stop_process(self.process, signal.SIGQUIT)
        if self.socket_dir.name.startswith(SOCKET_DIR_PREFIX):
            shutil.rmtree(self.socket_dir, ignore_errors=True)


def _find_postgres(pid: int, data: Path) -> psutil.Process | None:
    """The process, if it is alive and is PostgreSQL on that data directory."""
    try:
        process = psutil.Process(abs(pid))
        return process if _is_running(process) and str(data) in process.cmdline() else None
    except psutil.Error:
        return None


def _is_running(process: psutil.Process) -> bool:
    """Whether the process runs. A zombie does not. It may stay permanently if the container's init reaps none."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop_process(process: psutil.Process, signal_number: signal.Signals) -> bool:
    """Send the signal and return whether the process ends within STOP_PATIENCE_S. Reaps it if it is a child."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal_number)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while _is_running(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    if isinstance(process, psutil.Popen):
        process.wait()
    return True


def has_orphaned_children(data: Path) -> bool:
    """Whether children of a killed server still run. They end by themselves once they notice."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _is_running(process) and process.name() == "postgres" and process.cwd() == str(data):
                return True
    return False


def remove_stale_locks(data: Path) -> None:
    """Remove lock files with a pid that may belong to another program now.

    PostgreSQL would take it for a rival server.

    Call it only for a directory on which no PostgreSQL process runs any more.
    """
    for name in ("postmaster.pid", f".s.PGSQL.{PORT}.lock"):
        (data / name).unlink(missing_ok=True)
