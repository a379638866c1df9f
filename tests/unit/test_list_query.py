"""The SQL of a level: always in the tenant, with every value bound, at the root and below parents."""

import re
from typing import Any, Final

import pytest

from core.auth.rights import expand_rights
from core.auth.viewer import Viewer, ViewerKind
from core.errors import BadUserInputError
from resolvers.sql.cursors import Cursor
from resolvers.sql.list_query import (
    CURSOR_COLUMN,
    KEY_COLUMN,
    ListQuery,
    Statement,
    build_count_statement,
    build_rows_statement,
)
from resolvers.sql.ordering import build_order
from schema.agents import AGENTS
from schema.billing import TENANT_BILLS
from schema.core import ROLES, SITES, TENANTS
from schema.integrations import DATA_SOURCES, INTEGRATIONS
from schema.monitoring import AUDIT_LOG
from schema.table import Scope, Table
from schema.tables import LISTED

USER: Final = Viewer(ViewerKind.USER, "t1", "u1", "r1", expand_rights({"Global.Admin": True}), 0)
PLATFORM: Final = Viewer(ViewerKind.PLATFORM, None, None, None, expand_rights({"Global.Admin": True}), 0)


_UNDELETED: Final = re.compile(r"(?<!\w)t\.deleted_at IS NULL")
"""The condition on the rows themselves, not on those that a computed column reads."""


def build_level(table: Table, **options: Any) -> ListQuery:
    chosen: dict[str, Any] = {"order": build_order(table, None), "limit": 10, **options}
    return ListQuery(table, tuple(table.columns.values()), **chosen)


def build_statements(chosen: ListQuery, viewer: Viewer) -> list[Statement]:
    found = [build_rows_statement(chosen, viewer), build_count_statement(chosen, viewer)]
    if chosen.key:
        keys = ["p1", "p2"]
        found += [build_rows_statement(chosen, viewer, keys), build_count_statement(chosen, viewer, keys)]
    return found


def is_fully_bound(statement: Statement) -> bool:
    """Whether every placeholder has a value and every value a placeholder."""
    numbers = {int(number) for number in re.findall(r"\$(\d+)", statement.sql)}
    return numbers == set(range(1, len(statement.arguments) + 1))


@pytest.mark.parametrize("table", LISTED, ids=lambda table: table.name)
def test_list_query_filters_by_tenant_and_deletion(table: Table) -> None:
    key = next(iter(table.references)).column if table.references else None
    for statement in build_statements(build_level(table, key=key, fingerprint="f"), USER):
        assert is_fully_bound(statement)
        assert ("t1" in statement.arguments) is (table.scope not in (Scope.EVERYONE, Scope.PLATFORM))
        assert bool(_UNDELETED.search(statement.sql)) is table.soft_deletes
    for statement in build_statements(build_level(table, key=key, include_deleted=True), USER):
        assert not _UNDELETED.search(statement.sql)


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        (TENANTS, "t.id = $"),
        (SITES, "t.tenant_id = $"),
        (ROLES, "OR t.tenant_id IS NULL"),
        (AUDIT_LOG, "t.tenant_id = $"),
    ],
)
def test_list_query_of_each_scope_filters_by_its_condition(table: Table, condition: str) -> None:
    for statement in build_statements(build_level(table), USER):
        assert condition in statement.sql


def test_list_query_of_platform_without_tenant_sees_tenantless_rows() -> None:
    assert " WHERE " not in build_count_statement(build_level(TENANTS, include_deleted=True), PLATFORM).sql
    assert " WHERE " not in build_count_statement(build_level(INTEGRATIONS), PLATFORM).sql
    for table in (ROLES, AUDIT_LOG):
        assert "t.tenant_id IS NULL" in build_count_statement(build_level(table), PLATFORM).sql
    with pytest.raises(BadUserInputError, match="X-Tenant-Id"):
        build_rows_statement(build_level(SITES), PLATFORM)


def test_list_query_caller_values_are_bound_and_never_in_the_sql() -> None:
    evil = "'; DROP TABLE sites; --"
    chosen = build_level(
        SITES, where={"name": {"eq": evil}, "slug": {"in": [evil]}, "metadata": {"contains": {evil: evil}}},
        search=evil, equal=(("status", evil),), after=Cursor(None, (evil,)), before=Cursor(None, (evil,)),
        key="psa_integration_id", fingerprint=evil, offset=7,
    )  # fmt: skip
    for statement in build_statements(chosen, USER):
        assert is_fully_bound(statement)
        assert "DROP" not in statement.sql
        assert evil in statement.arguments


def test_list_query_fetches_one_row_more_than_the_limit() -> None:
    assert "LIMIT 11" in interpolate(build_rows_statement(build_level(SITES), USER))
    assert "LIMIT 1" in interpolate(build_rows_statement(build_level(SITES, limit=0), USER))
    assert "LIMIT" not in interpolate(build_rows_statement(build_level(AGENTS, limit=None, order=()), USER))
    assert "OFFSET 5" in interpolate(build_rows_statement(build_level(SITES, offset=5), USER))


def interpolate(statement: Statement) -> str:
    """The SQL with its values, to look at."""
    return re.sub(r"\$(\d+)::\w+(\[\])?", lambda m: str(statement.arguments[int(m[1]) - 1]), statement.sql)


def test_list_query_backward_reverses_order_and_not_cursors() -> None:
    chosen = build_level(SITES, after=Cursor(None, ("a",)), before=Cursor(None, ("z",)))
    forward, backward = (
        interpolate(build_rows_statement(c, USER)) for c in (chosen, build_level(SITES, backward=True))
    )
    assert '(t."id") > (a)' in forward
    assert '(t."id") < (z)' in forward
    assert 'ORDER BY t."id" LIMIT' in forward
    assert 'ORDER BY t."id" DESC LIMIT' in backward


def test_list_query_with_parent_keys_limits_each_key_separately() -> None:
    statement = build_rows_statement(build_level(AGENTS, key="site_id", fingerprint="f"), USER, ["p1", "p2"])
    assert ["p1", "p2"] in statement.arguments
    assert f'k.key AS "{KEY_COLUMN}"' in statement.sql
    assert "t.site_id = k.key" in statement.sql
    assert f'AS "{CURSOR_COLUMN}"' in statement.sql
    unlimited = build_rows_statement(build_level(AGENTS, key="site_id", limit=None, order=()), USER, ["p1"])
    assert f't.site_id AS "{KEY_COLUMN}"' in unlimited.sql
    assert "t.site_id = ANY(" in unlimited.sql


def test_list_query_fetches_amounts_as_text_and_redacts_secrets() -> None:
    assert 't."total"::text AS "total"' in build_rows_statement(build_level(TENANT_BILLS), USER).sql
    sql = build_rows_statement(build_level(DATA_SOURCES), USER).sql
    assert "app.redact(t.config" in sql
    assert 't."config"' not in sql


def test_list_query_search_covers_searched_columns_and_empty_none() -> None:
    sql = build_count_statement(build_level(SITES, search="x"), USER).sql
    assert [f'app.fold(t."{column.name}")' in sql for column in SITES.searched] == [True] * len(
        SITES.searched
    )
    assert len(SITES.searched) > 1
    assert "app.fold" not in build_count_statement(build_level(SITES, search=""), USER).sql
