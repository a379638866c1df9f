"""Servers that the modules of tests share. A module may define one of its own under the same name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.servers import Server, start_server, temporary_data_dir


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory that the servers of one module share."""
    with temporary_data_dir() as path:
        yield path


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    """A server on the embedded PostgreSQL, for tests that write nothing. All modules share it."""
    with temporary_data_dir() as path, start_server("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.stop()


@pytest.fixture(scope="module")
def server(writable_demo_database_url: str, data_dir: Path) -> Iterator[Server]:
    """A server over the demo's rows, on each version of PostgreSQL."""
    with start_server(
        "--demo", "--data-dir", data_dir, lines=5, DATABASE_URL=writable_demo_database_url
    ) as server:
        yield server
        server.stop()
