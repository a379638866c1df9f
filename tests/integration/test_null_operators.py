"""Null in filters: every operator of the schema, through the loaders and compiled."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
from graphql import GraphQLInputObjectType, get_named_type

from core.auth.viewer import ViewerKind
from resolvers.loaders.bindings import build_executable_schema
from schema.table import Table
from schema.tables import LISTED
from tests.graphql_harness import GraphqlHarness, Principal, open_graphql_harness
from tests.neighbor_tenants import find_neighbor_tenants

pytestmark = pytest.mark.newest

_SCHEMA: Final = build_executable_schema()[1]


@dataclass(frozen=True, slots=True)
class OperatorInput:
    """An operator input of the schema, and the first filter field that has it."""

    type: GraphQLInputObjectType
    table: Table
    field: str


def _list_operator_inputs() -> Mapping[str, OperatorInput]:
    found: dict[str, OperatorInput] = {}
    for table in LISTED:
        filter_ = _SCHEMA.type_map[f"{table.type_name}Filter"]
        assert isinstance(filter_, GraphQLInputObjectType)
        for column in table.columns.values():
            if column.options.filter:
                named = get_named_type(filter_.fields[column.graphql_name].type)
                assert isinstance(named, GraphQLInputObjectType)
                found.setdefault(named.name, OperatorInput(named, table, column.graphql_name))
    return found


_INPUTS: Final = _list_operator_inputs()
_OPERATORS: Final = [(name, operator) for name, given in _INPUTS.items() for operator in given.type.fields]
_NEVER_NULL: Final = [given for given in _OPERATORS if given[1] not in ("eq", "neq")]
_NULLABLE: Final = [given for given in _OPERATORS if given[1] in ("eq", "neq")]


@dataclass(frozen=True, slots=True)
class FilterClient:
    """Sends a filter by both strategies, as the platform in a tenant."""

    graphql: GraphqlHarness
    principal: Principal

    async def execute(
        self, given: OperatorInput, operators: str, head: str = "", **variables: Any
    ) -> tuple[Any, list[dict[str, Any]]]:
        """The data and errors of `{field: operators}`. Both strategies agree."""
        return await self.execute_filter(given.table, f"{{{given.field}: {operators}}}", head, **variables)

    async def execute_filter(
        self, table: Table, where: str, head: str = "", **variables: Any
    ) -> tuple[Any, list[dict[str, Any]]]:
        """The data and errors of a filter. Both strategies agree."""
        query = f"query Q{head} {{ list: {table.many}(where: {where}) {{ totalCount }} }}"
        one, other = await self.graphql.execute_with_both_strategies(self.principal, query, variables)
        assert (one.data, one.errors) == (other.data, other.errors)
        return one.data, one.errors


@pytest_asyncio.fixture(loop_scope="session")
async def filter_client(demo_database_url: str) -> AsyncIterator[FilterClient]:
    async with open_graphql_harness(demo_database_url) as graphql:
        async with graphql.database.pool.acquire() as connection:
            tenants = await find_neighbor_tenants(connection)
        yield FilterClient(graphql, Principal("platform", ViewerKind.PLATFORM, tenant_id=tenants.mine))


def assert_refused(answer: tuple[Any, list[dict[str, Any]]], path: str) -> None:
    data, (error,) = answer
    assert data == {"list": None}
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert list(error["extensions"]["fields"]) == [path]
    assert path in error["message"]


@pytest.mark.parametrize(("name", "operator"), _NEVER_NULL)
async def test_filter_null_operator_is_refused(filter_client: FilterClient, name: str, operator: str) -> None:
    given = _INPUTS[name]
    path, head = f"where.{given.field}.{operator}", f"($v: {given.type.fields[operator].type})"
    assert_refused(await filter_client.execute(given, f"{{{operator}: null}}"), path)
    assert_refused(await filter_client.execute(given, f"{{{operator}: $v}}", head, v=None), path)
    whole = {"v": {operator: None}}
    assert_refused(await filter_client.execute(given, "$v", f"($v: {name})", **whole), path)


@pytest.mark.parametrize(("name", "operator"), _OPERATORS)
async def test_filter_operator_without_its_variable_is_refused(
    filter_client: FilterClient, name: str, operator: str
) -> None:
    given = _INPUTS[name]
    path, head = f"where.{given.field}.{operator}", f"($v: {given.type.fields[operator].type})"
    assert_refused(await filter_client.execute(given, f"{{{operator}: $v}}", head), path)
    if operator != "isNull":
        both = f"{{{operator}: $v, isNull: false}}"
        assert_refused(await filter_client.execute(given, both, head), path)
    nested = f"{{or: [{{not: {{{given.field}: {{{operator}: $v}}}}}}]}}"
    answer = await filter_client.execute_filter(given.table, nested, head)
    assert_refused(answer, f"where.or.0.not.{given.field}.{operator}")


@pytest.mark.parametrize(("name", "operator"), _NULLABLE)
async def test_filter_eq_and_neq_take_null_as_no_value(
    filter_client: FilterClient, name: str, operator: str
) -> None:
    given = _INPUTS[name]
    head = f"($v: {given.type.fields[operator].type})"
    is_null = "true" if operator == "eq" else "false"
    expected = await filter_client.execute(given, f"{{isNull: {is_null}}}")
    assert not expected[1]
    assert await filter_client.execute(given, f"{{{operator}: null}}") == expected
    assert await filter_client.execute(given, f"{{{operator}: $v}}", head, v=None) == expected


@pytest.mark.parametrize("name", _INPUTS)
async def test_filter_operator_input_without_operators_is_refused(
    filter_client: FilterClient, name: str
) -> None:
    given = _INPUTS[name]
    path, head = f"where.{given.field}", f"($v: {name})"
    assert_refused(await filter_client.execute(given, "{}"), path)
    assert_refused(await filter_client.execute(given, "$v", head, v={}), path)


@pytest.mark.parametrize("name", _INPUTS)
async def test_filter_null_or_absent_field_is_no_condition(filter_client: FilterClient, name: str) -> None:
    given, head = _INPUTS[name], f"($v: {name})"
    everything = await filter_client.execute_filter(given.table, "{}")
    assert not everything[1]
    assert await filter_client.execute(given, "null") == everything
    assert await filter_client.execute(given, "$v", head) == everything
    assert await filter_client.execute(given, "$v", head, v=None) == everything


@pytest.mark.parametrize("table", LISTED, ids=lambda table: table.type_name)
async def test_filter_null_group_or_relation_is_no_condition(
    filter_client: FilterClient, table: Table
) -> None:
    everything = await filter_client.execute_filter(table, "{}")
    relations = [f"{reference.one}: null" for reference in table.references if reference.one]
    for entry in ("and: null", "or: null", "not: null", "and: []", "and: [{}]", *relations):
        assert await filter_client.execute_filter(table, f"{{{entry}}}") == everything, entry
    nothing = await filter_client.execute_filter(table, "$where", f"($where: {table.type_name}Filter)")
    assert nothing == everything
