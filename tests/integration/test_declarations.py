"""Each table's declaration against the model, the database, the product's reference and the printed schema."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
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
from core.auth.rights import MODULES
from core.database.orm import build_tortoise_config
from models import columns
from schema.sdl import SDL
from schema.table import Column, Kind, Scope, Table
from schema.tables import BY_NAME, LISTED, REFERENCE_TABLES, SIDE_TABLES, TABLES
from services.imports.import_tables import IMPORT_TABLES

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
    "issued_credentials": ("IssuedCredential", "issuedCredential", "issuedCredentials"),
    "site_enrollment_rules": ("SiteEnrollmentRule", "siteEnrollmentRule", "siteEnrollmentRules"),
    "legacy_agents": ("LegacyAgent", "legacyAgent", "legacyAgents"),
    "job_attempts": ("JobAttempt", "jobAttempt", "jobAttempts"),
    "job_progress": ("JobProgress", "jobProgress", "jobProgresses"),
}
"""Table to type, by-id field and list field, from the product's description of the API."""

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
    "issued_credentials": "Agents",
    "site_enrollment_rules": "Agents",
    "legacy_agents": "Agents",
    "job_attempts": "Jobs",
    "job_progress": "Jobs",
}
"""Table to the module with the rights for it."""

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
    "issued_credentials": "tenant site agent user issuer revoker approver expiry",
    "site_enrollment_rules": "tenant",
    "legacy_agents": "tenant",
    "job_attempts": "tenant job",
    "job_progress": "tenant",
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
"""Ids that are no foreign key of a model: another column has the name of their table."""

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
async def tortoise_models() -> AsyncIterator[Mapping[str, type[Model]]]:
    """The models by their table."""
    async with TortoiseContext() as context:
        await context.init(config=build_tortoise_config("postgresql:///none"), init_connections=False)
        found: list[type[Model]] = [getattr(models, name) for name in models.__all__]
        yield {model._meta.db_table: model for model in found}


def test_tables_equal_the_reference() -> None:
    assert [table.name for table in TABLES] == list(FACES)
    assert len(REFERENCE_TABLES) == 21
    assert set(GUARDS.values()) == set(MODULES)


def test_side_tables_equal_those_of_architecture_page() -> None:
    page = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.split("## Tables beside the 21")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [table.name for table in SIDE_TABLES]


def test_import_shapes_exclude_side_tables() -> None:
    assert set(IMPORT_TABLES) == {table.name for table in REFERENCE_TABLES}


