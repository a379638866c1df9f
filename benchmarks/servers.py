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
_PATIENCE_S: Final = 60


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def process(command: Sequence[str], port: int, environment: Mapping[str, str], cwd: Path) -> Iterator[int]:
    """A server process, from when it listens on its port until the end of the block; gives its number."""
    output = Path(cwd, ".output") if cwd != ROOT else subprocess.DEVNULL
    sink = output.open("wb") if isinstance(output, Path) else output
    with subprocess.Popen(
        command, env={**os.environ, **environment}, cwd=cwd, stdout=sink, stderr=sink
    ) as child:
        try:
            _wait(port, child)
            yield child.pid
        finally:
            child.terminate()


def _wait(port: int, child: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"{child.args!r} does not listen on port {port}")


def ours(dsn: str, data_dir: Path, port: int) -> tuple[Sequence[str], Mapping[str, str], Path]:
    """Our server, as `make demo` starts it."""
    command = [sys.executable, "server.py", "--demo", "--port", str(port), "--data-dir", str(data_dir)]
    return command, {"DATABASE_URL": dsn}, ROOT


def floor(dsn: str, port: int) -> tuple[Sequence[str], Mapping[str, str], Path]:
    """The floor."""
    return [sys.executable, "-m", "benchmarks.floor", str(port)], {"DATABASE_URL": dsn}, ROOT


def peer(dsn: str, port: int) -> tuple[Sequence[str], Mapping[str, str], Path]:
    """PostGraphile, on its own Node.js."""
    command = [str(NODE / "node_modules/node/bin/node"), "node_modules/.bin/postgraphile"]
    return command, {"DATABASE_URL": dsn, "PORT": str(port), "NODE_ENV": "production"}, NODE
