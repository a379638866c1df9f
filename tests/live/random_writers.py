"""Writers: random changes of the demo data by plain SQL, as any program other than this server might make them."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import asyncpg

from schema.table import Column, Kind, Table
from schema.tables import BY_NAME, TABLES

Connection = asyncpg.Connection

_WRITTEN_TABLES: Final = tuple(table for table in TABLES if table.name not in ("tenants", "users", "roles"))
"""Tables in which random rows change. The viewers' own rows change on purpose only."""

_FIXED_COLUMNS: Final = frozenset({"id", "tenant_id"})
_UNIQUE_COLUMNS: Final = frozenset(
    {"slug", "guid", "email", "external_id", "name", "resource_id", "period_start"}
)
_TRUNCATED_TABLES: Final = ("api_logs", "agent_api_logs")
_CONNECTION_LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
)
_REFUSED: Final = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.RaiseError,
    asyncpg.InsufficientPrivilegeError,  # the audit log is append-only
)
_LOST_RACE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.QueryCanceledError)


@dataclass
class RandomWriters:
    """Several connections that write until they are stopped.

    Attributes:
        dsn: The database, as its owner.
        tenants: The tenants with the most writes.
        roles: Roles with rights that change now and then.
        change_counts: The number of committed changes of each kind.
    """

    dsn: str
    random: Random
    tenants: Sequence[str]
    roles: Sequence[str] = ()
    change_counts: Counter[str] = field(default_factory=Counter)
    is_stopping: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def write(self, count: int, pause_s: float) -> None:
        """Write over so many connections until `is_stopping`, with about that pause after each transaction."""
        await asyncio.gather(*(self._with_connection(self._run_transactions, pause_s) for _ in range(count)))

    async def write_pairs(self, roles: Sequence[str], pause_s: float) -> None:
        """Change the descriptions of these roles repeatedly, always both in one transaction."""

        async def write_both(connection: Connection, pause_s: float) -> None:
            while not self.is_stopping:
                async with connection.transaction():
                    text = str(self.next_number())
                    for role in roles:
                        await connection.execute(
                            "UPDATE roles SET description = $1 WHERE id = $2", text, role
                        )
                await asyncio.sleep(pause_s)

        await self._with_connection(write_both, pause_s)

    async def _with_connection(
        self, work: Callable[[Connection, float], Awaitable[None]], pause_s: float
    ) -> None:
        while not self.is_stopping:
            try:
                connection = await asyncpg.connect(self.dsn)
            except _CONNECTION_LOST:
                await asyncio.sleep(0.1)
                continue
            try:
                await work(connection, pause_s)
            except _CONNECTION_LOST:
                self.change_counts["connections lost"] += 1
            finally:
                connection.terminate()

    async def _run_transactions(self, connection: Connection, pause_s: float) -> None:
        while not self.is_stopping:
            try:
                kinds = await self._run_transaction(connection)
            except _REFUSED:
                self.change_counts["refused"] += 1
            except _LOST_RACE:
                self.change_counts["lost races"] += 1
            else:
                self.change_counts.update(kinds)
            await asyncio.sleep(self.random.expovariate(1 / pause_s))

    async def _run_transaction(self, connection: Connection) -> list[str]:
        """A transaction of some changes, sometimes long, sometimes rolled back; returns the committed kinds."""
        transaction = connection.transaction()
        await transaction.start()
        try:
            kinds = [await self._make_change(connection) for _ in range(self.random.choice((1, 1, 1, 2, 4)))]
            if self.random.random() < 0.12:
                await asyncio.sleep(self.random.random())
                kinds.append("long")
        except Exception:
            if not connection.is_closed():
                await transaction.rollback()
            raise
        if self.random.random() < 0.15:
            await transaction.rollback()
            return ["rolled back"]
        await transaction.commit()
        return kinds

    async def _make_change(self, connection: Connection) -> str:
        name, change = self.random.choices(
            [(name, change) for name, (change, _) in _CHANGES.items()],
            [weight for _, weight in _CHANGES.values()],
        )[0]
        await change(self, connection)
        return name

    def random_table(self) -> Table:
        """A random table that may be written."""
        return self.random.choice(_WRITTEN_TABLES)

    def random_tenant(self) -> str:
        """A tenant, mostly one with live queries."""
        return self.random.choice(self.tenants)

    def next_number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    async def random_row_id(self, connection: Connection, table: Table) -> str | None:
        """The id of a random row of the table."""
        where = "WHERE tenant_id = $1" if "tenant_id" in table.columns else "WHERE $1::text IS NOT NULL"
        sql = f"SELECT id FROM {table.name} {where} OFFSET floor(random() * 40) LIMIT 1"
        found: str | None = await connection.fetchval(sql, self.random_tenant())
        return found


