"""The documents of vendors have the fields that the product reads out of them."""

import json
from collections import defaultdict
from typing import Any, TypeAlias

import pytest

from services.demo.load import TABLES, make_demo

Documents: TypeAlias = dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]]
"""Raw and normal forms by integration and type."""
NORMALIZED = {
    "companies": {"name", "externalParentId"},
    "endpoints": {"hostname", "os", "ipAddresses", "macAddresses", "online", "lastSeenAt"},
    "identities": {"displayName", "email", "enabled", "type", "lastSignInAt"},
    "groups": {"name", "type"},
}
VOLATILE = {"autotask": "lastActivityDate", "microsoft-365": "signInActivity", "sophos-partner": "lastSeenAt"}


@pytest.fixture(scope="module")
def documents() -> Documents:
    entities = next(table for table in TABLES if table.name == "entities")
    place = {name: i for i, name in enumerate(entities.columns)}
    found = defaultdict(list)
    for row in entities.rows(make_demo(now=1_790_000_000_000)):
        pair = json.loads(row[place["raw_data"]]), json.loads(row[place["normalized_data"]])
        found[row[place["integration_id"]], row[place["entity_type"]]].append(pair)
    return found


def test_normal_forms_have_the_fields_of_their_type(documents: Documents):
    for (_, kind), pairs in documents.items():
        if kind in NORMALIZED:
            assert all(normalized.keys() == NORMALIZED[kind] for _, normalized in pairs)


def test_volatile_fields_are_there_to_be_left_out(documents: Documents):
    fields = {integration: set() for integration in VOLATILE}
    for (integration, _), pairs in documents.items():
        if integration in fields:
            fields[integration].update(*(raw.keys() for raw, _ in pairs))
    assert all(field in fields[integration] for integration, field in VOLATILE.items())


def test_an_endpoint_is_told_alike_by_raw_and_normal_form(documents: Documents):
    for raw, normalized in documents["sophos-partner", "endpoints"]:
        assert raw["hostname"] == normalized["hostname"]
        assert raw["os"]["isServer"] == ("Server" in normalized["os"])


def test_a_halopsa_branch_names_its_client_as_parent(documents: Documents):
    pairs = documents["halopsa", "companies"]
    assert any(normalized["externalParentId"] for _, normalized in pairs)
    for raw, normalized in pairs:
        assert str(raw["client_id"]) == (normalized["externalParentId"] or str(raw["id"]))
