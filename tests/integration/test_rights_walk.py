"""The walk of the whole schema as somebody who lacks a right, as nobody, and as the platform.

For each module there is a user who may do everything but read it. Fields are taken from the built schema, so that
none is forgotten.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson
import pytest
import pytest_asyncio
from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, GraphQLUnionType, get_named_type

from core.rights import GLOBAL_ADMIN, MODULES, RIGHTS
from core.viewer import ViewerKind
from schema.table import Column, Scope, Table
from schema.tables import BY_NAME, LISTED, TABLES
from tests.graph import Answer, Graph, Who, graph
from tests.neighbours import Neighbours, find_neighbours
from tests.probes import fields_of

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
        """What to ask of it so that a row or a count comes back."""
        if get_named_type(self.field.type).name.endswith("Connection"):
            return "{ totalCount }"
        if len(self.targets) == 1:
            return "{ id }"
        return "{ " + " ".join(f"... on {target.type_name} {{ id }}" for target in self.targets) + " }"


@dataclass(frozen=True, slots=True)
class House:
    """The demo with one more user for each lack of rights, all of one tenant."""

    graph: Graph
    neighbours: Neighbours
    connection: asyncpg.Connection

    async def as_user(self, user: str, query: str) -> Answer:
        """Ask as a user, in both ways of running an operation."""
        return await self._ask(Who(user, ViewerKind.USER, user), query)

    async def as_user_without(self, module: str, query: str) -> Answer:
        """Ask as the user who may do everything but read that module."""
        return await self.as_user(f"without-{module}", query)

    async def as_platform(self, tenant: str | None, query: str) -> Answer:
        """Ask as the platform, with or without a tenant."""
        return await self._ask(Who("platform", ViewerKind.PLATFORM, tenant_id=tenant), query)

    async def as_anonymous(self, query: str) -> Answer:
        """Ask without a token."""
        return await self._ask(Who("nobody"), query)

    async def _ask(self, who: Who, query: str) -> Answer:
        answer, compiled = await self.graph.both_ways(who, query, {})
        assert (compiled.data, compiled.errors) == (answer.data, answer.errors)
        return answer

    async def ids(self, table: Table, condition: str = "true") -> set[str]:
        """The ids of all rows of a table that fit."""
        rows = await self.connection.fetch(f"SELECT id FROM {table.relation} WHERE {condition}")  # noqa: S608 - our own names
        return {row["id"] for row in rows}


async def _hire(connection: asyncpg.Connection, tenant: str, name: str, rights: set[str]) -> None:
    """A user of that id with a role of the same id that has exactly these rights."""
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
async def house(demo_database: str) -> AsyncIterator[House]:
    connection = await asyncpg.connect(demo_database)
    neighbours = await find_neighbours(connection)
    every = RIGHTS - {GLOBAL_ADMIN}
    for module in MODULES:
        rights = {right for right in every if not right.startswith(f"{module}.")}
        await _hire(connection, neighbours.mine, f"without-{module}", rights)
    await _hire(connection, neighbours.mine, "reader", {right for right in every if right.endswith(".Read")})
    await _hire(connection, neighbours.mine, "nobody", set())
    async with graph(demo_database) as made:
        yield House(made, neighbours, connection)
    await connection.close()


def relations(graph: Graph) -> Iterator[Relation]:
    """Every relation of the built schema."""
    for name in fields_of(graph.schema):
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


def roots(graph: Graph, table: Table) -> Iterator[tuple[str, str, bool]]:
    """The root fields of a table as their name, a call, and whether an error leaves the rest of the answer."""
    query = graph.schema.query_type
    assert query is not None
    for name, field in query.fields.items():
        target = get_named_type(field.type).name
        if target == table.type_name:
            key = next(iter(field.args))
            yield name, f'{name}({key}: "no-such") {{ id }}', True
        elif target == f"{table.type_name}Connection":
            yield name, f"{name}(first: 1) {{ nodes {{ id }} }}", False
            yield name, f"{name} {{ totalCount }}", False
            yield name, f"{name} {{ edges {{ cursor }} }}", False
            yield name, f"{name} {{ __typename }}", False


def assert_refused(answer: Answer, name: str, code: str, *, nullable: bool) -> None:
    assert [(error["path"], error["extensions"]["code"]) for error in answer.errors] == [([name], code)]
    assert answer.data == ({name: None} if nullable else None)


@pytest.mark.parametrize("module", MODULES)
class TestWithoutTheRight:
    async def test_no_root_field_answers(self, house: House, module: str) -> None:
        for table in LISTED:
            for name, call, nullable in roots(house.graph, table):
                answer = await house.as_user_without(module, f"{{ {call} }}")
                if table.module == module or table.scope is Scope.PLATFORM:
                    assert_refused(answer, name, "FORBIDDEN", nullable=nullable)
                else:
                    assert not answer.errors

    async def test_an_id_that_is_there_answers_as_one_that_is_not(self, house: House, module: str) -> None:
        for table in (t for t in _SIGNED_IN if t.module == module and t.one):
            found = await house.ids(table)
            own = {"without-" + module, house.neighbours.mine}
            for row_id in [*sorted(found - own)[:20], "no-such"]:
                answer = await house.as_user_without(module, f'{{ {table.one}(id: "{row_id}") {{ id }} }}')
                assert_refused(answer, table.one, "FORBIDDEN", nullable=True)

    async def test_a_relation_is_null_and_the_rest_stands(self, house: House, module: str) -> None:
        seen = 0
        for relation in relations(house.graph):
            for target in relation.targets:
                if target.module == module != relation.source.module:
                    await _relation_is_null(house, module, relation, target)
                    seen += 1
        assert seen

    async def test_no_filter_looks_into_it(self, house: House, module: str) -> None:
        for table in (t for t in _SIGNED_IN if t.module != module):
            for name, target in filters_into(house.graph, table):
                looks = f'{{{name}: {{id: {{neq: "no-such"}}}}}}'
                for where in (looks, f"{{or: [{{not: {looks}}}]}}", f"{{and: [{looks}]}}"):
                    answer = await house.as_user_without(
                        module, f"{{ {table.many}(where: {where}) {{ totalCount }} }}"
                    )
                    if target.module == module:
                        assert_refused(answer, table.many, "FORBIDDEN", nullable=False)
                    else:
                        assert not answer.errors


@pytest.mark.parametrize("module", MODULES)
class TestComputedColumns:
    """What is computed of rows that a user may not read is kept from them as the rows are, in every way of asking."""

    async def test_they_are_null_and_the_rest_stands(self, house: House, module: str) -> None:
        for table, guarded in computed(module):
            names = " ".join(guarded)
            for name in (table.many, *table.also_many):
                page = f"{name}(first: 5) {{ nodes {{ id %s }} }}"
                answer = await house.as_user_without(module, f"{{ {page % names} }}")
                whole = await house.as_user_without(module, f"{{ {page % ''} }}")
                nodes = whole.data[name]["nodes"]
                assert answer.data[name]["nodes"] == [{**row, **dict.fromkeys(guarded)} for row in nodes]
                assert nodes
                assert answer.codes == ["FORBIDDEN"] * len(nodes) * len(guarded)
                paths = [[name, "nodes", n, column] for n in range(len(nodes)) for column in guarded]
                assert sorted(error["path"] for error in answer.errors) == sorted(paths)

    async def test_they_are_no_oracle(self, house: House, module: str) -> None:
        """Neither a filter nor an order tells anything of them."""
        for table, guarded in computed(module):
            for graphql_name in guarded:
                looks = f"{{{graphql_name}: {{isNull: false}}}}"
                column = table.by_graphql_name[graphql_name]
                asked = [f"where: {looks}", f"where: {{or: [{{not: {looks}}}]}}"]
                asked += [f"orderBy: {{field: {column.name.upper()}}}"] if column.orderable else []
                for given in asked:
                    answer = await house.as_user_without(
                        module, f"{{ {table.many}({given}) {{ nodes {{ id }} }} }}"
                    )
                    assert_refused(answer, table.many, "FORBIDDEN", nullable=False)

    async def test_others_are_there(self, house: House, module: str) -> None:
        """A column that looks at nothing of the module is answered, with its filter and its order."""
        for table in (t for t in _SIGNED_IN if t.module != module):
            for column in table.columns.values():
                if column.options.looks and module not in looked_at(column):
                    order = f"orderBy: {{field: {column.name.upper()}}}, " if column.orderable else ""
                    given = f"{order}where: {{{column.graphql_name}: {{isNull: false}}}}"
                    call = f"{{ {table.many}({given}) {{ nodes {{ {column.graphql_name} }} }} }}"
                    assert not (await house.as_user_without(module, call)).errors


def looked_at(column: Column) -> set[str]:
    """The modules whose rows a column is computed of; a user's own tenant is open to them."""
    return {BY_NAME[look.table].module for look in column.options.looks} - {"Tenant"}


