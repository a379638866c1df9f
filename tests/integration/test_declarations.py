"""Each of the 21 declarations against the model, the database, the product's reference and the printed schema."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)
from tortoise import Model
from tortoise.context import TortoiseContext

import models
from core.orm import tortoise_config
from core.rights import MODULES
from models import columns
from schema.sdl import SDL
from schema.table import Column, Kind, Scope, Table
from schema.tables import BY_NAME, LISTED, TABLES

FACES: Final[Mapping[str, tuple[str, str, str]]] = {
    "tenants": ("Tenant", "tenant", "tenants"),
    "users": ("User", "user", "users"),
    "roles": ("Role", "role", "roles"),
    "sites": ("Site", "site", "sites"),
    "integrations": ("Integration", "integration", "integrations"),
    "data_sources": ("DataSource", "dataSource", "dataSources"),
    "data_source_to_site": ("DataSourceToSite", "dataSourceToSite", "dataSourceToSites"),
    "agents": ("Agent", "agent", "agents"),
    "agent_api_logs": ("AgentApiLog", "agentApiLog", "agentApiLogs"),
    "entities": ("Entity", "entity", "entities"),
    "global_entities": ("GlobalEntity", "globalEntity", "globalEntities"),
    "entity_relationships": ("EntityRelationship", "entityRelationship", "entityRelationships"),
    "scheduled_jobs": ("ScheduledJob", "scheduledJob", "scheduledJobs"),
    "events_log": ("EventLogEntry", "eventLogEntry", "eventsLog"),
    "health_checks": ("HealthCheck", "healthCheck", "healthChecks"),
    "api_logs": ("ApiLog", "apiLog", "apiLogs"),
    "audit_log": ("AuditLogEntry", "auditLogEntry", "auditLog"),
    "integration_pricing_tiers": (
        "IntegrationPricingTier",
        "integrationPricingTier",
        "integrationPricingTiers",
    ),
    "tenant_bills": ("TenantBill", "tenantBill", "tenantBills"),
    "tenant_bill_line_items": ("TenantBillLineItem", "tenantBillLineItem", "tenantBillLineItems"),
    "tenant_billing_adjustments": (
        "TenantBillingAdjustment",
        "tenantBillingAdjustment",
        "tenantBillingAdjustments",
    ),
}
"""Table to type, by-id field and list field, as the product's description of the API has them."""

GUARDS: Final[Mapping[str, str]] = {
    "tenants": "Tenant",
    "users": "Users",
    "roles": "Roles",
    "sites": "Sites",
    "integrations": "Integrations",
    "data_sources": "DataSources",
    "data_source_to_site": "Sites",
    "agents": "Agents",
    "agent_api_logs": "Logs",
    "entities": "Entities",
    "global_entities": "Entities",
    "entity_relationships": "Entities",
    "scheduled_jobs": "Jobs",
    "events_log": "Events",
    "health_checks": "HealthChecks",
    "api_logs": "Logs",
    "audit_log": "Audit",
    "integration_pricing_tiers": "Billing",
    "tenant_bills": "Billing",
    "tenant_bill_line_items": "Billing",
    "tenant_billing_adjustments": "Billing",
}
"""Table to the module whose rights guard it."""

INDEXES: Final[Mapping[str, str]] = {
    "tenants": "status",
    "users": "tenant email status",
    "roles": "tenant name",
    "sites": "tenant slug status tenant_and_status",
    "integrations": "category is_active",
    "data_sources": "tenant integration site status external_id",
    "data_source_to_site": "data_source site tenant",
    "agents": "tenant site guid last_checkin",
    "agent_api_logs": "tenant site agent created_at",
    "entities": "tenant integration data_source site type external_id type_and_external_id",
    "global_entities": "integration type external_id",
    "entity_relationships": "tenant parent child type",
    "scheduled_jobs": "status scheduled_at tenant integration next_retry",
    "events_log": "tenant entity status type",
    "health_checks": "tenant resource status",
    "api_logs": "created_at expires_at",
    "audit_log": "tenant user table created_at",
    "integration_pricing_tiers": "tenant integration effective",
    "tenant_bills": "tenant period status",
    "tenant_bill_line_items": "tenant bill integration",
    "tenant_billing_adjustments": "tenant integration effective",
}
"""The reference's indexes; each is named `<table>_by_<name>`."""

KINDS: Final[Mapping[type, Kind]] = {
    columns.Text: Kind.TEXT,
    columns.Id: Kind.ID,
    columns.Enumerated: Kind.ENUM,
    columns.Milliseconds: Kind.TIMESTAMP,
    columns.Integer: Kind.INT,
    columns.Flag: Kind.BOOLEAN,
    columns.Money: Kind.DECIMAL,
    columns.Quantity: Kind.DECIMAL,
    columns.Json: Kind.JSON,
    columns.TextArray: Kind.TEXTS,
}

