"""The compiler: a document in, SQL and parameters out; no database."""

from typing import Any

import pytest
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse, validate
from graphql.execution.values import VariableValues, get_variable_values

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from resolvers.compiler.compiler import compile_root_field
from resolvers.compiler.connection_sql import NotCompilableError
from resolvers.compiler.plan import Plan
from resolvers.explain import format_sql
from resolvers.loaders.bindings import build_executable_schema
from resolvers.sql.selection import SelectionReader

SCHEMA = build_executable_schema()[1]
ADMINISTRATOR = Viewer(ViewerKind.USER, "tenant", "user", "role", RIGHTS, NEVER)
GUEST = Viewer(ViewerKind.USER, "tenant", "user", "role", frozenset({"Sites.Read"}), NEVER)


def compile_first_field(text: str, viewer: Viewer = ADMINISTRATOR, **variables: Any) -> Plan:
    """The plan of the first root field."""
    document = parse(text)
    assert not validate(SCHEMA, document)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    values = get_variable_values(SCHEMA, operation.variable_definitions or (), variables)
    assert isinstance(values, VariableValues)
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    syntax = SelectionReader(fragments, values.coerced)
    nodes = next(iter(syntax.collect_by_response_key(operation.selection_set, "Query").values()))
    return compile_root_field(SCHEMA, syntax, values, viewer, nodes)[0]


def statement_lines(plan: Plan) -> list[str]:
    """The statement's lines, without their indentation."""
    return [line.strip() for line in format_sql(plan.statement.sql)]


def test_compiler_selected_columns_stand_under_their_response_keys() -> None:
    plan = compile_first_field('{ site(id: "s") { id title: name status } }')
    (select,) = [line for line in statement_lines(plan) if '"title"' in line]
    assert '."id" AS "id"' in select
    assert '."name" AS "title"' in select
    assert "upper(t" in select
    assert '"slug"' not in plan.statement.sql
    assert list(plan.statement.arguments) == ["s", "tenant"]


def test_compiler_values_are_bound_and_never_in_the_sql() -> None:
    plan = compile_first_field(
        """{ sites(search: "needle", where: {name: {contains: "x'; DROP"}, slug: {in: ["a", "b"]}}) {
             nodes { id } } }"""
    )
    for value in ("needle", "DROP", "'tenant'"):
        assert value not in plan.statement.sql
    assert {"needle", "x'; DROP", "tenant"} <= {a for a in plan.statement.arguments if isinstance(a, str)}
    assert ["a", "b"] in plan.statement.arguments


def test_compiler_every_level_filters_by_tenant_and_deletion() -> None:
    plan = compile_first_field("{ sites { nodes { agents { nodes { site { id } } totalCount } } } }")
    tables = [line for line in statement_lines(plan) if line.startswith(("FROM sites", "FROM agents"))]
    assert len(tables) == 4
    assert plan.statement.sql.count(".tenant_id = ") == 4
    assert plan.statement.sql.count("deleted_at IS NULL") == 4
    assert plan.statement.arguments.count("tenant") == 1


def test_compiler_fetches_one_row_more_only_for_has_next_page() -> None:
    assert "LIMIT 5" in statement_lines(compile_first_field("{ sites(first: 5) { nodes { id } } }"))
    plan = compile_first_field("{ sites(first: 5) { nodes { id } pageInfo { hasNextPage } } }")
    assert "LIMIT 6" in statement_lines(plan)
    assert "count(*) AS" in plan.statement.sql


def test_compiler_page_size_is_bound_once_and_only_if_it_is_used() -> None:
    used = compile_first_field(
        "{ sites(first: 7) { nodes { id } edges { node { id } } pageInfo { hasNextPage endCursor } } }"
    )
    assert used.statement.arguments.count(7) == 1
    placeholder = f"${used.statement.arguments.index(7) + 1}::bigint"
    assert used.statement.sql.count(placeholder) == 4
    assert 7 not in compile_first_field("{ sites(first: 7) { nodes { id } } }").statement.arguments


