"""The views' columns for rows that a test writes: cases that the demo's data do not have."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.auth.rights import GLOBAL_ADMIN
from core.auth.viewer import ViewerKind
from tests.graphql_harness import GraphqlHarness, Principal, open_graphql_harness
from tests.sample_rows import insert_row, insert_tenant_rows


@dataclass(frozen=True)
class ViewHarness:
    """A tenant with only the rows that a test writes, and a neighbor."""

    graphql: GraphqlHarness
    connection: asyncpg.Connection
    ids: Mapping[str, str]
    theirs: Mapping[str, str]

    async def fetch_data(self, query: str, who: Principal | None = None) -> Any:
        """The data of a response without errors, which is equal for both strategies."""
        one, other = await self.graphql.execute_with_both_strategies(
            who or Principal("me", ViewerKind.USER, self.ids["users"]), query, {}
        )
        assert not one.errors, one.errors
        assert one.data == other.data
        return one.data

    async def write_site(self, name: str, **values: Any) -> str:
        """Write a site of mine."""
        row = {"id": name, "tenant_id": self.ids["tenants"], "name": f"Site {name}", "slug": name, **values}
        return await insert_row(self.connection, "sites", row)

    async def write_data_source(self, name: str, integration: str = "sophos-partner", **values: Any) -> str:
        """Write a data source of mine."""
        row = {"id": name, "tenant_id": self.ids["tenants"], "integration_id": integration, **values}
        return await insert_row(self.connection, "data_sources", row)

    async def fetch_parents(self) -> dict[str, str | None]:
        """Each site's parent."""
        found = await self.fetch_data("{ sitesView { nodes { id parentId parentName parentSlug } } }")
        for row in found["sitesView"]["nodes"]:
            parent = row["parentId"]
            assert (row["parentName"], row["parentSlug"]) == (parent and f"Site {parent}", parent)
        return {row["id"]: row["parentId"] for row in found["sitesView"]["nodes"]}


@pytest_asyncio.fixture(loop_scope="session")
async def view_harness(database_url: str) -> AsyncIterator[ViewHarness]:
    connection = await asyncpg.connect(database_url)
    ids, theirs = [await insert_tenant_rows(connection, name) for name in ("mine", "theirs")]
    everything = orjson.dumps({GLOBAL_ADMIN: True}).decode()
    await connection.execute("UPDATE roles SET rights = $1", everything)
    await connection.execute("UPDATE users SET status = 'active'")
    for table in ("data_source_to_site", "data_sources", "agents", "sites"):
        await connection.execute(f"UPDATE {table} SET deleted_at = 1 WHERE tenant_id = $1", ids["tenants"])
    for slug in ("halopsa", "autotask", "sophos-partner"):
        await insert_row(
            connection, "integrations", {"id": slug, "name": slug.title(), "description": "", "category": "x"}
        )
    async with open_graphql_harness(database_url) as made:
        yield ViewHarness(made, connection, ids, theirs)
    await connection.close()


def make_psa_link(company: str, parent: str | None = None, psa: str = "halopsa") -> dict[str, Any]:
    return {"psa_integration_id": psa, "psa_company_id": company, "psa_parent_company_id": parent}