def computed(module: str) -> Iterator[tuple[Table, list[str]]]:
    """The tables and views with columns that are computed of a module's rows, where they are not that module's."""
    for table in (t for t in _SIGNED_IN if t.module != module):
        guarded = [c.graphql_name for c in table.columns.values() if module in looked_at(c)]
        if guarded:
            yield table, guarded


def test_columns_are_computed_of_these_modules() -> None:
    """Else the tests above would pass by asking nothing."""
    found = {module for module in MODULES for _ in computed(module)}
    assert found == {"DataSources", "Integrations", "Roles", "Sites"}


def filters_into(graph: Graph, table: Table) -> Iterator[tuple[str, Table]]:
    """The fields of a table's filter that look into another table, and that table."""
    kind = graph.schema.type_map[f"{table.type_name}Filter"]
    assert isinstance(kind, GraphQLInputObjectType)
    for name, field in kind.fields.items():
        target = get_named_type(field.type).name.removesuffix("Filter")
        if name not in ("and", "or", "not") and target in _BY_TYPE:
            yield name, _BY_TYPE[target]


async def _relation_is_null(house: House, module: str, relation: Relation, target: Table) -> None:
    """Asks rows that have something behind the relation, and compares with what they say themselves."""
    source, name = relation.source, relation.name
    key, where = _key(relation, target)
    page = f"{source.many}(first: 5{where})"
    answer = await house.as_user_without(
        module, f"{{ {page} {{ nodes {{ id {key} {name} {relation.selection} }} }} }}"
    )
    whole = await house.as_user(house.neighbours.me, f"{{ {page} {{ nodes {{ id {key} }} }} }}")
    nodes = answer.data[source.many]["nodes"]
    own = {f"without-{module}", house.neighbours.mine}
    shown = [{"id": row[key]} if row[key] in own and key != "id" else None for row in nodes]
    assert nodes
    assert [row.pop(name) for row in nodes] == shown
    assert nodes == whole.data[source.many]["nodes"]
    assert answer.codes == ["FORBIDDEN"] * shown.count(None)
    paths = [[source.many, "nodes", number, name] for number, row in enumerate(shown) if row is None]
    assert sorted(error["path"] for error in answer.errors) == paths


