"""Shared functions of hand-written migrations: SQL from a file, and the models' state, which they do not change."""

import runpy
from pathlib import Path

MIGRATIONS = Path(__file__).parent


def script(name: str) -> str:
    """The SQL of `migrations/sql/<name>.sql`."""
    return (MIGRATIONS / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def models_state(version: str) -> str:
    """The state of the models after the generated migration `version`, as packed by aerich."""
    state: str = runpy.run_path(str(MIGRATIONS / "models" / f"{version}.py"))["MODELS_STATE"]
    return state
