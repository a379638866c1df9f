"""docs/getting-started.md: its commands as they stand, over an empty database and an issuer of the test's own."""

import asyncio
import json
import re
import socket
import stat
import tempfile
import time
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.servers import ROOT
from tests.issuers import KeyServer, build_public_jwk, issue_user_token, make_ec_key, start_key_server

PAGE: Final = (ROOT / "docs" / "getting-started.md").read_text("utf-8")
BLOCKS: Final = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
VALUES: Final = BLOCKS[0]
ADMIN: Final = "user_2first"
DASHBOARD: Final = "https://app.byte.example"


@asynccontextmanager
async def start_issuer() -> AsyncIterator[str]:
    """An issuer that is found by discovery; yields its `iss`."""
    async with start_key_server() as server:
        issuer = server.url.rpartition("/")[0]
        _describe_issuer(server, issuer)
        yield issuer


def _describe_issuer(server: KeyServer, issuer: str) -> None:
    pages: dict[str, Any] = {
        "/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/keys"},
        "/keys": {"keys": [build_public_jwk(make_ec_key("first"), kid="k1")]},
    }
    server.answer = lambda path: json.dumps(pages[path]).encode() if path in pages else None


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that looks like a clone, so that the page's files are written into no real one."""
    with tempfile.TemporaryDirectory(prefix="msp-test-") as name:
        for each in (".venv", "server.py", "docs"):
            (Path(name) / each).symlink_to(ROOT / each)
        yield Path(name)


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def build_values(database_url: str, issuer: str) -> str:
    """The first block with values of the test: the same names, each with another value."""
    port, now = find_free_port(), int(time.time())
    token = issue_user_token(
        make_ec_key("first"), sub=ADMIN, iss=issuer, azp=DASHBOARD, iat=now, exp=now + 3_600
    )
    return "\n".join(
        [
            f"export DATABASE_URL='{database_url}'",
            f"export OIDC_ISSUER='{issuer}'",
            f"export OIDC_AUTHORIZED_PARTIES='{DASHBOARD}'",
            f"export PORT={port} URL=http://127.0.0.1:{port}",
            f"ADMIN='{ADMIN}'",
            f"TOKEN='{token}'",
        ]
    )


async def run_script(script: str, folder: Path) -> str:
    """The output of the commands, run by bash, which ends at the first that fails."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script,
        cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder)}, stdout=PIPE, stderr=STDOUT,
        start_new_session=True,
    )  # fmt: skip
    output, _ = await process.communicate()
    text = output.decode()
    log = folder / "server.log"
    assert process.returncode == 0, f"{text}\n{log.read_text() if log.exists() else ''}"
    return text


def names_of(block: str) -> list[str]:
    return re.findall(r"(\w+)=", block)


@pytest.mark.newest
async def test_getting_started_page_runs_as_it_stands(empty_database_url: str, folder: Path) -> None:
    async with start_issuer() as issuer:
        values = build_values(empty_database_url, issuer)
        assert sorted(names_of(VALUES)) == sorted(set(names_of(values)) & set(names_of(VALUES)))
        cleanup = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"
        output = await run_script("\n".join([values, cleanup, *BLOCKS[1:]]), folder)
    assert f"Administrator: a@byte.example ({ADMIN}, new)" in output
    assert '"role":{"name":"Administrator"},"tenant":{"name":"Byte"}' in output
    assert '"integration":{"name":"HaloPSA"}' in output
    assert "our-secret" not in output
    assert "Checked in" in output
    assert re.search(r'"isOnline":true', output)
    first, second = [json.loads(line)["data"] for line in (folder / "live.log").read_text().splitlines()]
    assert (first["agents"]["totalCount"], second["agents"]["totalCount"]) == (0, 1)
    assert second["agents"]["nodes"] == [{"site": {"name": "Head office"}}]
    assert stat.S_IMODE((folder / "agent-state.json").stat().st_mode) == 0o600


def test_getting_started_page_has_a_reference_agent_of_under_200_lines() -> None:
    assert len((ROOT / "docs" / "agent-client.py").read_text().splitlines()) < 200
