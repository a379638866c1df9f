"""A walk over the whole schema as users who lack a right, as an anonymous caller, and as the platform.

For each module there is a user with all rights except that to read it. Fields are taken from the built
schema, so that none is missed.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson
import pytest
import pytest_asyncio
from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, GraphQLUnionType, get_named_type

from core.auth.rights import GLOBAL_ADMIN, MODULES, RIGHTS
from core.auth.viewer import ViewerKind
from schema.table import Column, Scope, Table
from schema.tables import BY_NAME, LISTED, TABLES
from tests.access_probes import list_schema_fields
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, Principal, open_graphql_harness
from tests.neighbor_tenants import NeighborTenants, find_neighbor_tenants

pytestmark = pytest.mark.newest

_BY_TYPE: Final = {table.type_name: table for table in LISTED}
_SIGNED_IN: Final = tuple(table for table in LISTED if table.scope is not Scope.PLATFORM)
"""Tables that a user can hold the right to read."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A field that leads from a row of `source` to rows of `targets`."""

    source: Table
    name: str
    targets: tuple[Table, ...]
    field: GraphQLField

    @property
    def selection(self) -> str:
        """A selection of it that returns a row or a count."""
        if get_named_type(self.field.type).name.endswith("Connection"):
            return "{ totalCount }"
        if len(self.targets) == 1:
            return "{ id }"
        return "{ " + " ".join(f"... on {target.type_name} {{ id }}" for target in self.targets) + " }"


@dataclass(frozen=True, slots=True)
class RightsHarness:
    """The demo with one more user for each missing right, all of one tenant."""

    graphql: GraphqlHarness
    neighbor_tenants: NeighborTenants
    connection: asyncpg.Connection

    async def as_user(self, user: str, query: str) -> GraphqlResponse:
        """Send a request as a user, with both strategies."""
        return await self._execute_both_ways(Principal(user, ViewerKind.USER, user), query)

    async def as_user_without(self, module: str, query: str) -> GraphqlResponse:
        """Send a request as the user who may do everything except read that module."""
        return await self.as_user(f"without-{module}", query)

    async def as_platform(self, tenant: str | None, query: str) -> GraphqlResponse:
        """Send a request as the platform, with or without a tenant."""
        return await self._execute_both_ways(
            Principal("platform", ViewerKind.PLATFORM, tenant_id=tenant), query
        )

    async def as_anonymous(self, query: str) -> GraphqlResponse:
        """Send a request without a token."""
        return await self._execute_both_ways(Principal("nobody"), query)

    async def _execute_both_ways(self, who: Principal, query: str) -> GraphqlResponse:
        answer, compiled = await self.graphql.execute_with_both_strategies(who, query, {})
        assert (compiled.data, compiled.errors) == (answer.data, answer.errors)
        return answer

    async def fetch_ids(self, table: Table, condition: str = "true") -> set[str]:
        """The ids of all rows of a table that fit."""
        rows = await self.connection.fetch(f"SELECT id FROM {table.relation} WHERE {condition}")
        return {row["id"] for row in rows}


async def _insert_user_with_rights(
    connection: asyncpg.Connection, tenant: str, name: str, rights: set[str]
) -> None:
    """Create a user of that id, and a role of the same id with exactly these rights."""
    await connection.execute(
        "INSERT INTO roles (id, tenant_id, name, description, rights) VALUES ($1, $2, $1, '', $3)",
        name,
        tenant,
        orjson.dumps(dict.fromkeys(rights, True)).decode(),
    )
    await connection.execute(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) VALUES ($1, $2, $1, $1, $1, 'active')",
        name,
        tenant,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rights_harness(writable_demo_database_url: str) -> AsyncIterator[RightsHarness]:
    connection = await asyncpg.connect(writable_demo_database_url)
    neighbor_tenants = await find_neighbor_tenants(connection)
    every = RIGHTS - {GLOBAL_ADMIN}
    for module in MODULES:
        rights = {right for right in every if not right.startswith(f"{module}.")}
        await _insert_user_with_rights(connection, neighbor_tenants.mine, f"without-{module}", rights)
    await _insert_user_with_rights(
        connection, neighbor_tenants.mine, "reader", {right for right in every if right.endswith(".Read")}
    )
    await _insert_user_with_rights(connection, neighbor_tenants.mine, "nobody", set())
    async with open_graphql_harness(writable_demo_database_url) as made:
        yield RightsHarness(made, neighbor_tenants, connection)
    await connection.close()


