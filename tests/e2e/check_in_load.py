"""Agents that check in without a pause, and the check that no acknowledged check-in is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey
from tests.e2e.keep_alive_client import KeepAliveClient

AGENTS: Final = 60


FILL_AGENTS: Final = """
    INSERT INTO tenants (id, name) VALUES ('t', 'T');
    INSERT INTO sites (id, tenant_id, name, slug) VALUES ('s', 't', 'S', 's');
    INSERT INTO agents (id, tenant_id, site_id, guid, hostname, platform, version)
    SELECT 'a' || n, 't', 's', 'g' || n, 'h' || n, 'windows', '0' FROM generate_series(1, 60) n;
"""


async def execute_sql(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


@dataclass
class CheckInLoad:
    """Agents that check in as fast as they can. Each check-in has a version number of its own.

    Attributes:
        acknowledged: By agent, the last acknowledged number.
        sent: By agent, the last sent number.
        statuses: The number of responses by status; 0 is no response.
    """

    url: str
    tokens: AgentTokens
    acknowledged: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    is_over: bool = False

    async def run_agent(self, name: str) -> None:
        """Run one agent until the load ends."""
        client = KeepAliveClient(self.url)
        token = self.tokens.issue_agent_token(name, "s", "t")
        headers = {"Authorization": f"Bearer {token}", "X-Site-ID": "s", "X-Device-ID": name}
        while not self.is_over:
            self.sent[name] += 1
            number = self.sent[name]
            body = {"hostname": name, "version": str(number)}
            try:
                answer = await client.post("/v1.0/heartbeat", body, headers)
            except (OSError, EOFError):
                self.statuses[0] += 1
                await asyncio.sleep(0.02)
                continue
            self.statuses[answer.status] += 1
            if answer.status == 200:
                assert answer.body["data"]["guid"]
                self.acknowledged[name] = number
            else:
                assert answer.body["error"]["code"] == str(answer.status)
                self.without_retry_after += "retry-after" not in answer.headers
                await asyncio.sleep(0.02)
        client.close()


@asynccontextmanager
async def start_load(url: str, key: Path, previous: CheckInLoad | None = None) -> AsyncIterator[CheckInLoad]:
    """Run all agents, continuing another load's numbers."""
    made = CheckInLoad(url, AgentTokens(SigningKey.create(key)))
    if previous:
        made.sent, made.acknowledged = previous.sent, previous.acknowledged
    tasks = [asyncio.create_task(made.run_agent(f"a{n}")) for n in range(1, AGENTS + 1)]
    try:
        yield made
    finally:
        made.is_over = True
        await asyncio.gather(*tasks)


async def read_versions(dsn: str) -> dict[str, int]:
    """By agent, the number of the check-in in the table."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT id, version, last_checkin_at FROM agents")
    await connection.close()
    assert all((row["version"] == "0") is (row["last_checkin_at"] is None) for row in rows)
    return {row["id"]: int(row["version"]) for row in rows}


def assert_nothing_lost(made: CheckInLoad, found: dict[str, int]) -> None:
    for agent, number in made.acknowledged.items():
        assert number <= found[agent] <= made.sent[agent], (agent, number, found[agent], made.sent[agent])
