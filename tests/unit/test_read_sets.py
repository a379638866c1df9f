"""Read sets: what reads become, from documents through the compiler to dependences; no database."""

import json
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse, validate
from graphql.execution.values import VariableValues, get_variable_values

from core.clock import NEVER
from core.rights import RIGHTS
from core.viewer import Viewer, ViewerKind
from resolvers.binding import bound_schema
from resolvers.compiler import compile_root
from resolvers.selection import Syntax
from schema.tables import TABLES
from subscriptions.matching.read_sets import Dependence, read_set

SCHEMA = bound_schema()[1]
USER = Viewer(ViewerKind.USER, "t", "user", "role", RIGHTS, NEVER)
PLATFORM = Viewer(ViewerKind.PLATFORM, None, None, None, RIGHTS, NEVER)


def depends(text: str, facts: Any = None, viewer: Viewer = USER) -> list[Dependence]:
    """What the answer of a root field depends on, given the facts that its statement would have answered."""
    document = parse(text)
    assert not validate(SCHEMA, document)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    values = get_variable_values(SCHEMA, (), {})
    assert isinstance(values, VariableValues)
    syntax = Syntax({}, {})
    (nodes,) = syntax.responses_of(operation.selection_set, "Query").values()
    plan, _ = compile_root(SCHEMA, syntax, values, viewer, nodes, observe=True)
    return list(read_set(plan.reads({}, None if facts is None else json.dumps(facts)), viewer))


def only(text: str, facts: Any = None, viewer: Viewer = USER) -> Dependence:
    (dependence,) = depends(text, facts, viewer)
    return dependence


def equal(where: str, table: str = "agents") -> dict[str, Any]:
    """The equalities of a list with this filter."""
    return dict(only(f"{{ {table}(where: {{{where}}}) {{ totalCount }} }}").equal)


def test_a_row_depends_on_itself_and_its_selected_columns() -> None:
    found = only('{ site(id: "s") { name status } }')
    assert found == Dependence(
        "sites",
        frozenset({"t"}),
        {"id": frozenset({"s"})},
        frozenset({"id", "tenant_id", "deleted_at", "name", "status"}),
    )


def test_a_list_uses_what_it_is_ordered_filtered_and_searched_by() -> None:
    found = only(
        """{ agents(search: "x", orderBy: [{field: PLATFORM}], where: {or: [{version: {eq: "1"}},
             {not: {createdAt: {gt: 0}}}]}) { nodes { hostname } } }"""
    )
    assert {"hostname", "platform", "version", "created_at", "id", "tenant_id", "deleted_at"} <= found.uses
    searched = {column.name for table in TABLES if table.name == "agents" for column in table.searched}
    assert searched <= found.uses
    assert not {"registered_at", "updated_at", "last_checkin_at"} & found.uses
    assert found.equal == {}


def test_a_total_does_not_use_what_is_only_selected_or_ordered_by() -> None:
    page, total = depends(
        '{ agents(first: 1, where: {siteId: {eq: "s"}}) { totalCount nodes { hostname version } } }',
        [["a"]],
    )
    assert total.uses == {"id", "tenant_id", "deleted_at", "site_id"}
    assert total.window is None
    assert total.equal == page.equal
    assert {"hostname", "version"} <= page.uses
    assert page.window is not None


def test_equalities_are_those_that_hold_for_all_rows() -> None:
    assert equal('siteId: {eq: "a"}') == {"site_id": {"a"}}
    assert equal('siteId: {in: ["a", "b"]}, guid: {eq: null}') == {"site_id": {"a", "b"}, "guid": {None}}
    assert equal('and: [{siteId: {in: ["a", "b"]}}, {siteId: {in: ["b", "c"]}}]') == {"site_id": {"b"}}
    assert equal('or: [{siteId: {eq: "a"}}], not: {siteId: {eq: "b"}}') == {}
    assert equal('siteId: {neq: "a", notIn: ["b"]}, hostname: {contains: "x"}, createdAt: {gt: 1}') == {}
    assert equal("isOnline: {eq: true}") == {}
    assert equal("status: {eq: ACTIVE}", "sites") == {"status": {"active"}}
    assert equal('units: {eq: "1.0"}', "tenantBillLineItems") == {}
    assert equal("siteId: null") == {}