def iter_relations(graph: GraphqlHarness) -> Iterator[Relation]:
    """Every relation of the built schema."""
    for name in list_schema_fields(graph.schema):
        type_name, _, field_name = name.partition(".")
        if type_name != "Query":
            parent = graph.schema.type_map[type_name]
            assert isinstance(parent, GraphQLObjectType)
            field = parent.fields[field_name]
            target = get_named_type(field.type)
            names = (
                [member.name for member in target.types]
                if isinstance(target, GraphQLUnionType)
                else [target.name.removesuffix("Connection")]
            )
            yield Relation(_BY_TYPE[type_name], field_name, tuple(_BY_TYPE[n] for n in names), field)


def iter_root_calls(graph: GraphqlHarness, table: Table) -> Iterator[tuple[str, str]]:
    """The root fields of a table: name and call."""
    query = graph.schema.query_type
    assert query is not None
    for name, field in query.fields.items():
        target = get_named_type(field.type).name
        if target == table.type_name:
            key = next(iter(field.args))
            yield name, f'{name}({key}: "no-such") {{ id }}'
        elif target == f"{table.type_name}Connection":
            yield name, f"{name}(first: 1) {{ nodes {{ id }} }}"
            yield name, f"{name} {{ totalCount }}"
            yield name, f"{name} {{ edges {{ cursor }} }}"
            yield name, f"{name} {{ __typename }}"


def assert_refused(answer: GraphqlResponse, name: str, code: str, right: str | None = None) -> None:
    (error,) = answer.errors
    assert (error["path"], error["extensions"]["code"]) == ([name], code)
    assert right is None or error["extensions"]["right"] == right
    assert answer.data == {name: None}


@pytest.mark.parametrize("module", MODULES)
class TestWithoutRight:
    async def test_root_field_without_right_is_forbidden(
        self, rights_harness: RightsHarness, module: str
    ) -> None:
        for table in LISTED:
            for name, call in iter_root_calls(rights_harness.graphql, table):
                answer = await rights_harness.as_user_without(module, f"{{ {call} }}")
                if table.scope is Scope.PLATFORM:
                    assert_refused(answer, name, "FORBIDDEN")
                    assert "right" not in answer.errors[0]["extensions"]
                elif table.module == module:
                    assert_refused(answer, name, "FORBIDDEN", f"{module}.Read")
                else:
                    assert not answer.errors

    async def test_row_by_id_without_right_is_forbidden_existing_or_not(
        self, rights_harness: RightsHarness, module: str
    ) -> None:
        for table in (t for t in _SIGNED_IN if t.module == module and t.one):
            found = await rights_harness.fetch_ids(table)
            own = {"without-" + module, rights_harness.neighbor_tenants.mine}
            for row_id in [*sorted(found - own)[:20], "no-such"]:
                answer = await rights_harness.as_user_without(
                    module, f'{{ {table.one}(id: "{row_id}") {{ id }} }}'
                )
                assert_refused(answer, table.one, "FORBIDDEN", f"{module}.Read")

    async def test_relation_without_right_is_null_and_the_rest_is_answered(
        self, rights_harness: RightsHarness, module: str
    ) -> None:
        seen = 0
        for relation in iter_relations(rights_harness.graphql):
            for target in relation.targets:
                if target.module == module != relation.source.module:
                    await _assert_relation_is_null(rights_harness, module, relation, target)
                    seen += 1
        assert seen

    async def test_filter_into_table_without_right_is_forbidden(
        self, rights_harness: RightsHarness, module: str
    ) -> None:
        for table in (t for t in _SIGNED_IN if t.module != module):
            for name, target in iter_filters_into_tables(rights_harness.graphql, table):
                looks = f'{{{name}: {{id: {{neq: "no-such"}}}}}}'
                for where in (looks, f"{{or: [{{not: {looks}}}]}}", f"{{and: [{looks}]}}"):
                    answer = await rights_harness.as_user_without(
                        module, f"{{ {table.many}(where: {where}) {{ totalCount }} }}"
                    )
                    if target.module == module:
                        assert_refused(answer, table.many, "FORBIDDEN", f"{module}.Read")
                    else:
                        assert not answer.errors


