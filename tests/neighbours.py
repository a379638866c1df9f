"""Two tenants of the demo side by side, with the database's own guards taken down.

What foreign keys make impossible is planted: rows of one tenant that refer to rows of the other, in either
direction, by every reference. Whoever reads past the tenant's wall finds them; nobody else ever may.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from schema.entities import GLOBAL_ENTITIES
from schema.integrations import INTEGRATIONS
from schema.table import Kind, Reference, Scope, Table
from schema.tables import REFERENCES, TABLES
from services.demo import demo_viewers

SHARED: Final = "walked"
"""The id of an integration that both tenants' planted rows refer to, and of a global entity of it."""

MARK: Final = "Zq7 of theirs"
"""The text in every text column of their planted rows, and nowhere else."""

_MARKS: Final[Mapping[Kind, object]] = {
    Kind.TEXT: MARK,
    Kind.TIMESTAMP: 1_234_567_890_123,
    Kind.INT: 424_242,
    Kind.BOOLEAN: True,
    Kind.JSON: '{"walk": "theirs"}',
}

_THEIR_TENANT: Final = """
    WITH marked AS (UPDATE tenants SET name = $2 WHERE id = $1)
    INSERT INTO tenants (id, name, deleted_at) VALUES ($1 || '-deleted', $2, 1)
"""

_TAKE_DOWN: Final = """
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
        FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
        UNION ALL
        SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
    LOOP
        EXECUTE statement;
    END LOOP;
    FOR statement IN
        SELECT format('DROP INDEX %s', i.indexrelid::regclass)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attname = 'id')
        AND c.relname NOT LIKE 'aerich%'
    LOOP
        EXECUTE statement;
    END LOOP;
END
$$
"""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Two tenants' ids, and the id of an administrator of each."""

    mine: str
    theirs: str
    me: str
    them: str
    my_role: str


def holds_tenants_rows(table: Table) -> bool:
    """Whether there are rows in it that are one tenant's and no other's."""
    return table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL, Scope.ITSELF)


def planted(side: str, table: Table, reference: Reference | None = None) -> str:
    """The id of a planted row: of `mine` or `theirs`, or `out` (mine that names theirs) or `in` (the reverse)."""
    return f"{side}:{table.relation}.{reference.column}" if reference else f"{side}:{table.relation}"


def crossable(table: Table, reference: Reference) -> bool:
    """Whether a row can refer to the other tenant's by it; its tenant is its own by definition."""
    return reference.column != "tenant_id" and holds_tenants_rows(table)


async def take_guards_down(connection: asyncpg.Connection) -> None:
    """Drops what keeps tenants' rows from referring to each other, and what keeps two rows from being alike."""
    await connection.execute(_TAKE_DOWN)


async def find_neighbours(connection: asyncpg.Connection) -> Neighbours:
    """The demo's first two tenants; the larger one is theirs."""
    viewers = await demo_viewers(connection)
    query = "SELECT tenant_id, id, role_id FROM users WHERE id = $1"
    theirs, mine = [await connection.fetchrow(query, viewers[place].user_id) for place in (0, 2)]
    assert theirs is not None
    assert mine is not None
    return Neighbours(mine["tenant_id"], theirs["tenant_id"], mine["id"], theirs["id"], mine["role_id"])


async def plant(connection: asyncpg.Connection, neighbours: Neighbours) -> None:
    """Writes a row of each tenant into every table, and those that cross the wall by every reference."""
    planter = _Planter(connection, {"mine": neighbours.mine, "theirs": neighbours.theirs})
    await connection.execute(_THEIR_TENANT, neighbours.theirs, MARK)
    await planter.copy(INTEGRATIONS, None, {"id": SHARED})
    await planter.copy(GLOBAL_ENTITIES, None, {"id": SHARED, "integration_id": SHARED})
    for table in TABLES:
        if table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL):
            await planter.rows(table)
    for table, reference in REFERENCES:
        if crossable(table, reference):
            await planter.crossings(table, reference)


