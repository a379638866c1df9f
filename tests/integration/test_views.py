"""What the views' columns say of rows that were written for it: the cases that the demo's data do not have."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.rights import GLOBAL_ADMIN
from core.viewer import ViewerKind
from tests.graph import Graph, Who, graph
from tests.rows import write, write_tenant


@dataclass(frozen=True)
class House:
    """A tenant with nothing but what a test writes, and a neighbour."""

    graph: Graph
    connection: asyncpg.Connection
    ids: Mapping[str, str]
    theirs: Mapping[str, str]

    async def ask(self, query: str, who: Who | None = None) -> Any:
        """The data of an answer without errors, which both ways of asking agree on."""
        one, other = await self.graph.both_ways(
            who or Who("me", ViewerKind.USER, self.ids["users"]), query, {}
        )
        assert not one.errors, one.errors
        assert one.data == other.data
        return one.data

    async def site(self, name: str, **values: Any) -> str:
        """Write a site of mine."""
        row = {"id": name, "tenant_id": self.ids["tenants"], "name": f"Site {name}", "slug": name, **values}
        return await write(self.connection, "sites", row)

    async def source(self, name: str, integration: str = "sophos-partner", **values: Any) -> str:
        """Write a data source of mine."""
        row = {"id": name, "tenant_id": self.ids["tenants"], "integration_id": integration, **values}
        return await write(self.connection, "data_sources", row)

    async def parents(self) -> dict[str, str | None]:
        """Each site's parent."""
        found = await self.ask("{ sitesView { nodes { id parentId parentName parentSlug } } }")
        for row in found["sitesView"]["nodes"]:
            parent = row["parentId"]
            assert (row["parentName"], row["parentSlug"]) == (parent and f"Site {parent}", parent)
        return {row["id"]: row["parentId"] for row in found["sitesView"]["nodes"]}


@pytest_asyncio.fixture(loop_scope="session")
async def house(database_url: str) -> AsyncIterator[House]:
    connection = await asyncpg.connect(database_url)
    ids, theirs = [await write_tenant(connection, name) for name in ("mine", "theirs")]
    everything = orjson.dumps({GLOBAL_ADMIN: True}).decode()
    await connection.execute("UPDATE roles SET rights = $1", everything)
    await connection.execute("UPDATE users SET status = 'active'")
    for table in ("data_source_to_site", "data_sources", "agents", "sites"):
        await connection.execute(f"UPDATE {table} SET deleted_at = 1 WHERE tenant_id = $1", ids["tenants"])  # noqa: S608 - our own names
    for slug in ("halopsa", "autotask", "sophos-partner"):
        await write(
            connection, "integrations", {"id": slug, "name": slug.title(), "description": "", "category": "x"}
        )
    async with graph(database_url) as made:
        yield House(made, connection, ids, theirs)
    await connection.close()


def linked(company: str, parent: str | None = None, psa: str = "halopsa") -> dict[str, Any]:
    return {"psa_integration_id": psa, "psa_company_id": company, "psa_parent_company_id": parent}


class TestParents:
    async def test_a_site_linked_to_a_client_of_halopsa_is_the_parent_of_its_sites(
        self, house: House
    ) -> None:
        await house.site("client", **linked("7"))
        await house.site("branch", **linked("21", "7"))
        assert await house.parents() == {"branch": "client", "client": None}

    async def test_a_site_of_halopsa_with_a_clients_number_is_nobodys_parent(self, house: House) -> None:
        """7 is a client's number to one and a site's to the other: they have nothing to do with each other."""
        await house.site("of-client-7", **linked("21", "7"))
        await house.site("number-7", **linked("7", "3"))
        assert await house.parents() == {"number-7": None, "of-client-7": None}

    async def test_elsewhere_parents_have_parents(self, house: House) -> None:
        await house.site("holding", **linked("1", None, "autotask"))
        await house.site("company", **linked("2", "1", "autotask"))
        await house.site("branch", **linked("3", "2", "autotask"))
        assert await house.parents() == {"branch": "company", "company": "holding", "holding": None}

    async def test_nobody_is_their_own_parent(self, house: House) -> None:
        await house.site("alone", **linked("1", "1", "autotask"))
        assert await house.parents() == {"alone": None}

    async def test_only_a_site_that_is_there_in_the_same_psa_and_tenant_is_a_parent(
        self, house: House
    ) -> None:
        await house.site("deleted", **linked("1"), deleted_at=1)
        await house.site("elsewhere", **linked("1", None, "autotask"))
        await write(
            house.connection,
            "sites",
            {"tenant_id": house.theirs["tenants"], "name": "x", "slug": "x"} | linked("1"),
        )
        await house.site("branch", **linked("3", "1"))
        assert await house.parents() == {"branch": None, "elsewhere": None}

    async def test_of_several_it_is_the_first(self, house: House) -> None:
        for name in ("b", "a", "c"):
            await house.site(name, **linked("1"))
        await house.site("branch", **linked("3", "1"))
        assert (await house.parents())["branch"] == "a"


