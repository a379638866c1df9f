"""The marker of a demo's database. A database with rows and without the marker is a real one: no demo touches it."""

from typing import Final

import asyncpg

from core.errors import StartupError
from demo.tenants import tenant_id

_EXISTS: Final = "SELECT to_regclass($1) IS NOT NULL"
_IS_MARKED: Final = "SELECT EXISTS (SELECT FROM app.demo_marker)"
_HAS_DEMO_TENANT: Final = "SELECT EXISTS (SELECT FROM public.tenants WHERE id = $1)"
_MARK: Final = "INSERT INTO app.demo_marker (id) VALUES (true) ON CONFLICT (id) DO NOTHING"

_TABLES: Final = """
    SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> ALL ($1::text[]) ORDER BY 1
"""
_SHIPPED: Final = ("aerich", "audit_log", "integrations")
"""Tables in which the product itself writes rows, those of its catalog. A database with these rows alone is empty."""


async def require_demo_or_empty(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    """Require a database that has no rows, or a demo's. Returns whether it is a demo's.

    Args:
        connection: The owner's, in a transaction of the platform. The database need not be migrated.

    Raises:
        StartupError: The database has rows that are not a demo's.
    """
    if not await connection.fetchval(_EXISTS, "public.tenants"):
        return False
    if await _is_demo(connection):
        return True
    for (table,) in await connection.fetch(_TABLES, _SHIPPED):
        if await connection.fetchval(f'SELECT EXISTS (SELECT FROM public."{table}")'):  # noqa: S608 - of the catalog
            raise StartupError(
                f"The database has rows that are not a demo's (in {table}): --demo is refused. "
                "Use an empty database for a demo, or start the server without --demo."
            )
    return False


async def mark_demo(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Mark a database as a demo's."""
    await connection.execute(_MARK)


async def _is_demo(connection: "asyncpg.Connection[asyncpg.Record]") -> bool:
    if await connection.fetchval(_EXISTS, "app.demo_marker"):
        return bool(await connection.fetchval(_IS_MARKED))
    # The migration that makes the table marks this database.
    return bool(await connection.fetchval(_HAS_DEMO_TENANT, tenant_id(0)))
