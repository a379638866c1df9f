"""Two servers on one database, as processes; either can be killed and started again."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import asyncpg

from api.demo_issuer import DemoIssuer
from core.settings import Settings
from core.signing import SigningKey, issue_platform_token
from core.viewer import ViewerKind
from tests.clusters import ThrowawayCluster
from tests.e2e.servers import Server, data_directory, running
from tests.graph import Who


class TwoServers:
    """Two servers with one data directory between them, so that a token is good for both."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stack = ExitStack()
        self._started: list[ExitStack] = []
        self._running: list[Server] = []

    def __enter__(self) -> Self:
        self._data_dir: Path = self._stack.enter_context(data_directory())
        for _ in range(2):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        for stack in self._started:
            stack.close()
        self._stack.close()

    def _start(self) -> None:
        stack = ExitStack()
        arguments = ("--demo", "--data-dir", self._data_dir)
        self._running.append(stack.enter_context(running(*arguments, lines=5, DATABASE_URL=self._dsn)))
        self._started.append(stack)

    def url(self, number: int) -> str:
        """Where the server of that number is now."""
        return self._running[number % 2].url

    def token(self, who: Who) -> str:
        """A token for a viewer."""
        if who.kind is ViewerKind.PLATFORM:
            key = SigningKey.load(Settings(demo=True, data_dir=self._data_dir))
            assert key is not None
            return issue_platform_token(key)
        return DemoIssuer.load(self._data_dir).issue(who.subject)

    async def kill_one(self) -> None:
        """Kill the second server without a word, and start it again."""
        self._running[1].end(signal.SIGKILL)
        self._started.pop().close()
        self._running.pop()
        await asyncio.to_thread(self._start)

    async def cut_connections(self, cluster: ThrowawayCluster) -> int:
        """Cut every connection to the database, the servers' among them; tells how many there were."""
        name = self._dsn.partition("@/")[2].partition("?")[0]
        connection = await asyncpg.connect(cluster.dsn("postgres", "postgres"))
        try:
            cut: int = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", name
            )
        finally:
            await connection.close()
        return cut
