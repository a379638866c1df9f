"""The documents of docs/queries.md and of the migration guides, sent unchanged to a running server."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from schema.filters import OPERATORS
from schema.views import VIEWS
from tests.e2e.servers import Server, start_server, temporary_data_dir
from tests.websocket_client import WebSocketClient, connect_websocket

pytestmark = pytest.mark.newest

DOCS: Final = Path(__file__).parents[2] / "docs"
_EXAMPLE: Final = re.compile(r"^```graphql\n(.*?)^```$(?:\n```json\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
_BLOCK: Final = re.compile(r"^```(\w+)$", re.MULTILINE)
_VIEWS: Final = ("sitesView", "usersView", "integrationsView", *(view.many for view in VIEWS))

_KNOWN: Final = """{
  sites(orderBy: [{ field: NAME }], first: 1, where: { isLinked: { eq: true } }) { nodes { id slug } }
  byId: sites(first: 5) { pageInfo { endCursor } }
  byName: sites(first: 5, orderBy: [{ field: NAME }]) { pageInfo { endCursor } }
  dataSources(where: { integrationId: { eq: "halopsa" } }) { nodes { id } }
}"""


@dataclass(frozen=True, slots=True)
class Example:
    """A document of a page, with its variables as written."""

    text: str
    variables: str = "{}"

    @property
    def name(self) -> str:
        """The operation's name, or its first field if it has none."""
        found = re.search(r"^query (\w+)", self.text) or re.search(r"\{ *(\w+)", self.text)
        assert found
        return found[1]


def read_examples(page: str) -> list[Example]:
    """The documents of a page, in their order."""
    text = (DOCS / page).read_text("utf-8")
    found = [Example(match[1], match[2] or "{}") for match in _EXAMPLE.finditer(text)]
    blocks = _BLOCK.findall(text)
    assert len(found) == blocks.count("graphql")
    assert set(blocks) <= {"graphql", "json", "ts"}
    assert sum(example.variables != "{}" for example in found) == blocks.count("json")
    return found