class TestIntegrations:
    QUERY = """{
      integrationsView(where: {id: {eq: "sophos-partner"}}) { nodes { dataSourcesCount isEnabled dataSourceStatus } }
    }"""

    @pytest.mark.parametrize(
        ("statuses", "told"),
        [
            ((), (0, False, None)),
            (("inactive",), (1, True, "INACTIVE")),
            (("inactive", "active"), (2, True, "ACTIVE")),
            (("active", "error", "inactive"), (3, True, "ERROR")),
        ],
    )
    async def test_the_worst_of_a_tenants_data_sources_tells(
        self, house: House, statuses: tuple[str, ...], told: tuple[int, bool, str | None]
    ) -> None:
        for number, status in enumerate(statuses):
            await house.source(f"s{number}", status=status)
        await house.source("gone", status="error", deleted_at=1)
        await write(
            house.connection,
            "data_sources",
            {"tenant_id": house.theirs["tenants"], "integration_id": "sophos-partner"},
        )
        row = (await house.ask(self.QUERY))["integrationsView"]["nodes"][0]
        assert tuple(row.values()) == told

    async def test_a_platform_must_name_the_tenant(self, house: House) -> None:
        await house.source("mine")
        named = Who("platform", ViewerKind.PLATFORM, tenant_id=house.ids["tenants"])
        assert (await house.ask(self.QUERY, named))["integrationsView"]["nodes"][0]["dataSourcesCount"] == 1
        answer = await house.graph.as_platform(None, self.QUERY)
        assert answer.data["integrationsView"]["nodes"] == [
            {"dataSourcesCount": None, "isEnabled": None, "dataSourceStatus": None}
        ]
        assert answer.codes == ["BAD_USER_INPUT"] * 3
        for given in ("where: {isEnabled: {eq: true}}", "orderBy: {field: DATA_SOURCES_COUNT}"):
            refused = await house.graph.as_platform(
                None, f"{{ integrations({given}) {{ totalCount nodes {{ id }} }} }}"
            )
            assert (refused.data, refused.codes) == (None, ["BAD_USER_INPUT"])


async def test_each_integration_is_told_once_however_it_serves_a_site(house: House) -> None:
    tenant = {"tenant_id": house.ids["tenants"]}
    await house.site("site")
    await house.source("own", site_id="site")
    for name, integration in (("shared", "sophos-partner"), ("psa", "halopsa"), ("gone", "autotask")):
        await house.source(name, integration)
        await write(
            house.connection, "data_source_to_site", {**tenant, "data_source_id": name, "site_id": "site"}
        )
    await house.connection.execute("UPDATE data_sources SET deleted_at = 1 WHERE id = 'gone'")
    await house.source("not mapped", "autotask")
    row = (
        await house.ask(
            "{ siteIntegrationsView { nodes { siteName siteSlug tenantName "
            "mappedIntegrationIds mappedIntegrations mappedIntegrationCount } } }"
        )
    )["siteIntegrationsView"]["nodes"]
    assert row == [
        {
            "siteName": "Site site",
            "siteSlug": "site",
            "tenantName": "mine",
            "mappedIntegrationIds": ["halopsa", "sophos-partner"],
            "mappedIntegrations": ["Halopsa", "Sophos-Partner"],
            "mappedIntegrationCount": 2,
        }
    ]


