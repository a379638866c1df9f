"""Runs scripts of tests/node with Node.js and the packages that `make tests/node/node_modules` installs."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

DIRECTORY: Final = Path(__file__).parents[1] / "node"
NODE: Final = shutil.which("node")
CHROMIUM: Final = shutil.which("chromium")

OLDEST_NODE: Final = (20, 19)
"""The version that the packages require, as in tests/node/package.json."""


def _is_node_ready() -> bool:
    """Whether Node.js is new enough and the packages are installed."""
    if NODE is None or not (DIRECTORY / "node_modules").is_dir():
        return False
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, timeout=60).stdout
    return tuple(map(int, version.strip().removeprefix("v").split(".")[:2])) >= OLDEST_NODE


needs_node = pytest.mark.skipif(
    not _is_node_ready(),
    reason="needs Node.js 20.19 or later, and tests/node/node_modules (`make test` installs the packages)",
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


def run_script(script: str, *arguments: object, timeout_s: int = 120) -> list[Any]:
    """The JSON lines that a script of tests/node prints. If it exits with an error, fails with its stderr."""
    command = [NODE or "node", script, *map(str, arguments)]
    ended = subprocess.run(command, cwd=DIRECTORY, capture_output=True, text=True, timeout=timeout_s)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def run_tool(name: str, *arguments: object, directory: Path = DIRECTORY) -> subprocess.CompletedProcess[str]:
    """Run a command of the packages in `directory`, like a build or an editor. It may exit with an error."""
    command = [NODE or "node", str(DIRECTORY / "node_modules" / ".bin" / name), *map(str, arguments)]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120)
