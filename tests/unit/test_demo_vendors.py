"""The documents of vendors have the fields that the product reads out of them."""

import json
from collections import defaultdict
from typing import Any, TypeAlias

import pytest

from demo.load import TABLES, make_demo

VendorDocuments: TypeAlias = dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]]
"""Raw and normal forms by integration and type."""
NORMALIZED = {
    "companies": {"name", "externalParentId"},
    "endpoints": {"hostname", "os", "ipAddresses", "macAddresses", "online", "lastSeenAt"},
    "identities": {"displayName", "email", "enabled", "type", "lastSignInAt"},
    "groups": {"name", "type"},
}
VOLATILE = {"autotask": "lastActivityDate", "microsoft-365": "signInActivity", "sophos-partner": "lastSeenAt"}


@pytest.fixture(scope="module")
def vendor_documents() -> VendorDocuments:
    entities = next(table for table in TABLES if table.name == "entities")
    position = {name: i for i, name in enumerate(entities.columns)}
    found: VendorDocuments = defaultdict(list)
    for row in entities.rows(make_demo(now=1_790_000_000_000)):
        of = {name: str(row[i]) for name, i in position.items()}
        pair = json.loads(of["raw_data"]), json.loads(of["normalized_data"])
        found[of["integration_id"], of["entity_type"]].append(pair)
    return found


def test_vendor_documents_normalized_have_the_fields_of_their_type(vendor_documents: VendorDocuments) -> None:
    for (_, kind), pairs in vendor_documents.items():
        if kind in NORMALIZED:
            assert all(normalized.keys() == NORMALIZED[kind] for _, normalized in pairs)


def test_vendor_documents_contain_their_volatile_fields(vendor_documents: VendorDocuments) -> None:
    fields: dict[str, set[str]] = {integration: set() for integration in VOLATILE}
    for (integration, _), pairs in vendor_documents.items():
        if integration in fields:
            fields[integration].update(*(raw.keys() for raw, _ in pairs))
    assert all(field in fields[integration] for integration, field in VOLATILE.items())


def test_vendor_endpoint_raw_and_normalized_forms_agree(vendor_documents: VendorDocuments) -> None:
    for raw, normalized in vendor_documents["sophos-partner", "endpoints"]:
        assert raw["hostname"] == normalized["hostname"]
        assert raw["os"]["isServer"] == ("Server" in normalized["os"])


def test_vendor_halopsa_branch_names_its_client_as_parent(vendor_documents: VendorDocuments) -> None:
    pairs = vendor_documents["halopsa", "companies"]
    assert any(normalized["externalParentId"] for _, normalized in pairs)
    for raw, normalized in pairs:
        assert str(raw["client_id"]) == (normalized["externalParentId"] or str(raw["id"]))
