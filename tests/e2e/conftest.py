"""Servers that pages of tests share; a page may have one of its own under the same name."""

from collections.abc import Iterator

import pytest

from tests.e2e.servers import Server, data_directory, running


@pytest.fixture(scope="module")
def server(demo_database: str) -> Iterator[Server]:
    """A server over the demo's rows, on each version of PostgreSQL."""
    with (
        data_directory() as path,
        running("--demo", "--data-dir", path, lines=5, DATABASE_URL=demo_database) as server,
    ):
        yield server
        server.end()