@dataclass
class GuideFollower:
    """Runs the examples of a page from its beginning to its end.

    Attributes:
        known: The values for `<...>` in variables: rows of the demo, and rows that were written.
        live: The open live queries, each as the query that it must equal, and its socket.
    """

    server: Server
    client: httpx.AsyncClient
    sockets: AsyncExitStack
    known: dict[str, str] = field(default_factory=dict)
    live: list[tuple[str, WebSocketClient]] = field(default_factory=list)

    @property
    def token(self) -> str:
        return self.server.tokens[0][1]

    async def execute(self, text: str, variables: Mapping[str, Any] | None = None) -> Any:
        """The data of a response without errors."""
        body = {"query": text, "variables": variables or {}}
        answer = (await self.client.post(f"{self.server.url}/graphql", json=body)).json()
        assert "errors" not in answer, (text, variables, answer["errors"])
        return answer["data"]

    async def run_example(self, example: Example) -> Any:
        """The response to an example. Open live queries must send a message about a write."""
        variables = json.loads(re.sub(r"<(\w+)>", lambda match: self.known[match[1]], example.variables))
        if example.text.startswith("subscription"):
            return await self._subscribe(example.text)
        data = await self.execute(example.text, variables)
        if example.text.startswith("mutation"):
            ((name, written),) = data.items()
            if "id" in written:
                self.known[name] = written["id"]
            for query, socket in self.live if name.endswith(("Site", "Sites")) else ():
                await self._receive_state(query, socket)
        return data

    async def _subscribe(self, text: str) -> Any:
        socket = await self.sockets.enter_async_context(connect_websocket(self.server.url))
        await socket.init(self.token)
        await socket.subscribe(text)
        query = text.replace("subscription", "query", 1)
        self.live.append((query, socket))
        return await self._receive_state(query, socket)

    async def _receive_state(self, query: str, socket: WebSocketClient) -> Any:
        """The next message, which must equal the response of a new query."""
        message = await socket.receive()
        assert message["type"] == "next"
        assert message["payload"]["data"] == await self.execute(query)
        return message["payload"]["data"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with temporary_data_dir() as path, start_server("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def guide_follower(server: Server) -> AsyncIterator[GuideFollower]:
    headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as client, AsyncExitStack() as sockets:
        found = GuideFollower(server, client, sockets)
        known = await found.execute(_KNOWN)
        site = known["sites"]["nodes"][0]
        found.known = {
            "site": site["id"],
            "slug": site["slug"],
            "cursor": known["byId"]["pageInfo"]["endCursor"],
            "cursorByName": known["byName"]["pageInfo"]["endCursor"],
            "source": known["dataSources"]["nodes"][0]["id"],
        }
        await found.execute("mutation ($id: ID) { setCurrentSite(siteId: $id) { id } }", {"id": site["id"]})
        yield found


def find_empty_lists(value: Any) -> Iterator[str]:
    """The paths of empty lists and of null rows."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "nodes" and not member:
                yield name
            yield from (f"{name}.{path}" for path in find_empty_lists(member))


@pytest.mark.parametrize("page", ["from-convex.md", "from-supabase.md"])
async def test_guide_examples_in_order_are_answered(guide_follower: GuideFollower, page: str) -> None:
    live, mutations = 0, []
    for example in read_examples(page):
        data = await guide_follower.run_example(example)
        assert all(value is not None for value in data.values()), example
        live += example.text.startswith("subscription")
        if example.text.startswith("mutation"):
            mutations.append(example.name)
        elif not example.text.startswith("subscription"):
            assert not list(find_empty_lists(data)), (example, data)
    assert live
    assert {"createSite", "updateSite", "deleteSite"} <= set(mutations)


async def test_guide_mutations_write_the_rows_they_describe(guide_follower: GuideFollower) -> None:
    """Names and times of the Convex guide, checked by a separate query between its steps."""
    seen = []
    for example in read_examples("from-convex.md"):
        if example.name in ("createSite", "updateSite", "deleteSite", "restoreSite", "deleteSites"):
            text = example.text.replace("acme-corp", "acme-corp-again")
            await guide_follower.run_example(Example(text, example.variables))
            shown = "query ($id: ID!) { site(id: $id) { name } }"
            row = (await guide_follower.execute(shown, {"id": guide_follower.known["createSite"]}))["site"]
            seen.append(row and row["name"])
    assert seen == ["Acme Corp", "Acme Corporation", None, "Acme Corporation", None]


QUERIES: Final = {example.name: example for example in read_examples("queries.md")}


def _check_sites(data: Any) -> None:
    rows = data["sites"]["nodes"]
    assert len(rows) == min(10, data["sites"]["totalCount"]) > 2
    assert [row["status"] for row in rows] == sorted(row["status"] for row in rows)
    names = [row["name"] for row in rows if row["status"] == "ACTIVE"]
    assert names == sorted(names, reverse=True)
    assert all("al" in (row["name"] + row["slug"]).lower() for row in rows)
    assert {row["psaIntegrationName"] for row in rows} == {"HaloPSA"}


def _check_searched_columns(data: Any) -> None:
    rows = data["users"]["nodes"]
    assert 0 < len(rows) == data["users"]["totalCount"]
    assert all("tech" in (row["name"] + (row["roleName"] or "")).lower() for row in rows)
    assert any("tech" not in row["name"].lower() for row in rows)


def _check_next_sites(data: Any) -> None:
    assert len(data["sites"]["nodes"]) == 10


def _check_agents_of_site(data: Any) -> None:
    agents = data["site"]["agents"]
    versions = [row["version"] for row in agents["nodes"]]
    assert versions == sorted(versions, reverse=True)
    assert len(versions) == min(50, agents["totalCount"]) > 0
    online = sum(row["isOnline"] for row in agents["nodes"])
    assert data["site"]["online"]["totalCount"] == online


def _check_jobs(data: Any) -> None:
    rows = data["dataSources"]["nodes"]
    assert rows
    assert all(len(row[kind]["nodes"]) == 1 for row in rows for kind in ("identities", "groups"))
    assert sum(row["failed"]["totalCount"] for row in rows) <= data["failed"]["totalCount"]
    assert all(data[status]["totalCount"] > 0 for status in ("pending", "completed", "failed"))


def _check_catalog(data: Any) -> None:
    rows = data["integrationsView"]["nodes"]
    assert {row["id"] for row in rows if row["isEnabled"]} == {
        "datto-rmm", "halopsa", "microsoft-365", "msp-agent", "sophos-partner",
    }  # fmt: skip
    assert all(row["isEnabled"] is (row["dataSourcesCount"] > 0) for row in rows)
    assert "autotask" not in {row["id"] for row in rows}


def _check_current_site(data: Any) -> None:
    site = data["viewer"]["user"]["metadata"]["current_site"]
    assert site in {row["id"] for row in data["sites"]["nodes"]}


def _check_working_on(data: Any) -> None:
    assert data["users"]["totalCount"] == len(data["users"]["nodes"]) >= 1


def _check_sites_view(data: Any) -> None:
    rows = data["sitesView"]["nodes"]
    assert len(rows) == 10
    assert all(row["parentId"] and row["name"].startswith(row["parentName"]) for row in rows)


def _check_users_view(data: Any) -> None:
    rows = data["usersView"]["nodes"]
    assert len(rows) == 10
    assert all(isinstance(row["roleRights"], dict) and row["roleName"] for row in rows)


def _check_enabled_integrations(data: Any) -> None:
    (row,) = data["enabledIntegrationsView"]["nodes"]
    assert row["enabledIntegrationCount"] == 5 == len(row["enabledIntegrations"])
    assert "HaloPSA" in row["enabledIntegrations"]


def _check_site_integrations(data: Any) -> None:
    rows = data["siteIntegrationsView"]["nodes"]
    assert len(rows) == 10
    assert all("Sophos Central Partner" in row["mappedIntegrations"] for row in rows)


def _check_psa_companies(data: Any) -> None:
    rows = data["psaCompaniesView"]["nodes"]
    assert 0 < len(rows) <= data["psaCompaniesView"]["totalCount"]
    assert all(row["name"] and row["linkedSiteId"] is None for row in rows)


def _check_sophos_partner_sites(data: Any) -> None:
    rows = data["sophosPartnerSitesView"]["nodes"]
    assert len(rows) == 10
    assert all(row["linkedTenantId"] and row["linkedTenantName"] == row["name"] for row in rows)
    times = [row["mappedAt"] for row in rows]
    assert times == sorted(times, reverse=True)


def _check_filters(data: Any) -> None:
    counts = {name: found["totalCount"] for name, found in data.items()}
    assert all(counts.values()), counts
    everything = counts["eq"] + counts["neq"]
    assert counts["in"] + counts["notIn"] == everything
    assert counts["gt"] + counts["lte"] == counts["lt"] + counts["gte"]
    assert counts["isNull"] <= counts["or"] <= everything


def _check_optional_conditions(data: Any) -> None:
    assert data["agents"]["totalCount"] > 0


CHECKS: Final[Mapping[str, Callable[[Any], None]]] = {
    "OptionalConditions": _check_optional_conditions,
    "Sites": _check_sites,
    "SearchedColumns": _check_searched_columns,
    "NextSites": _check_next_sites,
    "AgentsOfSite": _check_agents_of_site,
    "Jobs": _check_jobs,
    "Catalogue": _check_catalog,
    "CurrentSite": _check_current_site,
    "WorkingOn": _check_working_on,
    "SitesView": _check_sites_view,
    "UsersView": _check_users_view,
    "EnabledIntegrationsView": _check_enabled_integrations,
    "SiteIntegrationsView": _check_site_integrations,
    "PsaCompaniesView": _check_psa_companies,
    "SophosPartnerSitesView": _check_sophos_partner_sites,
    "Filters": _check_filters,
}


def test_docs_queries_all_have_a_check() -> None:
    assert set(CHECKS) == set(QUERIES)


def test_docs_queries_show_every_view_and_operator() -> None:
    text = "".join(example.text for example in QUERIES.values())
    assert [view for view in _VIEWS if f"{view}(" not in text and f"{view} {{" not in text] == []
    operators = {name for kind in OPERATORS.values() for name in _operator_names(kind)}
    assert [name for name in operators if f"{name}: " not in QUERIES["Filters"].text] == []


def _operator_names(kind: type) -> Iterator[str]:
    definition: Any = getattr(kind, "__strawberry_definition__")  # noqa: B009 - Strawberry's own, unknown to mypy
    yield from (field.graphql_name for field in definition.fields)


@pytest.mark.parametrize("name", QUERIES)
async def test_docs_query_is_answered_as_documented(guide_follower: GuideFollower, name: str) -> None:
    CHECKS[name](await guide_follower.run_example(QUERIES[name]))


@pytest.mark.parametrize("name", [n for n, e in QUERIES.items() if "View" in e.text and not e.variables[2:]])
async def test_docs_view_as_subscription_is_answered_as_documented(
    guide_follower: GuideFollower, name: str
) -> None:
    live = Example(QUERIES[name].text.replace("query", "subscription", 1))
    CHECKS[name](await guide_follower.run_example(live))
