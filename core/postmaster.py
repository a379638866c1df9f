"""Servers of PostgreSQL as processes: which one runs on a data directory, what is left of one, and its end."""

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
"""Only a part of the socket's name: nothing listens on TCP."""
SOCKET_DIR_PREFIX: Final = "msp-postgres-"
STOP_PATIENCE_S: Final = 0.6
"""A fast shutdown writes a checkpoint; one that takes longer is cut off, and the next start recovers."""
POLL_S: Final = 0.02
ANSWER_PATIENCE_S: Final = 1
_ASK_FOR_TLS: Final = struct.pack("!ii", 8, 80877103)
"""The shortest question that a server answers before it asks who is there (PostgreSQL's SSLRequest)."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server, as its `postmaster.pid` has it."""

    process: psutil.Process
    socket_dir: Path
    status: str

    @classmethod
    def read(cls, data: Path) -> "Postmaster | None":
        """The live server of a data directory; None when there is none or its pid is somebody else's now."""
        try:
            lines = (data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        process = _postgres(int(lines[0]), data) if lines else None
        if process is None:
            return None
        lines += [""] * 8  # it is written line by line while the server starts
        return cls(process, Path(lines[4]), lines[7].strip())

    def accepts(self) -> bool:
        """Whether it answers; one that was just killed says that it is ready, may even let connect, and does not."""
        if self.status != "ready":
            return False
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.settimeout(ANSWER_PATIENCE_S)
            probe.connect(str(self.socket_dir / f".s.PGSQL.{PORT}"))
            probe.sendall(_ASK_FOR_TLS)
            return probe.recv(1) in (b"N", b"S")
        return False

    def stop(self) -> None:
        """Fast shutdown, and the immediate one when that takes longer than STOP_PATIENCE_S."""
        end(self.process, signal.SIGINT) or end(self.process, signal.SIGQUIT)
        if self.socket_dir.name.startswith(SOCKET_DIR_PREFIX):
            shutil.rmtree(self.socket_dir, ignore_errors=True)


def _postgres(pid: int, data: Path) -> psutil.Process | None:
    """The process, if it is alive and is PostgreSQL on that data directory."""
    try:
        process = psutil.Process(abs(pid))
        return process if _lives(process) and str(data) in process.cmdline() else None
    except psutil.Error:
        return None


def _lives(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not, and may stay for ever where the container's init reaps none."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(process: psutil.Process, how: signal.Signals) -> bool:
    """Whether that signal ends it within STOP_PATIENCE_S; reaps it if it is our child."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(how)
    deadline = time.monotonic() + STOP_PATIENCE_S
    while _lives(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    if isinstance(process, psutil.Popen):
        process.wait()
    return True


def has_survivors(data: Path) -> bool:
    """Whether children of a killed server still run; they end by themselves when they notice."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _lives(process) and process.name() == "postgres" and process.cwd() == str(data):
                return True
    return False


def clear_locks_of_the_dead(data: Path) -> None:
    """Removes lock files whose pid may be another program's by now: PostgreSQL would take it for a rival.

    Only for a directory on which no process of PostgreSQL runs any more.
    """
    for name in ("postmaster.pid", f".s.PGSQL.{PORT}.lock"):
        (data / name).unlink(missing_ok=True)