async def test_a_platform_sees_each_tenants_own_integrations(house: House) -> None:
    await house.source("psa", "halopsa")
    query = "{ enabledIntegrationsView { nodes { tenantName enabledIntegrationIds } } }"
    for tenant in (None, house.ids["tenants"]):
        found = await house.ask(query, Who("platform", ViewerKind.PLATFORM, tenant_id=tenant))
        rows = {
            row["tenantName"]: row["enabledIntegrationIds"]
            for row in found["enabledIntegrationsView"]["nodes"]
        }
        assert rows == {"mine": ["halopsa"], "theirs": ["psa-theirs"]}


async def test_a_site_has_the_newest_of_its_sophos_data_sources(house: House) -> None:
    await house.site("site")
    await house.site("other")
    for age, name in enumerate(("newest", "older", "deleted")):
        await house.source(
            name, site_id="site", external_id=name, created_at=9 - age,
            metadata=orjson.dumps({"name": name.title(), "apiHost": f"https://{name}"}).decode(),
            deleted_at=1 if name == "deleted" else None,
        )  # fmt: skip
    found = await house.ask(
        "{ sophosPartnerSitesView { nodes { "
        "id isLinked linkedTenantId linkedTenantName linkedTenantApiHost dataSourceStatus mappedAt } } }"
    )
    rows = [tuple(row.values()) for row in found["sophosPartnerSitesView"]["nodes"]]
    assert rows == [
        ("other", False, None, None, None, None, None),
        ("site", True, "newest", "Newest", "https://newest", "ACTIVE", 9),
    ]


async def test_companies_are_told_with_their_sites(house: House) -> None:
    source = await house.source("psa", "halopsa")
    common = {
        "tenant_id": house.ids["tenants"],
        "integration_id": "halopsa",
        "data_source_id": source,
        "data_hash": "",
    }
    for number, kind in enumerate(("companies", "companies", "tickets")):
        data = orjson.dumps({"name": f"Number {number}", "externalParentId": 7}).decode()
        row = {
            **common,
            "id": f"e{number}",
            "entity_type": kind,
            "external_id": str(number),
            "normalized_data": data,
        }
        await write(house.connection, "entities", row)
    await house.site("linked", **linked("1"), status="archived")
    await house.site("ticket", **linked("2"))
    found = await house.ask(
        """{
          psaCompaniesView(search: "number") {
            nodes { name externalParentId isLinked linkedSiteId linkedSiteName linkedSiteSlug linkedSiteStatus }
          }
          entity(id: "e2") { name isLinked linkedSiteId }
        }"""
    )
    assert [tuple(row.values()) for row in found["psaCompaniesView"]["nodes"]] == [
        ("Number 0", "7", False, None, None, None, None),
        ("Number 1", "7", True, "linked", "Site linked", "linked", "ARCHIVED"),
    ]
    assert found["entity"] == {"name": "Number 2", "isLinked": False, "linkedSiteId": None}


async def test_a_deleted_role_gives_no_name(house: House) -> None:
    me = Who("me", ViewerKind.USER, house.ids["users"])
    other = {"tenant_id": house.ids["tenants"], "name": "Other", "description": "", "deleted_at": 1}
    role = await write(house.connection, "roles", other)
    user = {
        "id": "of deleted role",
        "tenant_id": house.ids["tenants"],
        "role_id": role,
        "email": "x",
        "name": "x",
    }
    await write(house.connection, "users", user)
    found = await house.ask(
        "{ usersView(orderBy: {field: ROLE_NAME}) { nodes { name roleName roleRights } } }", me
    )
    assert found["usersView"]["nodes"] == [
        {"name": "Ann", "roleName": "Technician", "roleRights": {"Global.Admin": True}},
        {"name": "x", "roleName": None, "roleRights": None},
    ]