class TestParents:
    async def test_parent_of_halopsa_site_is_the_site_of_its_client(self, view_harness: ViewHarness) -> None:
        await view_harness.write_site("client", **make_psa_link("7"))
        await view_harness.write_site("branch", **make_psa_link("21", "7"))
        assert await view_harness.fetch_parents() == {"branch": "client", "client": None}

    async def test_parent_of_halopsa_site_is_no_site_with_the_clients_number(
        self, view_harness: ViewHarness
    ) -> None:
        """7 is a client's number to one and a site's number to the other, so that they are not related."""
        await view_harness.write_site("of-client-7", **make_psa_link("21", "7"))
        await view_harness.write_site("number-7", **make_psa_link("7", "3"))
        assert await view_harness.fetch_parents() == {"number-7": None, "of-client-7": None}

    async def test_parent_in_autotask_may_have_a_parent(self, view_harness: ViewHarness) -> None:
        await view_harness.write_site("holding", **make_psa_link("1", None, "autotask"))
        await view_harness.write_site("company", **make_psa_link("2", "1", "autotask"))
        await view_harness.write_site("branch", **make_psa_link("3", "2", "autotask"))
        assert await view_harness.fetch_parents() == {
            "branch": "company",
            "company": "holding",
            "holding": None,
        }

    async def test_parent_of_self_linked_site_is_none(self, view_harness: ViewHarness) -> None:
        await view_harness.write_site("alone", **make_psa_link("1", "1", "autotask"))
        assert await view_harness.fetch_parents() == {"alone": None}

    async def test_parent_deleted_or_in_other_psa_or_tenant_is_none(self, view_harness: ViewHarness) -> None:
        await view_harness.write_site("deleted", **make_psa_link("1"), deleted_at=1)
        await view_harness.write_site("elsewhere", **make_psa_link("1", None, "autotask"))
        await insert_row(
            view_harness.connection,
            "sites",
            {"tenant_id": view_harness.theirs["tenants"], "name": "x", "slug": "x"} | make_psa_link("1"),
        )
        await view_harness.write_site("branch", **make_psa_link("3", "1"))
        assert await view_harness.fetch_parents() == {"branch": None, "elsewhere": None}

    async def test_parent_among_several_is_the_first(self, view_harness: ViewHarness) -> None:
        for name in ("b", "a", "c"):
            await view_harness.write_site(name, **make_psa_link("1"))
        await view_harness.write_site("branch", **make_psa_link("3", "1"))
        assert (await view_harness.fetch_parents())["branch"] == "a"


class TestIntegrations:
    QUERY = """{
      integrationsView(where: {id: {eq: "sophos-partner"}}) { nodes { dataSourcesCount isEnabled dataSourceStatus } }
    }"""

    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            ((), (0, False, None)),
            (("inactive",), (1, True, "INACTIVE")),
            (("inactive", "active"), (2, True, "ACTIVE")),
            (("active", "error", "inactive"), (3, True, "ERROR")),
        ],
    )
    async def test_integration_status_is_the_worst_of_its_data_sources(
        self, view_harness: ViewHarness, statuses: tuple[str, ...], expected: tuple[int, bool, str | None]
    ) -> None:
        for number, status in enumerate(statuses):
            await view_harness.write_data_source(f"s{number}", status=status)
        await view_harness.write_data_source("gone", status="error", deleted_at=1)
        await insert_row(
            view_harness.connection,
            "data_sources",
            {"tenant_id": view_harness.theirs["tenants"], "integration_id": "sophos-partner"},
        )
        row = (await view_harness.fetch_data(self.QUERY))["integrationsView"]["nodes"][0]
        assert tuple(row.values()) == expected

    async def test_integration_status_for_platform_without_tenant_is_bad_input(
        self, view_harness: ViewHarness
    ) -> None:
        await view_harness.write_data_source("mine")
        named = Principal("platform", ViewerKind.PLATFORM, tenant_id=view_harness.ids["tenants"])
        assert (await view_harness.fetch_data(self.QUERY, named))["integrationsView"]["nodes"][0][
            "dataSourcesCount"
        ] == 1
        answer = await view_harness.graphql.execute_as_platform(None, self.QUERY)
        assert answer.data["integrationsView"]["nodes"] == [
            {"dataSourcesCount": None, "isEnabled": None, "dataSourceStatus": None}
        ]
        assert answer.codes == ["BAD_USER_INPUT"] * 3
        for given in ("where: {isEnabled: {eq: true}}", "orderBy: {field: DATA_SOURCES_COUNT}"):
            refused = await view_harness.graphql.execute_as_platform(
                None, f"{{ integrations({given}) {{ totalCount nodes {{ id }} }} }}"
            )
            assert (refused.data, refused.codes) == ({"integrations": None}, ["BAD_USER_INPUT"])


