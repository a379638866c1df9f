"""The PostgreSQL role under which requests run, so that row-level security applies to them.

There are two modes. ROLE is the normal one: a separate role that owns nothing, has the grants below and is set by
`SET LOCAL ROLE`. FORCED applies if the connecting role may not create roles and the operator has created none for
it: the policies are forced on the owner itself, and the platform's statements set `app.platform = 'on'`.

The mode is chosen once, for a new database, and recorded in `app.installation`. It changes only by
`server.py migrate --change-rls-mode`: pg_dump needs other options in each mode.
"""

import asyncio
from enum import StrEnum
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core.errors import StartupError

ATTEMPTS_MAX: Final = 20
"""Attempts. Two databases of one cluster share its roles, and no lock spans databases, so conflicts are retried."""

PLATFORM: Final = "current_setting('app.platform', true) = 'on'"

TENANT_TABLES: Final = """
    SELECT quote_ident(c.relname) FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    ORDER BY c.relname
"""

CATALOG: Final = ("integrations", "global_entities")
"""Tables shared by all tenants: requests read them, only the platform writes them."""

GRANTS: Final = {
    "tenants": "SELECT, UPDATE",
    "api_logs": "",
    "integrations": "SELECT",
    "global_entities": "SELECT",
    "audit_log": "SELECT, INSERT",
}
"""The grants of requests on tables with less than full access. There are none on a table that is neither here nor a
tenant's."""

CHANGE_LOG: Final = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = to_regnamespace('live') AND relkind IN ('r', 'p') AND relname ~ '^change'
"""
"""The tables of the change log, partitions included. The role of requests has no rights on them; a forced owner
only inserts."""


CHANGE_MODE: Final = "python server.py migrate --change-rls-mode"
"""The command that changes the recorded mode."""

_HAS_RECORD: Final = "SELECT to_regclass('app.installation') IS NOT NULL"
"""False in a database that is migrated to an earlier step only."""

_RECORDED_MODE: Final = "SELECT row_security FROM app.installation"
_RECORD_MODE: Final = "UPDATE app.installation SET row_security = $1 WHERE row_security IS DISTINCT FROM $1"

_POLICIES_IN_FORCE: Final = """
    SELECT bool_and(c.relrowsecurity) AS enabled, bool_and(row_security_active(c.oid)) AS active,
           bool_and(c.relforcerowsecurity) AS all_forced, bool_or(c.relforcerowsecurity) AS any_forced
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND (
        c.relname IN ('tenants', 'api_logs') OR EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        )
    )
