"""The PostgreSQL role under which requests run, so that row-level security applies to them.

Two modes. ROLE, the rule: a role of its own that owns nothing, holds the grants below and is taken by
`SET LOCAL ROLE`. FORCED, where the connecting role may not create roles and nobody made one for it: the
owner is put under the policies itself, and what the platform does says so by `app.platform = 'on'`.
"""

import asyncio
from enum import StrEnum
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core.errors import StartupError

ATTEMPTS: Final = 20
"""Two databases of one cluster share its roles, and no lock reaches across databases: we try again."""

PLATFORM: Final = "current_setting('app.platform', true) = 'on'"

TENANT_TABLES: Final = """
    SELECT quote_ident(c.relname) FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    ORDER BY c.relname
"""

CATALOGUE: Final = ("integrations", "global_entities")
"""One for all tenants: requests read them, the platform alone writes them."""

GRANTS: Final = {
    "tenants": "SELECT, UPDATE",
    "api_logs": "",
    "integrations": "SELECT",
    "global_entities": "SELECT",
    "audit_log": "SELECT, INSERT",
}
"""What requests may do where it is not everything. Tables that are neither here nor a tenant's: nothing."""

CHANGE_LOG: Final = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = to_regnamespace('live') AND relkind IN ('r', 'p') AND relname ~ '^change'
"""
"""The change log with its parts. The role of requests holds nothing of it; a forced owner only adds to it."""


AnyConnection = asyncpg.Connection | PoolConnectionProxy


class RoleMode(StrEnum):
    """How requests come under row-level security."""

    ROLE = "role"
    FORCED = "forced"


async def ensure_request_role(connection: asyncpg.Connection, role: str) -> None:
    """Puts the request role and its grants in force, or the owner under the policies; idempotent.

    To be called by the tables' owner, outside a transaction, once the schema stands.

    Args:
        connection: The owner's; one at a time in a database (services.migrations holds a lock).
        role: The role's name (Settings.request_role).

    Raises:
        StartupError: The role exists, and row-level security would not hold for it.
    """
    if not await _available(connection, role):
        async with connection.transaction():
            await _force(connection)
        return
    async with connection.transaction():
        await _release(connection)
        await _grant(connection, role)
        await _check(connection, role)


async def request_role_mode(connection: AnyConnection, role: str) -> RoleMode:
    """Which mode is in force in a migrated database, from what stands there."""
    forced = await connection.fetchval(
        "SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass('public.sites')"
    )
    return RoleMode.FORCED if forced or not await _may_become(connection, role) else RoleMode.ROLE


async def _available(connection: asyncpg.Connection, role: str) -> bool:
    """Whether the connecting role may become `role`, which is made and granted where that is allowed."""
    for _ in range(ATTEMPTS):
        try:
            await _create(connection, role)
            await _join(connection, role)
        except asyncpg.InsufficientPrivilegeError:
            break
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError):
            await asyncio.sleep(0.05)  # somebody in another database was faster: "tuple concurrently updated"
        else:
            break
    return await _may_become(connection, role)


async def _create(connection: asyncpg.Connection, role: str) -> None:
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
        await connection.execute(f"CREATE ROLE {_quoted(role)} NOLOGIN NOINHERIT")


async def _join(connection: asyncpg.Connection, role: str) -> None:
    """Lets the connecting role become `role`, without inheriting its rights where that can be said."""
    if await _may_become(connection, role):
        return
    options = " WITH SET TRUE, INHERIT FALSE" if connection.get_server_version().major >= 16 else ""
    await connection.execute(f"GRANT {_quoted(role)} TO CURRENT_USER{options}")


async def _may_become(connection: AnyConnection, role: str) -> bool:
    membership = "SET" if connection.get_server_version().major >= 16 else "MEMBER"
    query = "SELECT pg_has_role(current_user, oid, $2) FROM pg_roles WHERE rolname = $1"
    return bool(await connection.fetchval(query, role, membership))


async def _grant(connection: asyncpg.Connection, role: str) -> None:
    name = _quoted(role)
    tables = dict.fromkeys(await _tenant_tables(connection), "SELECT, INSERT, UPDATE, DELETE") | GRANTS
    statements = [
        f"GRANT USAGE ON SCHEMA app TO {name}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA app TO {name}",
        *(f"REVOKE ALL ON public.{table} FROM {name}" for table in tables),
        *(f"GRANT {rights} ON public.{table} TO {name}" for table, rights in tables.items() if rights),
    ]
    await connection.execute(";\n".join(statements))


async def _check(connection: asyncpg.Connection, role: str) -> None:
    """Refuses a role that is past the policies: a superuser, one with BYPASSRLS, the owner or its member."""
    guarded = ["tenants", "api_logs", *await _tenant_tables(connection)]
    await connection.execute(f"SET LOCAL ROLE {_quoted(role)}")
    held = await connection.fetchval(
        "SELECT bool_and(row_security_active('public.' || name)) FROM unnest($1::text[]) name", guarded
    )
    await connection.execute("RESET ROLE")
    if not held:
        raise StartupError(f"Row-level security does not hold for the role {role}: it must be a plain role")


async def _force(connection: asyncpg.Connection) -> None:
    """Puts the owner under the policies, with one for the platform, who alone may change the past."""
    await _release(connection)
    for table in (*await _tenant_tables(connection), "tenants", "api_logs", *CATALOGUE):
        await connection.execute(f"""
            ALTER TABLE public.{table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
            CREATE POLICY platform ON public.{table} FOR ALL USING ({PLATFORM}) WITH CHECK ({PLATFORM});
        """)
    for table in CATALOGUE:
        await connection.execute(f"CREATE POLICY everybody ON public.{table} FOR SELECT USING (true)")
    for (table,) in await connection.fetch(CHANGE_LOG):
        await connection.execute(f"""
            ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
            CREATE POLICY platform ON {table} FOR ALL USING ({PLATFORM}) WITH CHECK (true);
        """)
    await connection.execute(f"""
        CREATE POLICY no_update ON public.audit_log AS RESTRICTIVE FOR UPDATE USING ({PLATFORM});
        CREATE POLICY no_delete ON public.audit_log AS RESTRICTIVE FOR DELETE USING ({PLATFORM});
        CREATE POLICY no_insert ON public.tenants AS RESTRICTIVE FOR INSERT WITH CHECK ({PLATFORM});
        CREATE POLICY no_delete ON public.tenants AS RESTRICTIVE FOR DELETE USING ({PLATFORM});
    """)


async def _release(connection: asyncpg.Connection) -> None:
    """Takes back what FORCED mode put in place, if it was: the owner is past the policies again."""
    forced = await connection.fetch(
        "SELECT oid::regclass::text AS name, relname::text, relnamespace::regnamespace::text AS schema FROM pg_class "
        "WHERE relnamespace IN ('public'::regnamespace, to_regnamespace('live')) AND relforcerowsecurity"
    )
    for table, name, schema in forced:
        await connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        for policy in ("platform", "everybody", "no_insert", "no_update", "no_delete"):
            await connection.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
        if name in CATALOGUE or schema == "live":
            await connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


async def _tenant_tables(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(TENANT_TABLES)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