@pytest.mark.parametrize(
    "selection",
    ["{ nodes { id } }", "{ totalCount }", "{ nodes { agents { nodes { id } } } again: nodes { id } }"],
)
def test_compiler_columns_are_the_select_inside_of_the_object(selection: str) -> None:
    plan = compile_first_field(f"{{ sites {selection} }}")
    assert plan.columns is not None
    columns = plan.statement.sql[plan.columns]
    before, after = plan.statement.sql.split(columns)
    alias = before.removeprefix("SELECT (SELECT row_to_json(").removesuffix(".*) FROM (")
    assert alias.isalnum()
    assert after == f") {alias}) AS data"
    assert columns.startswith("SELECT ")


def test_compiler_single_row_has_no_columns() -> None:
    assert compile_first_field('{ site(id: "s") { agents { totalCount } } }').columns is None


def test_compiler_joined_rows_are_numbered_and_ordered() -> None:
    assert "__number" not in compile_first_field("{ sites { nodes { id } } }").statement.sql
    plan = compile_first_field("{ sites { nodes { tenant { id } } } }")
    assert any(line.startswith("LEFT JOIN LATERAL") for line in statement_lines(plan))
    assert "ORDER BY p" in plan.statement.sql
    assert '"__number"' in plan.statement.sql


def test_compiler_only_total_count_fetches_no_rows() -> None:
    plan = compile_first_field("{ sites { totalCount } }")
    assert plan.statement.sql.count("FROM sites") == 1
    assert "json_agg" not in plan.statement.sql


def test_compiler_fragments_aliases_and_directives_are_followed() -> None:
    text = """query($yes: Boolean!) { sites { nodes { ...F id @skip(if: $yes) } } }
              fragment F on Site { a: name b: slug @include(if: $yes) ... on Site { status } }"""
    sql = compile_first_field(text, yes=True).statement.sql
    assert 'AS "a"' in sql
    assert 'AS "b"' in sql
    assert 'AS "status"' in sql
    (made,) = [line for line in statement_lines(compile_first_field(text, yes=False)) if 'AS "a"' in line]
    assert 'AS "b"' not in made


def test_compiler_union_is_a_case_over_its_discriminator() -> None:
    plan = compile_first_field(
        "{ healthChecks { nodes { resource { __typename ... on Agent { hostname } } } } }"
    )
    assert "CASE" in plan.statement.sql
    for table in ("agents", "data_sources", "sites", "scheduled_jobs", "integrations"):
        assert any(line.startswith(f"FROM {table} ") for line in statement_lines(plan))


def test_plan_reads_give_tables_keys_and_columns() -> None:
    plan = compile_first_field(
        '{ site(id: "s") { name agents(where: {version: {eq: "1"}}) { nodes { hostname } } } }'
    )
    site, agents = plan.iter_reads({})
    assert (site.query.table.name, site.query.key, site.keys) == ("sites", "id", ("s",))
    assert {column.name for column in site.query.columns} == {"id", "name"}
    assert (agents.query.table.name, agents.query.key, agents.keys) == ("agents", "site_id", None)
    assert agents.query.where == {"version": {"eq": "1"}}
    assert {column.name for column in agents.query.columns} == {"id", "hostname"}


@pytest.mark.parametrize(
    ("text", "viewer"),
    [
        ("{ agents { totalCount } }", GUEST),
        ("{ sites { nodes { agents { totalCount } } } }", GUEST),
        ("{ sites { nodes { psaIntegration { id } } } }", GUEST),
        ('{ sites(where: {psaIntegration: {name: {eq: "x"}}}) { totalCount } }', GUEST),
        ("{ sites(includeDeleted: true) { totalCount } }", GUEST),
        ("{ sites(first: -1) { totalCount } }", ADMINISTRATOR),
        ('{ sites(after: "x") { totalCount } }', ADMINISTRATOR),
        ('{ site(id: "\\u0000") { id } }', ADMINISTRATOR),
        ("{ apiLogs { totalCount } }", ADMINISTRATOR),
        (f"{{ sites {{ nodes {{ {'x' * 64}: id }} }} }}", ADMINISTRATOR),
        ("{ __schema { types { name } } }", ADMINISTRATOR),
    ],
)
def test_compiler_unsupported_or_failing_operation_is_not_compilable(text: str, viewer: Viewer) -> None:
    with pytest.raises(NotCompilableError):
        compile_first_field(text, viewer)


def test_compiler_own_tenant_needs_no_right() -> None:
    assert (
        "FROM tenants" in compile_first_field("{ sites { nodes { tenant { name } } } }", GUEST).statement.sql
    )
