"""The filter compiler: an input in, SQL and its parameters out."""

import json
from collections.abc import Callable
from decimal import Decimal
from time import process_time
from typing import Any

import pytest

from core.errors import BadUserInputError, ForbiddenError
from core.limits import FILTER_CONDITIONS_MAX, FILTER_DEPTH_MAX, FILTER_VALUES_MAX, VARIABLES_DEPTH_MAX
from core.rights import closure
from core.viewer import Viewer, ViewerKind
from resolvers.filters import FilterCompiler, json_text
from resolvers.parameters import Parameters, refuse_unstorable
from schema.agents import AGENTS
from schema.billing import TENANT_BILLS
from schema.core import SITES
from schema.integrations import INTEGRATIONS
from schema.table import Table


def compiled(table: Table, where: Any, *rights: str) -> tuple[list[str], list[object]]:
    viewer = Viewer(ViewerKind.USER, "t1", "u1", "r1", closure(dict.fromkeys(rights, True)), 0)
    parameters = Parameters()
    return FilterCompiler(viewer, parameters).compile(table, "t", where), parameters.values


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
def test_each_operator_of_a_text(operators: dict[str, Any], sql: str, values: list[object]) -> None:
    assert compiled(SITES, {"name": operators}) == ([sql], values)


@pytest.mark.parametrize(
    ("table", "where", "sql", "values"),
    [
        (SITES, {"createdAt": {"gt": 5}}, 't."created_at" > $1::bigint', [5]),
        (SITES, {"createdAt": {"in": [5]}}, 't."created_at" = ANY($1::bigint[])', [[5]]),
        (TENANT_BILLS, {"total": {"eq": Decimal("1.10")}}, 't."total" = $1::numeric', [Decimal("1.10")]),
        (INTEGRATIONS, {"isActive": {"eq": False}}, 't."is_active" = $1::boolean', [False]),
        (INTEGRATIONS, {"supportedTypes": {"has": "a"}}, 't."supported_types" @> ARRAY[$1::text]', ["a"]),
        (SITES, {"metadata": {"contains": {"ä": 1}}}, 't."metadata" @> $1::jsonb', ['{"ä": 1}']),
        (SITES, {"metadata": {"isNull": True}}, "nullif(t.\"metadata\", 'null') IS NULL", []),
        (
            SITES,
            {"metadata": {"at": [{"path": ["a", "0"], "eq": "x"}]}},
            '(t."metadata" #> $1::text[] = $2::jsonb)',
            [["a", "0"], '"x"'],
        ),
    ],
)
def test_each_kind_of_column(table: Table, where: Any, sql: str, values: list[object]) -> None:
    assert compiled(table, where) == ([sql], values)


@pytest.mark.parametrize(
    "nothing", [None, {}, {"name": None}, {"name": {}}, {"not": None}, {"and": []}, {"and": [{}]}]
)
def test_what_says_nothing_is_no_condition(nothing: Any) -> None:
    assert compiled(SITES, nothing) == ([], [])


@pytest.mark.parametrize("operator", ["gt", "contains", "in", "notIn", "isNull"])
def test_a_null_operand_is_no_condition(operator: str) -> None:
    assert compiled(SITES, {"name": {operator: None}}) == ([], [])


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
def test_groups_are_true_or_not_true_and_never_unknown(where: Any, sql: list[str]) -> None:
    assert compiled(SITES, where)[0] == sql


def test_a_relation_is_looked_into_as_far_as_the_viewer_sees() -> None:
    (sql,), values = compiled(AGENTS, {"site": {"name": {"eq": "a"}}}, "Sites.Read")
    assert sql.startswith("EXISTS (SELECT FROM sites r1 WHERE r1.id = t.site_id AND r1.tenant_id = ")
    assert "r1.deleted_at IS NULL" in sql
    assert sorted(map(str, values)) == ["a", "t1"]
    with pytest.raises(ForbiddenError, match=r"Sites\.Read"):
        compiled(AGENTS, {"site": {}}, "Agents.Read")
    with pytest.raises(ForbiddenError, match=r"Sites\.Read"):
        compiled(AGENTS, {"or": [{"not": {"site": {"name": {"eq": "a"}}}}]}, "Agents.Read")


def nested(depth: int) -> Any:
    where: Any = {"name": {"eq": "a"}}
    for _ in range(depth):
        where = {"not": where}
    return where


def json_nested(depth: int) -> Any:
    value: Any = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


def test_what_is_too_large_is_refused() -> None:
    assert compiled(SITES, nested(FILTER_DEPTH_MAX))
    with pytest.raises(BadUserInputError, match=f"at most {FILTER_DEPTH_MAX} levels"):
        compiled(SITES, nested(FILTER_DEPTH_MAX + 1))
    assert compiled(SITES, {"name": {"in": ["a"] * FILTER_VALUES_MAX}})
    with pytest.raises(BadUserInputError, match=f"at most {FILTER_VALUES_MAX} values"):
        compiled(SITES, {"name": {"in": ["a"] * (FILTER_VALUES_MAX + 1)}})
    for part in ({"name": {"eq": "a"}}, {}, {"metadata": {"at": [{"path": [], "eq": 1}]}}):
        with pytest.raises(BadUserInputError, match=f"at most {FILTER_CONDITIONS_MAX} conditions"):
            compiled(SITES, {"or": [part] * FILTER_CONDITIONS_MAX})
    assert json_text(json_nested(2 * VARIABLES_DEPTH_MAX))
    with pytest.raises(BadUserInputError, match="nests too deep"):
        json_text(json_nested(100_000))


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), [1, float("inf")], [10**5_000], "\x00", {"a\x00": 1}]
)
def test_json_that_postgresql_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(BadUserInputError):
        json_text(value)


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", {"\\": "u0000"}, "\\\\"])
def test_backslashes_are_no_nul(value: Any) -> None:
    assert json_text(value)
    with pytest.raises(BadUserInputError):
        json_text([value, "\x00"])


@pytest.mark.parametrize("text", ["\x00", "a\ud800", "\udfffa"])
@pytest.mark.parametrize("make", [
    lambda text: {"name": {"eq": text}}, lambda text: {"name": {"in": ["a", text]}},
    lambda text: {"metadata": {"contains": text}}, lambda text: {"metadata": {"at": [{"path": [text], "eq": 1}]}},
    lambda text: {"metadata": {"at": [{"path": [], "eq": {text: 1}}]}},
])  # fmt: skip
def test_texts_that_postgresql_cannot_hold_are_refused(make: Any, text: str) -> None:
    with pytest.raises(BadUserInputError):
        compiled(SITES, make(text))


def least_time(function: Callable[[Any], object], value: Any) -> float:
    def taken() -> float:
        began = process_time()
        function(value)
        return process_time() - began

    return min(taken() for _ in range(5))


@pytest.mark.parametrize(
    ("check", "value"),
    [(refuse_unstorable, "ä" * 1_000_000), (json_text, [[]] * 300_000)],
    ids=["text", "JSON"],
)
def test_a_look_at_a_long_value_takes_no_longer_than_writing_it(
    check: Callable[[Any], object], value: Any
) -> None:
    """A request may have a megabyte of it, in each of its lists."""
    assert least_time(check, value) < 3 * least_time(json.dumps, value)
