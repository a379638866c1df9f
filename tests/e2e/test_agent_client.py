"""docs/agents.md: the ways to install the reference agent, run as they stand against a server on a real port."""

import asyncio
import json
import re
import stat
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
import pytest
import pytest_asyncio

from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey
from tests.e2e.servers import ROOT
from tests.scripted_live import start_scripted_server

pytestmark = pytest.mark.newest
PAGE: Final = (ROOT / "docs" / "agents.md").read_text("utf-8")


class Target(NamedTuple):
    """The server, a site, and its enrollment token."""

    url: str
    site: str
    token: str
    dsn: str

    def fill(self, text: str) -> str:
        """The text of the page with these values."""
        values = {
            "https://msp.example": self.url,
            "https://files.example": f"file://{ROOT}/docs",
            "SITE_ID": self.site,
            "=TOKEN": f"={self.token}",
            '"TOKEN"': f'"{self.token}"',
            "python3": sys.executable,
        }
        for shown, value in values.items():
            text = text.replace(shown, value)
        return text


@pytest_asyncio.fixture
async def target(writable_demo_database_url: str, tmp_path: Path) -> AsyncIterator[Target]:
    tokens = AgentTokens(SigningKey.create(tmp_path / "key.pem"))
    connection = await asyncpg.connect(writable_demo_database_url)
    (found,) = await connection.fetch(
        "INSERT INTO issued_credentials (tenant_id, kind, site_id, issuer_type, expires_at)"
        " SELECT tenant_id, 'enrollment', id, 'platform', app.now_ms() + 600000 FROM sites"
        " WHERE deleted_at IS NULL ORDER BY id LIMIT 1 RETURNING id, site_id, tenant_id"
    )
    await connection.close()
    token_id, site, tenant = found
    async with start_scripted_server(writable_demo_database_url, agent_tokens=tokens) as server:
        token = tokens.issue_enrollment_token(site, tenant, 600, token_id)
        yield Target(server.url, site, token, writable_demo_database_url)


def find_block(language: str, words: str) -> str:
    """The only block of the page with these words, without the end of its line."""
    blocks = re.findall(rf"^```{language}\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)
    (block,) = [block for block in blocks if words in block]
    return str(block)


async def run_once(command: str, folder: Path) -> str:
    """The output of the command, which checks in once."""
    process = await asyncio.create_subprocess_shell(
        f"{command} --once", cwd=folder, env={"PATH": "/usr/bin:/bin"}, stdout=PIPE, stderr=STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def read_sites(dsn: str, device_ids: list[str]) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT site_id FROM agents WHERE id = ANY ($1) AND last_checkin_at IS NOT NULL", device_ids
        )
    finally:
        await connection.close()
    return [row["site_id"] for row in rows]


async def call(block: str, target: Target, **variables: str) -> dict[str, str]:
    """`data` of the answer to the request of a block, whose last line is an example of an answer."""
    request = block[: block.index('\n{"data"')].replace('"site_id": "..."', f'"site_id": "{target.site}"')
    request = re.sub(r"X-Site-ID: \.\.\.", f"X-Site-ID: {target.site}", request)
    request = re.sub(r"X-Device-ID: \S+\.\.\.", f"X-Device-ID: {variables.get('DEVICE')}", request)
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", request, env={"PATH": "/usr/bin:/bin", "URL": target.url, **variables}, stdout=PIPE
    )
    output, _ = await process.communicate()
    data: dict[str, str] = json.loads(output)["data"]
    return data


async def test_agent_enrolls_and_checks_in_by_the_requests_of_the_page(target: Target) -> None:
    enrolled = await call(find_block("sh", "/v1.0/register"), target, ENROLLMENT=target.token)
    assert set(enrolled) == {"device_id", "guid", "token"}
    device = {"TOKEN": enrolled["token"], "DEVICE": enrolled["device_id"]}
    checked_in = await call(find_block("sh", "/v1.0/heartbeat"), target, **device)
    assert checked_in["guid"] == enrolled["guid"]
    assert await read_sites(target.dsn, [enrolled["device_id"]]) == [target.site]


async def test_agent_enrolls_by_one_line_and_by_an_installers_settings(
    target: Target, tmp_path: Path
) -> None:
    line = target.fill(find_block("sh", "agent-client.py &&"))
    output = await run_once(line, tmp_path)
    state = tmp_path / "agent-state.json"
    device_id = json.loads(state.read_text())["device_id"]
    assert f"Enrolled as {device_id}\n" in output
    assert output.endswith("Checked in\n")
    assert stat.S_IMODE(state.stat().st_mode) == 0o600

    settings = tmp_path / "msp-agent.json"
    settings.write_text("\ufeff" + target.fill(find_block("json", "enrollment_token")))
    state.unlink()
    command = target.fill(find_block("sh", "--settings"))
    assert "Enrolled as" in await run_once(command, tmp_path)
    settings.unlink()  # as the page advises
    assert "Enrolled as" not in await run_once(command, tmp_path)
    assert set(await read_sites(target.dsn, [device_id])) == {target.site}


def test_line_for_windows_sets_the_same_variables() -> None:
    variables = re.findall(r"(MSP_\w+)=", find_block("sh", "agent-client.py &&"))
    assert re.findall(r"\$env:(MSP_\w+)=", find_block("powershell", "irm")) == variables
    assert {f"`{name}`" for name in variables} <= set(re.findall(r"`MSP_\w+`", PAGE))