def test_a_list_of_values_never_finds_a_row_without_one() -> None:
    assert equal('siteId: {in: ["a"]}') == {"site_id": {"a"}}
    assert depends("{ agents(where: {siteId: {in: []}}) { totalCount } }") == []
    assert depends('{ agents(where: {siteId: {eq: "a", in: ["b"]}}) { totalCount } }') == []


def test_a_filter_over_a_relation_depends_on_rows_there() -> None:
    agents, sites = depends(
        '{ agents(where: {not: {site: {slug: {eq: "x"}, name: {contains: "y"}}}}) { totalCount } }'
    )
    assert "site_id" in agents.uses
    assert not {"slug", "name"} & agents.uses
    assert sites == Dependence(
        "sites",
        frozenset({"t"}),
        {"slug": frozenset({"x"})},
        frozenset({"id", "tenant_id", "deleted_at", "slug", "name"}),
    )


def test_a_relation_of_a_relation_depends_on_both_tables() -> None:
    found = depends('{ agents(where: {site: {psaIntegration: {name: {eq: "x"}}}}) { totalCount } }')
    assert [d.table for d in found] == ["agents", "sites", "integrations"]
    assert "psa_integration_id" in found[1].uses
    assert found[2].tenants is None
    assert found[2].uses == {"id", "name"}


def test_a_computed_column_depends_on_what_it_is_computed_from() -> None:
    source, integrations = depends('{ dataSource(id: "d") { config } }')
    assert {"config", "integration_id"} <= source.uses
    assert (integrations.table, integrations.equal) == ("integrations", {})
    assert integrations.uses == {"id", "config_schema"}
    assert len(depends('{ dataSource(id: "d") { status } }')) == 1
    assert "is_online" in only('{ agent(id: "a") { isOnline } }').uses


def test_what_hangs_on_a_row_is_read_by_the_keys_that_were_seen() -> None:
    text = '{ site(id: "s") { agents(first: 1) { nodes { hostname } } tenant { name } } }'
    site, agents, tenant = depends(text, ["s", [["a"]], "t"])
    assert site.equal == {"id": {"s"}}
    assert agents.equal == {"site_id": {"s"}}
    assert "site_id" in agents.uses
    assert tenant.equal == {"id": {"t"}}
    assert agents.window is not None
    assert agents.window.holds({"site_id": "s", "id": "a"})
    assert not agents.window.holds({"site_id": "s", "id": "b"})
    assert [d.table for d in depends(text, [])] == ["sites"]


def test_without_facts_what_hangs_on_a_row_is_any_of_the_tenants() -> None:
    _, agents = depends('{ site(id: "s") { agents { nodes { hostname } } } }')
    assert agents.equal == {}
    assert agents.tenants == {"t"}


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
def test_whose_rows_an_answer_depends_on(field: str, viewer: Viewer, tenants: set[str | None] | None) -> None:
    assert only(f"{{ {field} {{ totalCount }} }}", viewer=viewer).tenants == tenants


def test_of_tenants_a_user_depends_on_their_own() -> None:
    found = only("{ tenants { totalCount } }")
    assert (found.tenants, found.equal) == (None, {"id": {"t"}})
    assert depends('{ tenant(id: "other") { name } }') == []


def test_deleted_rows_that_are_shown_take_no_deletion_into_account() -> None:
    assert "deleted_at" in only("{ sites { totalCount } }").uses
    assert "deleted_at" not in only("{ sites(includeDeleted: true) { totalCount } }").uses


def test_the_discriminator_of_a_union_is_used() -> None:
    check = depends("{ healthChecks { nodes { resource { __typename } } } }")[0]
    assert {"resource_type", "resource_id"} <= check.uses


def test_of_the_viewers_own_rows_all_are_read_by_id() -> None:
    user, role, tenant = depends("{ viewer { user { email } role { name } tenant { name } } }", [])
    assert (user.equal, role.equal, tenant.equal) == ({"id": {"user"}}, {"id": {"role"}}, {"id": {"t"}})
    assert depends("{ viewer { id kind } }", []) == []
