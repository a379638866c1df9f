"""Two tenants that write, with a row in each table; arguments for any mutation, and access to its results."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson

from core.auth.rights import RIGHTS
from core.case_conversion import to_camel_case
from schema.mutation import MUTATIONS
from schema.mutation_field import MutationField
from schema.tables import TABLES
from services.writes.field_kinds import (
    EMAIL,
    ICON,
    URL,
    AmountKind,
    BooleanKind,
    EnumKind,
    JsonKind,
    ReferenceKind,
    TextKind,
    TextListKind,
    TimestampKind,
)
from services.writes.record import RowOwner, WritableField, WritableTable, WriteVerb
from services.writes.records import RECORDS
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, open_graphql_harness
from tests.sample_rows import build_row, insert_row, insert_tenant_rows

ABSENT_ID: Final = "0198aaaa-0000-7000-8000-000000000000"
"""An id that no row has."""

_SCHEMA: Final = {"type": "object", "properties": {"key": {"type": "string", "sensitive": True}}}
_SPECIAL_VALUES: Final[Mapping[tuple[str, str], Any]] = {
    ("roles", "rights"): {"Sites.Read": True},
    ("integrations", "config_schema"): _SCHEMA,
    ("data_sources", "config"): {},
    ("tenant_billing_adjustments", "effective_to"): 1_900_000_000_000,
    ("integration_pricing_tiers", "effective_until"): 1_900_000_000_000,
    ("users", "status"): "INACTIVE",
}
_SECOND_ROW_REFERENCES: Final = {
    ("data_source_to_site", "site_id"),
    ("entity_relationships", "child_entity_id"),
}
"""References that use the second row, since the first rows are related already."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class TenantRows:
    """One tenant: its rows, table to id, second rows under `table#2`, and an administrator."""

    tenant_id: str
    ids: Mapping[str, str]
    administrator_id: str


@dataclass(frozen=True, slots=True)
class MutationCall:
    """A call of a mutation, by its arguments."""

    field: MutationField
    arguments: Mapping[str, Any]

    def with_value(self, path: str, value: Any) -> "MutationCall":
        """The same call with another value of an argument or of `input.name`."""
        first, _, name = path.partition(".")
        changed = {**self.arguments[first], name: value} if name else value
        return MutationCall(self.field, {**self.arguments, first: changed})