async def _update_row(writers: RandomWriters, connection: Connection) -> None:
    """Set some columns of a row to values of other rows."""
    table = writers.random_table()
    plain = [column for column in _stored_columns(table) if column.name not in _FIXED_COLUMNS]
    chosen = writers.random.sample(plain, min(writers.random.randint(1, 3), len(plain)))
    settings = ", ".join(f"{column.name} = {_other_value_sql(writers, table, column)}" for column in chosen)
    sql = f"UPDATE {table.name} t SET {settings} WHERE id = $1"
    await connection.execute(sql, await writers.random_row_id(connection, table))


def _stored_columns(table: Table) -> list[Column]:
    """The columns that are stored. One may be shown in another form than it is stored."""
    return [column for column in table.columns.values() if column.options.stored]


def _other_value_sql(writers: RandomWriters, table: Table, column: Column) -> str:
    """The SQL of a value that another row of the tenant has, or of null if that is allowed."""
    if column.nullable and writers.random.random() < 0.1:
        return "NULL"
    same_tenant = " AND o.tenant_id = t.tenant_id" if "tenant_id" in table.columns else ""
    other = f"SELECT o.{column.name} FROM {table.name} o WHERE o.{column.name} IS NOT NULL{same_tenant}"
    return f"coalesce(({other} OFFSET floor(random() * 30) LIMIT 1), t.{column.name})"


async def _check_in_agents(writers: RandomWriters, connection: Connection) -> None:
    """Some agents of a tenant check in, in one statement."""
    await connection.execute(
        """UPDATE agents SET last_checkin_at = app.now_ms() WHERE id IN (
               SELECT id FROM agents WHERE tenant_id = $1 ORDER BY random() LIMIT $2)""",
        writers.random_tenant(),
        writers.random.choice((1, 5, 40)),
    )


async def _insert_row(writers: RandomWriters, connection: Connection) -> None:
    """Insert a copy of a row."""
    table = writers.random_table()
    await connection.execute(
        _copy_sql(table, "1"), await writers.random_row_id(connection, table), writers.next_number()
    )


async def _insert_many_rows(writers: RandomWriters, connection: Connection) -> None:
    """Insert many copies of a row in one statement: more rows than the log records one by one."""
    table = BY_NAME[writers.random.choice(("agent_api_logs", "scheduled_jobs", "tenant_bill_line_items"))]
    await connection.execute(
        _copy_sql(table, "700"), await writers.random_row_id(connection, table), writers.next_number()
    )


def _copy_sql(table: Table, count: str) -> str:
    others = [column.name for column in _stored_columns(table) if column.name != "id"]
    given = [
        _unique_value_sql(table.columns[name]) if name in _UNIQUE_COLUMNS else f"t.{name}" for name in others
    ]
    columns, values = ", ".join(others), ", ".join(given)
    return (
        f"INSERT INTO {table.name} (id, {columns}) "
        f"SELECT 'made-' || $2::int || '-' || n || '-' || floor(random() * 1e9)::bigint, {values} "
        f"FROM {table.name} t, generate_series(1, {count}) n WHERE t.id = $1"
    )


def _unique_value_sql(column: Column) -> str:
    if column.kind is Kind.TIMESTAMP:
        return f"t.{column.name} - $2::int * 1000 - n"
    return f"t.{column.name} || '-' || $2::int || '-' || n"


async def _delete_rows(writers: RandomWriters, connection: Connection) -> None:
    """Delete a row, mostly one that was made here, unless other rows refer to it."""
    table = writers.random_table()
    sql = f"DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name} WHERE id LIKE 'made-%' LIMIT 3)"
    await connection.execute(sql)


