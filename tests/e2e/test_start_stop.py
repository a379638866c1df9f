"""How a server ends: within two seconds, whatever goes on, and with nothing left running."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.servers import STOP_LIMIT_S, Server, data_directory, left_behind, running, starting, wait_for

LINES = 5


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A directory on which one server follows another."""
    with data_directory() as path:
        yield path


def _ready(server: Server) -> bool:
    return httpx.get(f"{server.url}/readyz").status_code == 200


def _connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda how: how.name)
def test_a_signal_ends_it(data_dir: Path, how: signal.Signals) -> None:
    with running("--demo", "--data-dir", data_dir, lines=LINES) as server:
        assert _ready(server)
        assert left_behind(data_dir)
        assert server.end(how) < STOP_LIMIT_S
        assert not left_behind(data_dir)
        assert server.process.returncode == 0
        assert "Traceback" not in server.log.read_text()


def test_a_collector_that_is_gone_does_not_hold_it(data_dir: Path) -> None:
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with running("--demo", "--data-dir", data_dir, lines=LINES, **collector) as server:
        assert httpx.get(f"{server.url}/graphql", params={"query": "{ __typename }"}).status_code == 200
        assert server.end() < STOP_LIMIT_S
        assert server.process.returncode == 0
        assert "Traceback" not in server.log.read_text()


def test_open_connections_and_long_requests_do_not_hold_it(data_dir: Path) -> None:
    with running("--demo", "--data-dir", data_dir, lines=LINES) as server:
        with _connect(server) as idle, _connect(server) as unfinished, _connect(server) as kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            assert kept.recv(4096).startswith(b"HTTP/1.1 200")
            idle.sendall(b"GET /healthz HTT")
            unfinished.sendall(
                b"POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n{"
            )
            time.sleep(0.2)
            assert server.end() < STOP_LIMIT_S
        assert not left_behind(data_dir)


def test_a_second_ctrl_c_leaves_nothing_behind_either(data_dir: Path) -> None:
    with running("--demo", "--data-dir", data_dir, lines=LINES) as server:
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert server.end() < STOP_LIMIT_S
        assert not left_behind(data_dir)


@pytest.mark.parametrize("after_s", [0.2, 0.6, 0.9, 1.2, 1.6])
def test_a_signal_amid_the_start_leaves_nothing_behind(after_s: float) -> None:
    with data_directory() as fresh, starting("--demo", "--data-dir", fresh) as server:
        time.sleep(after_s)
        assert server.end(signal.SIGTERM) < STOP_LIMIT_S
        assert not left_behind(fresh)


def test_after_a_kill_the_next_server_comes_up_and_cleans_up(data_dir: Path) -> None:
    with running("--demo", "--data-dir", data_dir, lines=LINES) as killed:
        tokens = killed.tokens
        killed.end(signal.SIGKILL)
        assert left_behind(data_dir)
    with running("--demo", "--data-dir", data_dir, lines=LINES) as server:
        assert _ready(server)
        assert [label for label, _ in server.tokens] == [label for label, _ in tokens]
        query = {"query": "{ viewer { kind } }"}
        for _, token in tokens:
            response = httpx.post(
                f"{server.url}/graphql", json=query, headers={"Authorization": f"Bearer {token}"}
            )
            assert "errors" not in response.json()
        assert server.end() < STOP_LIMIT_S
    assert not left_behind(data_dir)


def test_of_two_servers_the_last_stops_postgresql(data_dir: Path) -> None:
    with (
        starting("--demo", "--data-dir", data_dir) as first,
        starting("--demo", "--data-dir", data_dir) as second,
    ):
        wait_for(first, LINES)
        wait_for(second, LINES)
        assert first.end() < STOP_LIMIT_S
        assert _ready(second)
        assert second.end() < STOP_LIMIT_S
        assert not left_behind(data_dir)
