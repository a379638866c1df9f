"""Two tenants with a row in each table, who write: what to give to any mutation, and what has changed by it."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

from core.rights import RIGHTS
from schema.mutation import MUTATIONS
from schema.mutation_field import MutationField
from schema.tables import TABLES
from services.writes.complaints import graphql_name
from services.writes.record import Field, Record, Verb
from services.writes.records import RECORDS
from services.writes.values import (
    EMAIL,
    ICON,
    URL,
    Amount,
    Flag,
    Json,
    Moment,
    OneOf,
    Reference,
    Text,
    Texts,
)
from tests.graph import Answer, Graph, graph
from tests.rows import row_of, write, write_tenant

ABSENT: Final = "0198aaaa-0000-7000-8000-000000000000"
"""An id that nothing has."""

_SCHEMA: Final = {"type": "object", "properties": {"key": {"type": "string", "sensitive": True}}}
_SPECIAL: Final[Mapping[tuple[str, str], Any]] = {
    ("roles", "rights"): {"Sites.Read": True},
    ("integrations", "config_schema"): _SCHEMA,
    ("data_sources", "config"): {},
    ("tenant_billing_adjustments", "effective_to"): 1_900_000_000_000,
    ("integration_pricing_tiers", "effective_until"): 1_900_000_000_000,
    ("users", "status"): "INACTIVE",
}
_SECOND: Final = {("data_source_to_site", "site_id"), ("entity_relationships", "child_entity_id")}
"""References that lead to the second row, as the first ones are joined already."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Side:
    """One tenant: its rows, table to id, second rows under `table#2`, and who may do everything in it."""

    tenant: str
    ids: Mapping[str, str]
    admin: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a mutation, by its arguments."""

    field: MutationField
    given: Mapping[str, Any]

    def with_(self, path: str, value: Any) -> "Call":
        """The same with another value, of an argument or of `input.name`."""
        first, _, name = path.partition(".")
        changed = {**self.given[first], name: value} if name else value
        return Call(self.field, {**self.given, first: changed})


class Desk:
    """Where the two write."""

    def __init__(self, made: Graph, connection: asyncpg.Connection, mine: Side, theirs: Side) -> None:
        self.graph = made
        self.connection = connection
        self.mine = mine
        self.theirs = theirs

    async def ask(self, call: Call, who: str | None = None) -> Answer:
        """Call as who may: the platform, or my administrator; or as this user."""
        query = self._query(call)
        if who is None and takes_platform(call.field):
            return await self.graph.as_platform(None, query, **call.given)
        return await self.graph.as_user(who or self.mine.admin, query, **call.given)

    async def ask_anonymously(self, call: Call) -> Answer:
        """Call without a token."""
        return await self.graph.as_anonymous(self._query(call), **call.given)

    def _query(self, call: Call) -> str:
        mutation = self.graph.schema.mutation_type
        assert mutation is not None
        types = {name: str(argument.type) for name, argument in mutation.fields[call.field.name].args.items()}
        declared = ", ".join(f"${name}: {types[name]}" for name in call.given)
        passed = ", ".join(f"{name}: ${name}" for name in call.given)
        return f"mutation({declared}) {{ done: {call.field.name}({passed}) {{ id }} }}"

    async def hire(self, rights: set[str], status: str = "active") -> str:
        """A user of mine with exactly these rights."""
        name = f"hired-{next(_numbers)}"
        role = {"id": name, "tenant_id": self.mine.tenant, "name": name, "description": ""}
        await write(
            self.connection, "roles", role | {"rights": orjson.dumps(dict.fromkeys(rights, True)).decode()}
        )
        user = {"id": name, "tenant_id": self.mine.tenant, "role_id": name, "email": f"{name}@x.example"}
        return await write(self.connection, "users", user | {"name": name, "status": status})

    async def contents(self) -> dict[str, str]:
        """What stands in the database, table by table."""
        query = "SELECT md5(coalesce(string_agg(to_jsonb(t)::text, ',' ORDER BY t.id), '')) FROM {} t"
        return {t.name: await self.connection.fetchval(query.format(t.name)) for t in TABLES}

    async def trail(self, table: str, row_id: str) -> list[dict[str, Any]]:
        """The audit rows of a row, oldest first."""
        query = (
            "SELECT *, xmin::text AS xmin FROM audit_log "
            "WHERE table_name = $1 AND record_id = $2 ORDER BY created_at, id"
        )
        rows = await self.connection.fetch(query, table, row_id)
        return [{**row, "changes": orjson.loads(row["changes"])} for row in rows]

    async def row(self, table: str, row_id: str) -> asyncpg.Record:
        """A row as it stands."""
        found = await self.connection.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row_id)  # noqa: S608 - our own names
        assert found is not None
        return found

    async def set(self, table: str, row_id: str, **values: Any) -> None:
        """Change a row past the door."""
        places = ", ".join(f"{column} = ${number}" for number, column in enumerate(values, 2))
        await self.connection.execute(f"UPDATE {table} SET {places} WHERE id = $1", row_id, *values.values())  # noqa: S608 - our own names


def takes_platform(field: MutationField) -> bool:
    """Whether the platform alone may call it."""
    return "For the platform alone." in field.about


def derived() -> list[tuple[str, Record, Verb]]:
    """The mutations that follow from records, each with its record and verb."""
    found = []
    for name, field in MUTATIONS.items():
        verb = next((verb for verb in Verb if name.startswith(verb.value)), None)
        record = RECORDS.get(field.table.name) if field.table else None
        if verb in (record.verbs if record else ()) and name not in ("createSiteFromCompany",):
            found.append((name, record, verb))
    return found  # type: ignore[return-value]


def sample(record: Record, field: Field, verb: Verb, ids: Mapping[str, str]) -> Any:
    """A value that the field takes, as GraphQL variables have it."""
    if (record.table, field.name) in _SPECIAL and not (field.name == "status" and verb is Verb.CREATE):
        return _SPECIAL[record.table, field.name]
    number = next(_numbers)
    match field.kind:
        case Reference(table=table):
            return ids[f"{table}#2" if (record.table, field.name) in _SECOND else table]
        case OneOf(enum=enum):
            return "PENDING" if record.table == "users" else list(enum)[-1].name
        case Moment():
            return 1_800_000_000_000
        case Amount():
            return "12.50"
        case Flag():
            return True
        case Texts():
            return ["sites", "tickets"]
        case Json():
            return {"number": number}
        case Text():
            return {EMAIL: f"p{number}@x.example", URL: "https://x.example/a", ICON: "/icons/a.svg"}.get(
                field.kind, f"sample-{number}"
            )
    raise AssertionError(field)


BAD: Final[Mapping[type, Any]] = {
    Text: "x" * 20_000,
    Reference: ABSENT,
    Moment: -1,
    Amount: "-1",
    Texts: ["a", "a"],
    Json: {"x": "\0"},
}
"""A value for each kind that no field of it takes; what is not here GraphQL's own types refuse."""


