"""A newcomer's first minute: a demo on a fresh directory answers, and says whom to ask as."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.servers import Server, data_directory, ended, running

LINES = 5
WHO = "{ viewer { kind user { id } tenant { name } role { name } rights } sites(first: 1) { totalCount } }"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with data_directory("a path with spaces", "deep" * 10, "deep" * 10, "deep" * 10) as path:
        yield path


@pytest.fixture(scope="module")
def demo(data_dir: Path) -> Iterator[Server]:
    with running("--demo", "--data-dir", data_dir, lines=LINES) as server:
        yield server
        server.end()


def _ask(server: Server, token: str, query: str = WHO, **headers: str) -> dict[str, Any]:
    response = httpx.post(
        f"{server.url}/graphql",
        json={"query": query},
        headers={"Authorization": f"Bearer {token}", **headers},
    )
    answer: dict[str, Any] = response.json()
    assert response.status_code == 200, answer
    assert "errors" not in answer
    return answer["data"]["viewer"] | {"sites": answer["data"]["sites"]["totalCount"]}


def test_it_prints_the_address_and_a_line_for_each_token(demo: Server) -> None:
    assert re.fullmatch(r"Serving on http://127\.0\.0\.1:[1-9]\d*/graphql", demo.lines[0])
    assert len(demo.lines) == LINES
    for line in demo.lines[1:]:
        assert re.fullmatch(r"[^:]+: eyJ[\w-]+\.[\w-]+\.[\w-]+", line)


def test_the_tokens_are_of_four_viewers_in_this_order(demo: Server) -> None:
    administrator, technician, neighbour = (_ask(demo, token) for _, token in demo.tokens[:3])
    assert "Sites.Write" in administrator["rights"]
    assert technician["tenant"] == administrator["tenant"]
    assert technician["rights"]
    assert not [right for right in technician["rights"] if not right.endswith(".Read")]
    assert "Sites.Write" in neighbour["rights"]
    assert neighbour["tenant"] != administrator["tenant"]
    assert all(viewer["kind"] == "USER" for viewer in (administrator, technician, neighbour))
    assert all(viewer["sites"] > 0 for viewer in (administrator, technician, neighbour))


def test_the_last_token_is_the_platform_s(demo: Server) -> None:
    label, token = demo.tokens[3]
    assert label == "Platform"
    administrator = httpx.post(
        f"{demo.url}/graphql",
        json={"query": "{ viewer { tenant { id name } } }"},
        headers={"Authorization": f"Bearer {demo.tokens[0][1]}"},
    ).json()["data"]["viewer"]["tenant"]
    viewer = _ask(demo, token, **{"X-Tenant-Id": administrator["id"]})
    assert viewer["kind"] == "PLATFORM"
    assert viewer["user"] is None
    assert viewer["tenant"]["name"] == administrator["name"]


def test_the_labels_say_who_it_is(demo: Server) -> None:
    labels = [label for label, _ in demo.tokens]
    assert "administrator" in labels[0]
    assert "read-only technician" in labels[1]
    assert "administrator" in labels[2]


def test_the_command_line_gives_tokens_too(demo: Server, data_dir: Path) -> None:
    user_id = _ask(demo, demo.tokens[1][1])["user"]["id"]
    result = ended("token", user_id, "--data-dir", data_dir)
    assert (result.returncode, result.stderr) == (0, "")
    assert _ask(demo, result.stdout.strip())["user"]["id"] == user_id


def test_the_command_line_gives_the_platform_s_token(demo: Server, data_dir: Path) -> None:
    result = ended("token", "--platform", "--expires-in", 60, "--data-dir", data_dir)
    assert (result.returncode, result.stderr) == (0, "")
    response = httpx.post(
        f"{demo.url}/graphql",
        json={"query": "{ viewer { kind } }"},
        headers={"Authorization": f"Bearer {result.stdout.strip()}"},
    )
    assert response.json() == {"data": {"viewer": {"kind": "PLATFORM"}}}


def test_health(demo: Server) -> None:
    alive, ready = httpx.get(f"{demo.url}/healthz"), httpx.get(f"{demo.url}/readyz")
    assert (alive.status_code, alive.text) == (200, "ok")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_the_log_holds_no_token(demo: Server) -> None:
    log = demo.log.read_text()
    assert not [label for label, token in demo.tokens if token in log]


def test_a_taken_port_is_one_line_before_anything_is_started(demo: Server) -> None:
    port = demo.url.rpartition(":")[2]
    with data_directory() as fresh:
        result = ended("--demo", "--port", port, "--data-dir", fresh)
        assert result.returncode == 1
        assert result.stderr == f"Cannot listen on 127.0.0.1, port {port}: Address already in use\n"
        assert not (fresh / "postgres").exists()


def test_a_second_server_shares_the_directory(demo: Server, data_dir: Path) -> None:
    with running("--demo", "--data-dir", data_dir, lines=LINES) as second:
        assert _ask(second, demo.tokens[0][1]) == _ask(demo, second.tokens[0][1])
        assert second.end() < 2
    assert _ask(demo, demo.tokens[0][1])["sites"] > 0


def test_it_listens_where_it_is_told_alone(demo: Server) -> None:
    port = int(demo.url.rpartition(":")[2])
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", port))
