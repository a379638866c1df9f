"""Every tracked module is under mypy, the import contracts and ruff, so that a moved file cannot leave them."""

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, Final

import pytest

from tests.checks.sources import ROOT, parse_module, tracked_files

SETTINGS: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
MODULES: Final = tuple(path for path in tracked_files("*.py") if not path.startswith("docs/"))
"""All modules but the programs of the documentation, which stand alone."""
UNTYPED: Final = ("migrations",)
"""Packages outside mypy: aerich writes the migrations."""
UNLAYERED: Final = ("migrations", "server.py")
"""Outside the import contracts: aerich loads the migrations, and `server.py` imports the commands alone."""
CONTRACTS: Final[list[dict[str, Any]]] = SETTINGS["importlinter"]["contracts"]
LAYERED: Final = tuple(SETTINGS["importlinter"]["root_packages"])
TOP_LEVEL: Final = "Imports point one way"
ROOMS: Final = ("api", "core", "resolvers", "services", "subscriptions")
"""The packages of the product that have more than one subpackage."""
GIVEN: Final = {"schema", "resolvers", "models", "subscriptions", "migrations", "tests", "server.py"}
ADDED: Final = {"api", "services", "core", "commands", "simulator", "benchmarks", "demo"}


def test_modules_are_under_mypy_unless_they_are_migrations() -> None:
    assert not [path for path in MODULES if _package(path) not in {*SETTINGS["mypy"]["files"], *UNTYPED}]


def test_modules_are_under_the_import_contracts() -> None:
    assert not [path for path in MODULES if _package(path) not in {*LAYERED, *UNLAYERED}]


@pytest.mark.parametrize("package", LAYERED)
def test_package_is_named_by_a_contract(package: str) -> None:
    named = {name for contract in CONTRACTS for key in contract for name in _names(contract[key])}

    assert package in {name.split(".")[0] for name in named}


@pytest.mark.parametrize("package", LAYERED)
def test_package_may_have_no_import_circle(package: str) -> None:
    (contract,) = (contract for contract in CONTRACTS if contract["type"] == "acyclic_siblings")

    assert {package, f"{package}.*"} & set(contract["ancestors"])
    assert not {"ignore_imports", "skip_descendants", "depth"} & contract.keys()


@pytest.mark.parametrize("package", ROOMS)
def test_layers_of_rooms_name_every_module(package: str) -> None:
    (contract,) = (contract for contract in CONTRACTS if contract.get("containers") == [package])

    assert contract["type"] == "layers"
    assert contract["exhaustive"]
    assert not {"ignore_imports", "exhaustive_ignores"} & contract.keys()


def test_every_package_with_rooms_has_layers() -> None:
    counted = Counter(str(PurePosixPath(module).parents[1]) for module in MODULES if _is_subpackage(module))

    assert {package for package, count in counted.items() if count > 1 and package in LAYERED} == {
        *ROOMS,
        "tests",
    }


def test_layers_are_exhaustive_below_the_top_level() -> None:
    layers = [contract for contract in CONTRACTS if contract["type"] == "layers"]

    assert [contract["name"] for contract in layers if not contract.get("exhaustive")] == [TOP_LEVEL]


def test_ruff_checks_every_module() -> None:
    command = [sys.executable, "-m", "ruff", "check", "--show-files"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")

    assert {str(ROOT / module) for module in MODULES} <= set(shown)


def test_top_level_has_the_given_packages_and_the_named_ones() -> None:
    assert {_package(module) for module in MODULES} == GIVEN | ADDED


def test_tests_import_no_other_test_module() -> None:
    """What several tests need stands in a module of its own or in a `conftest.py`."""
    tests = [
        path for path in MODULES if path.startswith("tests/") and PurePosixPath(path).name.startswith("test_")
    ]
    imported = {
        f"{path}: {node.module}"
        for path in tests
        for node in ast.walk(parse_module(path))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[-1].startswith("test_")
    }

    assert not sorted(imported)


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {str(PurePosixPath(module).parent) for module in MODULES} - {
        ".",
        "migrations",
        "migrations/models",
    }

    assert not [folder for folder in sorted(folders) if f"{folder}/__init__.py" not in MODULES]


def _package(module: str) -> str:
    return module.split("/")[0]


def _is_subpackage(module: str) -> bool:
    return module.endswith("/__init__.py") and module.count("/") == 2


def _names(value: object) -> list[str]:
    return (
        [name.strip() for item in value for name in str(item).split("|")] if isinstance(value, list) else []
    )
