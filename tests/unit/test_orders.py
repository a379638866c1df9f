"""Orders: their terms, their SQL, and what stands behind a row."""

from enum import Enum
from typing import Any

import pytest

from core.errors import BadUserInputError
from core.limits import ORDER_TERMS_MAX
from resolvers.orders import Order, behind, order_by_sql, order_of, reversed_order
from resolvers.parameters import Parameters
from schema.core import SITES
from schema.enums import Direction, Nulls
from schema.jobs import SCHEDULED_JOBS

Field = Enum("Field", {name.upper(): name for name in SITES.columns})  # type: ignore[misc]  # as the schema makes it


def order(*terms: str) -> Order:
    return order_of(SITES, [entry(*term.split()) for term in terms])


def entry(field: str, direction: str = "asc", nulls: str = "last") -> dict[str, Any]:
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
def test_an_order_as_sql(terms: tuple[str, ...], sql: str) -> None:
    assert order_by_sql(order(*terms), "t") == sql


def test_without_terms_the_table_has_its_own() -> None:
    own = order_of(SCHEDULED_JOBS, None)
    assert order_by_sql(own, "j") == 'j."scheduled_at" DESC, j."id" DESC'
    assert order_of(SCHEDULED_JOBS, []) == own


@pytest.mark.parametrize(
    ("terms", "sql"),
    [
        (("name",), 't."name" DESC, t."id" DESC'),
        (("deleted_at",), 't."deleted_at" DESC, t."id" DESC'),  # nulls, which were last, come first
        (("deleted_at asc first",), 't."deleted_at" DESC NULLS LAST, t."id" DESC'),
        (("deleted_at desc",), 't."deleted_at" NULLS FIRST, t."id"'),
    ],
)
def test_an_order_from_the_back(terms: tuple[str, ...], sql: str) -> None:
    assert order_by_sql(reversed_order(order(*terms)), "t") == sql
    assert reversed_order(reversed_order(order(*terms))) == order(*terms)


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
def test_what_stands_behind_a_row(terms: tuple[str, ...], key: tuple[Any, ...], sql: str) -> None:
    parameters = Parameters()
    assert behind(order(*terms), key, "t", parameters) == sql
    assert parameters.values == [value for value in key if value is not None]


def test_orders_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadUserInputError, match="twice"):
        order("name", "name desc")
    columns = [column.name for column in SITES.columns.values() if column.orderable]
    assert len(columns) > ORDER_TERMS_MAX
    assert order(*columns[:ORDER_TERMS_MAX])
    with pytest.raises(BadUserInputError, match=f"at most {ORDER_TERMS_MAX} terms"):
        order(*columns[: ORDER_TERMS_MAX + 1])
