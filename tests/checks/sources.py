"""The tracked files of this repository, and the docstrings in them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked_files(*patterns: str) -> tuple[str, ...]:
    """Paths from the root of the files that git tracks and that still exist, by `git ls-files` patterns."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return tuple(path for path in listed if path and (ROOT / path).exists())


@cache
def parse_module(path: str) -> ast.Module:
    """The syntax tree of a Python file, by its path from the root."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), path)


def definitions(path: str) -> Iterator[Definition]:
    """Every class and function of a module, nested ones included."""
    return (node for node in ast.walk(parse_module(path)) if isinstance(node, Definition))


def docstrings(path: str) -> Iterator[str]:
    """Every docstring of a module."""
    documented = (node for node in ast.walk(parse_module(path)) if isinstance(node, Documented))
    return (text for node in documented if (text := ast.get_docstring(node)))