async def _soft_delete_row(writers: RandomWriters, connection: Connection) -> None:
    """Delete or restore a row softly."""
    table = writers.random.choice([table for table in _WRITTEN_TABLES if table.soft_deletes])
    sql = f"UPDATE {table.name} SET deleted_at = CASE WHEN deleted_at IS NULL THEN app.now_ms() END WHERE id = $1"
    await connection.execute(sql, await writers.random_row_id(connection, table))


async def _rename_row(writers: RandomWriters, connection: Connection) -> None:
    """Change the id of a row that no other row refers to."""
    table = writers.random_table()
    one = f"SELECT id FROM {table.name} WHERE id LIKE 'made-%' LIMIT 1"
    sql = f"UPDATE {table.name} SET id = id || '+' WHERE id IN ({one})"
    await connection.execute(sql)


async def _update_all_rows(writers: RandomWriters, connection: Connection) -> None:
    """Update one column of all rows of a tenant."""
    table = BY_NAME[writers.random.choice(("agents", "health_checks", "scheduled_jobs"))]
    column = {"agents": "version", "health_checks": "failure_count", "scheduled_jobs": "attempts"}[table.name]
    value = "version || '.1'" if column == "version" else f"{column} + 1"
    sql = f"UPDATE {table.name} SET {column} = {value} WHERE tenant_id = $1"
    await connection.execute(sql, writers.random_tenant())


async def _truncate_table(writers: RandomWriters, connection: Connection) -> None:
    """Truncate a log."""
    await connection.execute(f"TRUNCATE {writers.random.choice(_TRUNCATED_TABLES)}")


async def _copy_rows(writers: RandomWriters, connection: Connection) -> None:
    """Insert rows by COPY."""
    tenant = writers.random_tenant()
    rows = [(f"made-{writers.next_number()}-{n}-c", tenant, f"/v1/{n}", "POST", 200) for n in range(20)]
    columns = ("id", "tenant_id", "endpoint", "method", "status_code")
    await connection.copy_records_to_table("agent_api_logs", records=rows, columns=columns)


async def _move_agents(writers: RandomWriters, connection: Connection) -> None:
    """Move an agent to another site of its tenant. The lists of both sites must change together."""
    await connection.execute(
        """UPDATE agents a SET site_id = (
               SELECT s.id FROM sites s WHERE s.tenant_id = a.tenant_id ORDER BY random() LIMIT 1)
           WHERE id IN (SELECT id FROM agents WHERE tenant_id = $1 ORDER BY random() LIMIT 2)""",
        writers.random_tenant(),
    )


async def _change_rights(writers: RandomWriters, connection: Connection) -> None:
    """Remove or grant a right: the rights of subscribers change."""
    if not writers.roles:
        return
    right = writers.random.choice(
        ("Agents.Read", "Sites.Read", "HealthChecks.Read", "Entities.Read", "Jobs.Read")
    )
    await connection.execute(
        """UPDATE roles SET rights = CASE WHEN rights ? $2 THEN rights - $2
                                          ELSE rights || jsonb_build_object($2, true) END WHERE id = $1""",
        writers.random.choice(writers.roles),
        right,
    )


async def _change_tenant_name(writers: RandomWriters, connection: Connection) -> None:
    """Change a user's own row, and the name of the tenant, which most answers contain."""
    await connection.execute(
        "UPDATE users SET last_activity_at = app.now_ms() WHERE tenant_id = $1", writers.random_tenant()
    )
    await connection.execute("UPDATE tenants SET name = name || '.' WHERE id = $1", writers.random_tenant())


Change = Callable[[RandomWriters, Connection], Awaitable[Any]]

_CHANGES: Final[dict[str, tuple[Change, int]]] = {
    "update": (_update_row, 45),
    "check in": (_check_in_agents, 10),
    "insert": (_insert_row, 12),
    "insert many": (_insert_many_rows, 1),
    "delete": (_delete_rows, 6),
    "soft delete": (_soft_delete_row, 8),
    "rename": (_rename_row, 2),
    "update all": (_update_all_rows, 2),
    "truncate": (_truncate_table, 1),
    "copy": (_copy_rows, 2),
    "move": (_move_agents, 8),
    "rights": (_change_rights, 2),
    "names": (_change_tenant_name, 2),
}
