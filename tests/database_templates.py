"""The databases of one throwaway cluster: templates, made at first use, and copies of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from core.database.request_role import RoleMode
from core.settings import Settings
from tests.clusters import ThrowawayCluster
from tests.role_modes import OWNERS, check_is_forced, create_database_of_restricted_owner


class DatabaseTemplates:
    """Templates with and without the demo data, in each role mode. They last as long as the cluster.

    Attributes:
        cluster: Where they are.
    """

    def __init__(self, cluster: ThrowawayCluster) -> None:
        self.cluster = cluster
        self._names: dict[tuple[RoleMode, bool], str] = {}
        self._read_only_demo: str | None = None

    async def get_template(self, mode: RoleMode, *, demo: bool) -> str:
        """The name of a migrated database, with the small demo data or empty. No connection may stay open."""
        if (mode, demo) not in self._names:
            self._names[mode, demo] = await self._create_template(mode, demo=demo)
        return self._names[mode, demo]

    async def get_read_only_demo(self) -> str:
        """The DSN of one copy of the demo data for all tests."""
        if self._read_only_demo is None:
            name = await self.cluster.create_database(await self.get_template(RoleMode.ROLE, demo=True))
            self._read_only_demo = self.cluster.build_dsn(name)
        return self._read_only_demo

    @asynccontextmanager
    async def copy_template(self, mode: RoleMode, *, demo: bool = False) -> AsyncIterator[str]:
        """The DSN of a copy, which is dropped at the end."""
        template = await self.get_template(mode, demo=demo)
        name = await self.cluster.create_database(template, OWNERS[mode])
        yield self.cluster.build_dsn(name, OWNERS[mode])
        await self.cluster.drop_database(name)

    async def _create_template(self, mode: RoleMode, *, demo: bool) -> str:
        from demo import DemoSize, load_demo

        if not demo:
            return await self._create_migrated(mode)
        empty = await self.get_template(mode, demo=False)
        name = await self.cluster.create_database(empty, OWNERS[mode])
        connection = await asyncpg.connect(self.cluster.build_dsn(name, OWNERS[mode]))
        try:
            await load_demo(connection, DemoSize.SMALL)
            await connection.execute("ANALYZE")
        finally:
            await connection.close()
        if mode is RoleMode.FORCED:
            await check_is_forced(self.cluster.build_dsn(name, OWNERS[mode]))
        return name

    async def _create_migrated(self, mode: RoleMode) -> str:
        from services.migrations import migrate

        if mode is RoleMode.FORCED:
            return await create_database_of_restricted_owner(self.cluster)
        name = await self.cluster.create_database()
        await migrate(self.cluster.build_dsn(name), Settings())
        return name