"""

AnyConnection = asyncpg.Connection | PoolConnectionProxy


class RoleMode(StrEnum):
    """How row-level security is applied to requests."""

    ROLE = "role"
    FORCED = "forced"


async def ensure_request_role(
    connection: asyncpg.Connection, role: str, *, change_mode: bool = False
) -> RoleMode:
    """Put the request role and its grants in force, or force the policies on the owner; idempotent.

    Call it as the tables' owner, outside a transaction, after the migrations.

    Args:
        connection: The owner's; one at a time in a database (services.migrations holds a lock).
        role: The role's name (Settings.request_role).
        change_mode: Whether the recorded mode may change to the one that the connecting role's rights suggest.

    Returns:
        The mode that is in force now.

    Raises:
        StartupError: The role exists, and row-level security would not apply to it. Or the recorded mode is
            impossible, and `change_mode` is not set.
    """
    mode = await _choose_mode(connection, role, change_mode=change_mode)
    async with connection.transaction():
        if mode is RoleMode.FORCED:
            await _force_policies(connection)
            await _check_forced(connection)
        else:
            await _unforce_policies(connection)
            await _grant_rights(connection, role)
            await _check_role(connection, role)
        if await connection.fetchval(_HAS_RECORD):
            await connection.execute(_RECORD_MODE, mode.value)
    return mode


async def _choose_mode(connection: asyncpg.Connection, role: str, *, change_mode: bool) -> RoleMode:
    has_record = not change_mode and await connection.fetchval(_HAS_RECORD)
    recorded = await connection.fetchval(_RECORDED_MODE) if has_record else None
    if recorded == RoleMode.FORCED:
        return RoleMode.FORCED
    if await _is_available(connection, role):
        return RoleMode.ROLE
    if recorded == RoleMode.ROLE:
        raise StartupError(
            f"Requests of this database run as the role {role}, which the connecting role may not use any more. "
            f"As a superuser run: {' '.join(await suggest_role_sql(connection, role))} To force row-level security "
            f"on the owner instead, run: {CHANGE_MODE}"
        )
    return RoleMode.FORCED


async def suggest_role_sql(connection: AnyConnection, role: str) -> list[str]:
    """The two lines of SQL by which a superuser makes ROLE mode possible for the connecting role."""
    owner = _quote_identifier(await connection.fetchval("SELECT current_user"))
    return [
        f"CREATE ROLE {_quote_identifier(role)} NOLOGIN NOINHERIT;",
        f"GRANT {_quote_identifier(role)} TO {owner}{_build_membership_options(connection)};",
    ]


async def detect_role_mode(connection: AnyConnection, role: str) -> RoleMode:
    """The mode in which requests can run in a migrated database, from its roles and policies."""
    forced = await connection.fetchval(
        "SELECT relforcerowsecurity FROM pg_class WHERE oid = to_regclass('public.sites')"
    )
    return RoleMode.FORCED if forced or not await _may_become(connection, role) else RoleMode.ROLE


async def find_role_mode(connection: AnyConnection, role: str) -> RoleMode | None:
    """The mode that is in force on every table; None if neither is completely in force."""
    found = await connection.fetchrow(_POLICIES_IN_FORCE)
    if found is None or not found["enabled"]:
        return None
    if found["all_forced"] and found["active"]:
        return RoleMode.FORCED
    return RoleMode.ROLE if not found["any_forced"] and await _may_become(connection, role) else None


async def _is_available(connection: asyncpg.Connection, role: str) -> bool:
    """Whether the connecting role may become `role`, which is created and granted if that is allowed."""
    for _ in range(ATTEMPTS_MAX):
        try:
            await _create_role(connection, role)
            await _join_role(connection, role)
        except asyncpg.InsufficientPrivilegeError:
            break
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.InternalServerError):
            await asyncio.sleep(0.05)  # another database was faster: "tuple concurrently updated"
        else:
            break
    return await _may_become(connection, role)


async def _create_role(connection: asyncpg.Connection, role: str) -> None:
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
        await connection.execute(f"CREATE ROLE {_quote_identifier(role)} NOLOGIN NOINHERIT")


async def _join_role(connection: asyncpg.Connection, role: str) -> None:
    """Allow the connecting role to become `role`, without inheriting its rights if PostgreSQL supports that."""
    if await _may_become(connection, role):
        return
    options = _build_membership_options(connection)
    await connection.execute(f"GRANT {_quote_identifier(role)} TO CURRENT_USER{options}")


def _build_membership_options(connection: AnyConnection) -> str:
    return " WITH SET TRUE, INHERIT FALSE" if connection.get_server_version().major >= 16 else ""


async def _may_become(connection: AnyConnection, role: str) -> bool:
    membership = "SET" if connection.get_server_version().major >= 16 else "MEMBER"
    query = "SELECT pg_has_role(current_user, oid, $2) FROM pg_roles WHERE rolname = $1"
    return bool(await connection.fetchval(query, role, membership))


async def _grant_rights(connection: asyncpg.Connection, role: str) -> None:
    name = _quote_identifier(role)
    tables = dict.fromkeys(await _list_tenant_tables(connection), "SELECT, INSERT, UPDATE, DELETE") | GRANTS
    statements = [
        f"GRANT USAGE ON SCHEMA app TO {name}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA app TO {name}",
        *(f"REVOKE ALL ON public.{table} FROM {name}" for table in tables),
        *(f"GRANT {rights} ON public.{table} TO {name}" for table, rights in tables.items() if rights),
    ]
    await connection.execute(";\n".join(statements))


async def _check_role(connection: asyncpg.Connection, role: str) -> None:
    """Refuse a role that bypasses the policies: a superuser, one with BYPASSRLS, the owner or its member."""
    guarded = ["tenants", "api_logs", *await _list_tenant_tables(connection)]
    await connection.execute(f"SET LOCAL ROLE {_quote_identifier(role)}")
    memberships = await connection.fetchval(
        "SELECT bool_and(row_security_active('public.' || name)) FROM unnest($1::text[]) name", guarded
    )
    await connection.execute("RESET ROLE")
    if not memberships:
        raise StartupError(
            f"Row-level security does not apply to the role {role}: it must be an ordinary role"
        )


async def _check_forced(connection: asyncpg.Connection) -> None:
    """Refuse to force the policies on a connecting role that bypasses them."""
    if not await connection.fetchval("SELECT row_security_active('public.sites')"):
        raise StartupError(
            "Row-level security is forced on the owner of the tables, but the connecting role bypasses it. Connect "
            f"as a plain role that owns the tables, or run: {CHANGE_MODE}"
        )


async def _force_policies(connection: asyncpg.Connection) -> None:
    """Force the policies on the owner, and add one for the platform. Only the platform may change past records."""
    await _unforce_policies(connection)
    for table in (*await _list_tenant_tables(connection), "tenants", "api_logs", *CATALOG):
        await connection.execute(f"""
            ALTER TABLE public.{table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
            CREATE POLICY platform ON public.{table} FOR ALL USING ({PLATFORM}) WITH CHECK ({PLATFORM});
        """)
    for table in CATALOG:
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


async def _unforce_policies(connection: asyncpg.Connection) -> None:
    """Undo FORCED mode if it was in force: the owner bypasses the policies again."""
    forced = await connection.fetch(
        "SELECT oid::regclass::text AS name, relname::text, relnamespace::regnamespace::text AS schema FROM pg_class "
        "WHERE relnamespace IN ('public'::regnamespace, to_regnamespace('live')) AND relforcerowsecurity"
    )
    for table, name, schema in forced:
        await connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        for policy in ("platform", "everybody", "no_insert", "no_update", "no_delete"):
            await connection.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
        if name in CATALOG or schema == "live":
            await connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


async def _list_tenant_tables(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(TENANT_TABLES)]


def _quote_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
