"""Every relation of the built schema: one statement for each level, for any number of parents.

Through the data loaders, which are responsible for it. A compiled root field is one statement anyway
(tests/property).
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, GraphQLUnionType, get_named_type

from resolvers.loaders.bindings import build_executable_schema
from schema.table import Table
from schema.tables import BY_NAME, LISTED
from tests.access_probes import list_schema_fields
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, open_graphql_harness
from tests.neighbor_tenants import find_neighbor_tenants

pytestmark = pytest.mark.newest

_SCHEMA: Final = build_executable_schema()[1]
_TABLES: Final[Mapping[str, Table]] = {table.type_name: table for table in LISTED}
_RELATIONS: Final = tuple(name for name in list_schema_fields(_SCHEMA) if not name.startswith("Query."))
_MANY_PARENTS: Final = 40


def get_target_types(name: str) -> list[str]:
    """The names of the types that a field leads to: a connection, a row's, or those of a union."""
    type_name, _, field = name.partition(".")
    parent = _SCHEMA.type_map[type_name]
    assert isinstance(parent, GraphQLObjectType)
    target = get_named_type(parent.fields[field].type)
    return [t.name for t in target.types] if isinstance(target, GraphQLUnionType) else [target.name]


def is_list(name: str) -> bool:
    return get_target_types(name)[0].endswith("Connection")


def build_selection(name: str, inner: str = "id") -> str:
    """A selection of a relation that returns rows, with `inner` of each."""
    if is_list(name):
        return f"(first: 3) {{ nodes {{ {inner} }} }}"
    if len(get_target_types(name)) > 1:
        return "{ " + " ".join(f"... on {target} {{ id }}" for target in get_target_types(name)) + " }"
    return f"{{ {inner} }}"


LISTS: Final = tuple(name for name in _RELATIONS if is_list(name))


def get_nested_relations(name: str) -> list[str]:
    """The relations, each to one type, of the one type that a relation leads to."""
    first, *others = get_target_types(name)
    prefix = f"{first.removesuffix('Connection')}."
    return [] if others else [n for n in _RELATIONS if n.startswith(prefix) and len(get_target_types(n)) == 1]


class RelationClient:
    """The demo as an administrator sees it, and the rows of a type with a target behind a relation."""

    def __init__(self, graph: GraphqlHarness, user: str) -> None:
        self._graph = graph
        self._user = user

    async def execute(self, query: str) -> GraphqlResponse:
        """Send a request that has no errors."""
        answer = await self._graph.execute_as_user(self._user, query)
        assert not answer.errors
        return answer

    async def query_relation(self, name: str, parents: int, fields: str) -> GraphqlResponse:
        """Select `fields` for so many rows of a relation's type, including those with the relation."""
        table = _TABLES[name.partition(".")[0]]
        return await self.execute(
            f"{{ {table.many}(first: {parents}{_build_filter_for_related(name)}) {{ nodes {{ id {fields} }} }} }}"
        )


def _build_filter_for_related(name: str) -> str:
    """A filter for rows with a target behind a to-one relation."""
    type_name, _, field = name.partition(".")
    for reference in _TABLES[type_name].references:
        if reference.one == field:
            column = _TABLES[type_name].columns[reference.column]
            return f", where: {{{column.graphql_name}: {{isNull: false}}}}"
    return ""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def relation_client(writable_demo_database_url: str) -> AsyncIterator[RelationClient]:
    connection = await asyncpg.connect(writable_demo_database_url)
    user = (await find_neighbor_tenants(connection)).their_user
    # In the demo only a few agents are legacy agents.
    await connection.execute(
        "INSERT INTO legacy_agents (tenant_id, agent_id, until) SELECT tenant_id, id, 4102444800000 FROM agents "
        "ON CONFLICT DO NOTHING"
    )
    await connection.execute(  # and only a few jobs have reported progress
        "INSERT INTO job_progress (tenant_id, job_id, done) SELECT tenant_id, id, 1 FROM scheduled_jobs "
        "ON CONFLICT DO NOTHING"
    )
    await connection.close()
    async with open_graphql_harness(writable_demo_database_url) as made:
        yield RelationClient(made, user)


def get_nodes(answer: GraphqlResponse) -> list[dict[str, Any]]:
    """The rows of the answer's one root list."""
    (listed,) = answer.data.values()
    rows: list[dict[str, Any]] = listed["nodes"]
    return rows


def test_relations_cover_every_declared_reference() -> None:
    declared = {
        f"{type_name}.{field}"
        for table in LISTED
        for reference in table.references
        for type_name, field in (
            (table.type_name, reference.one),
            (BY_NAME[reference.table].type_name, reference.many or reference.only),
        )
        if field
    }
    choices = {f"{table.type_name}.{choice.field}" for table in LISTED for choice in table.choices}
    assert set(_RELATIONS) == declared | choices


@pytest.mark.parametrize("name", _RELATIONS)
async def test_relation_of_many_parents_takes_one_statement_per_level(
    relation_client: RelationClient, name: str
) -> None:
    """The union of a health check's resources takes one statement for each type that occurs."""
    field = name.partition(".")[2]
    selection = f"{field} {build_selection(name)}"
    one = await relation_client.query_relation(name, 1, selection)
    many = await relation_client.query_relation(name, _MANY_PARENTS, selection)
    found = [row[field]["nodes"] if is_list(name) else row[field] for row in get_nodes(many)]
    assert any(found)
    assert one.statements == 2
    assert 2 <= many.statements <= 1 + len(get_target_types(name))
    assert len(many.reads) == many.statements


