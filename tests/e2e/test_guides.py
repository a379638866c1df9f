"""The documents of docs/queries.md and of the guides for newcomers, sent to a running server as they stand."""

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
from tests.e2e.servers import Server, data_directory, running
from tests.sockets import SocketClient, socket_client

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
    """A document of a page, with its variables as they are written."""

    text: str
    variables: str = "{}"

    @property
    def name(self) -> str:
        """The operation's name; where it has none, its first field."""
        found = re.search(r"^query (\w+)", self.text) or re.search(r"\{ *(\w+)", self.text)
        assert found
        return found[1]


def examples(page: str) -> list[Example]:
    """The documents of a page, in their order."""
    text = (DOCS / page).read_text("utf-8")
    found = [Example(match[1], match[2] or "{}") for match in _EXAMPLE.finditer(text)]
    blocks = _BLOCK.findall(text)
    assert len(found) == blocks.count("graphql")
    assert set(blocks) <= {"graphql", "json", "ts"}
    assert sum(example.variables != "{}" for example in found) == blocks.count("json")
    return found


@dataclass
class Reader:
    """Somebody who tries what a page says, from its beginning to its end.

    Attributes:
        known: What `<...>` stands for in variables: rows of the demo, and those that were written.
        live: The live queries that are open, each as the query that it must equal, and its socket.
    """

    server: Server
    client: httpx.AsyncClient
    sockets: AsyncExitStack
    known: dict[str, str] = field(default_factory=dict)
    live: list[tuple[str, SocketClient]] = field(default_factory=list)

    @property
    def token(self) -> str:
        return self.server.tokens[0][1]

    async def ask(self, text: str, variables: Mapping[str, Any] | None = None) -> Any:
        """The data of an answer without errors."""
        body = {"query": text, "variables": variables or {}}
        answer = (await self.client.post(f"{self.server.url}/graphql", json=body)).json()
        assert "errors" not in answer, (text, variables, answer["errors"])
        return answer["data"]

    async def try_out(self, example: Example) -> Any:
        """What an example answers; live queries that are open must tell of what it has written."""
        variables = json.loads(re.sub(r"<(\w+)>", lambda match: self.known[match[1]], example.variables))
        if example.text.startswith("subscription"):
            return await self._open(example.text)
        data = await self.ask(example.text, variables)
        if example.text.startswith("mutation"):
            ((name, written),) = data.items()
            if "id" in written:
                self.known[name] = written["id"]
            for query, socket in self.live if name.endswith(("Site", "Sites")) else ():
                await self._told(query, socket)
        return data

    async def _open(self, text: str) -> Any:
        socket = await self.sockets.enter_async_context(socket_client(self.server.url))
        await socket.init(self.token)
        await socket.subscribe(text)
        query = text.replace("subscription", "query", 1)
        self.live.append((query, socket))
        return await self._told(query, socket)

    async def _told(self, query: str, socket: SocketClient) -> Any:
        """The next message, which is what a fresh query answers."""
        message = await socket.receive()
        assert message["type"] == "next"
        assert message["payload"]["data"] == await self.ask(query)
        return message["payload"]["data"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


@pytest_asyncio.fixture(loop_scope="session")
async def reader(server: Server) -> AsyncIterator[Reader]:
    headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as client, AsyncExitStack() as sockets:
        found = Reader(server, client, sockets)
        known = await found.ask(_KNOWN)
        site = known["sites"]["nodes"][0]
        found.known = {
            "site": site["id"],
            "slug": site["slug"],
            "cursor": known["byId"]["pageInfo"]["endCursor"],
            "cursorByName": known["byName"]["pageInfo"]["endCursor"],
            "source": known["dataSources"]["nodes"][0]["id"],
        }
        await found.ask("mutation ($id: ID) { setCurrentSite(siteId: $id) { id } }", {"id": site["id"]})
        yield found


def emptiness(value: Any) -> Iterator[str]:
    """The places of lists without rows and of rows that are not there."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "nodes" and not member:
                yield name
            yield from (f"{name}.{place}" for place in emptiness(member))


@pytest.mark.parametrize("page", ["from-convex.md", "from-supabase.md"])
async def test_a_guide_can_be_followed_from_its_beginning_to_its_end(reader: Reader, page: str) -> None:
    live, mutations = 0, []
    for example in examples(page):
        data = await reader.try_out(example)
        assert all(value is not None for value in data.values()), example
        live += example.text.startswith("subscription")
        if example.text.startswith("mutation"):
            mutations.append(example.name)
        elif not example.text.startswith("subscription"):
            assert not list(emptiness(data)), (example, data)
    assert live
    assert {"createSite", "updateSite", "deleteSite"} <= set(mutations)


async def test_what_a_guide_writes_is_there(reader: Reader) -> None:
    """Names and times of the Convex guide, by a look of one's own between its steps."""
    seen = []
    for example in examples("from-convex.md"):
        if example.name in ("createSite", "updateSite", "deleteSite", "restoreSite", "deleteSites"):
            text = example.text.replace("acme-corp", "acme-corp-again")
            await reader.try_out(Example(text, example.variables))
            shown = "query ($id: ID!) { site(id: $id) { name } }"
            row = (await reader.ask(shown, {"id": reader.known["createSite"]}))["site"]
            seen.append(row and row["name"])
    assert seen == ["Acme Corp", "Acme Corporation", None, "Acme Corporation", None]


QUERIES: Final = {example.name: example for example in examples("queries.md")}


def _sites(data: Any) -> None:
    rows = data["sites"]["nodes"]
    assert len(rows) == min(10, data["sites"]["totalCount"]) > 2
    assert [row["status"] for row in rows] == sorted(row["status"] for row in rows)
    names = [row["name"] for row in rows if row["status"] == "ACTIVE"]
    assert names == sorted(names, reverse=True)
    assert all("al" in (row["name"] + row["slug"]).lower() for row in rows)
    assert {row["psaIntegrationName"] for row in rows} == {"HaloPSA"}


def _searched(data: Any) -> None:
    rows = data["users"]["nodes"]
    assert 0 < len(rows) == data["users"]["totalCount"]
    assert all("tech" in (row["name"] + (row["roleName"] or "")).lower() for row in rows)
    assert any("tech" not in row["name"].lower() for row in rows)


def _next_sites(data: Any) -> None:
    assert len(data["sites"]["nodes"]) == 10


def _agents(data: Any) -> None:
    agents = data["site"]["agents"]
    versions = [row["version"] for row in agents["nodes"]]
    assert versions == sorted(versions, reverse=True)
    assert len(versions) == min(50, agents["totalCount"]) > 0
    online = sum(row["isOnline"] for row in agents["nodes"])
    assert data["site"]["online"]["totalCount"] == online


def _jobs(data: Any) -> None:
    rows = data["dataSources"]["nodes"]
    assert rows
    assert all(len(row[kind]["nodes"]) == 1 for row in rows for kind in ("identities", "groups"))
    assert sum(row["failed"]["totalCount"] for row in rows) <= data["failed"]["totalCount"]
    assert all(data[status]["totalCount"] > 0 for status in ("pending", "completed", "failed"))


def _catalogue(data: Any) -> None:
    rows = data["integrationsView"]["nodes"]
    assert {row["id"] for row in rows if row["isEnabled"]} == {
        "datto-rmm", "halopsa", "microsoft-365", "msp-agent", "sophos-partner",
    }  # fmt: skip
    assert all(row["isEnabled"] is (row["dataSourcesCount"] > 0) for row in rows)
    assert "autotask" not in {row["id"] for row in rows}


def _current_site(data: Any) -> None:
    site = data["viewer"]["user"]["metadata"]["current_site"]
    assert site in {row["id"] for row in data["sites"]["nodes"]}


def _working_on(data: Any) -> None:
    assert data["users"]["totalCount"] == len(data["users"]["nodes"]) >= 1


def _sites_view(data: Any) -> None:
    rows = data["sitesView"]["nodes"]
    assert len(rows) == 10
    assert all(row["parentId"] and row["name"].startswith(row["parentName"]) for row in rows)


def _users_view(data: Any) -> None:
    rows = data["usersView"]["nodes"]
    assert len(rows) == 10
    assert all(isinstance(row["roleRights"], dict) and row["roleName"] for row in rows)


def _enabled(data: Any) -> None:
    (row,) = data["enabledIntegrationsView"]["nodes"]
    assert row["enabledIntegrationCount"] == 5 == len(row["enabledIntegrations"])
    assert "HaloPSA" in row["enabledIntegrations"]


def _mapped(data: Any) -> None:
    rows = data["siteIntegrationsView"]["nodes"]
    assert len(rows) == 10
    assert all("Sophos Central Partner" in row["mappedIntegrations"] for row in rows)


def _companies(data: Any) -> None:
    rows = data["psaCompaniesView"]["nodes"]
    assert 0 < len(rows) <= data["psaCompaniesView"]["totalCount"]
    assert all(row["name"] and row["linkedSiteId"] is None for row in rows)


def _sophos(data: Any) -> None:
    rows = data["sophosPartnerSitesView"]["nodes"]
    assert len(rows) == 10
    assert all(row["linkedTenantId"] and row["linkedTenantName"] == row["name"] for row in rows)
    times = [row["mappedAt"] for row in rows]
    assert times == sorted(times, reverse=True)


def _filters(data: Any) -> None:
    counts = {name: found["totalCount"] for name, found in data.items()}
    assert all(counts.values()), counts
    everything = counts["eq"] + counts["neq"]
    assert counts["in"] + counts["notIn"] == everything
    assert counts["gt"] + counts["lte"] == counts["lt"] + counts["gte"]
    assert counts["isNull"] <= counts["or"] <= everything


CHECKS: Final[Mapping[str, Callable[[Any], None]]] = {
    "Sites": _sites,
    "SearchedColumns": _searched,
    "NextSites": _next_sites,
    "AgentsOfSite": _agents,
    "Jobs": _jobs,
    "Catalogue": _catalogue,
    "CurrentSite": _current_site,
    "WorkingOn": _working_on,
    "SitesView": _sites_view,
    "UsersView": _users_view,
    "EnabledIntegrationsView": _enabled,
    "SiteIntegrationsView": _mapped,
    "PsaCompaniesView": _companies,
    "SophosPartnerSitesView": _sophos,
    "Filters": _filters,
}


def test_every_query_is_checked() -> None:
    assert set(CHECKS) == set(QUERIES)


def test_every_view_and_every_operator_is_shown() -> None:
    text = "".join(example.text for example in QUERIES.values())
    assert [view for view in _VIEWS if f"{view}(" not in text and f"{view} {{" not in text] == []
    operators = {name for kind in OPERATORS.values() for name in _fields(kind)}
    assert [name for name in operators if f"{name}: " not in QUERIES["Filters"].text] == []


def _fields(kind: type) -> Iterator[str]:
    definition: Any = getattr(kind, "__strawberry_definition__")  # noqa: B009 - Strawberry's own, which mypy does not know
    yield from (field.graphql_name for field in definition.fields)


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_is_answered_as_the_page_says(reader: Reader, name: str) -> None:
    CHECKS[name](await reader.try_out(QUERIES[name]))


@pytest.mark.parametrize("name", [n for n, e in QUERIES.items() if "View" in e.text and not e.variables[2:]])
async def test_a_view_is_live_as_the_page_says(reader: Reader, name: str) -> None:
    live = Example(QUERIES[name].text.replace("query", "subscription", 1))
    CHECKS[name](await reader.try_out(live))
