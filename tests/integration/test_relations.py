"""Every relation of the built schema: one statement a level, however many parents there are.

Through the data loaders, whose work it is; compiled, a root field is one statement anyway (tests/property).
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from graphql import GraphQLObjectType, GraphQLUnionType, get_named_type

from resolvers.binding import bound_schema
from schema.table import Table
from schema.tables import BY_NAME, LISTED
from tests.graph import Answer, Graph, graph
from tests.neighbours import find_neighbours
from tests.probes import fields_of

_SCHEMA: Final = bound_schema()[1]
_TABLES: Final[Mapping[str, Table]] = {table.type_name: table for table in LISTED}
_RELATIONS: Final = tuple(name for name in fields_of(_SCHEMA) if not name.startswith("Query."))
_MANY_PARENTS: Final = 40


def targets(name: str) -> list[str]:
    """The names of the types that a field leads to: a connection, a row's, or those of a union."""
    type_name, _, field = name.partition(".")
    parent = _SCHEMA.type_map[type_name]
    assert isinstance(parent, GraphQLObjectType)
    target = get_named_type(parent.fields[field].type)
    return [t.name for t in target.types] if isinstance(target, GraphQLUnionType) else [target.name]


def is_list(name: str) -> bool:
    return targets(name)[0].endswith("Connection")


def selection(name: str, inner: str = "id") -> str:
    """What to ask of a relation so that rows come back, with `inner` of each."""
    if is_list(name):
        return f"(first: 3) {{ nodes {{ {inner} }} }}"
    if len(targets(name)) > 1:
        return "{ " + " ".join(f"... on {target} {{ id }}" for target in targets(name)) + " }"
    return f"{{ {inner} }}"


LISTS: Final = tuple(name for name in _RELATIONS if is_list(name))


def relations_of(name: str) -> list[str]:
    """The relations, each to one type, of the one type that a relation leads to."""
    first, *others = targets(name)
    prefix = f"{first.removesuffix('Connection')}."
    return [] if others else [n for n in _RELATIONS if n.startswith(prefix) and len(targets(n)) == 1]


class Asking:
    """The demo as an administrator asks it, and which rows of a type have something behind a relation."""

    def __init__(self, graph: Graph, user: str) -> None:
        self._graph = graph
        self._user = user

    async def ask(self, query: str) -> Answer:
        """Ask, expecting no error."""
        answer = await self._graph.as_user(self._user, query)
        assert not answer.errors
        return answer

    async def below(self, name: str, parents: int, asked: str) -> Answer:
        """Ask `asked` of so many rows of a relation's type, those with the relation among them."""
        table = _TABLES[name.partition(".")[0]]
        return await self.ask(
            f"{{ {table.many}(first: {parents}{_having(name)}) {{ nodes {{ id {asked} }} }} }}"
        )


def _having(name: str) -> str:
    """A filter for rows that have something behind a to-one relation."""
    type_name, _, field = name.partition(".")
    for reference in _TABLES[type_name].references:
        if reference.one == field:
            column = _TABLES[type_name].columns[reference.column]
            return f", where: {{{column.graphql_name}: {{isNull: false}}}}"
    return ""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asking(demo_database_url: str) -> AsyncIterator[Asking]:
    connection = await asyncpg.connect(demo_database_url)
    user = (await find_neighbours(connection)).them
    await connection.close()
    async with graph(demo_database_url) as made:
        yield Asking(made, user)


def nodes(answer: Answer) -> list[dict[str, Any]]:
    """The rows of the answer's one root list."""
    (listed,) = answer.data.values()
    rows: list[dict[str, Any]] = listed["nodes"]
    return rows


def test_every_reference_gives_relations() -> None:
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
async def test_one_statement_a_level(asking: Asking, name: str) -> None:
    """The union of a health check's resources is read by one statement for each type that is met."""
    field = name.partition(".")[2]
    asked = f"{field} {selection(name)}"
    one = await asking.below(name, 1, asked)
    many = await asking.below(name, _MANY_PARENTS, asked)
    found = [row[field]["nodes"] if is_list(name) else row[field] for row in nodes(many)]
    assert any(found)
    assert one.statements == 2
    assert 2 <= many.statements <= 1 + len(targets(name))
    assert len(many.reads) == many.statements


@pytest.mark.parametrize("name", LISTS)
async def test_a_total_adds_one_statement(asking: Asking, name: str) -> None:
    field = name.partition(".")[2]
    answer = await asking.below(name, _MANY_PARENTS, f"{field}(first: 3) {{ nodes {{ id }} totalCount }}")
    assert answer.statements == 3
    alone = await asking.below(name, _MANY_PARENTS, f"{field} {{ totalCount }}")
    assert alone.statements == 2
    totals = {row["id"]: row[field]["totalCount"] for row in nodes(answer)}
    assert totals == {row["id"]: row[field]["totalCount"] for row in nodes(alone)}
    assert all(len(row[field]["nodes"]) == min(3, row[field]["totalCount"]) for row in nodes(answer))