@pytest.mark.parametrize("module", MODULES)
class TestComputedColumns:
    """Columns computed from rows that a user may not read are hidden as the rows are, in every kind of request."""

    async def test_computed_column_without_right_is_null_and_the_rest_is_answered(
        self, rights_harness: RightsHarness, module: str
    ) -> None:
        for table, guarded in iter_computed_columns(module):
            names = " ".join(guarded)
            for name in (table.many, *table.also_many):
                page = f"{name}(first: 5) {{ nodes {{ id %s }} }}"
                answer = await rights_harness.as_user_without(module, f"{{ {page % names} }}")
                whole = await rights_harness.as_user_without(module, f"{{ {page % ''} }}")
                nodes = whole.data[name]["nodes"]
                assert answer.data[name]["nodes"] == [{**row, **dict.fromkeys(guarded)} for row in nodes]
                assert nodes
                assert answer.codes == ["FORBIDDEN"] * len(nodes) * len(guarded)
                paths = [[name, "nodes", n, column] for n in range(len(nodes)) for column in guarded]
                assert sorted(error["path"] for error in answer.errors) == sorted(paths)

    async def test_computed_column_without_right_in_filter_or_order_is_forbidden(
        self, rights_harness: RightsHarness, module: str
    ) -> None:
        """Neither a filter nor an order reveals anything of them."""
        for table, guarded in iter_computed_columns(module):
            for graphql_name in guarded:
                looks = f"{{{graphql_name}: {{isNull: false}}}}"
                column = table.by_graphql_name[graphql_name]
                arguments = [f"where: {looks}", f"where: {{or: [{{not: {looks}}}]}}"]
                arguments += [f"orderBy: {{field: {column.name.upper()}}}"] if column.orderable else []
                for given in arguments:
                    answer = await rights_harness.as_user_without(
                        module, f"{{ {table.many}({given}) {{ nodes {{ id }} }} }}"
                    )
                    assert_refused(answer, table.many, "FORBIDDEN")

    async def test_computed_column_of_other_modules_is_answered(
        self, rights_harness: RightsHarness, module: str
    ) -> None:
        """A column that reads nothing of the module is answered, with its filter and its order."""
        for table in (t for t in _SIGNED_IN if t.module != module):
            for column in table.columns.values():
                if column.options.dependencies and module not in get_source_modules(column):
                    order = f"orderBy: {{field: {column.name.upper()}}}, " if column.orderable else ""
                    given = f"{order}where: {{{column.graphql_name}: {{isNull: false}}}}"
                    call = f"{{ {table.many}({given}) {{ nodes {{ {column.graphql_name} }} }} }}"
                    assert not (await rights_harness.as_user_without(module, call)).errors


def get_source_modules(column: Column) -> set[str]:
    """The modules of the rows that a column reads. The user's own tenant is always readable."""
    return {BY_NAME[look.table].module for look in column.options.dependencies} - {"Tenant"}


def iter_computed_columns(module: str) -> Iterator[tuple[Table, list[str]]]:
    """The tables and views of other modules with columns computed from a module's rows."""
    for table in (t for t in _SIGNED_IN if t.module != module):
        guarded = [c.graphql_name for c in table.columns.values() if module in get_source_modules(c)]
        if guarded:
            yield table, guarded


def test_computed_columns_read_exactly_these_modules() -> None:
    """Otherwise the tests above would pass without any column."""
    found = {module for module in MODULES for _ in iter_computed_columns(module)}
    assert found == {"DataSources", "Integrations", "Roles", "Sites"}


def iter_filters_into_tables(graph: GraphqlHarness, table: Table) -> Iterator[tuple[str, Table]]:
    """The fields of a table's filter that lead into another table, and that table."""
    kind = graph.schema.type_map[f"{table.type_name}Filter"]
    assert isinstance(kind, GraphQLInputObjectType)
    for name, field in kind.fields.items():
        target = get_named_type(field.type).name.removesuffix("Filter")
        if name not in ("and", "or", "not") and target in _BY_TYPE:
            yield name, _BY_TYPE[target]


async def _assert_relation_is_null(
    rights_harness: RightsHarness, module: str, relation: Relation, target: Table
) -> None:
    """Query rows with a target behind the relation, and compare with the rows' own ids."""
    source, name = relation.source, relation.name
    key, where = _get_relation_key(relation, target)
    page = f"{source.many}(first: 5{where})"
    answer = await rights_harness.as_user_without(
        module, f"{{ {page} {{ nodes {{ id {key} {name} {relation.selection} }} }} }}"
    )
    whole = await rights_harness.as_user(
        rights_harness.neighbor_tenants.my_user, f"{{ {page} {{ nodes {{ id {key} }} }} }}"
    )
    nodes = answer.data[source.many]["nodes"]
    own = {f"without-{module}", rights_harness.neighbor_tenants.mine}
    shown = [{"id": row[key]} if row[key] in own and key != "id" else None for row in nodes]
    assert nodes
    assert [row.pop(name) for row in nodes] == shown
    assert nodes == whole.data[source.many]["nodes"]
    assert answer.codes == ["FORBIDDEN"] * shown.count(None)
    paths = [[source.many, "nodes", number, name] for number, row in enumerate(shown) if row is None]
    assert sorted(error["path"] for error in answer.errors) == paths


