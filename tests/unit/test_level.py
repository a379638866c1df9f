"""The SQL of a level: always inside of the tenant, with every value bound, at the root and below parents."""

import re
from typing import Any, Final

import pytest

from core.errors import BadUserInputError
from core.rights import closure
from core.viewer import Viewer, ViewerKind
from resolvers.cursors import Cursor
from resolvers.level import CURSOR, KEY, Level, Statement, count_statement, rows_statement
from resolvers.orders import order_of
from schema.agents import AGENTS
from schema.billing import TENANT_BILLS
from schema.core import ROLES, SITES, TENANTS
from schema.integrations import DATA_SOURCES, INTEGRATIONS
from schema.monitoring import AUDIT_LOG
from schema.table import Scope, Table
from schema.tables import LISTED

USER: Final = Viewer(ViewerKind.USER, "t1", "u1", "r1", closure({"Global.Admin": True}), 0)
PLATFORM: Final = Viewer(ViewerKind.PLATFORM, None, None, None, closure({"Global.Admin": True}), 0)


_UNDELETED: Final = re.compile(r"(?<!\w)t\.deleted_at IS NULL")
"""Said of the rows themselves, not of those that a computed column looks into."""


def level(table: Table, **parts: Any) -> Level:
    chosen: dict[str, Any] = {"order": order_of(table, None), "limit": 10, **parts}
    return Level(table, tuple(table.columns.values()), **chosen)


def statements(chosen: Level, viewer: Viewer) -> list[Statement]:
    found = [rows_statement(chosen, viewer), count_statement(chosen, viewer)]
    if chosen.key:
        keys = ["p1", "p2"]
        found += [rows_statement(chosen, viewer, keys), count_statement(chosen, viewer, keys)]
    return found


def is_whole(statement: Statement) -> bool:
    """Whether every placeholder has a value and every value a placeholder."""
    numbers = {int(number) for number in re.findall(r"\$(\d+)", statement.sql)}
    return numbers == set(range(1, len(statement.arguments) + 1))


@pytest.mark.parametrize("table", LISTED, ids=lambda table: table.name)
def test_every_statement_stays_inside_of_the_tenant_and_leaves_deleted_rows_out(table: Table) -> None:
    key = next(iter(table.references)).column if table.references else None
    for statement in statements(level(table, key=key, fingerprint="f"), USER):
        assert is_whole(statement)
        assert ("t1" in statement.arguments) is (table.scope not in (Scope.EVERYONE, Scope.PLATFORM))
        assert bool(_UNDELETED.search(statement.sql)) is table.soft_deletes
    for statement in statements(level(table, key=key, include_deleted=True), USER):
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
def test_whose_rows_they_are(table: Table, condition: str) -> None:
    for statement in statements(level(table), USER):
        assert condition in statement.sql


def test_a_platform_without_a_tenant_sees_what_has_none() -> None:
    assert " WHERE " not in count_statement(level(TENANTS, include_deleted=True), PLATFORM).sql
    assert " WHERE " not in count_statement(level(INTEGRATIONS), PLATFORM).sql
    for table in (ROLES, AUDIT_LOG):
        assert "t.tenant_id IS NULL" in count_statement(level(table), PLATFORM).sql
    with pytest.raises(BadUserInputError, match="X-Tenant-Id"):
        rows_statement(level(SITES), PLATFORM)


def test_what_a_caller_says_is_bound_and_never_in_the_sql() -> None:
    evil = "'; DROP TABLE sites; --"
    chosen = level(
        SITES, where={"name": {"eq": evil}, "slug": {"in": [evil]}, "metadata": {"contains": {evil: evil}}},
        search=evil, equal=(("status", evil),), after=Cursor(None, (evil,)), before=Cursor(None, (evil,)),
        key="psa_integration_id", fingerprint=evil, offset=7,
    )  # fmt: skip
    for statement in statements(chosen, USER):
        assert is_whole(statement)
        assert "DROP" not in statement.sql
        assert evil in statement.arguments


def test_one_row_more_than_the_limit_tells_whether_there_are_more() -> None:
    assert "LIMIT 11" in shown(rows_statement(level(SITES), USER))
    assert "LIMIT 1" in shown(rows_statement(level(SITES, limit=0), USER))
    assert "LIMIT" not in shown(rows_statement(level(AGENTS, limit=None, order=()), USER))
    assert "OFFSET 5" in shown(rows_statement(level(SITES, offset=5), USER))


def shown(statement: Statement) -> str:
    """The SQL with its values, to look at."""
    return re.sub(r"\$(\d+)::\w+(\[\])?", lambda m: str(statement.arguments[int(m[1]) - 1]), statement.sql)


def test_from_the_back_the_order_is_reversed_and_cursors_are_not() -> None:
    chosen = level(SITES, after=Cursor(None, ("a",)), before=Cursor(None, ("z",)))
    forward, backward = (shown(rows_statement(c, USER)) for c in (chosen, level(SITES, backward=True)))
    assert '(t."id") > (a)' in forward
    assert '(t."id") < (z)' in forward
    assert 'ORDER BY t."id" LIMIT' in forward
    assert 'ORDER BY t."id" DESC LIMIT' in backward


def test_below_parents_each_key_is_asked_for_by_itself() -> None:
    statement = rows_statement(level(AGENTS, key="site_id", fingerprint="f"), USER, ["p1", "p2"])
    assert ["p1", "p2"] in statement.arguments
    assert f'k.key AS "{KEY}"' in statement.sql
    assert "t.site_id = k.key" in statement.sql
    assert f'AS "{CURSOR}"' in statement.sql
    unlimited = rows_statement(level(AGENTS, key="site_id", limit=None, order=()), USER, ["p1"])
    assert f't.site_id AS "{KEY}"' in unlimited.sql
    assert "t.site_id = ANY(" in unlimited.sql


def test_amounts_are_fetched_as_text_and_secrets_redacted() -> None:
    assert 't."total"::text AS "total"' in rows_statement(level(TENANT_BILLS), USER).sql
    sql = rows_statement(level(DATA_SOURCES), USER).sql
    assert "app.redact(t.config" in sql
    assert 't."config"' not in sql


def test_search_looks_into_each_searched_column_and_an_empty_one_into_none() -> None:
    sql = count_statement(level(SITES, search="x"), USER).sql
    assert [f'app.fold(t."{column.name}")' in sql for column in SITES.searched] == [True] * len(
        SITES.searched
    )
    assert len(SITES.searched) > 1
    assert "app.fold" not in count_statement(level(SITES, search=""), USER).sql
