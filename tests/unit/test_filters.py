"""The filter compiler: an input in, SQL and its parameters out."""

from decimal import Decimal
from typing import Any

import pytest

from core.auth.rights import expand_rights
from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from core.errors import BadUserInputError, ForbiddenError
from core.limits import FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_VALUES_MAX
from resolvers.sql.filters import FilterCompiler
from resolvers.sql.parameters import Parameters
from schema.agents import AGENTS
from schema.billing import INTEGRATION_PRICING_TIERS, TENANT_BILLS
from schema.core import SITES
from schema.integrations import DATA_SOURCES, INTEGRATIONS
from schema.table import Table

EXPIRY, UNTIL = 't."credential_expiration_at"', 't."effective_until"'


def compile_filter(table: Table, where: Any, *rights: str) -> tuple[list[str], list[object]]:
    viewer = Viewer(ViewerKind.USER, "t1", "u1", "r1", expand_rights(dict.fromkeys(rights, True)), 0)
    parameters = Parameters()
    return FilterCompiler(viewer, parameters).compile_filter(table, "t", where), parameters.values


@pytest.mark.parametrize(
    ("operators", "sql", "values"),
    [
        ({"eq": "a"}, 't."name" = $1::text', ["a"]),
        ({"eq": None}, 't."name" IS NULL', []),
        ({"neq": "a"}, 't."name" IS DISTINCT FROM $1::text', ["a"]),
        ({"neq": None}, 't."name" IS NOT NULL', []),
        ({"gt": "a"}, 't."name" > $1::text', ["a"]),
        ({"gte": "a"}, 't."name" >= $1::text', ["a"]),
        ({"lt": "a"}, 't."name" < $1::text', ["a"]),
        ({"lte": "a"}, 't."name" <= $1::text', ["a"]),
        ({"in": ["a", "b"]}, 't."name" = ANY($1::text[])', [["a", "b"]]),
        ({"in": []}, 't."name" = ANY($1::text[])', [[]]),
        ({"notIn": ["a"]}, '(t."name" = ANY($1::text[])) IS NOT TRUE', [["a"]]),
        ({"isNull": True}, 't."name" IS NULL', []),
        ({"isNull": False}, 't."name" IS NOT NULL', []),
        ({"contains": "%"}, 'strpos(app.fold(t."name"), app.fold($1::text)) > 0', ["%"]),
        ({"startsWith": "_"}, 'starts_with(app.fold(t."name"), app.fold($1::text))', ["_"]),
        (
            {"endsWith": "\\"},
            'right(app.fold(t."name"), length(app.fold($1::text))) = app.fold($1::text)',
            ["\\"],
        ),
    ],
)
def test_filter_text_operator_compiles_to_its_sql(
    operators: dict[str, Any], sql: str, values: list[object]
) -> None:
    assert compile_filter(SITES, {"name": operators}) == ([sql], values)


@pytest.mark.parametrize(
    ("table", "where", "sql", "values"),
    [
        (SITES, {"createdAt": {"gt": 5}}, 't."created_at" > $1::bigint', [5]),
        (DATA_SOURCES, {"credentialExpirationAt": {"isNull": True}}, f"{EXPIRY} = {NEVER}", []),
        (DATA_SOURCES, {"credentialExpirationAt": {"neq": None}}, f"{EXPIRY} <> {NEVER}", []),
        (DATA_SOURCES, {"credentialExpirationAt": {"eq": NEVER}}, f"{EXPIRY} = $1::bigint", [NEVER]),
        (
            INTEGRATION_PRICING_TIERS,
            {"effectiveUntil": {"eq": None}},
            f"({UNTIL} IS NULL OR {UNTIL} = {NEVER})",
            [],
        ),
        (INTEGRATION_PRICING_TIERS, {"effectiveUntil": {"isNull": False}}, f"{UNTIL} <> {NEVER}", []),
        (SITES, {"createdAt": {"in": [5]}}, 't."created_at" = ANY($1::bigint[])', [[5]]),
        (TENANT_BILLS, {"total": {"eq": Decimal("1.10")}}, 't."total" = $1::numeric', [Decimal("1.10")]),
        (INTEGRATIONS, {"isActive": {"eq": False}}, 't."is_active" = $1::boolean', [False]),
        (INTEGRATIONS, {"supportedTypes": {"has": "a"}}, 't."supported_types" @> ARRAY[$1::text]', ["a"]),
        (SITES, {"metadata": {"contains": {"ä": 1}}}, 't."metadata" @> $1::jsonb', ['{"ä":1}']),
        (SITES, {"metadata": {"isNull": True}}, "nullif(t.\"metadata\", 'null') IS NULL", []),
        (
            SITES,
            {"metadata": {"at": [{"path": ["a", "0"], "eq": "x"}]}},
            '(t."metadata" #> $1::text[] = $2::jsonb)',
            [["a", "0"], '"x"'],
        ),
    ],
)
def test_filter_column_of_each_kind_compiles_to_its_sql(
    table: Table, where: Any, sql: str, values: list[object]
) -> None:
    assert compile_filter(table, where) == ([sql], values)


