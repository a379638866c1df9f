"""Cursors: what binds them, how they are taken apart, and which are refused."""

import base64
import json
from decimal import Decimal
from typing import Any, Final

import pytest

from core.clock import NEVER
from core.errors import BadUserInputError
from resolvers.cursors import Cursor, fingerprint, parse_cursor
from resolvers.orders import Order, Term, order_of
from schema.agents import AGENT_API_LOGS
from schema.billing import TENANT_BILLS
from schema.core import SITES
from schema.integrations import INTEGRATIONS
from schema.table import Table

ORDER: Final = order_of(SITES, None)
PRINT: Final = fingerprint("Query.sites", "t1", {}, ORDER)


def by(table: Table, column: str) -> Order:
    return Term(table.columns[column], descending=False), Term(table.columns["id"], descending=False)


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


@pytest.mark.parametrize(
    "same",
    [
        {"first": 1, "after": "x", "last": 2, "before": "y", "offset": 3, "orderBy": []},
        {"where": None, "search": None, "includeDeleted": None},
        {"where": {}, "search": "", "includeDeleted": False},
    ],
)
def test_the_page_and_what_says_nothing_do_not_count(same: dict[str, Any]) -> None:
    assert fingerprint("Query.sites", "t1", same, ORDER) == PRINT


def test_everything_else_counts() -> None:
    filters: list[dict[str, Any]] = [
        {"where": {"name": {"eq": "a"}}}, {"where": {"name": {"eq": "b"}}}, {"where": {"name": {"neq": "a"}}},
        {"where": {"name": {"eq": None}}}, {"where": {"slug": {"eq": "a"}}}, {"search": "a"}, {"search": "A"},
        {"includeDeleted": True}, {"relationshipType": "a"}, {"where": {"metadata": {"contains": {"a": 1}}}},
        {"where": {"metadata": {"contains": {"a": "1"}}}}, {"where": {"metadata": {"contains": {"a": True}}}},
    ]  # fmt: skip
    prints = [fingerprint("Query.sites", "t1", arguments, ORDER) for arguments in filters]
    prints += [fingerprint("Tenant.sites", "t1", {}, ORDER), fingerprint("Query.sites", "t2", {}, ORDER)]
    prints += [fingerprint("Query.sites", None, {}, ORDER)]
    orders = [
        by(SITES, "name"),
        tuple(term.reversed() for term in ORDER),
        (Term(SITES.columns["id"], False, True),),
    ]
    prints += [fingerprint("Query.sites", "t1", {}, order) for order in orders]
    assert len({PRINT, *prints}) == 1 + len(prints)


def test_a_filter_that_cannot_be_told_is_refused() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    for value in (deep, 10**5_000):
        with pytest.raises(BadUserInputError):
            fingerprint("Query.sites", "t1", {"where": {"metadata": {"contains": value}}}, ORDER)


def test_a_cursor_is_taken_apart() -> None:
    text = cursor(json.dumps([PRINT, None, "ü😀"]))
    assert parse_cursor(text, PRINT, ORDER) == Cursor(None, ("ü😀",))
    assert parse_cursor(text + "=" * (-len(text) % 4), PRINT, ORDER) == Cursor(None, ("ü😀",))
    assert parse_cursor(cursor(f'["{PRINT}", "p", "x"]'), PRINT, ORDER).parent == "p"


def test_numbers_are_kept_exactly() -> None:
    order = by(TENANT_BILLS, "total")
    exact = "12345678901234567890.12345678901234567890"
    key = parse_cursor(cursor(f'["f", null, {exact}, "x"]'), "f", order).key
    assert key == (Decimal(exact), "x")
    order = by(SITES, "created_at")
    assert parse_cursor(cursor(f'["f", null, {NEVER}, "x"]'), "f", order).key == (NEVER, "x")


FITTING: Final = [
    (SITES, "created_at", ["0", "-1", str(NEVER), str(-NEVER)], ["null", "true", "1.0", '"1"', str(NEVER + 1)]),
    (SITES, "deleted_at", ["null", "0"], ["false", "[]"]),
    (SITES, "psa_company_id", ["null", '""', '"😀"'], ["1", "{}", '"\\u0000"', '"\\ud800"']),
    (SITES, "name", ['"x"'], ["null"]),
    (INTEGRATIONS, "is_active", ["true", "null"], ["1", '"true"']),
    (AGENT_API_LOGS, "status_code", ["2147483647", "-2147483648"], ["2147483648", "-2147483649", "1e2"]),
    (
        TENANT_BILLS, "total", ["0", "-1.50", "1e131071", "1e-16383"],
        ["NaN", "Infinity", "-Infinity", "true", '"1"', "1e131072", "1e-16384", "1e99999999999999999999"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("table", "column", "good", "bad"), FITTING, ids=[case[1] for case in FITTING])
def test_a_value_must_fit_its_column(table: Table, column: str, good: list[str], bad: list[str]) -> None:
    order = by(table, column)
    for value in good:
        parse_cursor(cursor(f'["f", null, {value}, "x"]'), "f", order)
    for value in bad:
        with pytest.raises(BadUserInputError):
            parse_cursor(cursor(f'["f", null, {value}, "x"]'), "f", order)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a", "====", "é", "\x00", "\ud800", "*", cursor(""), cursor("null"), cursor("{}"), cursor('"x"'),
        cursor("["), cursor("[]"), cursor("\ud800"), cursor("[" * 100_000), cursor("9" * 5_000),
        cursor(f'["{PRINT}"]'),
        cursor(f'["{PRINT}", null]'), cursor(f'["{PRINT}", null, "x", "y"]'), cursor(f'["{PRINT}", 1, "x"]'),
        cursor(f'["{PRINT}", [], "x"]'), cursor('["other", null, "x"]'), cursor('[[], null, "x"]'),
        cursor(f'["{PRINT}", null, "x"]')[:-2],
    ],
)  # fmt: skip
def test_what_is_no_cursor_of_this_list_is_refused(text: str) -> None:
    with pytest.raises(BadUserInputError):
        parse_cursor(text, PRINT, ORDER)
