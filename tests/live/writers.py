"""Writers: random changes to the demo data by plain SQL, as anything might make them that is not this server."""

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

_WRITTEN: Final = tuple(table for table in TABLES if table.name not in ("tenants", "users", "roles"))
"""Tables whose rows change at random; the viewers' own rows change on purpose."""

_FIXED: Final = frozenset({"id", "tenant_id"})
_UNIQUE: Final = frozenset({"slug", "guid", "email", "external_id", "name", "resource_id", "period_start"})
_TRUNCATED: Final = ("api_logs", "agent_api_logs")
_GONE: Final = (
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
    asyncpg.InsufficientPrivilegeError,  # the audit log is only ever added to
)
_LOST_RACE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.QueryCanceledError)


@dataclass
class Writers:
    """Several connections that write until they are told to stop.

    Attributes:
        dsn: The database, as its owner.
        tenants: Whose rows are written most.
        roles: Roles whose rights change now and then.
        done: How many changes of each kind were committed.
    """

    dsn: str
    random: Random
    tenants: Sequence[str]
    roles: Sequence[str] = ()
    done: Counter[str] = field(default_factory=Counter)
    stopping: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def write(self, count: int, pause_s: float) -> None:
        """Write over so many connections until `stopping`, with about so long a pause after each transaction."""
        await asyncio.gather(*(self._connected(self._transactions, pause_s) for _ in range(count)))

    async def write_pairs(self, roles: Sequence[str], pause_s: float) -> None:
        """Give these roles one description after another, always both in one transaction."""

        async def both(connection: Connection, pause_s: float) -> None:
            while not self.stopping:
                async with connection.transaction():
                    text = str(self.number())
                    for role in roles:
                        await connection.execute(
                            "UPDATE roles SET description = $1 WHERE id = $2", text, role
                        )
                await asyncio.sleep(pause_s)

        await self._connected(both, pause_s)

    async def _connected(self, work: Callable[[Connection, float], Awaitable[None]], pause_s: float) -> None:
        while not self.stopping:
            try:
                connection = await asyncpg.connect(self.dsn)
            except _GONE:
                await asyncio.sleep(0.1)
                continue
            try:
                await work(connection, pause_s)
            except _GONE:
                self.done["connections lost"] += 1
            finally:
                connection.terminate()

    async def _transactions(self, connection: Connection, pause_s: float) -> None:
        while not self.stopping:
            try:
                kinds = await self._transaction(connection)
            except _REFUSED:
                self.done["refused"] += 1
            except _LOST_RACE:
                self.done["lost races"] += 1
            else:
                self.done.update(kinds)
            await asyncio.sleep(self.random.expovariate(1 / pause_s))

    async def _transaction(self, connection: Connection) -> list[str]:
        """A transaction of some changes, some of them long, some in vain; the kinds that were committed."""
        transaction = connection.transaction()
        await transaction.start()
        try:
            kinds = [await self._change(connection) for _ in range(self.random.choice((1, 1, 1, 2, 4)))]
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

    async def _change(self, connection: Connection) -> str:
        name, change = self.random.choices(
            [(name, change) for name, (change, _) in _CHANGES.items()],
            [weight for _, weight in _CHANGES.values()],
        )[0]
        await change(self, connection)
        return name

    def table(self) -> Table:
        """Some table whose rows may be written."""
        return self.random.choice(_WRITTEN)

    def tenant(self) -> str:
        """A tenant, mostly one of those that are looked at."""
        return self.random.choice(self.tenants)

    def number(self) -> int:
        """A number that was not given before."""
        return next(self._numbers)

    async def row(self, connection: Connection, table: Table) -> str | None:
        """The id of some row of the table."""
        where = "WHERE tenant_id = $1" if "tenant_id" in table.columns else "WHERE $1::text IS NOT NULL"
        sql = f"SELECT id FROM {table.name} {where} OFFSET floor(random() * 40) LIMIT 1"  # noqa: S608 - declared names alone
        found: str | None = await connection.fetchval(sql, self.tenant())
        return found


async def _update(writers: Writers, connection: Connection) -> None:
    """Some columns of a row get values that other rows have."""
    table = writers.table()
    plain = [column for column in _stored(table) if column.name not in _FIXED]
    chosen = writers.random.sample(plain, min(writers.random.randint(1, 3), len(plain)))
    settings = ", ".join(f"{column.name} = {_other_value(writers, table, column)}" for column in chosen)
    sql = f"UPDATE {table.name} t SET {settings} WHERE id = $1"  # noqa: S608 - declared names alone
    await connection.execute(sql, await writers.row(connection, table))


def _stored(table: Table) -> list[Column]:
    """The columns that are there to be written; one may be shown otherwise than it is stored."""
    return [column for column in table.columns.values() if column.options.stored]


def _other_value(writers: Writers, table: Table, column: Column) -> str:
    """The SQL of a value that another row of the tenant has, or none at all where that may be."""
    if column.nullable and writers.random.random() < 0.1:
        return "NULL"
    same_tenant = " AND o.tenant_id = t.tenant_id" if "tenant_id" in table.columns else ""
    other = f"SELECT o.{column.name} FROM {table.name} o WHERE o.{column.name} IS NOT NULL{same_tenant}"  # noqa: S608 - declared names alone
    return f"coalesce(({other} OFFSET floor(random() * 30) LIMIT 1), t.{column.name})"


async def _check_in(writers: Writers, connection: Connection) -> None:
    """Some agents of a tenant check in, in one statement."""
    await connection.execute(
        """UPDATE agents SET last_checkin_at = app.now_ms() WHERE id IN (
               SELECT id FROM agents WHERE tenant_id = $1 ORDER BY random() LIMIT $2)""",
        writers.tenant(),
        writers.random.choice((1, 5, 40)),
    )


