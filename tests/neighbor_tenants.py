"""Two tenants of the demo, with the database's own constraints removed.

Rows that foreign keys forbid are planted: rows of one tenant that refer to rows of the other, in either
direction, by every reference. A read that ignores the tenant finds them; no other read may ever find them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from core.database.request_role import AnyConnection
from demo import load_demo_viewers
from schema.credentials import ISSUED_CREDENTIALS
from schema.entities import GLOBAL_ENTITIES
from schema.integrations import INTEGRATIONS
from schema.table import Kind, Reference, Scope, Table
from schema.tables import REFERENCES, TABLES

SHARED_ID: Final = "walked"
"""The id of an integration that both tenants' planted rows refer to, and of a global entity of it."""

MARKED_TEXT: Final = "Zq7 of theirs"
"""The text in every text column of their planted rows, and nowhere else."""

_MARKED_VALUES: Final[Mapping[Kind, object]] = {
    Kind.TEXT: MARKED_TEXT,
    Kind.TIMESTAMP: 1_234_567_890_123,
    Kind.INT: 424_242,
    Kind.BOOLEAN: True,
    Kind.JSON: '{"walk": "theirs"}',
}

CREDENTIAL_KINDS: Final = {"site_id": "enrollment", "agent_id": "agent", "user_id": "invitation"}
"""The kind of an issued credential that is bound to a row by that column, and by no other of these."""

_THEIR_TENANT_SQL: Final = """
    WITH marked AS (UPDATE tenants SET name = $2 WHERE id = $1)
    INSERT INTO tenants (id, name, deleted_at) VALUES ($1 || '-deleted', $2, 1)
"""

_DROP_CONSTRAINTS_SQL: Final = """
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
class NeighborTenants:
    """Two tenants' ids, and the id of an administrator of each."""

    mine: str
    theirs: str
    my_user: str
    their_user: str
    my_role: str


def has_tenant_rows(table: Table) -> bool:
    """Whether each of its rows belongs to one tenant only."""
    return table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL, Scope.ITSELF)


def planted_id(side: str, table: Table, reference: Reference | None = None) -> str:
    """The id of a planted row: of `mine` or `theirs`, or `out` (mine that refers to theirs) or `in` (the reverse)."""
    return f"{side}:{table.relation}.{reference.column}" if reference else f"{side}:{table.relation}"


def can_cross_tenants(table: Table, reference: Reference) -> bool:
    """Whether a row can refer to the other tenant's by it. The tenant column itself cannot."""
    return reference.column != "tenant_id" and has_tenant_rows(table)


async def drop_constraints(connection: asyncpg.Connection) -> None:
    """Drop the constraints that keep tenants' rows from referring to each other, and the unique constraints."""
    await connection.execute(_DROP_CONSTRAINTS_SQL)


async def find_neighbor_tenants(connection: AnyConnection) -> NeighborTenants:
    """The demo's first two tenants. The larger one is theirs."""
    viewers = await load_demo_viewers(connection)
    query = "SELECT tenant_id, id, role_id FROM users WHERE id = $1"
    theirs, mine = [await connection.fetchrow(query, viewers[place].user_id) for place in (0, 2)]
    assert theirs is not None
    assert mine is not None
    return NeighborTenants(mine["tenant_id"], theirs["tenant_id"], mine["id"], theirs["id"], mine["role_id"])


async def plant_rows(connection: asyncpg.Connection, tenants: NeighborTenants) -> None:
    """Insert a row of each tenant into every table, and rows that refer to the other tenant by every reference."""
    planter = _RowPlanter(connection, {"mine": tenants.mine, "theirs": tenants.theirs})
    await connection.execute(_THEIR_TENANT_SQL, tenants.theirs, MARKED_TEXT)
    await planter.copy_row(INTEGRATIONS, None, {"id": SHARED_ID})
    await planter.copy_row(GLOBAL_ENTITIES, None, {"id": SHARED_ID, "integration_id": SHARED_ID})
    for table in TABLES:
        if table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL):
            await planter.plant_tenant_rows(table)
    for table, reference in REFERENCES:
        if can_cross_tenants(table, reference):
            await planter.plant_crossing_rows(table, reference)