NAMES_OF_ROWS: Final = {
    ("health_checks", "resource_id"),
}
"""Ids that are no foreign key of a model: which table they name stands in another column."""

SCALARS: Final[Mapping[Kind, str]] = {
    Kind.ID: "ID",
    Kind.TEXT: "String",
    Kind.TIMESTAMP: "Timestamp",
    Kind.INT: "Int",
    Kind.BOOLEAN: "Boolean",
    Kind.DECIMAL: "Decimal",
    Kind.JSON: "JSON",
    Kind.TEXTS: "[String!]",
}


@pytest.fixture(scope="module")
def sdl() -> GraphQLSchema:
    """The schema as it is printed and committed."""
    return build_schema(SDL.read_text(encoding="utf-8"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tortoise() -> AsyncIterator[Mapping[str, type[Model]]]:
    """The models by their table."""
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config("postgresql:///none"), init_connections=False)
        found: list[type[Model]] = [getattr(models, name) for name in models.__all__]
        yield {model._meta.db_table: model for model in found}


def test_the_tables_are_exactly_these() -> None:
    assert [table.name for table in TABLES] == list(FACES)
    assert set(GUARDS.values()) == set(MODULES)


def _kind(model: type[Model], name: str) -> tuple[Kind, bool, type[StrEnum] | None]:
    """What a model says of a column; a foreign key holds an id."""
    field = model._meta.fields_map[name]
    key = any(model._meta.fields_map[foreign].source_field == name for foreign in model._meta.fk_fields)
    enum = field.field_type if isinstance(field, columns.Enumerated) else None
    return Kind.ID if key else KINDS[type(field)], field.null, enum


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
class TestDeclaration:
    def test_its_columns_are_the_models(self, tortoise: Mapping[str, type[Model]], table: Table) -> None:
        model = tortoise[table.name]
        declared = {
            name: (Kind.TEXT if (table.name, name) in NAMES_OF_ROWS else c.kind, c.nullable, c.enum)
            for name, c in table.columns.items()
            if c.options.stored
        }
        assert declared == {name: _kind(model, name) for name in model._meta.fields_db_projection.values()}

    def test_its_references_are_the_models(self, tortoise: Mapping[str, type[Model]], table: Table) -> None:
        model = tortoise[table.name]
        keys = {name: model._meta.fields_map[name] for name in model._meta.fk_fields}
        wanted = {(str(key.source_field), key.related_model._meta.db_table) for key in keys.values()}  # type: ignore[attr-defined]
        assert wanted <= {(reference.column, reference.table) for reference in table.references}

    async def test_its_columns_are_the_databases(self, shared_database_url: str, table: Table) -> None:
        connection = await asyncpg.connect(shared_database_url)
        rows = await connection.fetch(
            "SELECT attname::text AS name, NOT attnotnull AS nullable, format_type(atttypid, atttypmod) AS type"
            " FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND attgenerated = ''",
            table.name,
        )
        await connection.close()
        assert {row["name"]: (row["type"], row["nullable"]) for row in rows} == {
            name: (column.kind.sql_type, column.nullable)
            for name, column in table.columns.items()
            if column.options.stored
        }

    async def test_every_foreign_key_is_a_reference(self, shared_database_url: str, table: Table) -> None:
        """A column that carries the tenant along is no reference of its own where another has it already."""
        connection = await asyncpg.connect(shared_database_url)
        rows = await connection.fetch(
            "SELECT (SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid"
            "        AND attnum = conkey[cardinality(conkey)]) AS column, confrelid::regclass::text AS table"
            " FROM pg_constraint WHERE contype = 'f' AND conrelid = $1::text::regclass",
            table.name,
        )
        await connection.close()
        found = {(row["column"], row["table"]) for row in rows}
        declared = {(reference.column, reference.table) for reference in table.references}
        assert found <= declared
        assert declared - found <= {("tenant_id", "tenants")}

    async def test_the_references_indexes_are_there(self, shared_database_url: str, table: Table) -> None:
        connection = await asyncpg.connect(shared_database_url)
        rows = await connection.fetch("SELECT indexname FROM pg_indexes WHERE tablename = $1", table.name)
        await connection.close()
        assert {f"{table.name}_by_{name}" for name in INDEXES[table.name].split()} <= {row[0] for row in rows}

    def test_its_faces_are_as_described(self, sdl: GraphQLSchema, table: Table) -> None:
        type_name, one, many = FACES[table.name]
        assert (table.type_name, table.one, table.many) == (type_name, one, many)
        assert table.module == GUARDS[table.name]
        query = fields(sdl, "Query")
        assert str(query[one].type) == type_name
        assert str(query[one].args["id"].type) == "ID!"
        assert str(query[many].type) == f"{type_name}Connection!"
        assert ("includeDeleted" in query[one].args) is ("deleted_at" in table.columns)
        for name in table.also_by:
            assert str(query[name].type) == type_name

    def test_its_type_has_its_columns(self, sdl: GraphQLSchema, table: Table) -> None:
        printed = fields(sdl, table.type_name)
        for column in table.columns.values():
            scalar = column.enum.__name__ if column.enum else SCALARS[column.kind]
            assert str(printed[column.graphql_name].type) == scalar + ("" if column.nullable else "!")

    def test_its_references_lead_both_ways(self, sdl: GraphQLSchema, table: Table) -> None:
        """To-one relations can be null: what is behind may be deleted, or forbidden."""
        mine = fields(sdl, table.type_name)
        for reference in table.references:
            target = BY_NAME[reference.table].type_name
            theirs = fields(sdl, target)
            assert bool(reference.one) or reference.column not in table.columns
            if reference.one:
                assert str(mine[reference.one].type) == target
            assert bool(reference.many) is not bool(reference.only)
            if reference.many:
                assert str(theirs[reference.many].type).rstrip("!") == f"{table.type_name}Connection"
            if reference.only:
                assert str(theirs[reference.only].type) == table.type_name

    def test_it_has_no_other_fields(self, sdl: GraphQLSchema, table: Table) -> None:
        back = {r.many or r.only for child in TABLES for r in child.references if r.table == table.name}
        there = {r.one for r in table.references if r.one} | {choice.field for choice in table.choices}
        assert set(fields(sdl, table.type_name)) == set(table.by_graphql_name) | there | back

    def test_its_list_has_the_arguments_of_every_list(self, sdl: GraphQLSchema, table: Table) -> None:
        name = table.type_name
        wanted = {
            "where": f"{name}Filter",
            "orderBy": f"[{name}Order!]",
            "first": "Int",
            "after": "String",
            "last": "Int",
            "before": "String",
            "offset": "Int",
            **({"search": "String"} if table.searched else {}),
            **({"includeDeleted": "Boolean"} if "deleted_at" in table.columns else {}),
        }
        lists = [fields(sdl, "Query")[table.many]]
        lists += [fields(sdl, BY_NAME[r.table].type_name)[r.many] for r in table.references if r.many]
        short = {table.columns[by].graphql_name for r in table.references for by in r.by}
        for field in lists:
            assert {key: str(a.type) for key, a in field.args.items() if key not in short} == wanted

    def test_whose_rows_it_holds(self, table: Table) -> None:
        scopes = {"tenants": Scope.ITSELF, "roles": Scope.TENANT_OR_GLOBAL, "api_logs": Scope.PLATFORM}
        catalogue = Scope.TENANT if "tenant_id" in table.columns else Scope.EVERYONE
        assert table.scope is scopes.get(table.name, catalogue)


ADDED: Final[Mapping[str, str]] = {
    "sitesView": "psaIntegrationName parentId parentName parentSlug",
    "usersView": "roleName roleDescription roleRights",
    "integrationsView": "dataSourcesCount isEnabled dataSourceStatus",
    "enabledIntegrationsView": "tenantName enabledIntegrationIds enabledIntegrations enabledIntegrationCount",
    "siteIntegrationsView": "siteName siteSlug tenantName "
    "mappedIntegrationIds mappedIntegrations mappedIntegrationCount",
    "psaCompaniesView": "name externalParentId "
    "isLinked linkedSiteId linkedSiteName linkedSiteSlug linkedSiteStatus",
    "sophosPartnerSitesView": "isLinked "
    "linkedTenantId linkedTenantName linkedTenantApiHost dataSourceStatus mappedAt",
}
"""What each view adds to its rows, as the product describes it."""

OWN: Final = {"siteName": "name", "siteSlug": "slug", "Tenant.tenantName": "name"}
"""Added columns that are the row's own under another name."""


@pytest.mark.parametrize("view", ADDED)
class TestViews:
    def test_it_has_its_columns(self, sdl: GraphQLSchema, view: str) -> None:
        rows = fields(sdl, str(fields(sdl, "Query")[view].type).removesuffix("Connection!"))
        assert set(ADDED[view].split()) <= set(rows)

    def test_they_stand_on_the_type_that_it_extends_too(self, view: str) -> None:
        table = listed(view)
        base = BY_NAME[table.relation]
        for name in ADDED[view].split():
            column = table.by_graphql_name[name]
            also = base.by_graphql_name[OWN.get(f"{base.type_name}.{name}", OWN.get(name, name))]
            assert (column.kind, column.enum, column.sql("t").replace('"', "")) == (
                also.kind, also.enum, also.sql("t").replace('"', ""),
            )  # fmt: skip
            assert (column.nullable, column.options.looks) == (also.nullable, also.options.looks)

    def test_it_has_the_arguments_of_every_list(self, sdl: GraphQLSchema, view: str) -> None:
        mine = fields(sdl, "Query")[view].args
        sites = fields(sdl, "Query")["sites"].args
        catalogue = {"includeDeleted"} if view == "integrationsView" else set()
        assert set(mine) == set(sites) - catalogue
        name = listed(view).type_name
        assert (str(mine["where"].type), str(mine["orderBy"].type)) == (f"{name}Filter", f"[{name}Order!]")
        assert fields(sdl, "Subscription")[view].args.keys() == mine.keys()

    def test_its_own_columns_are_its_tables(self, view: str) -> None:
        table = listed(view)
        base = BY_NAME[table.relation]
        for column in table.columns.values():
            if not column.options.sql:
                its = base.columns[column.name]
                assert (column.kind, column.nullable, column.enum) == (its.kind, its.nullable, its.enum)
        assert (table.module, table.scope) == (base.module, base.scope)


def listed(name: str) -> Table:
    """The table or view that has this list."""
    return next(table for table in LISTED if name in (table.many, *table.also_many))


COMPUTED: Final = [(t, c) for t in LISTED for c in t.columns.values() if c.options.looks]


@pytest.mark.parametrize(("table", "column"), COMPUTED, ids=lambda part: part.name)
def test_a_computed_column_tells_all_that_it_goes_by(table: Table, column: Column) -> None:
    """Its live queries depend on what is told, and on nothing else."""
    sql = column.sql("own")
    sources = {"own": table.relation, **{alias: name for name, alias in SOURCE.findall(sql)}}
    used = {(sources[alias], alias == "own", name) for alias, name in COLUMN.findall(sql)}
    own = {(name, True, column_name) for name, column_name in column.options.reads}
    looks = {(look.table, False, name) for look in column.options.looks for name in look.columns}
    assert used <= own | looks
    assert {read for read in own | looks if read[2] != "id"} <= used
    deletable = {look.table for look in column.options.looks if BY_NAME[look.table].soft_deletes}
    assert all((name, False, "deleted_at") in used for name in deletable)


SOURCE: Final = re.compile(r"(?:FROM|JOIN) (\w+) (\w+)\b")
COLUMN: Final = re.compile(r"\b(?!app\.)([a-z_0-9]+)\.(\w+)")


def fields(schema: GraphQLSchema, type_name: str) -> Mapping[str, Any]:
    """The fields of an object type."""
    kind = schema.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    found: Mapping[str, Any] = kind.fields
    return found


def described(kind: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    """A type, its fields, arguments and values, each with its description."""
    yield kind.name, kind.description
    if isinstance(kind, GraphQLEnumType):
        yield from ((f"{kind.name}.{name}", value.description) for name, value in kind.values.items())
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield f"{kind.name}.{name}", field.description
            for argument, given in getattr(field, "args", {}).items():
                yield f"{kind.name}.{name}({argument})", given.description


def own_types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    """The types that are ours, not GraphQL's."""
    for kind in schema.type_map.values():
        if not is_introspection_type(kind) and not is_specified_scalar_type(kind):
            yield kind


def test_everything_is_described(sdl: GraphQLSchema) -> None:
    texts = [text for kind in own_types(sdl) for text in described(kind)]
    texts += [(d.name, d.description) for d in sdl.directives if not is_specified_directive(d)]
    assert len(texts) > 2_000
    assert [name for name, text in texts if not (text or "").strip()] == []


def test_enum_values_are_in_upper_case(sdl: GraphQLSchema) -> None:
    names = [name for kind in own_types(sdl) if isinstance(kind, GraphQLEnumType) for name in kind.values]
    assert len(names) > 200
    assert [name for name in names if name != name.upper()] == []


def test_names_are_in_camel_case(sdl: GraphQLSchema) -> None:
    for kind in own_types(sdl):
        assert kind.name[0].isupper()
        for name in getattr(kind, "fields", {}):
            assert "_" not in name
            assert name[0].islower()


def test_scalars_are_these(sdl: GraphQLSchema) -> None:
    used = {
        get_named_type(field.type).name
        for table in TABLES
        for name, field in fields(sdl, table.type_name).items()
        if name in table.by_graphql_name
    }
    enums = {column.enum.__name__ for table in TABLES for column in table.columns.values() if column.enum}
    assert used - enums == {"ID", "String", "Int", "Boolean", "Timestamp", "Decimal", "JSON"}