async def _insert(writers: Writers, connection: Connection) -> None:
    """A row like another one."""
    table = writers.table()
    await connection.execute(_copy_sql(table, "1"), await writers.row(connection, table), writers.number())


async def _insert_many(writers: Writers, connection: Connection) -> None:
    """Many rows like one, in one statement: more than the log tells one by one."""
    table = BY_NAME[writers.random.choice(("agent_api_logs", "scheduled_jobs", "tenant_bill_line_items"))]
    await connection.execute(_copy_sql(table, "700"), await writers.row(connection, table), writers.number())


def _copy_sql(table: Table, count: str) -> str:
    others = [column.name for column in _stored(table) if column.name != "id"]
    given = [_made_unique(table.columns[name]) if name in _UNIQUE else f"t.{name}" for name in others]
    columns, values = ", ".join(others), ", ".join(given)
    return (
        f"INSERT INTO {table.name} (id, {columns}) "  # noqa: S608 - declared names alone
        f"SELECT 'made-' || $2::int || '-' || n || '-' || floor(random() * 1e9)::bigint, {values} "
        f"FROM {table.name} t, generate_series(1, {count}) n WHERE t.id = $1"
    )


def _made_unique(column: Column) -> str:
    if column.kind is Kind.TIMESTAMP:
        return f"t.{column.name} - $2::int * 1000 - n"
    return f"t.{column.name} || '-' || $2::int || '-' || n"


async def _delete(writers: Writers, connection: Connection) -> None:
    """A row goes for good, unless others point at it; those that were made here, mostly."""
    table = writers.table()
    sql = f"DELETE FROM {table.name} WHERE id IN (SELECT id FROM {table.name} WHERE id LIKE 'made-%' LIMIT 3)"  # noqa: S608 - declared names alone
    await connection.execute(sql)


async def _soft_delete(writers: Writers, connection: Connection) -> None:
    """A row is deleted, or restored."""
    table = writers.random.choice([table for table in _WRITTEN if table.soft_deletes])
    sql = f"UPDATE {table.name} SET deleted_at = CASE WHEN deleted_at IS NULL THEN app.now_ms() END WHERE id = $1"  # noqa: S608 - declared names alone
    await connection.execute(sql, await writers.row(connection, table))


async def _rename(writers: Writers, connection: Connection) -> None:
    """A row gets another id, where nothing points at it."""
    table = writers.table()
    one = f"SELECT id FROM {table.name} WHERE id LIKE 'made-%' LIMIT 1"  # noqa: S608 - declared names alone
    sql = f"UPDATE {table.name} SET id = id || '+' WHERE id IN ({one})"  # noqa: S608 - declared names alone
    await connection.execute(sql)


async def _update_all(writers: Writers, connection: Connection) -> None:
    """One column of all rows of a tenant."""
    table = BY_NAME[writers.random.choice(("agents", "health_checks", "scheduled_jobs"))]
    column = {"agents": "version", "health_checks": "failure_count", "scheduled_jobs": "attempts"}[table.name]
    value = "version || '.1'" if column == "version" else f"{column} + 1"
    sql = f"UPDATE {table.name} SET {column} = {value} WHERE tenant_id = $1"  # noqa: S608 - declared names alone
    await connection.execute(sql, writers.tenant())


async def _truncate(writers: Writers, connection: Connection) -> None:
    """All rows of a log go at once."""
    await connection.execute(f"TRUNCATE {writers.random.choice(_TRUNCATED)}")


async def _copy(writers: Writers, connection: Connection) -> None:
    """Rows arrive by COPY."""
    tenant = writers.tenant()
    rows = [(f"made-{writers.number()}-{n}-c", tenant, f"/v1/{n}", "POST", 200) for n in range(20)]
    columns = ("id", "tenant_id", "endpoint", "method", "status_code")
    await connection.copy_records_to_table("agent_api_logs", records=rows, columns=columns)


async def _move(writers: Writers, connection: Connection) -> None:
    """An agent moves to another site of its tenant: the two sites' lists must change together."""
    await connection.execute(
        """UPDATE agents a SET site_id = (
               SELECT s.id FROM sites s WHERE s.tenant_id = a.tenant_id ORDER BY random() LIMIT 1)
           WHERE id IN (SELECT id FROM agents WHERE tenant_id = $1 ORDER BY random() LIMIT 2)""",
        writers.tenant(),
    )


async def _rights(writers: Writers, connection: Connection) -> None:
    """A right is taken away or given: subscribers' own rights change."""
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


async def _cascade(writers: Writers, connection: Connection) -> None:
    """What a user's own row says changes, and the tenant's name, which most answers have."""
    await connection.execute(
        "UPDATE users SET last_activity_at = app.now_ms() WHERE tenant_id = $1", writers.tenant()
    )
    await connection.execute("UPDATE tenants SET name = name || '.' WHERE id = $1", writers.tenant())


Change = Callable[[Writers, Connection], Awaitable[Any]]

_CHANGES: Final[dict[str, tuple[Change, int]]] = {
    "update": (_update, 45),
    "check in": (_check_in, 10),
    "insert": (_insert, 12),
    "insert many": (_insert_many, 1),
    "delete": (_delete, 6),
    "soft delete": (_soft_delete, 8),
    "rename": (_rename, 2),
    "update all": (_update_all, 2),
    "truncate": (_truncate, 1),
    "copy": (_copy, 2),
    "move": (_move, 8),
    "rights": (_rights, 2),
    "names": (_cascade, 2),
}