def _key(relation: Relation, target: Table) -> tuple[str, str]:
    """The column that says what is behind a relation (`id`: the row itself), and a filter for rows that have it."""
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


async def test_deleted_rows_take_the_right_to_restore_them(house: House) -> None:
    """Whoever may only read is refused `includeDeleted`, wherever it stands."""
    query = house.graph.schema.query_type
    assert query is not None
    for name, field in query.fields.items():
        if "includeDeleted" in field.args:
            key = next(iter(field.args))
            given = f'{key}: "reader", ' if key != "where" else ""
            one = not get_named_type(field.type).name.endswith("Connection")
            selection = "{ id }" if one else "{ totalCount }"
            call = f"{{ {name}({given}includeDeleted: %s) {selection} }}"
            assert_refused(await house.as_user("reader", call % "true"), name, "FORBIDDEN", nullable=one)
            assert not (await house.as_user("reader", call % "false")).errors
    for relation in relations(house.graph):
        if "includeDeleted" in relation.field.args:
            many = relation.source.many
            call = f"{{ {many}(first: 1) {{ nodes {{ {relation.name}(includeDeleted: true) {{ totalCount }} }} }} }}"
            answer = await house.as_user("reader", call)
            assert answer.data == {many: {"nodes": [{relation.name: None}]}}
            assert answer.codes == ["FORBIDDEN"]


async def test_everybody_reads_their_own_user_role_and_tenant(house: House) -> None:
    tenant = house.neighbours.mine
    own = f"""{{
      viewer {{ kind user {{ id tenant {{ id }} role {{ id }} }} tenant {{ id }} role {{ id }} rights }}
      user(id: "nobody") {{ id role {{ id }} }}
      role(id: "nobody") {{ id tenant {{ id }} }}
      tenant(id: "{tenant}") {{ id }}
    }}"""
    answer = await house.as_user("nobody", own)
    assert not answer.errors
    me, home = {"id": "nobody"}, {"id": tenant}
    user = {**me, "tenant": home, "role": me}
    assert answer.data == {
        "viewer": {"kind": "USER", "user": user, "tenant": home, "role": me, "rights": []},
        "user": {**me, "role": me},
        "role": {**me, "tenant": home},
        "tenant": home,
    }


async def test_their_own_role_is_read_by_its_relation_and_not_by_the_views_columns(house: House) -> None:
    """As docs/queries.md says."""
    asked = "id roleName role { name rights }"
    own = f'{{ viewer {{ user {{ {asked} }} role {{ name rights }} }} user(id: "nobody") {{ {asked} }} }}'
    answer = await house.as_user("nobody", own)
    role = {"name": "nobody", "rights": {}}
    user = {"id": "nobody", "roleName": None, "role": role}
    assert answer.data == {"viewer": {"user": user, "role": role}, "user": user}
    assert answer.codes == ["FORBIDDEN"] * 2


