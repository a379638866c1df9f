"""Orders: their terms, their SQL, and what stands behind a row."""

from enum import Enum
from typing import Any

import pytest

from core.errors import BadUserInputError
from core.limits import ORDER_TERMS_MAX
from resolvers.sql.ordering import (
    Order,
    build_after_condition,
    build_order,
    build_order_by_sql,
    reverse_order,
)
from resolvers.sql.parameters import Parameters
from schema.core import SITES
from schema.enums import Direction, Nulls
from schema.jobs import SCHEDULED_JOBS

Field = Enum("Field", {name.upper(): name for name in SITES.columns})  # type: ignore[misc]  # as the schema makes it


def parse_terms(*terms: str) -> Order:
    return build_order(SITES, [build_entry(*term.split()) for term in terms])


def build_entry(field: str, direction: str = "asc", nulls: str = "last") -> dict[str, Any]:
    return {"field": Field(field), "direction": Direction(direction), "nulls": Nulls(nulls)}


@pytest.mark.parametrize(
    ("terms", "sql"),
    [
        ((), 't."id"'),
        (("name",), 't."name", t."id"'),
        (("name desc",), 't."name" DESC, t."id" DESC'),
        (("name desc", "status"), 't."name" DESC, t."status", t."id"'),
        (("id desc", "name"), 't."id" DESC'),
        (("name desc first",), 't."name" DESC, t."id" DESC'),  # never null: an index serves it as it is
        (("deleted_at",), 't."deleted_at", t."id"'),
        (("deleted_at asc first",), 't."deleted_at" NULLS FIRST, t."id"'),
        (("deleted_at desc",), 't."deleted_at" DESC NULLS LAST, t."id" DESC'),
        (("deleted_at desc first",), 't."deleted_at" DESC, t."id" DESC'),
    ],
)
def test_order_terms_compile_to_their_sql(terms: tuple[str, ...], sql: str) -> None:
    assert build_order_by_sql(parse_terms(*terms), "t") == sql


def test_order_without_terms_is_the_tables_default() -> None:
    own = build_order(SCHEDULED_JOBS, None)
    assert build_order_by_sql(own, "j") == 'j."scheduled_at" DESC, j."id" DESC'
    assert build_order(SCHEDULED_JOBS, []) == own


@pytest.mark.parametrize(
    ("terms", "sql"),
    [
        (("name",), 't."name" DESC, t."id" DESC'),
        (("deleted_at",), 't."deleted_at" DESC, t."id" DESC'),  # nulls, which were last, come first
        (("deleted_at asc first",), 't."deleted_at" DESC NULLS LAST, t."id" DESC'),
        (("deleted_at desc",), 't."deleted_at" NULLS FIRST, t."id"'),
    ],
)
def test_order_reversed_compiles_to_the_opposite_sql(terms: tuple[str, ...], sql: str) -> None:
    assert build_order_by_sql(reverse_order(parse_terms(*terms)), "t") == sql
    assert reverse_order(reverse_order(parse_terms(*terms))) == parse_terms(*terms)


@pytest.mark.parametrize(
    ("terms", "key", "sql"),
    [
        (("name",), ("a", "1"), '(t."name", t."id") > ($1::text, $2::text)'),
        (("name desc",), ("a", "1"), '(t."name", t."id") < ($1::text, $2::text)'),
        (
            ("name desc", "status"),
            ("a", "b", "1"),
            '(t."name" <= $1::text AND ((t."name" < $1::text) OR (t."name" = $1::text AND t."status" > $2::text)'
            ' OR (t."name" = $1::text AND t."status" = $2::text AND t."id" > $3::text)))',
        ),
        (
            ("deleted_at",),
            (5, "1"),
            '(((t."deleted_at" > $1::bigint OR t."deleted_at" IS NULL))'
            ' OR (t."deleted_at" = $1::bigint AND t."id" > $2::text))',
        ),
        (
            ("deleted_at",),
            (None, "1"),
            '(t."deleted_at" IS NULL AND ((t."deleted_at" IS NULL AND t."id" > $1::text)))',
        ),
        (
            ("deleted_at asc first",),
            (None, "1"),
            '((t."deleted_at" IS NOT NULL) OR (t."deleted_at" IS NULL AND t."id" > $1::text))',
        ),
        (
            ("deleted_at asc first",),
            (5, "1"),
            '(t."deleted_at" >= $1::bigint AND ((t."deleted_at" > $1::bigint)'
            ' OR (t."deleted_at" = $1::bigint AND t."id" > $2::text)))',
        ),
    ],
)
def test_order_condition_behind_a_row_compiles_to_its_sql(
    terms: tuple[str, ...], key: tuple[Any, ...], sql: str
) -> None:
    parameters = Parameters()
    assert build_after_condition(parse_terms(*terms), key, "t", parameters) == sql
    assert parameters.values == [value for value in key if value is not None]


def test_order_with_repeated_or_too_many_terms_is_refused() -> None:
    with pytest.raises(BadUserInputError, match="twice"):
        parse_terms("name", "name desc")
    columns = [column.name for column in SITES.columns.values() if column.orderable]
    assert len(columns) > ORDER_TERMS_MAX
    assert parse_terms(*columns[:ORDER_TERMS_MAX])
    with pytest.raises(BadUserInputError, match=f"at most {ORDER_TERMS_MAX} terms"):
        parse_terms(*columns[: ORDER_TERMS_MAX + 1])