class _RowPlanter:
    def __init__(self, connection: asyncpg.Connection, tenants: Mapping[str, str]) -> None:
        self._connection = connection
        self._tenants = tenants

    async def plant_tenant_rows(self, table: Table) -> None:
        """Insert a row of each tenant, and a deleted one if the table has soft deletes."""
        for side in self._tenants:
            values = {"id": planted_id(side, table), **_marked_columns(table, side)}
            await self.copy_row(table, side, values)
            if table.soft_deletes:
                await self.copy_row(table, side, values | {"id": f"{values['id']}-deleted", "deleted_at": 1})

    async def plant_crossing_rows(self, table: Table, reference: Reference) -> None:
        """Insert rows that refer to their own tenant's planted row, and rows that refer to the other's."""
        shared = SHARED_ID if reference.table == "integrations" else None
        sides = [("in", "theirs", "mine")]
        if not reference.only:
            sides += [("mine", "mine", "mine"), ("theirs", "theirs", "theirs")]
        if not shared:
            sides += [("out", "mine", "theirs")]
        for side, owner, target in sides:
            tie = _reference_values(table, reference, shared or f"{target}:{reference.table}")
            values = {"id": planted_id(side, table, reference), **_marked_columns(table, owner), **tie}
            await self.copy_row(table, owner, values)
            if side == "in" and table.soft_deletes:
                await self.copy_row(table, owner, values | {"id": f"{values['id']}-deleted", "deleted_at": 1})

    async def copy_row(self, table: Table, side: str | None, values: Mapping[str, Any]) -> None:
        """Copy the first row of a tenant, or any row if none is given, with these values replaced."""
        bound = {name: f"${n}::{table.columns[name].kind.sql_type}" for n, name in enumerate(values, 2)}
        stored = [column.name for column in table.columns.values() if column.options.stored]
        columns = ", ".join(stored)
        selected = ", ".join(bound.get(name, f"t.{name}") for name in stored)
        whose = "t.tenant_id = $1" if side else "$1::text IS NULL"
        alive = "AND t.deleted_at IS NULL" if table.soft_deletes else ""
        done = await self._connection.execute(
            f"INSERT INTO {table.name} ({columns}) SELECT {selected} FROM {table.name} t "
            f"WHERE {whose} {alive} ORDER BY t.id LIMIT 1",
            self._tenants[side] if side else None,
            *values.values(),
        )
        assert done == "INSERT 0 1", f"{table.name} has no row of {side} to copy"


def _marked_columns(table: Table, side: str) -> dict[str, Any]:
    """Values that identify a planted row: in all possible columns of theirs, and in the texts of mine."""
    marks: Mapping[Kind, object] = _MARKED_VALUES if side == "theirs" else {Kind.TEXT: "planted, of mine"}
    columns = (c for c in table.columns.values() if c.options.stored and c.name != "deleted_at")
    # A second row for one resource, or for a row that has one alone, is no leak.
    nowhere = {choice.column: "nowhere" for choice in table.choices}
    alone = (reference.column for reference in table.references if reference.only)
    nowhere |= {column: "nowhere" for column in alone if column in table.columns}
    marked = {column.name: marks[column.kind] for column in columns if column.kind in marks}
    return nowhere | marked | ({"entity_type": "companies"} if table.name == "entities" else {})


def _reference_values(table: Table, reference: Reference, target: str) -> dict[str, str | None]:
    """What a row of `table` says so that `reference` leads to the row `target`."""
    if table is ISSUED_CREDENTIALS and reference.column in CREDENTIAL_KINDS:
        others = dict.fromkeys(CREDENTIAL_KINDS)
        return {**others, "kind": CREDENTIAL_KINDS[reference.column], reference.column: target}
    if reference.column in table.columns:
        return {reference.column: target}
    choice, kind = next(
        (choice, kind)
        for choice in table.choices
        for kind, name in choice.members.items()
        if name == reference.table
    )
    return {choice.discriminator: kind, choice.column: target}


async def delete_other_tenants(connection: asyncpg.Connection, tenant: str) -> None:
    """Delete every row that `tenant` must not see, as if it were the only tenant."""
    foreign = {
        Scope.TENANT: "tenant_id IS DISTINCT FROM $1",
        Scope.TENANT_OR_GLOBAL: "tenant_id <> $1",
        Scope.ITSELF: "id <> $1",
        Scope.PLATFORM: "$1::text IS NOT NULL",
    }
    for table in TABLES:
        if table.scope in foreign:
            query = f"DELETE FROM {table.name} WHERE {foreign[table.scope]}"
            await connection.execute(query, tenant)