def _model_kind(model: type[Model], name: str) -> tuple[Kind, bool, type[StrEnum] | None]:
    """The model's declaration of a column; a foreign key holds an id."""
    field = model._meta.fields_map[name]
    key = any(model._meta.fields_map[foreign].source_field == name for foreign in model._meta.fk_fields)
    enum = field.field_type if isinstance(field, columns.Enumerated) else None
    return Kind.ID if key else KINDS[type(field)], field.null, enum


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
class TestTableDeclaration:
    def test_columns_equal_those_of_model(
        self, tortoise_models: Mapping[str, type[Model]], table: Table
    ) -> None:
        model = tortoise_models[table.name]
        declared = {
            name: (Kind.TEXT if (table.name, name) in NAMES_OF_ROWS else c.kind, c.nullable, c.enum)
            for name, c in table.columns.items()
            if c.options.stored
        }
        assert declared == {
            name: _model_kind(model, name) for name in model._meta.fields_db_projection.values()
        }

    def test_references_include_those_of_model(
        self, tortoise_models: Mapping[str, type[Model]], table: Table
    ) -> None:
        model = tortoise_models[table.name]
        keys = {name: model._meta.fields_map[name] for name in model._meta.fk_fields}
        wanted = {(str(key.source_field), key.related_model._meta.db_table) for key in keys.values()}  # type: ignore[attr-defined]
        assert wanted <= {(reference.column, reference.table) for reference in table.references}

    async def test_columns_equal_those_of_database(self, shared_database_url: str, table: Table) -> None:
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

    async def test_references_include_every_foreign_key(self, shared_database_url: str, table: Table) -> None:
        """A tenant column of a composite key is no reference of its own if another reference has it already."""
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

    async def test_indexes_of_reference_exist(self, shared_database_url: str, table: Table) -> None:
        connection = await asyncpg.connect(shared_database_url)
        rows = await connection.fetch("SELECT indexname FROM pg_indexes WHERE tablename = $1", table.name)
        await connection.close()
        assert {f"{table.name}_by_{name}" for name in INDEXES[table.name].split()} <= {row[0] for row in rows}

    def test_query_fields_equal_the_reference(self, sdl: GraphQLSchema, table: Table) -> None:
        type_name, one, many = FACES[table.name]
        assert (table.type_name, table.one, table.many) == (type_name, one, many)
        assert table.module == GUARDS[table.name]
        query = fields_of_type(sdl, "Query")
        assert str(query[one].type) == type_name
        assert str(query[one].args["id"].type) == "ID!"
        assert str(query[many].type) == f"{type_name}Connection"
        assert ("includeDeleted" in query[one].args) is ("deleted_at" in table.columns)
        for name in table.also_by:
            assert str(query[name].type) == type_name

    def test_graphql_type_has_every_column(self, sdl: GraphQLSchema, table: Table) -> None:
        printed = fields_of_type(sdl, table.type_name)
        for column in table.columns.values():
            scalar = column.enum.__name__ if column.enum else SCALARS[column.kind]
            assert str(printed[column.graphql_name].type) == scalar + (
                "" if column.nullable or column.never else "!"
            )

    def test_references_have_fields_in_both_directions(self, sdl: GraphQLSchema, table: Table) -> None:
        """To-one relations are nullable: the target may be deleted, or forbidden."""
        mine = fields_of_type(sdl, table.type_name)
        for reference in table.references:
            target = BY_NAME[reference.table].type_name
            theirs = fields_of_type(sdl, target)
            assert bool(reference.one) or reference.column not in table.columns
            if reference.one:
                assert str(mine[reference.one].type) == target
            assert bool(reference.many) is not bool(reference.only)
            if reference.many:
                assert str(theirs[reference.many].type).rstrip("!") == f"{table.type_name}Connection"
            if reference.only:
                assert str(theirs[reference.only].type) == table.type_name

    def test_graphql_type_has_no_other_fields(self, sdl: GraphQLSchema, table: Table) -> None:
        back = {r.many or r.only for child in TABLES for r in child.references if r.table == table.name}
        there = {r.one for r in table.references if r.one} | {choice.field for choice in table.choices}
        assert set(fields_of_type(sdl, table.type_name)) == set(table.by_graphql_name) | there | back

    def test_list_has_standard_arguments(self, sdl: GraphQLSchema, table: Table) -> None:
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
        lists = [fields_of_type(sdl, "Query")[table.many]]
        lists += [fields_of_type(sdl, BY_NAME[r.table].type_name)[r.many] for r in table.references if r.many]
        short = {table.columns[by].graphql_name for r in table.references for by in r.by}
        for field in lists:
            assert {key: str(a.type) for key, a in field.args.items() if key not in short} == wanted

    def test_scope_follows_from_tenant_column(self, table: Table) -> None:
        scopes = {"tenants": Scope.ITSELF, "roles": Scope.TENANT_OR_GLOBAL, "api_logs": Scope.PLATFORM}
        catalog = Scope.TENANT if "tenant_id" in table.columns else Scope.EVERYONE
        assert table.scope is scopes.get(table.name, catalog)


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
"""The columns that each view adds, from the product's description."""

OWN: Final = {"siteName": "name", "siteSlug": "slug", "Tenant.tenantName": "name"}
"""Added columns that are the row's own columns with another name."""


@pytest.mark.parametrize("view", ADDED)
class TestViewDeclaration:
    def test_graphql_type_has_added_columns(self, sdl: GraphQLSchema, view: str) -> None:
        rows = fields_of_type(sdl, str(fields_of_type(sdl, "Query")[view].type).removesuffix("Connection"))
        assert set(ADDED[view].split()) <= set(rows)

    def test_added_columns_equal_those_of_base_type(self, view: str) -> None:
        table = find_listed(view)
        base = BY_NAME[table.relation]
        for name in ADDED[view].split():
            column = table.by_graphql_name[name]
            also = base.by_graphql_name[OWN.get(f"{base.type_name}.{name}", OWN.get(name, name))]
            assert (column.kind, column.enum, column.sql("t").replace('"', "")) == (
                also.kind, also.enum, also.sql("t").replace('"', ""),
            )  # fmt: skip
            assert (column.nullable, column.options.dependencies) == (
                also.nullable,
                also.options.dependencies,
            )

    def test_list_has_standard_arguments(self, sdl: GraphQLSchema, view: str) -> None:
        mine = fields_of_type(sdl, "Query")[view].args
        sites = fields_of_type(sdl, "Query")["sites"].args
        catalog = {"includeDeleted"} if view == "integrationsView" else set()
        assert set(mine) == set(sites) - catalog
        name = find_listed(view).type_name
        assert (str(mine["where"].type), str(mine["orderBy"].type)) == (f"{name}Filter", f"[{name}Order!]")
        assert fields_of_type(sdl, "Subscription")[view].args.keys() == mine.keys()

    def test_stored_columns_equal_those_of_table(self, view: str) -> None:
        table = find_listed(view)
        base = BY_NAME[table.relation]
        for column in table.columns.values():
            if not column.options.sql:
                its = base.columns[column.name]
                assert (column.kind, column.nullable, column.enum) == (its.kind, its.nullable, its.enum)
        assert (table.module, table.scope) == (base.module, base.scope)


