"""Read sets: what reads become, from documents through the compiler to dependences; no database."""

import json
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse, validate
from graphql.execution.values import VariableValues, get_variable_values

from core.auth.rights import RIGHTS
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from resolvers.compiler.compiler import compile_root_field
from resolvers.loaders.bindings import build_executable_schema
from resolvers.sql.selection import SelectionReader
from schema.tables import TABLES
from subscriptions.invalidation.read_sets import Dependency, build_read_set

SCHEMA = build_executable_schema()[1]
USER = Viewer(ViewerKind.USER, "t", "user", "role", RIGHTS, NEVER)
PLATFORM = Viewer(ViewerKind.PLATFORM, None, None, None, RIGHTS, NEVER)


def read_dependencies(text: str, facts: Any = None, viewer: Viewer = USER) -> list[Dependency]:
    """The dependences of a root field's answer, given the facts that its statement would have returned."""
    document = parse(text)
    assert not validate(SCHEMA, document)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    values = get_variable_values(SCHEMA, (), {})
    assert isinstance(values, VariableValues)
    syntax = SelectionReader({}, {})
    (nodes,) = syntax.collect_by_response_key(operation.selection_set, "Query").values()
    plan, _ = compile_root_field(SCHEMA, syntax, values, viewer, nodes, track_reads=True)
    return list(build_read_set(plan.iter_reads({}, None if facts is None else json.dumps(facts)), viewer))


def read_single_dependency(text: str, facts: Any = None, viewer: Viewer = USER) -> Dependency:
    (dependence,) = read_dependencies(text, facts, viewer)
    return dependence


def read_equalities(where: str, table: str = "agents") -> dict[str, Any]:
    """The equalities of a list with this filter."""
    return dict(read_single_dependency(f"{{ {table}(where: {{{where}}}) {{ totalCount }} }}").equals)


def test_read_set_of_row_has_its_id_and_selected_columns() -> None:
    found = read_single_dependency('{ site(id: "s") { name status } }')
    assert found == Dependency(
        "sites",
        frozenset({"t"}),
        {"id": frozenset({"s"})},
        frozenset({"id", "tenant_id", "deleted_at", "name", "status"}),
    )


def test_read_set_of_list_uses_ordered_filtered_and_searched_columns() -> None:
    found = read_single_dependency(
        """{ agents(search: "x", orderBy: [{field: PLATFORM}], where: {or: [{version: {eq: "1"}},
             {not: {createdAt: {gt: 0}}}]}) { nodes { hostname } } }"""
    )
    assert {"hostname", "platform", "version", "created_at", "id", "tenant_id", "deleted_at"} <= found.uses
    searched = {column.name for table in TABLES if table.name == "agents" for column in table.searched}
    assert searched <= found.uses
    assert not {"registered_at", "updated_at", "last_checkin_at"} & found.uses
    assert found.equals == {}


def test_read_set_of_null_filter_fields_uses_no_column() -> None:
    where = "{version: null, site: null, and: null, or: null, not: null}"
    assert read_single_dependency(f"{{ agents(where: {where}) {{ totalCount }} }}").uses == {
        "id",
        "tenant_id",
        "deleted_at",
    }


def test_read_set_of_total_count_does_not_use_selected_columns() -> None:
    page, total = read_dependencies(
        '{ agents(first: 1, where: {siteId: {eq: "s"}}) { totalCount nodes { hostname version } } }',
        [["a"]],
    )
    assert total.uses == {"id", "tenant_id", "deleted_at", "site_id"}
    assert total.window is None
    assert total.equals == page.equals
    assert {"hostname", "version"} <= page.uses
    assert page.window is not None


def test_read_set_equalities_are_true_of_all_rows() -> None:
    assert read_equalities('siteId: {eq: "a"}') == {"site_id": {"a"}}
    assert read_equalities('siteId: {in: ["a", "b"]}, guid: {eq: null}') == {
        "site_id": {"a", "b"},
        "guid": {None},
    }
    assert read_equalities('and: [{siteId: {in: ["a", "b"]}}, {siteId: {in: ["b", "c"]}}]') == {
        "site_id": {"b"}
    }
    assert read_equalities('or: [{siteId: {eq: "a"}}], not: {siteId: {eq: "b"}}') == {}
    assert (
        read_equalities('siteId: {neq: "a", notIn: ["b"]}, hostname: {contains: "x"}, createdAt: {gt: 1}')
        == {}
    )
    assert read_equalities("isOnline: {eq: true}") == {}
    assert read_equalities("status: {eq: ACTIVE}", "sites") == {"status": {"active"}}
    assert read_equalities('units: {eq: "1.0"}', "tenantBillLineItems") == {}
    assert read_equalities("siteId: null") == {}


