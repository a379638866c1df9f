"""Two servers on one database, as processes. Either can be killed and started again."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import asyncpg

from api.demo_issuer import DemoIssuer
from core.auth.sealing import TokenSealer
from core.auth.signing import SigningKey, issue_platform_token
from core.auth.viewer import ViewerKind
from core.settings import Settings
from tests.clusters import ThrowawayCluster
from tests.e2e.servers import Server, start_server, temporary_data_dir
from tests.graphql_harness import Principal
from tests.sealed_tokens import load_demo_sealer


class TwoServers:
    """Two servers that share a data directory, so that a token is valid for both."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stack = ExitStack()
        self._started: list[ExitStack] = []
        self._servers: list[Server] = []

    def __enter__(self) -> Self:
        self._data_dir: Path = self._stack.enter_context(temporary_data_dir())
        for _ in range(2):
            self._start_server()
        return self

    def __exit__(self, *_: object) -> None:
        for stack in self._started:
            stack.close()
        self._stack.close()

    def _start_server(self) -> None:
        stack = ExitStack()
        arguments = ("--demo", "--data-dir", self._data_dir)
        self._servers.append(stack.enter_context(start_server(*arguments, lines=5, DATABASE_URL=self._dsn)))
        self._started.append(stack)

    def url_of(self, number: int) -> str:
        """The present URL of the server of that number."""
        return self._servers[number % 2].url

    @property
    def sealer(self) -> TokenSealer:
        """The sealer of both."""
        return load_demo_sealer(self._data_dir)

    def issue_token(self, principal: Principal) -> str:
        """A token for a viewer."""
        if principal.kind is ViewerKind.PLATFORM:
            key = SigningKey.load(Settings(demo=True, data_dir=self._data_dir))
            assert key is not None
            return issue_platform_token(key)
        return DemoIssuer.load(self._data_dir).issue(principal.subject)

    async def kill_and_restart_one(self) -> None:
        """Kill the second server without a shutdown, and start it again."""
        self._servers[1].stop(signal.SIGKILL)
        self._started.pop().close()
        self._servers.pop()
        await asyncio.to_thread(self._start_server)

    async def cut_connections(self, cluster: ThrowawayCluster) -> int:
        """Close every connection to the database, including the servers'; returns how many there were."""
        name = self._dsn.partition("@/")[2].partition("?")[0]
        connection = await asyncpg.connect(cluster.build_dsn("postgres", "postgres"))
        try:
            cut: int = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1", name
            )
        finally:
            await connection.close()
        return cut