class MutationHarness:
    """Calls mutations for the two tenants and reads the results."""

    def __init__(
        self, graphql: GraphqlHarness, connection: asyncpg.Connection, mine: TenantRows, theirs: TenantRows
    ) -> None:
        self.graphql = graphql
        self.connection = connection
        self.mine = mine
        self.theirs = theirs

    async def execute(self, call: MutationCall, user_id: str | None = None) -> GraphqlResponse:
        """Call as the permitted caller: the platform, or my administrator. Or call as the given user."""
        query = self.build_document(call)
        if user_id is None and is_platform_only(call.field):
            return await self.graphql.execute_as_platform(self.find_tenant(call), query, **call.arguments)
        return await self.graphql.execute_as_user(
            user_id or self.mine.administrator_id, query, **call.arguments
        )

    def find_tenant(self, call: MutationCall) -> str | None:
        """The tenant that the platform names for a call: mine, if the rows belong to tenants."""
        record = RECORDS.get(call.field.table.name) if call.field.table else None
        return self.mine.tenant_id if record and record.owner is RowOwner.TENANT else None

    async def execute_anonymously(self, call: MutationCall) -> GraphqlResponse:
        """Call without a token."""
        return await self.graphql.execute_as_anonymous(self.build_document(call), **call.arguments)

    def build_document(self, call: MutationCall) -> str:
        mutation = self.graphql.schema.mutation_type
        assert mutation is not None
        types = {name: str(argument.type) for name, argument in mutation.fields[call.field.name].args.items()}
        declared = ", ".join(f"${name}: {types[name]}" for name in call.arguments)
        passed = ", ".join(f"{name}: ${name}" for name in call.arguments)
        return f"mutation({declared}) {{ done: {call.field.name}({passed}) {{ id }} }}"

    async def add_user(self, rights: set[str], status: str = "active") -> str:
        """Create a user of mine with exactly these rights."""
        name = f"hired-{next(_numbers)}"
        role = {"id": name, "tenant_id": self.mine.tenant_id, "name": name, "description": ""}
        await insert_row(
            self.connection, "roles", role | {"rights": orjson.dumps(dict.fromkeys(rights, True)).decode()}
        )
        user = {"id": name, "tenant_id": self.mine.tenant_id, "role_id": name, "email": f"{name}@x.example"}
        return await insert_row(self.connection, "users", user | {"name": name, "status": status})

    async def hash_tables(self) -> dict[str, str]:
        """The content of the database, table by table."""
        query = "SELECT md5(coalesce(string_agg(to_jsonb(t)::text, ',' ORDER BY t.id), '')) FROM {} t"
        return {t.name: await self.connection.fetchval(query.format(t.name)) for t in TABLES}

    async def read_audit_log(self, table: str, row_id: str) -> list[dict[str, Any]]:
        """The audit rows of a row, oldest first."""
        query = (
            "SELECT *, xmin::text AS xmin FROM audit_log "
            "WHERE table_name = $1 AND record_id = $2 ORDER BY created_at, id"
        )
        rows = await self.connection.fetch(query, table, row_id)
        return [{**row, "changes": orjson.loads(row["changes"])} for row in rows]

    async def read_row(self, table: str, row_id: str) -> asyncpg.Record:
        """The present row."""
        found = await self.connection.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row_id)
        assert found is not None
        return found

    async def update_row(self, table: str, row_id: str, **values: Any) -> None:
        """Change a row directly, without the product's checks."""
        places = ", ".join(f"{column} = ${number}" for number, column in enumerate(values, 2))
        await self.connection.execute(f"UPDATE {table} SET {places} WHERE id = $1", row_id, *values.values())


def is_platform_only(field: MutationField) -> bool:
    """Whether only the platform may call it."""
    return "Only the platform may use it." in field.about


def list_derived_mutations() -> list[tuple[str, WritableTable, WriteVerb]]:
    """The mutations derived from records, each with its record and verb."""
    found = []
    for name, field in MUTATIONS.items():
        verb = next((verb for verb in WriteVerb if name.startswith(verb.value)), None)
        record = RECORDS.get(field.table.name) if field.table else None
        if verb in (record.verbs if record else ()) and name not in ("createSiteFromCompany",):
            found.append((name, record, verb))
    return found  # type: ignore[return-value]


def sample_value(record: WritableTable, field: WritableField, verb: WriteVerb, ids: Mapping[str, str]) -> Any:
    """A valid value of the field, in the form of GraphQL variables."""
    if (record.table, field.name) in _SPECIAL_VALUES and not (
        field.name == "status" and verb is WriteVerb.CREATE
    ):
        return _SPECIAL_VALUES[record.table, field.name]
    number = next(_numbers)
    match field.kind:
        case ReferenceKind(table=table):
            return ids[f"{table}#2" if (record.table, field.name) in _SECOND_ROW_REFERENCES else table]
        case EnumKind(enum=enum):
            return "PENDING" if record.table == "users" else list(enum)[-1].name
        case TimestampKind():
            return 1_800_000_000_000
        case AmountKind():
            return "12.50"
        case BooleanKind():
            return True
        case TextListKind():
            return ["sites", "tickets"]
        case JsonKind():
            return {"number": number}
        case TextKind():
            return {EMAIL: f"p{number}@x.example", URL: "https://x.example/a", ICON: "/icons/a.svg"}.get(
                field.kind, f"sample-{number}"
            )
    raise AssertionError(field)


