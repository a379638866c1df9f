"""The number of connections to PostgreSQL: what the pages say, and the bound for any number of workers."""

import re
from pathlib import Path
from typing import Final

import pytest

from core.database.connection_budget import count_connections_max
from core.errors import StartupError
from core.limits import DATABASE_CONNECTIONS_MIN
from core.settings import Settings

ROOT: Final = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("page", "pattern"),
    [
        ("docs/database.md", r"at most (\d+) connections"),
        ("docs/operations.md", r"up to (\d+) connections to PostgreSQL"),
        ("README.md", r"of a server, (\d+) for each worker"),
    ],
)
def test_connections_of_a_worker_are_those_of_the_pages(page: str, pattern: str) -> None:
    (number,) = re.findall(pattern, (ROOT / page).read_text(encoding="utf-8"))
    assert int(number) == count_connections_max(Settings())


def test_connections_table_adds_up() -> None:
    section = (ROOT / "docs/database.md").read_text(encoding="utf-8").partition("## Connections")[2]
    table = section.partition("`DATABASE_CONNECTIONS`")[0]
    assert sum(map(int, re.findall(r"^\| (\d+) \|", table, re.MULTILINE))) == count_connections_max(
        Settings()
    )


def test_connections_of_all_workers_stay_within_the_setting() -> None:
    for workers in (2, 3, 8):
        for bound in range(workers * DATABASE_CONNECTIONS_MIN, workers * 33):
            settings = Settings(workers=workers, database_connections=bound)
            assert count_connections_max(settings) <= bound
        with pytest.raises(StartupError, match="in all"):
            count_connections_max(
                Settings(workers=workers, database_connections=workers * DATABASE_CONNECTIONS_MIN - 1)
            )