def _get_relation_key(relation: Relation, target: Table) -> tuple[str, str]:
    """The column with the id behind a relation (`id`: the row itself), and a filter for rows that have it."""
    source = relation.source
    for reference in source.references:
        if reference.one == relation.name:
            column = source.columns[reference.column].graphql_name
            return column, f", where: {{{column}: {{isNull: false}}}}"
    for choice in source.choices:
        if choice.field == relation.name:
            kind = next(value for value, name in choice.members.items() if name == target.name)
            discriminator = source.columns[choice.discriminator].graphql_name
            column = source.columns[choice.column].graphql_name
            return column, f", where: {{{discriminator}: {{eq: {kind.upper()}}}}}"
    return "id", ""


async def test_include_deleted_with_read_right_only_is_forbidden(rights_harness: RightsHarness) -> None:
    """A user who may only read is refused `includeDeleted` everywhere."""
    query = rights_harness.graphql.schema.query_type
    assert query is not None
    for name, field in query.fields.items():
        if "includeDeleted" in field.args:
            key = next(iter(field.args))
            given = f'{key}: "reader", ' if key != "where" else ""
            one = not get_named_type(field.type).name.endswith("Connection")
            selection = "{ id }" if one else "{ totalCount }"
            call = f"{{ {name}({given}includeDeleted: %s) {selection} }}"
            assert_refused(await rights_harness.as_user("reader", call % "true"), name, "FORBIDDEN")
            assert not (await rights_harness.as_user("reader", call % "false")).errors
    for relation in iter_relations(rights_harness.graphql):
        if "includeDeleted" in relation.field.args:
            many = relation.source.many
            call = f"{{ {many}(first: 1) {{ nodes {{ {relation.name}(includeDeleted: true) {{ totalCount }} }} }} }}"
            answer = await rights_harness.as_user("reader", call)
            assert answer.data == {many: {"nodes": [{relation.name: None}]}}
            assert answer.codes == ["FORBIDDEN"]


async def test_own_user_role_and_tenant_without_rights_are_answered(rights_harness: RightsHarness) -> None:
    tenant = rights_harness.neighbor_tenants.mine
    own = f"""{{
      viewer {{ kind user {{ id tenant {{ id }} role {{ id }} }} tenant {{ id }} role {{ id }} rights }}
      user(id: "nobody") {{ id role {{ id }} }}
      role(id: "nobody") {{ id tenant {{ id }} }}
      tenant(id: "{tenant}") {{ id }}
    }}"""
    answer = await rights_harness.as_user("nobody", own)
    assert not answer.errors
    me, home = {"id": "nobody"}, {"id": tenant}
    user = {**me, "tenant": home, "role": me}
    assert answer.data == {
        "viewer": {"kind": "USER", "user": user, "tenant": home, "role": me, "rights": []},
        "user": {**me, "role": me},
        "role": {**me, "tenant": home},
        "tenant": home,
    }


async def test_own_role_without_rights_is_answered_by_relation_only(rights_harness: RightsHarness) -> None:
    """As docs/queries.md says."""
    arguments = "id roleName role { name rights }"
    own = f'{{ viewer {{ user {{ {arguments} }} role {{ name rights }} }} user(id: "nobody") {{ {arguments} }} }}'
    answer = await rights_harness.as_user("nobody", own)
    role = {"name": "nobody", "rights": {}}
    user = {"id": "nobody", "roleName": None, "role": role}
    assert answer.data == {"viewer": {"user": user, "role": role}, "user": user}
    assert answer.codes == ["FORBIDDEN"] * 2


async def test_root_fields_without_any_right_are_forbidden(rights_harness: RightsHarness) -> None:
    for table in LISTED:
        for name, call in iter_root_calls(rights_harness.graphql, table):
            answer = await rights_harness.as_user("nobody", f"{{ {call} }}")
            assert_refused(answer, name, "FORBIDDEN")


async def test_root_fields_by_anonymous_are_unauthenticated(rights_harness: RightsHarness) -> None:
    for table in LISTED:
        for name, call in iter_root_calls(rights_harness.graphql, table):
            assert_refused(await rights_harness.as_anonymous(f"{{ {call} }}"), name, "UNAUTHENTICATED")
    answer = await rights_harness.as_anonymous("{ viewer { kind user { id } rights } }")
    assert (answer.data, answer.errors) == ({"viewer": None}, [])


