"""Cursors: what binds them, how they are taken apart, and which are refused."""

import base64
import json
from decimal import Decimal
from typing import Any, Final

import pytest

from core.clock import NEVER
from core.errors import BadUserInputError
from resolvers.sql.cursors import Cursor, list_fingerprint, parse_cursor
from resolvers.sql.ordering import Order, OrderTerm, build_order
from schema.agents import AGENT_API_LOGS
from schema.billing import TENANT_BILLS
from schema.core import SITES
from schema.integrations import INTEGRATIONS
from schema.table import Table

ORDER: Final = build_order(SITES, None)
PRINT: Final = list_fingerprint("Query.sites", "t1", {}, ORDER)


def order_by(table: Table, column: str) -> Order:
    return OrderTerm(table.columns[column], descending=False), OrderTerm(
        table.columns["id"], descending=False
    )


def encode_cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("utf-8", "surrogatepass")).decode().rstrip("=")


@pytest.mark.parametrize(
    "same",
    [
        {"first": 1, "after": "x", "last": 2, "before": "y", "offset": 3, "orderBy": []},
        {"where": None, "search": None, "includeDeleted": None},
        {"where": {}, "search": "", "includeDeleted": False},
    ],
)
def test_fingerprint_of_page_and_empty_arguments_is_unchanged(same: dict[str, Any]) -> None:
    assert list_fingerprint("Query.sites", "t1", same, ORDER) == PRINT


def test_fingerprint_of_other_arguments_differs() -> None:
    filters: list[dict[str, Any]] = [
        {"where": {"name": {"eq": "a"}}}, {"where": {"name": {"eq": "b"}}}, {"where": {"name": {"neq": "a"}}},
        {"where": {"name": {"eq": None}}}, {"where": {"slug": {"eq": "a"}}}, {"search": "a"}, {"search": "A"},
        {"includeDeleted": True}, {"relationshipType": "a"}, {"where": {"metadata": {"contains": {"a": 1}}}},
        {"where": {"metadata": {"contains": {"a": "1"}}}}, {"where": {"metadata": {"contains": {"a": True}}}},
    ]  # fmt: skip
    prints = [list_fingerprint("Query.sites", "t1", arguments, ORDER) for arguments in filters]
    prints += [
        list_fingerprint("Tenant.sites", "t1", {}, ORDER),
        list_fingerprint("Query.sites", "t2", {}, ORDER),
    ]
    prints += [list_fingerprint("Query.sites", None, {}, ORDER)]
    orders = [
        order_by(SITES, "name"),
        tuple(term.reverse() for term in ORDER),
        (OrderTerm(SITES.columns["id"], False, True),),
    ]
    prints += [list_fingerprint("Query.sites", "t1", {}, order) for order in orders]
    assert len({PRINT, *prints}) == 1 + len(prints)


def test_fingerprint_of_unserializable_filter_is_refused() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    for value in (deep, 10**5_000):
        with pytest.raises(BadUserInputError):
            list_fingerprint("Query.sites", "t1", {"where": {"metadata": {"contains": value}}}, ORDER)


def test_parse_cursor_gives_parent_and_key() -> None:
    text = encode_cursor(json.dumps([PRINT, None, "ü😀"]))
    assert parse_cursor(text, PRINT, ORDER) == Cursor(None, ("ü😀",))
    assert parse_cursor(text + "=" * (-len(text) % 4), PRINT, ORDER) == Cursor(None, ("ü😀",))
    assert parse_cursor(encode_cursor(f'["{PRINT}", "p", "x"]'), PRINT, ORDER).parent == "p"


def test_parse_cursor_keeps_numbers_exactly() -> None:
    order = order_by(TENANT_BILLS, "total")
    exact = "12345678901234567890.12345678901234567890"
    key = parse_cursor(encode_cursor(f'["f", null, {exact}, "x"]'), "f", order).key
    assert key == (Decimal(exact), "x")
    order = order_by(SITES, "created_at")
    assert parse_cursor(encode_cursor(f'["f", null, {NEVER}, "x"]'), "f", order).key == (NEVER, "x")


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
def test_parse_cursor_value_that_does_not_fit_its_column_is_refused(
    table: Table, column: str, good: list[str], bad: list[str]
) -> None:
    order = order_by(table, column)
    for value in good:
        parse_cursor(encode_cursor(f'["f", null, {value}, "x"]'), "f", order)
    for value in bad:
        with pytest.raises(BadUserInputError):
            parse_cursor(encode_cursor(f'["f", null, {value}, "x"]'), "f", order)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a", "====", "é", "\x00", "\ud800", "*", encode_cursor(""), encode_cursor("null"), encode_cursor("{}"), encode_cursor('"x"'),  # noqa: E501
        encode_cursor("["), encode_cursor("[]"), encode_cursor("\ud800"), encode_cursor("[" * 100_000), encode_cursor("9" * 5_000),  # noqa: E501
        encode_cursor(f'["{PRINT}"]'),
        encode_cursor(f'["{PRINT}", null]'), encode_cursor(f'["{PRINT}", null, "x", "y"]'), encode_cursor(f'["{PRINT}", 1, "x"]'),  # noqa: E501
        encode_cursor(f'["{PRINT}", [], "x"]'), encode_cursor('["other", null, "x"]'), encode_cursor('[[], null, "x"]'),  # noqa: E501
        encode_cursor(f'["{PRINT}", null, "x"]')[:-2],
    ],
)  # fmt: skip
def test_parse_cursor_malformed_or_of_another_list_is_refused(text: str) -> None:
    with pytest.raises(BadUserInputError):
        parse_cursor(text, PRINT, ORDER)