@pytest.mark.parametrize(
    "nothing", [None, {}, {"name": None}, {"not": None}, {"or": None}, {"and": []}, {"and": [{}]}]
)
def test_filter_that_is_empty_gives_no_condition(nothing: Any) -> None:
    assert compile_filter(SITES, nothing) == ([], [])


@pytest.mark.parametrize("operator", ["gt", "contains", "in", "notIn", "isNull"])
def test_filter_null_operand_is_refused_with_its_path(operator: str) -> None:
    for where, path in (
        ({"name": {operator: None}}, f"where.name.{operator}"),
        ({"or": [{}, {"not": {"name": {operator: None}}}]}, f"where.or.1.not.name.{operator}"),
    ):
        with pytest.raises(BadUserInputError, match="must not be null") as caught:
            compile_filter(SITES, where)
        assert caught.value.fields == {path: "must not be null"}


def test_filter_without_operators_is_refused_with_its_path() -> None:
    with pytest.raises(BadUserInputError) as caught:
        compile_filter(AGENTS, {"and": [{"site": {"name": {}}}]}, "Sites.Read")
    assert caught.value.fields == {"where.and.0.site.name": "must have at least one operator"}


A, B = '(t."name" = $1::text)', '(t."slug" < $2::text)'


@pytest.mark.parametrize(
    ("where", "sql"),
    [
        ({"or": []}, ["(FALSE)"]),
        ({"or": [{}]}, ["((TRUE))"]),
        ({"not": {}}, ["(TRUE) IS NOT TRUE"]),
        ({"and": [{"name": {"eq": "a"}}, {"slug": {"lt": "b"}}]}, [A[1:-1], B[1:-1]]),
        ({"or": [{"name": {"eq": "a"}}, {"slug": {"lt": "b"}}]}, [f"(({A}) OR ({B}))"]),
        ({"or": [{"name": {"eq": "a"}, "slug": {"lt": "b"}}]}, [f"(({A} AND {B}))"]),
        ({"not": {"name": {"eq": "a"}, "slug": {"lt": "b"}}}, [f"({A} AND {B}) IS NOT TRUE"]),
        ({"not": {"not": {"name": {"eq": "a"}}}}, [f"((({A}) IS NOT TRUE)) IS NOT TRUE"]),
    ],
)
def test_filter_groups_are_never_null(where: Any, sql: list[str]) -> None:
    assert compile_filter(SITES, where)[0] == sql


def test_filter_relation_needs_the_right_to_read_it() -> None:
    (sql,), values = compile_filter(AGENTS, {"site": {"name": {"eq": "a"}}}, "Sites.Read")
    assert sql.startswith("EXISTS (SELECT FROM sites r1 WHERE r1.id = t.site_id AND r1.tenant_id = ")
    assert "r1.deleted_at IS NULL" in sql
    assert sorted(map(str, values)) == ["a", "t1"]
    with pytest.raises(ForbiddenError, match=r"Sites\.Read"):
        compile_filter(AGENTS, {"site": {}}, "Agents.Read")
    with pytest.raises(ForbiddenError, match=r"Sites\.Read"):
        compile_filter(AGENTS, {"or": [{"not": {"site": {"name": {"eq": "a"}}}}]}, "Agents.Read")


def nest_filter(depth: int) -> Any:
    where: Any = {"name": {"eq": "a"}}
    for _ in range(depth):
        where = {"not": where}
    return where


def test_filter_beyond_its_limits_is_refused() -> None:
    assert compile_filter(SITES, nest_filter(FILTER_DEPTH_MAX))
    with pytest.raises(BadUserInputError, match=f"at most {FILTER_DEPTH_MAX} levels"):
        compile_filter(SITES, nest_filter(FILTER_DEPTH_MAX + 1))
    assert compile_filter(SITES, {"name": {"in": ["a"] * FILTER_VALUES_MAX}})
    with pytest.raises(BadUserInputError, match=f"at most {FILTER_VALUES_MAX} values"):
        compile_filter(SITES, {"name": {"in": ["a"] * (FILTER_VALUES_MAX + 1)}})
    for condition in ({"name": {"eq": "a"}}, {}, {"metadata": {"at": [{"path": [], "eq": 1}]}}):
        with pytest.raises(BadUserInputError, match=f"at most {FILTER_CONDITIONS_MAX} conditions"):
            compile_filter(SITES, {"or": [condition] * FILTER_CONDITIONS_MAX})
    too_deep: Any = 1
    for _ in range(100_000):
        too_deep = [too_deep]
    with pytest.raises(BadUserInputError, match="nested too deeply"):
        compile_filter(SITES, {"metadata": {"contains": too_deep}})


@pytest.mark.parametrize("text", ["\x00", "a\ud800", "\udfffa"])
@pytest.mark.parametrize("make", [
    lambda text: {"name": {"eq": text}}, lambda text: {"name": {"in": ["a", text]}},
    lambda text: {"metadata": {"contains": text}}, lambda text: {"metadata": {"at": [{"path": [text], "eq": 1}]}},
    lambda text: {"metadata": {"at": [{"path": [], "eq": {text: 1}}]}},
])  # fmt: skip
def test_filter_unstorable_text_is_refused(make: Any, text: str) -> None:
    with pytest.raises(BadUserInputError):
        compile_filter(SITES, make(text))