@pytest.mark.parametrize("name", [name for name in _RELATIONS if relations_of(name)])
async def test_each_relation_below_a_relation_adds_one(asking: Asking, name: str) -> None:
    inner = relations_of(name)[:3]
    below = " ".join(f"{found.partition('.')[2]} {selection(found)}" for found in inner)
    answer = await asking.below(name, _MANY_PARENTS, f"{name.partition('.')[2]} {selection(name, below)}")
    assert 2 < answer.statements <= 2 + len(inner)


@pytest.mark.parametrize("name", LISTS)
async def test_aliases_with_other_arguments_are_lists_of_their_own(asking: Asking, name: str) -> None:
    field = name.partition(".")[2]
    ways = {
        alias: f"orderBy: [{{field: ID, direction: {way}}}]"
        for alias, way in (("up", "ASC"), ("down", "DESC"))
    }
    given = {**ways, "none": 'where: {id: {eq: "no-such"}}'}
    calls = " ".join(
        f"{alias}: {field}(first: 50, {args}) {{ nodes {{ id }} }}" for alias, args in given.items()
    )
    answer = await asking.below(name, _MANY_PARENTS, calls)
    assert answer.statements == 4
    for row in nodes(answer):
        up, down, none = ([found["id"] for found in row[alias]["nodes"]] for alias in given)
        assert (up, down, none) == (sorted(up), sorted(down, reverse=True), [])
        assert len(up) == 50 or down == up[::-1]
    assert any(row["up"]["nodes"] for row in nodes(answer))


@pytest.mark.parametrize("name", LISTS)
async def test_aliases_with_equal_arguments_answer_alike(asking: Asking, name: str) -> None:
    field = name.partition(".")[2]
    call = f"{field}(first: 2) {{ totalCount nodes {{ id }} }}"
    answer = await asking.below(name, _MANY_PARENTS, f"a: {call} b: {call}")
    assert [row["a"] for row in nodes(answer)] == [row["b"] for row in nodes(answer)]
    assert answer.statements <= 5


async def test_one_field_asked_twice_is_one_field(asking: Asking) -> None:
    """GraphQL merges them: what both ask for comes by one statement."""
    query = """
      query { sites(first: 20) { nodes {
        tenant { id } ...more agents(first: 2) { nodes { id } } agents(first: 2) { nodes { hostname } }
      } } }
      fragment more on Site { tenant { name } ... on Site { tenant { status } } }
    """
    answer = await asking.ask(query)
    assert answer.statements == 3
    for site in nodes(answer):
        assert set(site["tenant"]) == {"id", "name", "status"}
        assert all(set(agent) == {"id", "hostname"} for agent in site["agents"]["nodes"])


async def test_nothing_is_asked_where_there_is_no_parent(asking: Asking) -> None:
    answer = await asking.ask(
        '{ sites(where: {id: {eq: "no-such"}}) { nodes { tenant { id } agents { totalCount } } } }'
    )
    assert answer.data == {"sites": {"nodes": []}}
    assert answer.statements == 1


async def test_what_is_not_selected_is_not_read(asking: Asking) -> None:
    answer = await asking.ask(
        "query ($no: Boolean = false) {"
        " sites(first: 3) { nodes { id tenant @include(if: $no) { id } agents @skip(if: true) { totalCount } } } }"
    )
    assert answer.statements == 1
    assert all(set(site) == {"id"} for site in nodes(answer))


async def test_a_deleted_parent_answers_null_and_hides_no_child(demo_database: str) -> None:
    connection = await asyncpg.connect(demo_database)
    user = (await find_neighbours(connection)).me
    site = await connection.fetchval(
        "UPDATE sites SET deleted_at = 1 WHERE id = (SELECT s.id FROM sites s JOIN agents a ON a.site_id = s.id"
        " JOIN users u ON u.tenant_id = s.tenant_id WHERE u.id = $1 AND a.deleted_at IS NULL"
        " AND s.deleted_at IS NULL LIMIT 1) RETURNING id",
        user,
    )
    await connection.close()
    async with graph(demo_database) as made:
        call = f'agents(where: {{siteId: {{eq: "{site}"}}}}) {{ nodes {{ siteId site {{ id }} }} }}'
        answer = await made.as_user(user, f'{{ site(id: "{site}") {{ id }} {call} }}')
    assert answer.data["site"] is None
    assert answer.data["agents"]["nodes"]
    assert all(agent == {"siteId": site, "site": None} for agent in answer.data["agents"]["nodes"])
