"""Every tracked module is under mypy, the import contracts and ruff, so that a moved file cannot leave them."""

import subprocess
import sys
import tomllib
from pathlib import PurePosixPath
from typing import Any, Final

import pytest

from tests.checks.sources import ROOT, tracked_files

SETTINGS: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
MODULES: Final = tuple(path for path in tracked_files("*.py") if not path.startswith("docs/"))
"""All modules but the programs of the documentation, which stand alone."""
UNTYPED: Final = ("migrations",)
"""Packages outside mypy: aerich writes the migrations."""
UNLAYERED: Final = ("tests", "benchmarks", "migrations", "server.py")
"""Packages and modules outside the import contracts: they may import every package of the product."""
LAYERED: Final = tuple(SETTINGS["importlinter"]["root_packages"])
GIVEN: Final = {"schema", "resolvers", "models", "subscriptions", "migrations", "tests", "server.py"}
ADDED: Final = {"api", "services", "core", "commands", "simulator", "benchmarks", "demo"}


def test_modules_are_under_mypy_unless_they_are_migrations() -> None:
    assert not [path for path in MODULES if _package(path) not in {*SETTINGS["mypy"]["files"], *UNTYPED}]


def test_modules_are_under_the_import_contracts() -> None:
    assert not [path for path in MODULES if _package(path) not in {*LAYERED, *UNLAYERED}]


@pytest.mark.parametrize("package", LAYERED)
def test_package_is_named_by_a_contract(package: str) -> None:
    contracts = SETTINGS["importlinter"]["contracts"]
    named = {name for contract in contracts for key in contract for name in _names(contract[key])}

    assert package in {name.split(".")[0] for name in named}


def test_ruff_checks_every_module() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--show-files"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")

    assert {str(ROOT / module) for module in MODULES} <= set(shown)


def test_top_level_has_the_given_packages_and_the_named_ones() -> None:
    assert {_package(module) for module in MODULES} == GIVEN | ADDED


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {str(PurePosixPath(module).parent) for module in MODULES} - {
        ".",
        "migrations",
        "migrations/models",
    }

    assert not [folder for folder in sorted(folders) if f"{folder}/__init__.py" not in MODULES]


def _package(module: str) -> str:
    return module.split("/")[0]


def _names(value: object) -> list[str]:
    return (
        [name.strip() for item in value for name in str(item).split("|")] if isinstance(value, list) else []
    )
