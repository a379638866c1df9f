"""How a server ends: in any state, and with no process left."""

import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.servers import (
    Server,
    list_leftover_processes,
    spawn_server,
    start_server,
    temporary_data_dir,
    wait_for_lines,
)
from tests.waiting import HANG_S

LINES = 5


def _is_ready(server: Server) -> bool:
    return httpx.get(f"{server.url}/readyz", timeout=HANG_S).status_code == 200


def _connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda how: how.name)
def test_server_at_a_signal_stops_with_nothing_left(data_dir: Path, how: signal.Signals) -> None:
    with start_server("--demo", "--data-dir", data_dir, lines=LINES) as server:
        assert _is_ready(server)
        assert list_leftover_processes(data_dir)
        server.stop(how)
        assert not list_leftover_processes(data_dir)
        assert server.process.returncode == 0
        assert "Traceback" not in server.log.read_text()


def test_server_stop_with_unreachable_collector_ends(data_dir: Path) -> None:
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    with start_server("--demo", "--data-dir", data_dir, lines=LINES, **collector) as server:
        assert (
            httpx.get(f"{server.url}/graphql", params={"query": "{ __typename }"}, timeout=HANG_S).status_code
            == 200
        )
        server.stop()
        assert server.process.returncode == 0
        assert "Traceback" not in server.log.read_text()


def test_server_stop_with_open_connections_does_not_wait_for_them(data_dir: Path) -> None:
    with start_server("--demo", "--data-dir", data_dir, lines=LINES) as server:
        with _connect(server) as idle, _connect(server) as unfinished, _connect(server) as kept:
            kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            assert kept.recv(4096).startswith(b"HTTP/1.1 200")
            idle.sendall(b"GET /healthz HTT")
            unfinished.sendall(
                b"POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n{"
            )
            time.sleep(0.2)
            server.stop()
        assert not list_leftover_processes(data_dir)


def test_server_at_second_interrupt_stops_with_nothing_left(data_dir: Path) -> None:
    with start_server("--demo", "--data-dir", data_dir, lines=LINES) as server:
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        server.stop()
        assert not list_leftover_processes(data_dir)


@pytest.mark.parametrize("after_s", [0.2, 0.6, 0.9, 1.2, 1.6])
def test_server_at_a_signal_while_starting_stops_with_nothing_left(after_s: float) -> None:
    with temporary_data_dir() as fresh, spawn_server("--demo", "--data-dir", fresh) as server:
        time.sleep(after_s)
        server.stop(signal.SIGTERM)
        assert not list_leftover_processes(fresh)


def test_server_after_a_killed_one_starts_and_stops_with_nothing_left(data_dir: Path) -> None:
    with start_server("--demo", "--data-dir", data_dir, lines=LINES) as killed:
        tokens = killed.tokens
        killed.stop(signal.SIGKILL)
        assert list_leftover_processes(data_dir)
    with start_server("--demo", "--data-dir", data_dir, lines=LINES) as server:
        assert _is_ready(server)
        assert [label for label, _ in server.tokens] == [label for label, _ in tokens]
        query = {"query": "{ viewer { kind } }"}
        for _, token in tokens:
            response = httpx.post(
                f"{server.url}/graphql",
                json=query,
                headers={"Authorization": f"Bearer {token}"},
                timeout=HANG_S,
            )
            assert "errors" not in response.json()
        server.stop()
    assert not list_leftover_processes(data_dir)


def test_last_of_two_servers_stops_postgresql(data_dir: Path) -> None:
    with (
        spawn_server("--demo", "--data-dir", data_dir) as first,
        spawn_server("--demo", "--data-dir", data_dir) as second,
    ):
        wait_for_lines(first, LINES)
        wait_for_lines(second, LINES)
        first.stop()
        assert _is_ready(second)
        second.stop()
        assert not list_leftover_processes(data_dir)