@pytest.mark.parametrize("name", LISTS)
async def test_relation_total_adds_one_statement(relation_client: RelationClient, name: str) -> None:
    field = name.partition(".")[2]
    answer = await relation_client.query_relation(
        name, _MANY_PARENTS, f"{field}(first: 3) {{ nodes {{ id }} totalCount }}"
    )
    assert answer.statements == 3
    alone = await relation_client.query_relation(name, _MANY_PARENTS, f"{field} {{ totalCount }}")
    assert alone.statements == 2
    totals = {row["id"]: row[field]["totalCount"] for row in get_nodes(answer)}
    assert totals == {row["id"]: row[field]["totalCount"] for row in get_nodes(alone)}
    assert all(len(row[field]["nodes"]) == min(3, row[field]["totalCount"]) for row in get_nodes(answer))


@pytest.mark.parametrize("name", [name for name in _RELATIONS if get_nested_relations(name)])
async def test_relation_nested_in_a_relation_adds_one_statement(
    relation_client: RelationClient, name: str
) -> None:
    inner = get_nested_relations(name)[:3]
    below = " ".join(f"{found.partition('.')[2]} {build_selection(found)}" for found in inner)
    answer = await relation_client.query_relation(
        name, _MANY_PARENTS, f"{name.partition('.')[2]} {build_selection(name, below)}"
    )
    assert 2 < answer.statements <= 2 + len(inner)


@pytest.mark.parametrize("name", LISTS)
async def test_relation_aliases_with_other_arguments_are_separate_lists(
    relation_client: RelationClient, name: str
) -> None:
    field = name.partition(".")[2]
    ways = {
        alias: f"orderBy: [{{field: ID, direction: {way}}}]"
        for alias, way in (("up", "ASC"), ("down", "DESC"))
    }
    given = {**ways, "none": 'where: {id: {eq: "no-such"}}'}
    calls = " ".join(
        f"{alias}: {field}(first: 50, {args}) {{ nodes {{ id }} }}" for alias, args in given.items()
    )
    answer = await relation_client.query_relation(name, _MANY_PARENTS, calls)
    assert answer.statements == 4
    for row in get_nodes(answer):
        up, down, none = ([found["id"] for found in row[alias]["nodes"]] for alias in given)
        assert (up, down, none) == (sorted(up), sorted(down, reverse=True), [])
        assert len(up) == 50 or down == up[::-1]
    assert any(row["up"]["nodes"] for row in get_nodes(answer))


@pytest.mark.parametrize("name", LISTS)
async def test_relation_aliases_with_equal_arguments_give_equal_lists(
    relation_client: RelationClient, name: str
) -> None:
    field = name.partition(".")[2]
    call = f"{field}(first: 2) {{ totalCount nodes {{ id }} }}"
    answer = await relation_client.query_relation(name, _MANY_PARENTS, f"a: {call} b: {call}")
    assert [row["a"] for row in get_nodes(answer)] == [row["b"] for row in get_nodes(answer)]
    assert answer.statements <= 5


async def test_relation_selected_twice_is_merged_into_one_statement(relation_client: RelationClient) -> None:
    """GraphQL merges them: one statement reads what both select."""
    query = """
      query { sites(first: 20) { nodes {
        tenant { id } ...more agents(first: 2) { nodes { id } } agents(first: 2) { nodes { hostname } }
      } } }
      fragment more on Site { tenant { name } ... on Site { tenant { status } } }
    """
    answer = await relation_client.execute(query)
    assert answer.statements == 3
    for site in get_nodes(answer):
        assert set(site["tenant"]) == {"id", "name", "status"}
        assert all(set(agent) == {"id", "hostname"} for agent in site["agents"]["nodes"])


async def test_relation_without_parents_takes_no_statement(relation_client: RelationClient) -> None:
    answer = await relation_client.execute(
        '{ sites(where: {id: {eq: "no-such"}}) { nodes { tenant { id } agents { totalCount } } } }'
    )
    assert answer.data == {"sites": {"nodes": []}}
    assert answer.statements == 1


async def test_relation_skipped_by_directive_is_not_read(relation_client: RelationClient) -> None:
    answer = await relation_client.execute(
        "query ($no: Boolean = false) {"
        " sites(first: 3) { nodes { id tenant @include(if: $no) { id } agents @skip(if: true) { totalCount } } } }"
    )
    assert answer.statements == 1
    assert all(set(site) == {"id"} for site in get_nodes(answer))


async def test_relation_to_deleted_parent_is_null_and_keeps_the_child(
    writable_demo_database_url: str,
) -> None:
    connection = await asyncpg.connect(writable_demo_database_url)
    user = (await find_neighbor_tenants(connection)).my_user
    site = await connection.fetchval(
        "UPDATE sites SET deleted_at = 1 WHERE id = (SELECT s.id FROM sites s JOIN agents a ON a.site_id = s.id"
        " JOIN users u ON u.tenant_id = s.tenant_id WHERE u.id = $1 AND a.deleted_at IS NULL"
        " AND s.deleted_at IS NULL LIMIT 1) RETURNING id",
        user,
    )
    await connection.close()
    async with open_graphql_harness(writable_demo_database_url) as made:
        call = f'agents(where: {{siteId: {{eq: "{site}"}}}}) {{ nodes {{ siteId site {{ id }} }} }}'
        answer = await made.execute_as_user(user, f'{{ site(id: "{site}") {{ id }} {call} }}')
    assert answer.data["site"] is None
    assert answer.data["agents"]["nodes"]
    assert all(agent == {"siteId": site, "site": None} for agent in answer.data["agents"]["nodes"])