async def _list_as_platform(
    rights_harness: RightsHarness, tenant: str | None, table: Table
) -> tuple[set[str], int]:
    call = f"{{ {table.many}(first: 1000%s) {{ totalCount nodes {{ id }} }} }}"
    answer = await rights_harness.as_platform(
        tenant, call % (", includeDeleted: true" if table.soft_deletes else "")
    )
    assert not answer.errors, table.name
    listed = answer.data[table.many]
    return {row["id"] for row in listed["nodes"]}, listed["totalCount"]


async def test_platform_in_a_tenant_sees_rows_of_that_tenant(rights_harness: RightsHarness) -> None:
    whose: dict[Scope, str] = {
        Scope.TENANT: f"tenant_id = '{rights_harness.neighbor_tenants.mine}'",
        Scope.TENANT_OR_GLOBAL: f"tenant_id = '{rights_harness.neighbor_tenants.mine}' OR tenant_id IS NULL",
    }
    for table in LISTED:
        ids, total = await _list_as_platform(rights_harness, rights_harness.neighbor_tenants.mine, table)
        only = "".join(f" AND {name} = '{value}'" for name, value in table.only)
        expected = await rights_harness.fetch_ids(table, f"({whose.get(table.scope, 'true')}){only}")
        assert (total, ids <= expected) == (len(expected), True), table.name
        assert expected


async def test_platform_without_tenant_sees_rows_of_no_tenant(rights_harness: RightsHarness) -> None:
    tenantless = {"roles", "audit_log", "issued_credentials"}
    for table in LISTED:
        if table.scope is Scope.TENANT and table.name not in tenantless:
            for name, call in iter_root_calls(rights_harness.graphql, table):
                answer = await rights_harness.as_platform(None, f"{{ {call} }}")
                assert_refused(answer, name, "BAD_USER_INPUT")
            continue
        ids, total = await _list_as_platform(rights_harness, None, table)
        assert ids == await rights_harness.fetch_ids(
            table, "tenant_id IS NULL" if table.name in tenantless else "true"
        )
        assert ids
        assert total == len(ids)


async def test_platform_without_tenant_in_tenant_relation_is_bad_input(rights_harness: RightsHarness) -> None:
    query = "{ integrations { nodes { id psaSites { totalCount } globalEntities { totalCount } } } }"
    answer = await rights_harness.as_platform(None, query)
    nodes = answer.data["integrations"]["nodes"]
    assert {row["psaSites"] for row in nodes} == {None}
    assert all(row["globalEntities"] for row in nodes)
    assert answer.codes == ["BAD_USER_INPUT"] * len(nodes)


async def test_global_roles_are_listed_in_every_tenant(rights_harness: RightsHarness) -> None:
    roles = next(table for table in TABLES if table.name == "roles")
    shared = await rights_harness.fetch_ids(roles, "tenant_id IS NULL AND deleted_at IS NULL")
    assert shared
    for user, tenant in (
        (rights_harness.neighbor_tenants.my_user, rights_harness.neighbor_tenants.mine),
        (rights_harness.neighbor_tenants.their_user, rights_harness.neighbor_tenants.theirs),
    ):
        answer = await rights_harness.as_user(user, "{ roles(first: 1000) { nodes { id tenantId } } }")
        found: dict[str, Any] = {row["id"]: row["tenantId"] for row in answer.data["roles"]["nodes"]}
        assert {role for role, owner in found.items() if owner is None} == shared
        assert set(found.values()) == {None, tenant}


async def test_audit_log_entry_without_tenant_is_seen_only_by_platform(rights_harness: RightsHarness) -> None:
    audit = next(table for table in TABLES if table.name == "audit_log")
    tenantless = await rights_harness.fetch_ids(audit, "tenant_id IS NULL")
    assert tenantless
    for row_id in tenantless:
        where = f'{{id: {{eq: "{row_id}"}}}}'
        query = f'{{ auditLogEntry(id: "{row_id}") {{ id }} auditLog(where: {where}) {{ totalCount }} }}'
        absent = {"auditLogEntry": None, "auditLog": {"totalCount": 0}}
        assert (await rights_harness.as_user(rights_harness.neighbor_tenants.my_user, query)).data == absent
        assert (await rights_harness.as_platform(rights_harness.neighbor_tenants.mine, query)).data == absent
        seen = (await rights_harness.as_platform(None, query)).data
        assert seen == {"auditLogEntry": {"id": row_id}, "auditLog": {"totalCount": 1}}