def sample_input(record: Record, verb: Verb, ids: Mapping[str, str], *, platform: bool) -> dict[str, Any]:
    """An input with every field that the caller may set."""
    return {
        graphql_name(field.name): sample(record, field, verb, ids)
        for field in record.settable(verb)
        if platform or not field.platform
    }


def call_of(name: str, side: Side) -> Call:
    """A call of a derived mutation that is good for a side."""
    field, record, verb = MUTATIONS[name], *next((r, v) for n, r, v in derived() if n == name)
    given: dict[str, Any] = {}
    row_id = side.ids[f"{record.table}#2" if record.table in ("roles",) else record.table]
    for argument in field.arguments:
        match argument.python_name:
            case "id":
                given["id"] = row_id
            case "ids":
                given["ids"] = [
                    row_id,
                    *([side.ids[second]] if (second := f"{record.table}#2") in side.ids else []),
                ]
            case "input":
                given["input"] = sample_input(record, verb, side.ids, platform=takes_platform(field))
                for unique in record.uniques if "ids" in given else ():
                    given["input"].pop(unique.field, None)
    return Call(field, given)


def everything_but(right: str) -> set[str]:
    """Every right but this one and that which is all of them."""
    return set(RIGHTS) - {right, "Global.Admin"}


async def settle(connection: asyncpg.Connection, name: str) -> Side:
    """A new tenant of that name with its rows, and some second ones."""
    ids = await write_tenant(connection, name)
    for table, values in {
        "roles": {},
        "sites": {"slug": "second"},
        "entities": {"external_id": "18"},
        "agents": {"guid": "second"},
        "users": {"email": f"second@{name}.example"},
        "data_sources": {},
        "entity_relationships": {"relationship_type": "second"},
    }.items():
        ids[f"{table}#2"] = await write(connection, table, row_of(table, name, ids) | values)
    admin = f"{name}-admin"
    role = {"id": admin, "tenant_id": ids["tenants"], "name": "Administrator", "description": ""}
    await write(connection, "roles", role | {"rights": '{"Global.Admin": true}'})
    user = {"id": admin, "tenant_id": ids["tenants"], "role_id": admin, "email": f"admin@{name}.example"}
    await write(connection, "users", user | {"name": "Ada", "status": "active"})
    return Side(ids["tenants"], ids, admin)


NewDesk = Callable[[], Awaitable[Desk]]
"""Makes a desk with two new tenants."""


@asynccontextmanager
async def desks(dsn: str, *, forced: bool = False) -> AsyncIterator[NewDesk]:
    """Desks in the database at `dsn` on the same connections; `forced` where its owner is under the policies, too."""
    connection = await asyncpg.connect(dsn, server_settings={"app.platform": "on"} if forced else None)
    try:
        async with graph(dsn) as made:

            async def new() -> Desk:
                name = next(_numbers)
                mine, theirs = (
                    await settle(connection, f"mine{name}"),
                    await settle(connection, f"theirs{name}"),
                )
                made.commits = 0
                return Desk(made, connection, mine, theirs)

            yield new
    finally:
        await connection.close()


@asynccontextmanager
async def desk(dsn: str, *, forced: bool = False) -> AsyncIterator[Desk]:
    """Two new tenants in the database at `dsn`, on connections of their own; `forced` as above."""
    async with desks(dsn, forced=forced) as new:
        yield await new()