BAD_VALUES: Final[Mapping[type, Any]] = {
    TextKind: "x" * 20_000,
    ReferenceKind: ABSENT_ID,
    TimestampKind: -1,
    AmountKind: "-1",
    TextListKind: ["a", "a"],
    JsonKind: {"x": "\0"},
}
"""An invalid value for each kind. GraphQL's own types refuse the invalid values of all other kinds."""


def sample_input(
    record: WritableTable, verb: WriteVerb, ids: Mapping[str, str], *, platform: bool
) -> dict[str, Any]:
    """An input with every field that the caller may set."""
    return {
        to_camel_case(field.name): sample_value(record, field, verb, ids)
        for field in record.list_settable_fields(verb)
        if platform or not field.platform
    }


def build_call(name: str, tenant: TenantRows) -> MutationCall:
    """A valid call of a derived mutation for a side."""
    field, record, verb = MUTATIONS[name], *next((r, v) for n, r, v in list_derived_mutations() if n == name)
    given: dict[str, Any] = {}
    row_id = tenant.ids[f"{record.table}#2" if record.table in ("roles",) else record.table]
    for argument in field.arguments:
        match argument.python_name:
            case "id":
                given["id"] = row_id
            case "ids":
                given["ids"] = [
                    row_id,
                    *([tenant.ids[second]] if (second := f"{record.table}#2") in tenant.ids else []),
                ]
            case "input":
                given["input"] = sample_input(record, verb, tenant.ids, platform=is_platform_only(field))
                for unique in record.uniques if "ids" in given else ():
                    given["input"].pop(unique.field, None)
    return MutationCall(field, given)


def all_rights_except(right: str) -> set[str]:
    """Every right except this one and Global.Admin."""
    return set(RIGHTS) - {right, "Global.Admin"}


async def write_tenant_rows(connection: asyncpg.Connection, name: str) -> TenantRows:
    """Create a tenant of that name with its rows, and some second rows."""
    ids = await insert_tenant_rows(connection, name)
    for table, values in {
        "roles": {},
        "sites": {"slug": "second"},
        "entities": {"external_id": "18"},
        "agents": {"guid": "second"},
        "users": {"email": f"second@{name}.example"},
        "data_sources": {},
        "entity_relationships": {"relationship_type": "second"},
    }.items():
        ids[f"{table}#2"] = await insert_row(connection, table, build_row(table, name, ids) | values)
    admin = f"{name}-admin"
    role = {"id": admin, "tenant_id": ids["tenants"], "name": "Administrator", "description": ""}
    await insert_row(connection, "roles", role | {"rights": '{"Global.Admin": true}'})
    user = {"id": admin, "tenant_id": ids["tenants"], "role_id": admin, "email": f"admin@{name}.example"}
    await insert_row(connection, "users", user | {"name": "Ada", "status": "active"})
    return TenantRows(ids["tenants"], ids, admin)


NewMutationHarness = Callable[[], Awaitable[MutationHarness]]
"""Makes a desk with two new tenants."""


@asynccontextmanager
async def open_mutation_harnesses(dsn: str, *, forced: bool = False) -> AsyncIterator[NewMutationHarness]:
    """Desks in the database at `dsn` that share connections.

    With `forced` its owner is subject to the policies, too.
    """
    connection = await asyncpg.connect(dsn, server_settings={"app.platform": "on"} if forced else None)
    try:
        async with open_graphql_harness(dsn) as graphql:

            async def create() -> MutationHarness:
                name = next(_numbers)
                mine, theirs = (
                    await write_tenant_rows(connection, f"mine{name}"),
                    await write_tenant_rows(connection, f"theirs{name}"),
                )
                graphql.commit_count = 0
                return MutationHarness(graphql, connection, mine, theirs)

            yield create
    finally:
        await connection.close()


@asynccontextmanager
async def open_mutation_harness(dsn: str, *, forced: bool = False) -> AsyncIterator[MutationHarness]:
    """Two new tenants in the database at `dsn`, on connections of their own; `forced` as above."""
    async with open_mutation_harnesses(dsn, forced=forced) as create:
        yield await create()
