"""The compiler: a document in, SQL and parameters out; no database."""

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse, validate
from graphql.execution.values import VariableValues, get_variable_values

from core.clock import NEVER
from core.rights import RIGHTS
from core.viewer import Viewer, ViewerKind
from resolvers.binding import bound_schema
from resolvers.compiled_lists import NotCompilableError
from resolvers.compiler import compile_root
from resolvers.explanations import in_lines
from resolvers.plans import Plan
from resolvers.selection import Syntax

SCHEMA = bound_schema()[1]
ADMINISTRATOR = Viewer(ViewerKind.USER, "tenant", "user", "role", RIGHTS, NEVER)
GUEST = Viewer(ViewerKind.USER, "tenant", "user", "role", frozenset({"Sites.Read"}), NEVER)


def compiled(text: str, viewer: Viewer = ADMINISTRATOR, **variables: Any) -> Plan:
    """The plan of the first root field."""
    document = parse(text)
    assert not validate(SCHEMA, document)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    values = get_variable_values(SCHEMA, operation.variable_definitions or (), variables)
    assert isinstance(values, VariableValues)
    syntax = Syntax({d.name.value: d for d in document.definitions[1:]}, values.coerced)  # type: ignore[attr-defined]
    nodes = next(iter(syntax.responses_of(operation.selection_set, "Query").values()))
    return compile_root(SCHEMA, syntax, values, viewer, nodes)[0]


def lines(plan: Plan) -> list[str]:
    """The statement's lines, without their indentation."""
    return [line.strip() for line in in_lines(plan.statement.sql)]


def test_a_row_is_an_object_of_its_selected_columns_under_their_response_keys() -> None:
    plan = compiled('{ site(id: "s") { id title: name status } }')
    (select,) = [line for line in lines(plan) if '"title"' in line]
    assert '."id" AS "id"' in select
    assert '."name" AS "title"' in select
    assert "upper(t" in select
    assert '"slug"' not in plan.statement.sql
    assert list(plan.statement.arguments) == ["s", "tenant"]


def test_values_are_bound_and_never_written() -> None:
    plan = compiled(
        """{ sites(search: "needle", where: {name: {contains: "x'; DROP"}, slug: {in: ["a", "b"]}}) {
             nodes { id } } }"""
    )
    for value in ("needle", "DROP", "'tenant'"):
        assert value not in plan.statement.sql
    assert {"needle", "x'; DROP", "tenant"} <= {a for a in plan.statement.arguments if isinstance(a, str)}
    assert ["a", "b"] in plan.statement.arguments


def test_every_level_is_pinned_to_the_tenant_and_leaves_out_deleted_rows() -> None:
    plan = compiled("{ sites { nodes { agents { nodes { site { id } } totalCount } } } }")
    tables = [line for line in lines(plan) if line.startswith(("FROM sites", "FROM agents"))]
    assert len(tables) == 4
    assert plan.statement.sql.count(".tenant_id = ") == 4
    assert plan.statement.sql.count("deleted_at IS NULL") == 4
    assert plan.statement.arguments.count("tenant") == 1


def test_one_row_more_is_fetched_only_to_see_whether_there_are_more() -> None:
    assert "LIMIT 5" in lines(compiled("{ sites(first: 5) { nodes { id } } }"))
    plan = compiled("{ sites(first: 5) { nodes { id } pageInfo { hasNextPage } } }")
    assert "LIMIT 6" in lines(plan)
    assert "count(*) AS" in plan.statement.sql


def test_rows_that_are_joined_to_others_are_put_in_their_order() -> None:
    assert "__number" not in compiled("{ sites { nodes { id } } }").statement.sql
    plan = compiled("{ sites { nodes { tenant { id } } } }")
    assert any(line.startswith("LEFT JOIN LATERAL") for line in lines(plan))
    assert "ORDER BY p" in plan.statement.sql
    assert '"__number"' in plan.statement.sql


def test_a_total_alone_fetches_no_rows() -> None:
    plan = compiled("{ sites { totalCount } }")
    assert plan.statement.sql.count("FROM sites") == 1
    assert "json_agg" not in plan.statement.sql


def test_fragments_aliases_and_directives_are_followed() -> None:
    text = """query($yes: Boolean!) { sites { nodes { ...F id @skip(if: $yes) } } }
              fragment F on Site { a: name b: slug @include(if: $yes) ... on Site { status } }"""
    sql = compiled(text, yes=True).statement.sql
    assert 'AS "a"' in sql
    assert 'AS "b"' in sql
    assert 'AS "status"' in sql
    (made,) = [line for line in lines(compiled(text, yes=False)) if 'AS "a"' in line]
    assert 'AS "b"' not in made


def test_a_union_is_a_case_over_its_discriminator() -> None:
    plan = compiled("{ healthChecks { nodes { resource { __typename ... on Agent { hostname } } } } }")
    assert "CASE" in plan.statement.sql
    for table in ("agents", "data_sources", "sites", "scheduled_jobs", "integrations"):
        assert any(line.startswith(f"FROM {table} ") for line in lines(plan))


def test_a_plan_tells_what_it_reads() -> None:
    plan = compiled('{ site(id: "s") { name agents(where: {version: {eq: "1"}}) { nodes { hostname } } } }')
    site, agents = plan.reads({})
    assert (site.level.table.name, site.level.key, site.keys) == ("sites", "id", ("s",))
    assert {column.name for column in site.level.columns} == {"id", "name"}
    assert (agents.level.table.name, agents.level.key, agents.keys) == ("agents", "site_id", None)
    assert agents.level.where == {"version": {"eq": "1"}}
    assert {column.name for column in agents.level.columns} == {"id", "hostname"}


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
def test_whatever_ends_in_an_error_or_cannot_be_said_is_left_to_the_loaders(
    text: str, viewer: Viewer
) -> None:
    with pytest.raises(NotCompilableError):
        compiled(text, viewer)


def test_ones_own_tenant_takes_no_right() -> None:
    assert "FROM tenants" in compiled("{ sites { nodes { tenant { name } } } }", GUEST).statement.sql