async def test_whoever_has_no_right_reads_nothing_else(house: House) -> None:
    for table in LISTED:
        for name, call, nullable in roots(house.graph, table):
            answer = await house.as_user("nobody", f"{{ {call} }}")
            assert_refused(answer, name, "FORBIDDEN", nullable=nullable)


async def test_nobody_is_told_to_sign_in(house: House) -> None:
    for table in LISTED:
        for name, call, nullable in roots(house.graph, table):
            assert_refused(
                await house.as_anonymous(f"{{ {call} }}"), name, "UNAUTHENTICATED", nullable=nullable
            )
    answer = await house.as_anonymous("{ viewer { kind user { id } rights } }")
    assert (answer.data, answer.errors) == ({"viewer": None}, [])


async def _listed(house: House, tenant: str | None, table: Table) -> tuple[set[str], int]:
    call = f"{{ {table.many}(first: 1000%s) {{ totalCount nodes {{ id }} }} }}"
    answer = await house.as_platform(tenant, call % (", includeDeleted: true" if table.soft_deletes else ""))
    assert not answer.errors, table.name
    listed = answer.data[table.many]
    return {row["id"] for row in listed["nodes"]}, listed["totalCount"]


async def test_a_platform_in_a_tenant_sees_the_tenants_rows(house: House) -> None:
    whose: dict[Scope, str] = {
        Scope.TENANT: f"tenant_id = '{house.neighbours.mine}'",
        Scope.TENANT_OR_GLOBAL: f"tenant_id = '{house.neighbours.mine}' OR tenant_id IS NULL",
    }
    for table in LISTED:
        ids, total = await _listed(house, house.neighbours.mine, table)
        only = "".join(f" AND {name} = '{value}'" for name, value in table.only)
        expected = await house.ids(table, f"({whose.get(table.scope, 'true')}){only}")
        assert (total, ids <= expected) == (len(expected), True), table.name
        assert expected


async def test_a_platform_without_a_tenant_sees_what_is_no_tenants(house: House) -> None:
    tenantless = {"roles", "audit_log"}
    for table in LISTED:
        if table.scope is Scope.TENANT and table.name not in tenantless:
            for name, call, nullable in roots(house.graph, table):
                answer = await house.as_platform(None, f"{{ {call} }}")
                assert_refused(answer, name, "BAD_USER_INPUT", nullable=nullable)
            continue
        ids, total = await _listed(house, None, table)
        assert ids == await house.ids(table, "tenant_id IS NULL" if table.name in tenantless else "true")
        assert ids
        assert total == len(ids)


async def test_a_platform_without_a_tenant_follows_no_relation_into_one(house: House) -> None:
    query = "{ integrations { nodes { id psaSites { totalCount } globalEntities { totalCount } } } }"
    answer = await house.as_platform(None, query)
    nodes = answer.data["integrations"]["nodes"]
    assert {row["psaSites"] for row in nodes} == {None}
    assert all(row["globalEntities"] for row in nodes)
    assert answer.codes == ["BAD_USER_INPUT"] * len(nodes)


async def test_global_roles_are_offered_to_every_tenant(house: House) -> None:
    roles = next(table for table in TABLES if table.name == "roles")
    shared = await house.ids(roles, "tenant_id IS NULL AND deleted_at IS NULL")
    assert shared
    for user, tenant in (
        (house.neighbours.me, house.neighbours.mine),
        (house.neighbours.them, house.neighbours.theirs),
    ):
        answer = await house.as_user(user, "{ roles(first: 1000) { nodes { id tenantId } } }")
        found: dict[str, Any] = {row["id"]: row["tenantId"] for row in answer.data["roles"]["nodes"]}
        assert {role for role, owner in found.items() if owner is None} == shared
        assert set(found.values()) == {None, tenant}


async def test_a_change_without_tenant_is_for_the_platform_alone(house: House) -> None:
    audit = next(table for table in TABLES if table.name == "audit_log")
    tenantless = await house.ids(audit, "tenant_id IS NULL")
    assert tenantless
    for row_id in tenantless:
        where = f'{{id: {{eq: "{row_id}"}}}}'
        query = f'{{ auditLogEntry(id: "{row_id}") {{ id }} auditLog(where: {where}) {{ totalCount }} }}'
        absent = {"auditLogEntry": None, "auditLog": {"totalCount": 0}}
        assert (await house.as_user(house.neighbours.me, query)).data == absent
        assert (await house.as_platform(house.neighbours.mine, query)).data == absent
        seen = (await house.as_platform(None, query)).data
        assert seen == {"auditLogEntry": {"id": row_id}, "auditLog": {"totalCount": 1}}