async def test_site_integrations_view_lists_each_integration_once(view_harness: ViewHarness) -> None:
    tenant = {"tenant_id": view_harness.ids["tenants"]}
    await view_harness.write_site("site")
    await view_harness.write_data_source("own", site_id="site")
    for name, integration in (("shared", "sophos-partner"), ("psa", "halopsa"), ("gone", "autotask")):
        await view_harness.write_data_source(name, integration)
        await insert_row(
            view_harness.connection,
            "data_source_to_site",
            {**tenant, "data_source_id": name, "site_id": "site"},
        )
    await view_harness.connection.execute("UPDATE data_sources SET deleted_at = 1 WHERE id = 'gone'")
    await view_harness.write_data_source("not mapped", "autotask")
    row = (
        await view_harness.fetch_data(
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


async def test_enabled_integrations_view_for_platform_separates_tenants(view_harness: ViewHarness) -> None:
    await view_harness.write_data_source("psa", "halopsa")
    query = "{ enabledIntegrationsView { nodes { tenantName enabledIntegrationIds } } }"
    for tenant in (None, view_harness.ids["tenants"]):
        found = await view_harness.fetch_data(
            query, Principal("platform", ViewerKind.PLATFORM, tenant_id=tenant)
        )
        rows = {
            row["tenantName"]: row["enabledIntegrationIds"]
            for row in found["enabledIntegrationsView"]["nodes"]
        }
        assert rows == {"mine": ["halopsa"], "theirs": ["psa-theirs"]}


async def test_sophos_sites_view_shows_the_newest_data_source(view_harness: ViewHarness) -> None:
    await view_harness.write_site("site")
    await view_harness.write_site("other")
    for age, name in enumerate(("newest", "older", "deleted")):
        await view_harness.write_data_source(
            name, site_id="site", external_id=name, created_at=9 - age,
            metadata=orjson.dumps({"name": name.title(), "apiHost": f"https://{name}"}).decode(),
            deleted_at=1 if name == "deleted" else None,
        )  # fmt: skip
    found = await view_harness.fetch_data(
        "{ sophosPartnerSitesView { nodes { "
        "id isLinked linkedTenantId linkedTenantName linkedTenantApiHost dataSourceStatus mappedAt } } }"
    )
    rows = [tuple(row.values()) for row in found["sophosPartnerSitesView"]["nodes"]]
    assert rows == [
        ("other", False, None, None, None, None, None),
        ("site", True, "newest", "Newest", "https://newest", "ACTIVE", 9),
    ]


async def test_psa_companies_view_shows_linked_sites(view_harness: ViewHarness) -> None:
    source = await view_harness.write_data_source("psa", "halopsa")
    common = {
        "tenant_id": view_harness.ids["tenants"],
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
        await insert_row(view_harness.connection, "entities", row)
    await view_harness.write_site("linked", **make_psa_link("1"), status="archived")
    await view_harness.write_site("ticket", **make_psa_link("2"))
    found = await view_harness.fetch_data(
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


async def test_users_view_of_deleted_role_shows_no_name(view_harness: ViewHarness) -> None:
    me = Principal("me", ViewerKind.USER, view_harness.ids["users"])
    other = {"tenant_id": view_harness.ids["tenants"], "name": "Other", "description": "", "deleted_at": 1}
    role = await insert_row(view_harness.connection, "roles", other)
    user = {
        "id": "of deleted role",
        "tenant_id": view_harness.ids["tenants"],
        "role_id": role,
        "email": "x",
        "name": "x",
    }
    await insert_row(view_harness.connection, "users", user)
    found = await view_harness.fetch_data(
        "{ usersView(orderBy: {field: ROLE_NAME}) { nodes { name roleName roleRights } } }", me
    )
    assert found["usersView"]["nodes"] == [
        {"name": "Ann", "roleName": "Technician", "roleRights": {"Global.Admin": True}},
        {"name": "x", "roleName": None, "roleRights": None},
    ]