class _Planter:
    def __init__(self, connection: asyncpg.Connection, tenants: Mapping[str, str]) -> None:
        self._connection = connection
        self._tenants = tenants

    async def rows(self, table: Table) -> None:
        """A row of each tenant, and where rows can be deleted a deleted one."""
        for side in self._tenants:
            values = {"id": planted(side, table), **_marks(table, side)}
            await self.copy(table, side, values)
            if table.soft_deletes:
                await self.copy(table, side, values | {"id": f"{values['id']}-deleted", "deleted_at": 1})

    async def crossings(self, table: Table, reference: Reference) -> None:
        """Rows that refer to their own tenant's planted row, and rows that refer to the other's."""
        shared = SHARED if reference.table == "integrations" else None
        sides = [("in", "theirs", "mine")]
        if not reference.only:
            sides += [("mine", "mine", "mine"), ("theirs", "theirs", "theirs")]
        if not shared:
            sides += [("out", "mine", "theirs")]
        for side, owner, target in sides:
            tie = _tie(table, reference, shared or f"{target}:{reference.table}")
            values = {"id": planted(side, table, reference), **_marks(table, owner), **tie}
            await self.copy(table, owner, values)
            if side == "in" and table.soft_deletes:
                await self.copy(table, owner, values | {"id": f"{values['id']}-deleted", "deleted_at": 1})

    async def copy(self, table: Table, side: str | None, values: Mapping[str, Any]) -> None:
        """Copies the first row of a tenant, or any without one, with these values instead."""
        bound = {name: f"${n}::{table.columns[name].kind.sql_type}" for n, name in enumerate(values, 2)}
        stored = [column.name for column in table.columns.values() if column.options.stored]
        columns = ", ".join(stored)
        selected = ", ".join(bound.get(name, f"t.{name}") for name in stored)
        whose = "t.tenant_id = $1" if side else "$1::text IS NULL"
        alive = "AND t.deleted_at IS NULL" if table.soft_deletes else ""
        done = await self._connection.execute(
            f"INSERT INTO {table.name} ({columns}) SELECT {selected} FROM {table.name} t "  # noqa: S608 - our own names
            f"WHERE {whose} {alive} ORDER BY t.id LIMIT 1",
            self._tenants[side] if side else None,
            *values.values(),
        )
        assert done == "INSERT 0 1", f"{table.name} has no row of {side} to copy"


def _marks(table: Table, side: str) -> dict[str, Any]:
    """Values for the columns that a planted row can be told by: of theirs all that can be, of mine the texts."""
    marks: Mapping[Kind, object] = _MARKS if side == "theirs" else {Kind.TEXT: "planted, of mine"}
    columns = (c for c in table.columns.values() if c.options.stored and c.name != "deleted_at")
    nowhere = {
        choice.column: "nowhere" for choice in table.choices
    }  # a second row for one resource is no leak
    marked = {column.name: marks[column.kind] for column in columns if column.kind in marks}
    return nowhere | marked | ({"entity_type": "companies"} if table.name == "entities" else {})


def _tie(table: Table, reference: Reference, target: str) -> dict[str, str]:
    """What a row of `table` says so that `reference` leads to the row `target`."""
    if reference.column in table.columns:
        return {reference.column: target}
    choice, kind = next(
        (choice, kind)
        for choice in table.choices
        for kind, name in choice.members.items()
        if name == reference.table
    )
    return {choice.discriminator: kind, choice.column: target}


async def move_others_out(connection: asyncpg.Connection, tenant: str) -> None:
    """Deletes every row that is not for `tenant` to see: the database as if it were alone."""
    foreign = {
        Scope.TENANT: "tenant_id IS DISTINCT FROM $1",
        Scope.TENANT_OR_GLOBAL: "tenant_id <> $1",
        Scope.ITSELF: "id <> $1",
        Scope.PLATFORM: "$1::text IS NOT NULL",
    }
    for table in TABLES:
        if table.scope in foreign:
            query = f"DELETE FROM {table.name} WHERE {foreign[table.scope]}"  # noqa: S608 - our own names
            await connection.execute(query, tenant)
