"""The server as a process of its own, started as an operator does."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.settings import Settings
from tests.postgres_processes import find_postgres_processes
from tests.waiting import HANG_S

ROOT: Final = Path(__file__).parents[2]
START_TIMEOUT_S: Final = 240
"""The promised time after a signal within which all processes end."""


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
        """The URL of the server, without a path."""
        return self.lines[0].removeprefix("Serving on ").removesuffix("/graphql")

    @property
    def tokens(self) -> list[tuple[str, str]]:
        """The labels of the tokens and the tokens, in the order in which they were printed."""
        return [(label, token) for label, token in (line.split(": ") for line in self.lines[1:])]

    def stop(self, signal_number: signal.Signals = signal.SIGINT) -> None:
        """Send the signal, and wait for the end. Fails if it does not end."""
        self.process.send_signal(signal_number)
        self.process.wait(HANG_S)


@contextmanager
def spawn_server(
    *arguments: object, program: Sequence[str] = ("server.py",), **environment: str
) -> Iterator[Server]:
    """A server process just started on a free port. It is killed at the end if it still runs."""
    home = Path(tempfile.mkdtemp(prefix="msp-test-"))
    output, log = home / "stdout", home / "stderr"
    with output.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            _build_command(program, "--port", 0, *arguments),
            cwd=ROOT,
            env=_build_environment(environment),
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield Server(process, output, log)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(home)


@contextmanager
def start_server(
    *arguments: object, lines: int = 1, program: Sequence[str] = ("server.py",), **environment: str
) -> Iterator[Server]:
    """A server that has printed so many lines, and so accepts requests."""
    with spawn_server(*arguments, program=program, **environment) as server:
        wait_for_lines(server, lines)
        yield server


def wait_for_lines(server: Server, lines: int) -> None:
    """Wait until it has printed so many lines. Fails with its log if it ends instead."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while len(server.lines) < lines:
        assert server.process.poll() is None, server.log.read_text("utf-8")
        assert time.monotonic() < deadline, f"not up in time: {server.log.read_text('utf-8')}"
        time.sleep(0.02)


def run_command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The output of a command after it has ended by itself."""
    return subprocess.run(
        _build_command(("server.py",), *arguments),
        cwd=ROOT,
        env=_build_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def temporary_data_dir(*below: str) -> Iterator[Path]:
    """The path of a new data directory, in a directory of its own. No process may run on it at the end.

    This is not pytest's tmp_path, which the account of PostgreSQL cannot access.
    """
    home = Path(tempfile.mkdtemp(prefix="msp-test-", dir="/tmp"))
    try:
        yield home.joinpath(*below, ".data")
        assert not list_leftover_processes(home)
    finally:
        for process in find_postgres_processes(home):
            process.kill()
        shutil.rmtree(home, ignore_errors=True)


def list_leftover_processes(data_dir: Path) -> list[str]:
    """PostgreSQL's processes that still run on that directory."""
    return [" ".join(process.cmdline()) for process in find_postgres_processes(data_dir)]


def _build_command(program: Sequence[str], *arguments: object) -> list[str]:
    return [sys.executable, *program, *map(str, arguments)]


def _build_environment(given: dict[str, str]) -> dict[str, str]:
    """Our environment without settings, and the given variables."""
    settings = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in os.environ.items() if name not in settings} | given
