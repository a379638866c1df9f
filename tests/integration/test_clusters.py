"""The throw-away clusters themselves."""

import asyncpg

from tests.clusters import ThrowawayCluster


async def test_role_of_throwaway_cluster_is_no_superuser(
    cluster: ThrowawayCluster, empty_database_url: str
) -> None:
    connection = await asyncpg.connect(empty_database_url)
    try:
        role = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        version = connection.get_server_version()
    finally:
        await connection.close()
    assert version.major == cluster.version
    assert role is not None
    assert not role["rolsuper"]
    assert not role["rolbypassrls"]