def test_read_set_equalities_of_null_include_never_where_it_is_null() -> None:
    for operand, values in (("null", {None, NEVER}), (str(NEVER), {NEVER}), ("5", {5})):
        found = read_equalities(f"credentialExpirationAt: {{eq: {operand}}}", "dataSources")
        assert found == {"credential_expiration_at": values}
    assert read_equalities("lastSyncAt: {eq: null}", "dataSources") == {"last_sync_at": {None}}


def test_read_set_of_unsatisfiable_filter_is_empty() -> None:
    assert read_equalities('siteId: {in: ["a"]}') == {"site_id": {"a"}}
    assert read_dependencies("{ agents(where: {siteId: {in: []}}) { totalCount } }") == []
    assert read_dependencies('{ agents(where: {siteId: {eq: "a", in: ["b"]}}) { totalCount } }') == []


def test_read_set_of_relation_filter_includes_the_related_table() -> None:
    agents, sites = read_dependencies(
        '{ agents(where: {not: {site: {slug: {eq: "x"}, name: {contains: "y"}}}}) { totalCount } }'
    )
    assert "site_id" in agents.uses
    assert not {"slug", "name"} & agents.uses
    assert sites == Dependency(
        "sites",
        frozenset({"t"}),
        {"slug": frozenset({"x"})},
        frozenset({"id", "tenant_id", "deleted_at", "slug", "name"}),
    )


def test_read_set_of_nested_relation_filter_includes_both_tables() -> None:
    found = read_dependencies('{ agents(where: {site: {psaIntegration: {name: {eq: "x"}}}}) { totalCount } }')
    assert [d.table for d in found] == ["agents", "sites", "integrations"]
    assert "psa_integration_id" in found[1].uses
    assert found[2].tenants is None
    assert found[2].uses == {"id", "name"}


def test_read_set_of_computed_column_includes_its_sources() -> None:
    source, integrations = read_dependencies('{ dataSource(id: "d") { config } }')
    assert {"config", "integration_id"} <= source.uses
    assert (integrations.table, integrations.equals) == ("integrations", {})
    assert integrations.uses == {"id", "config_schema"}
    assert len(read_dependencies('{ dataSource(id: "d") { status } }')) == 1
    assert "is_online" in read_single_dependency('{ agent(id: "a") { isOnline } }').uses


def test_read_set_of_related_rows_uses_the_keys_that_were_read() -> None:
    text = '{ site(id: "s") { agents(first: 1) { nodes { hostname } } tenant { name } } }'
    site, agents, tenant = read_dependencies(text, ["s", [["a"]], "t"])
    assert site.equals == {"id": {"s"}}
    assert agents.equals == {"site_id": {"s"}}
    assert "site_id" in agents.uses
    assert tenant.equals == {"id": {"t"}}
    assert agents.window is not None
    assert agents.window.contains({"site_id": "s", "id": "a"})
    assert not agents.window.contains({"site_id": "s", "id": "b"})
    assert [d.table for d in read_dependencies(text, [])] == ["sites"]


def test_read_set_of_related_rows_without_keys_is_the_whole_tenant() -> None:
    _, agents = read_dependencies('{ site(id: "s") { agents { nodes { hostname } } } }')
    assert agents.equals == {}
    assert agents.tenants == frozenset({"t"})


@pytest.mark.parametrize(
    ("field", "viewer", "tenants"),
    [
        ("agents", USER, {"t"}),
        ("roles", USER, {"t", None}),
        ("roles", PLATFORM, {None}),
        ("auditLog", PLATFORM, {None}),
        ("integrations", USER, None),
        ("apiLogs", PLATFORM, None),
        ("tenants", PLATFORM, None),
    ],
)
def test_read_set_tenants_follow_table_and_viewer(
    field: str, viewer: Viewer, tenants: set[str | None] | None
) -> None:
    assert read_single_dependency(f"{{ {field} {{ totalCount }} }}", viewer=viewer).tenants == tenants


def test_read_set_of_tenants_for_a_user_is_their_own() -> None:
    found = read_single_dependency("{ tenants { totalCount } }")
    assert (found.tenants, found.equals) == (None, {"id": frozenset({"t"})})
    assert read_dependencies('{ tenant(id: "other") { name } }') == []


def test_read_set_with_deleted_rows_does_not_use_deleted_at() -> None:
    assert "deleted_at" in read_single_dependency("{ sites { totalCount } }").uses
    assert "deleted_at" not in read_single_dependency("{ sites(includeDeleted: true) { totalCount } }").uses


def test_read_set_of_union_uses_its_discriminator() -> None:
    check = read_dependencies("{ healthChecks { nodes { resource { __typename } } } }")[0]
    assert {"resource_type", "resource_id"} <= check.uses


def test_read_set_of_viewer_reads_own_rows_by_id() -> None:
    user, role, tenant = read_dependencies("{ viewer { user { email } role { name } tenant { name } } }", [])
    ids = [dependency.equals for dependency in (user, role, tenant)]
    assert ids == [{"id": frozenset({key})} for key in ("user", "role", "t")]
    assert read_dependencies("{ viewer { id kind } }", []) == []
