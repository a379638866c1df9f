"""The first minute with the product: a demo on a fresh directory answers, and prints the users' tokens."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jose import jwt

from tests.e2e.servers import Server, run_command, start_server, temporary_data_dir
from tests.waiting import HANG_S

LINES = 5
WHO = "{ viewer { kind user { id } tenant { name } role { name } rights } sites(first: 1) { totalCount } }"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with temporary_data_dir("a path with spaces", "deep" * 10, "deep" * 10, "deep" * 10) as path:
        yield path


@pytest.fixture(scope="module")
def demo_server(data_dir: Path) -> Iterator[Server]:
    with start_server("--demo", "--data-dir", data_dir, lines=LINES) as server:
        yield server
        server.stop()


def _read_viewer(server: Server, token: str, query: str = WHO, **headers: str) -> dict[str, Any]:
    response = httpx.post(
        f"{server.url}/graphql",
        json={"query": query},
        headers={"Authorization": f"Bearer {token}", **headers},
        timeout=HANG_S,
    )
    answer: dict[str, Any] = response.json()
    assert response.status_code == 200, answer
    assert "errors" not in answer
    viewer: dict[str, Any] = answer["data"]["viewer"]
    return viewer | {"sites": answer["data"]["sites"]["totalCount"]}


def test_demo_start_prints_address_and_a_line_for_each_token(demo_server: Server) -> None:
    assert re.fullmatch(r"Serving on http://127\.0\.0\.1:[1-9]\d*/graphql", demo_server.lines[0])
    assert len(demo_server.lines) == LINES
    for line in demo_server.lines[1:]:
        assert re.fullmatch(r"[^:]+: eyJ[\w-]+\.[\w-]+\.[\w-]+", line)


def test_demo_tokens_are_of_administrator_technician_and_neighbor(demo_server: Server) -> None:
    administrator, technician, neighbour = (
        _read_viewer(demo_server, token) for _, token in demo_server.tokens[:3]
    )
    assert "Sites.Write" in administrator["rights"]
    assert technician["tenant"] == administrator["tenant"]
    assert technician["rights"]
    assert not [right for right in technician["rights"] if not right.endswith(".Read")]
    assert "Sites.Write" in neighbour["rights"]
    assert neighbour["tenant"] != administrator["tenant"]
    assert all(viewer["kind"] == "USER" for viewer in (administrator, technician, neighbour))
    assert all(viewer["sites"] > 0 for viewer in (administrator, technician, neighbour))


def test_demo_tokens_end_with_the_platforms(demo_server: Server) -> None:
    label, token = demo_server.tokens[3]
    assert label == "Platform"
    administrator = httpx.post(
        f"{demo_server.url}/graphql",
        json={"query": "{ viewer { tenant { id name } } }"},
        headers={"Authorization": f"Bearer {demo_server.tokens[0][1]}"},
        timeout=HANG_S,
    ).json()["data"]["viewer"]["tenant"]
    viewer = _read_viewer(demo_server, token, **{"X-Tenant-Id": administrator["id"]})
    assert viewer["kind"] == "PLATFORM"
    assert viewer["user"] is None
    assert viewer["tenant"]["name"] == administrator["name"]


def test_demo_token_labels_name_their_viewers(demo_server: Server) -> None:
    labels = [label for label, _ in demo_server.tokens]
    assert "administrator" in labels[0]
    assert "read-only technician" in labels[1]
    assert "administrator" in labels[2]


def test_token_command_for_user_prints_a_valid_token(demo_server: Server, data_dir: Path) -> None:
    user_id = _read_viewer(demo_server, demo_server.tokens[1][1])["user"]["id"]
    result = run_command("token", user_id, "--data-dir", data_dir)
    assert (result.returncode, result.stderr) == (0, "")
    assert _read_viewer(demo_server, result.stdout.strip())["user"]["id"] == user_id


def test_token_command_for_platform_prints_a_valid_token(demo_server: Server, data_dir: Path) -> None:
    result = run_command("token", "--platform", "--expires-in", 60, "--data-dir", data_dir)
    token_id = jwt.get_unverified_claims(result.stdout.strip())["jti"]
    assert result.returncode == 0
    assert result.stderr == f"The id of the token, for revokeCredential: {token_id}\n"
    response = httpx.post(
        f"{demo_server.url}/graphql",
        json={"query": "{ viewer { kind } }"},
        headers={"Authorization": f"Bearer {result.stdout.strip()}"},
        timeout=HANG_S,
    )
    assert response.json() == {"data": {"viewer": {"kind": "PLATFORM"}}}


def test_health_endpoints_of_demo_are_ready(demo_server: Server) -> None:
    alive, ready = (
        httpx.get(f"{demo_server.url}/healthz", timeout=HANG_S),
        httpx.get(f"{demo_server.url}/readyz", timeout=HANG_S),
    )
    assert (alive.status_code, alive.text) == (200, "ok")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "rowSecurity": "role", "active": True},
    )


def test_demo_log_has_no_token(demo_server: Server) -> None:
    log = demo_server.log.read_text()
    assert not [label for label, token in demo_server.tokens if token in log]


def test_demo_start_on_used_port_prints_one_line_and_starts_nothing(demo_server: Server) -> None:
    port = demo_server.url.rpartition(":")[2]
    with temporary_data_dir() as fresh:
        result = run_command("--demo", "--port", port, "--data-dir", fresh)
        assert result.returncode == 1
        assert result.stderr == f"Cannot listen on 127.0.0.1, port {port}: Address already in use\n"
        assert not (fresh / "postgres").exists()


def test_demo_second_server_shares_the_data_dir(demo_server: Server, data_dir: Path) -> None:
    with start_server("--demo", "--data-dir", data_dir, lines=LINES) as second:
        assert _read_viewer(second, demo_server.tokens[0][1]) == _read_viewer(
            demo_server, second.tokens[0][1]
        )
        second.stop()
    assert _read_viewer(demo_server, demo_server.tokens[0][1])["sites"] > 0


def test_demo_listens_on_its_own_address_only(demo_server: Server) -> None:
    port = int(demo_server.url.rpartition(":")[2])
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", port))
