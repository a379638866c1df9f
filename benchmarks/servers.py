"""The three servers, as processes of their own on ports of this machine."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
NODE: Final = ROOT / "benchmarks/node"
_START_TIMEOUT_S: Final = 60


def find_free_port() -> int:
    """A port on which no process listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def run_process(
    command: Sequence[str], port: int, environment: Mapping[str, str], cwd: Path
) -> Iterator[int]:
    """A server process, from when it listens on its port until the end of the block; yields its process id."""
    output = Path(cwd, ".output") if cwd != ROOT else subprocess.DEVNULL
    sink = output.open("wb") if isinstance(output, Path) else output
    with subprocess.Popen(
        command, env={**os.environ, **environment}, cwd=cwd, stdout=sink, stderr=sink
    ) as child:
        try:
            _wait_for_port(port, child)
            yield child.pid
        finally:
            child.terminate()


def _wait_for_port(port: int, child: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < until and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"{child.args!r} does not listen on port {port}")


def our_command(dsn: str, data_dir: Path, port: int) -> tuple[Sequence[str], Mapping[str, str], Path]:
    """Our server, as `make demo` starts it. One viewer may send any number of new documents."""
    command = [sys.executable, "server.py", "--demo", "--port", str(port), "--data-dir", str(data_dir)]
    return command, {"DATABASE_URL": dsn, "DOCUMENT_CPU_SHARE": "1"}, ROOT


def floor_command(dsn: str, port: int) -> tuple[Sequence[str], Mapping[str, str], Path]:
    """The baseline."""
    return [sys.executable, "-m", "benchmarks.floor", str(port)], {"DATABASE_URL": dsn}, ROOT


def peer_command(dsn: str, port: int) -> tuple[Sequence[str], Mapping[str, str], Path]:
    """PostGraphile, on its own Node.js."""
    command = [str(NODE / "node_modules/node/bin/node"), "node_modules/.bin/postgraphile"]
    return command, {"DATABASE_URL": dsn, "PORT": str(port), "NODE_ENV": "production"}, NODE
