"""Calls of the mutations with rules of their own: each with valid arguments, and its right."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from schema.mutation import MUTATIONS
from tests.mutation_harness import (
    MutationCall,
    MutationHarness,
)
from tests.sample_rows import build_row, insert_row

RIGHTS: Final[Mapping[str, str]] = {
    "moveAgent": "Agents.Write",
    "moveAgents": "Agents.Write",
    "linkSite": "Sites.Write",
    "unlinkSite": "Sites.Write",
    "createSiteFromCompany": "Sites.Write",
    "enableIntegration": "DataSources.Write",
    "saveDataSourceConfig": "DataSources.Write",
    "disableIntegration": "DataSources.Write",
    "mapDataSourceToSite": "Sites.Write",
    "unmapDataSourceFromSite": "Sites.Write",
    "setCurrentSite": "Sites.Read",
    "inviteUser": "Users.Write",
    "changeUserRole": "Users.Write",
    "deactivateUser": "Users.Write",
}
"""The arguments of each mutation."""


def make_call(name: str, /, **given: Any) -> MutationCall:
    return MutationCall(MUTATIONS[name], given)


def make_valid_call(mutation_harness: MutationHarness, name: str) -> MutationCall:
    """A valid call for my tenant."""
    ids = mutation_harness.mine.ids
    psa, second = ids["integrations"], ids["sites#2"]
    given: Mapping[str, Mapping[str, Any]] = {
        "moveAgent": {"id": ids["agents"], "siteId": second},
        "moveAgents": {"ids": [ids["agents"], ids["agents#2"]], "siteId": second},
        "linkSite": {"id": second, "integrationId": psa, "companyId": "c-1"},
        "unlinkSite": {"id": ids["sites"]},
        "createSiteFromCompany": {"integrationId": psa, "companyId": "c-7"},
        "enableIntegration": {"integrationId": psa},
        "saveDataSourceConfig": {"id": ids["data_sources"], "config": {}, "credentialExpirationAt": 7},
        "disableIntegration": {"integrationId": psa},
        "mapDataSourceToSite": {"dataSourceId": ids["data_sources"], "siteId": second},
        "unmapDataSourceFromSite": {"dataSourceId": ids["data_sources"], "siteId": ids["sites"]},
        "setCurrentSite": {"siteId": second},
        "inviteUser": {"email": "new@x.example", "name": "New", "roleId": ids["roles"]},
        "changeUserRole": {"id": ids["users"], "roleId": ids["roles#2"]},
        "deactivateUser": {"id": ids["users"]},
    }
    return make_call(name, **given[name])


async def write_company(mutation_harness: MutationHarness, external_id: str, **normalized: Any) -> None:
    """An entity of type companies."""
    values = {"entity_type": "companies", "external_id": external_id}
    values["normalized_data"] = orjson.dumps(normalized).decode()
    row = build_row("entities", "mine", mutation_harness.mine.ids) | values
    await insert_row(mutation_harness.connection, "entities", row)