def find_listed(name: str) -> Table:
    """The table or view that has this list."""
    return next(table for table in LISTED if name in (table.many, *table.also_many))


COMPUTED: Final = [(t, c) for t in LISTED for c in t.columns.values() if c.options.dependencies]


@pytest.mark.parametrize(("table", "column"), COMPUTED, ids=lambda part: part.name)
def test_computed_column_declares_every_column_it_reads(table: Table, column: Column) -> None:
    """Its live queries depend on the declared columns only."""
    sql = column.sql("own")
    sources = {"own": table.relation, **{alias: name for name, alias in SOURCE.findall(sql)}}
    used = {(sources[alias], alias == "own", name) for alias, name in COLUMN.findall(sql)}
    own = {(name, True, column_name) for name, column_name in column.options.reads}
    looks = {(look.table, False, name) for look in column.options.dependencies for name in look.columns}
    assert used <= own | looks
    if column.name != "blocked_by":  # a function reads the queue, and other jobs' changes show its changes
        assert {read for read in own | looks if read[2] != "id"} <= used
    deletable = {look.table for look in column.options.dependencies if BY_NAME[look.table].soft_deletes}
    assert all((name, False, "deleted_at") in used for name in deletable)


SOURCE: Final = re.compile(r"(?:FROM|JOIN) (\w+) (\w+)\b")
COLUMN: Final = re.compile(r"\b(?!app\.)([a-z_0-9]+)\.(\w+)")


def fields_of_type(schema: GraphQLSchema, type_name: str) -> Mapping[str, Any]:
    """The fields of an object type."""
    kind = schema.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    found: Mapping[str, Any] = kind.fields
    return found


def iter_descriptions(kind: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    """A type, its fields, arguments and values, each with its description."""
    yield kind.name, kind.description
    if isinstance(kind, GraphQLEnumType):
        yield from ((f"{kind.name}.{name}", value.description) for name, value in kind.values.items())
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield f"{kind.name}.{name}", field.description
            for argument, given in getattr(field, "args", {}).items():
                yield f"{kind.name}.{name}({argument})", given.description


def iter_own_types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    """The types that are ours, not GraphQL's."""
    for kind in schema.type_map.values():
        if not is_introspection_type(kind) and not is_specified_scalar_type(kind):
            yield kind


def test_schema_describes_everything(sdl: GraphQLSchema) -> None:
    texts = [text for kind in iter_own_types(sdl) for text in iter_descriptions(kind)]
    texts += [(d.name, d.description) for d in sdl.directives if not is_specified_directive(d)]
    assert len(texts) > 2_000
    assert [name for name, text in texts if not (text or "").strip()] == []


def test_schema_enum_values_are_upper_case(sdl: GraphQLSchema) -> None:
    names = [
        name for kind in iter_own_types(sdl) if isinstance(kind, GraphQLEnumType) for name in kind.values
    ]
    assert len(names) > 200
    assert [name for name in names if name != name.upper()] == []


def test_schema_names_are_camel_case(sdl: GraphQLSchema) -> None:
    for kind in iter_own_types(sdl):
        assert kind.name[0].isupper()
        for name in getattr(kind, "fields", {}):
            assert "_" not in name
            assert name[0].islower()


def test_columns_use_expected_scalars_only(sdl: GraphQLSchema) -> None:
    used = {
        get_named_type(field.type).name
        for table in TABLES
        for name, field in fields_of_type(sdl, table.type_name).items()
        if name in table.by_graphql_name
    }
    enums = {column.enum.__name__ for table in TABLES for column in table.columns.values() if column.enum}
    assert used - enums == {"ID", "String", "Int", "Boolean", "Timestamp", "Decimal", "JSON"}
