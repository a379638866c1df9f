"""The server as a process of its own, as an operator starts it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.settings import Settings
from tests.postgres_processes import postgres_processes

ROOT: Final = Path(__file__).parents[2]
START_PATIENCE_S: Final = 60
STOP_LIMIT_S: Final = 2.0
"""What is promised: after a signal nothing is left within this time."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and what it has printed."""

    process: subprocess.Popen[bytes]
    output: Path
    log: Path

    @property
    def lines(self) -> list[str]:
        """The complete lines on stdout."""
        return self.output.read_text("utf-8").split("\n")[:-1]

    @property
    def url(self) -> str:
        """Where it serves, without a path."""
        return self.lines[0].removeprefix("Serving on ").removesuffix("/graphql")

    @property
    def tokens(self) -> list[tuple[str, str]]:
        """What the tokens are, and the tokens, in the order in which they were printed."""
        return [(label, token) for label, token in (line.split(": ") for line in self.lines[1:])]

    def end(self, how: signal.Signals = signal.SIGINT) -> float:
        """Sends the signal and waits; returns how long it took, in seconds."""
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(10)
        return time.monotonic() - began


@contextmanager
def starting(*arguments: object, **environment: str) -> Iterator[Server]:
    """A server process just spawned on a free port; killed at the end if it still runs."""
    home = Path(tempfile.mkdtemp(prefix="msp-test-"))
    output, log = home / "stdout", home / "stderr"
    with output.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            _command("--port", 0, *arguments), cwd=ROOT, env=_env(environment), stdout=stdout, stderr=stderr
        )
    try:
        yield Server(process, output, log)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(home)


@contextmanager
def running(*arguments: object, lines: int = 1, **environment: str) -> Iterator[Server]:
    """A server that has printed so many lines: it serves."""
    with starting(*arguments, **environment) as server:
        wait_for(server, lines)
        yield server


def wait_for(server: Server, lines: int) -> None:
    """Waits until it has printed so many lines; fails with its log when it ends instead."""
    deadline = time.monotonic() + START_PATIENCE_S
    while len(server.lines) < lines:
        assert server.process.poll() is None, server.log.read_text("utf-8")
        assert time.monotonic() < deadline, f"not up in time: {server.log.read_text('utf-8')}"
        time.sleep(0.02)


def ended(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command has said when it has ended by itself."""
    return subprocess.run(
        _command(*arguments), cwd=ROOT, env=_env(environment), capture_output=True, text=True, timeout=60
    )


@contextmanager
def data_directory(*below: str) -> Iterator[Path]:
    """A data directory to be, in a directory of its own; nothing may run on it in the end.

    Not pytest's tmp_path: that is closed to the account that PostgreSQL runs as.
    """
    home = Path(tempfile.mkdtemp(prefix="msp-test-", dir="/tmp"))
    try:
        yield home.joinpath(*below, ".data")
        assert not left_behind(home)
    finally:
        for process in postgres_processes(home):
            process.kill()
        shutil.rmtree(home, ignore_errors=True)


def left_behind(data_dir: Path) -> list[str]:
    """PostgreSQL's processes that still run on that directory."""
    return [" ".join(process.cmdline()) for process in postgres_processes(data_dir)]


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "server.py", *map(str, arguments)]


def _env(given: dict[str, str]) -> dict[str, str]:
    """Our environment without settings, and those given."""
    settings = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name not in settings} | given
