"""The verbs beside creating, updating, deleting and restoring, as dashboards use them."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson
import pytest
import pytest_asyncio

from schema.mutation import MUTATIONS
from schema.verbs import VERBS
from tests.desk import ABSENT, Call, Desk, NewDesk, desks, everything_but
from tests.rows import row_of, write

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
"""What each verb takes."""

_SCHEMA: Final = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "key": {"type": "string", "sensitive": True}},
    "required": ["url"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_desk(shared_database_url: str) -> AsyncIterator[NewDesk]:
    async with desks(shared_database_url) as new:
        yield new


@pytest_asyncio.fixture
async def at(new_desk: NewDesk) -> Desk:
    return await new_desk()


def call(name: str, /, **given: Any) -> Call:
    return Call(MUTATIONS[name], given)


def good(at: Desk, name: str) -> Call:
    """A call that is good for my tenant."""
    ids = at.mine.ids
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
    return call(name, **given[name])


async def company(at: Desk, external_id: str, **normalized: Any) -> None:
    """An entity of type companies."""
    values = {"entity_type": "companies", "external_id": external_id}
    values["normalized_data"] = orjson.dumps(normalized).decode()
    row = row_of("entities", "mine", at.mine.ids) | values
    await write(at.connection, "entities", row)


async def done(at: Desk, asked: Call, who: str | None = None) -> list[str]:
    """The ids that a call answers, which must succeed."""
    answer = await at.ask(asked, who)
    assert not answer.errors, (answer.errors, answer.fault)
    found = answer.data["done"]
    return [row["id"] for row in (found if isinstance(found, list) else [found])]


def test_all_of_them_are_here() -> None:
    assert [verb.name for verb in VERBS if verb.name in RIGHTS] == list(RIGHTS)


@pytest.mark.parametrize("name", RIGHTS)
class TestEach:
    async def test_who_may_does_it_and_leaves_a_trail(self, at: Desk, name: str) -> None:
        await company(at, "c-7", name="Seven")
        field = MUTATIONS[name]
        assert field.table is not None
        answer = await at.ask(good(at, name))
        assert not answer.errors, (answer.errors, answer.fault)
        found = answer.data["done"]
        for row in found if isinstance(found, list) else [found]:
            entries = await at.trail(field.table.name, row["id"])
            assert [e["user_id"] for e in entries if e["xmin"] == answer.extensions["transaction"]]

    async def test_it_takes_the_right(self, at: Desk, name: str) -> None:
        await company(at, "c-7", name="Seven")
        clerk = await at.hire(everything_but(RIGHTS[name]) - {RIGHTS[name].replace("Read", "Write")})
        before = await at.contents()
        answer = await at.ask(good(at, name), who=clerk)
        assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])
        assert await at.contents() == before

    async def test_nobody_is_told_to_sign_in(self, at: Desk, name: str) -> None:
        answer = await at.ask_anonymously(good(at, name))
        assert (answer.data, answer.codes) == (None, ["UNAUTHENTICATED"])

    async def test_a_neighbours_rows_are_as_those_that_are_not_there(self, at: Desk, name: str) -> None:
        asked = good(at, name)
        before = await at.contents()
        tables = {"siteId": "sites", "dataSourceId": "data_sources", "roleId": "roles"}
        tables |= {"id": MUTATIONS[name].table.name}  # type: ignore[union-attr]
        for argument in asked.given.keys() & tables.keys():
            told = []
            for row_id in (at.theirs.ids[tables[argument]], ABSENT):
                answer = await at.ask(asked.with_(argument, row_id))
                assert answer.data is None
                assert answer.codes in (["NOT_FOUND"], ["BAD_USER_INPUT"])
                error = answer.errors[0]
                told.append((error["message"].replace(row_id, "<id>"), error["extensions"]))
            assert told[0] == told[1]
        assert await at.contents() == before

    async def test_what_cannot_be_kept_is_bad_input(self, at: Desk, name: str) -> None:
        asked = good(at, name)
        before = await at.contents()
        for argument, value in asked.given.items():
            for bad in ("nul \0", "half \ud800", "x" * 5_000) if isinstance(value, str) else ():
                answer = await at.ask(asked.with_(argument, bad))
                assert answer.codes in (["NOT_FOUND"], ["BAD_USER_INPUT"]), (argument, answer.fault)
        assert await at.contents() == before


class TestCompanies:
    async def test_a_company_has_one_site(self, at: Desk) -> None:
        first, second = at.mine.ids["sites"], at.mine.ids["sites#2"]
        psa = at.mine.ids["integrations"]
        await company(at, "c-1", name="One", externalParentId="p-1")
        await done(at, call("linkSite", id=first, integrationId=psa, companyId="c-1"))
        row = await at.row("sites", first)
        assert (row["psa_integration_id"], row["psa_company_id"], row["psa_parent_company_id"]) == (
            psa,
            "c-1",
            "p-1",
        )
        await done(at, call("linkSite", id=second, integrationId=psa, companyId="c-1"))
        freed = await at.row("sites", first)
        assert [
            freed[name] for name in ("psa_integration_id", "psa_company_id", "psa_parent_company_id")
        ] == [None] * 3
        assert (await at.row("sites", second))["psa_company_id"] == "c-1"
        assert (await at.trail("sites", first))[-1]["changes"]["psaCompanyId"] == ["c-1", None]
        await done(at, call("unlinkSite", id=second))
        assert (await at.row("sites", second))["psa_company_id"] is None

    async def test_a_neighbours_site_keeps_its_company(self, at: Desk) -> None:
        psa = at.mine.ids["integrations"]
        await at.set("sites", at.theirs.ids["sites"], psa_integration_id=psa, psa_company_id="c-1")
        await done(at, call("linkSite", id=at.mine.ids["sites"], integrationId=psa, companyId="c-1"))
        assert (await at.row("sites", at.theirs.ids["sites"]))["psa_company_id"] == "c-1"

    async def test_an_integration_that_is_not_there(self, at: Desk) -> None:
        answer = await at.ask(
            call("linkSite", id=at.mine.ids["sites"], integrationId="no-psa", companyId="c")
        )
        assert answer.errors[0]["extensions"]["fields"] == {"integrationId": "names nothing that is there"}

    async def test_a_site_from_a_company(self, at: Desk) -> None:
        psa = at.mine.ids["integrations"]
        await company(at, "c-7", name="Main", externalParentId=None)
        asked = call("createSiteFromCompany", integrationId=psa, companyId="c-7")
        (site,) = await done(at, asked)
        row = await at.row("sites", site)
        assert (row["name"], row["slug"], row["psa_company_id"]) == ("Main", "main-2", "c-7")
        answer = await at.ask(asked)
        assert answer.codes == ["CONFLICT"]
        answer = await at.ask(asked.with_("companyId", "nobody"))
        assert answer.codes == ["BAD_USER_INPUT"]
        assert list(answer.errors[0]["extensions"]["fields"]) == ["companyId"]


class TestIntegrations:
    async def test_on_off_and_on_again_with_what_it_had(self, at: Desk) -> None:
        psa = at.mine.ids["integrations"]
        await at.set("integrations", psa, config_schema=orjson.dumps(_SCHEMA).decode())
        site = at.mine.ids["sites#2"]
        config = {"url": "https://psa.example", "key": "s3cret"}
        (source,) = await done(at, call("enableIntegration", integrationId=psa, siteId=site, config=config))
        kept = orjson.loads((await at.row("data_sources", source))["config"])
        assert kept["url"] == config["url"]
        assert kept["key"].startswith("enc:v1:")
        assert await done(at, call("disableIntegration", integrationId=psa, siteId=site)) == [source]
        row = await at.row("data_sources", source)
        assert (row["status"], row["deleted_at"] is not None) == ("inactive", True)
        assert await done(at, call("enableIntegration", integrationId=psa, siteId=site)) == [source]
        row = await at.row("data_sources", source)
        assert (row["status"], row["deleted_at"], orjson.loads(row["config"])) == ("active", None, kept)
        entries = await at.trail("data_sources", source)
        assert [e["action"] for e in entries] == ["create", "update", "delete", "restore", "update"]
        assert "s3cret" not in str(entries)
        assert kept["key"] not in str(entries)

    async def test_off_for_the_whole_tenant(self, at: Desk) -> None:
        asked = call("disableIntegration", integrationId=at.mine.ids["integrations"])
        ids = await done(at, asked)
        assert ids == sorted([at.mine.ids["data_sources"], at.mine.ids["data_sources#2"]])
        assert (await at.row("data_sources", at.theirs.ids["data_sources"]))["deleted_at"] is None
        assert (await at.ask(asked)).codes == ["NOT_FOUND"]

    async def test_one_that_is_switched_off_by_the_platform(self, at: Desk) -> None:
        psa = at.mine.ids["integrations"]
        await at.set("integrations", psa, is_active=False)
        answer = await at.ask(call("enableIntegration", integrationId=psa))
        assert answer.errors[0]["extensions"]["fields"] == {"integrationId": "is switched off"}

    async def test_a_config_that_does_not_fit(self, at: Desk) -> None:
        await at.set(
            "integrations", at.mine.ids["integrations"], config_schema=orjson.dumps(_SCHEMA).decode()
        )
        before = await at.contents()
        asked = call("saveDataSourceConfig", id=at.mine.ids["data_sources"], config={"url": 3, "more": 1})
        answer = await at.ask(asked)
        assert answer.codes == ["BAD_USER_INPUT"]
        assert {"config.url"} <= set(answer.errors[0]["extensions"]["fields"])
        assert await at.contents() == before

    async def test_a_blank_secret_keeps_the_old_one(self, at: Desk) -> None:
        source = at.mine.ids["data_sources"]
        await at.set(
            "integrations", at.mine.ids["integrations"], config_schema=orjson.dumps(_SCHEMA).decode()
        )
        asked = call("saveDataSourceConfig", id=source, config={"url": "a", "key": "one"})
        await done(at, asked)
        first = orjson.loads((await at.row("data_sources", source))["config"])
        await done(at, asked.with_("config", {"url": "b", "key": ""}))
        assert orjson.loads((await at.row("data_sources", source))["config"]) == {**first, "url": "b"}
        stale = await at.ask(asked.with_("ifUpdatedAt", 1))
        assert stale.codes == ["CONFLICT"]

    async def test_mapped_once_and_again_after_it_was_parted(self, at: Desk) -> None:
        asked = good(at, "mapDataSourceToSite")
        (mapping,) = await done(at, asked)
        answer = await at.ask(asked)
        assert answer.codes == ["CONFLICT"]
        assert list(answer.errors[0]["extensions"]["fields"]) == ["siteId"]
        assert await done(at, call("unmapDataSourceFromSite", **asked.given)) == [mapping]
        assert await done(at, asked) != [mapping]


class TestOwn:
    async def test_a_user_without_any_right_but_to_read_sites_chooses_one(self, at: Desk) -> None:
        user, site = await at.hire({"Sites.Read"}), at.mine.ids["sites"]
        await at.set("users", user, metadata='{"theme": "dark"}')
        assert await done(at, call("setCurrentSite", siteId=site), who=user) == [user]
        metadata = orjson.loads((await at.row("users", user))["metadata"])
        assert metadata == {"theme": "dark", "current_site": site}
        await done(at, call("setCurrentSite", siteId=None), who=user)
        assert orjson.loads((await at.row("users", user))["metadata"]) == {"theme": "dark"}

    async def test_the_platform_has_none(self, at: Desk) -> None:
        answer = await at.graph.as_platform(at.mine.tenant, "mutation { setCurrentSite { id } }")
        assert answer.codes == ["FORBIDDEN"]

    async def test_agents_move_together(self, at: Desk) -> None:
        ids = [at.mine.ids["agents"], at.mine.ids["agents#2"]]
        site = at.mine.ids["sites#2"]
        assert await done(at, call("moveAgents", ids=ids, siteId=site)) == ids
        assert {(await at.row("agents", each))["site_id"] for each in ids} == {site}
        before = await at.contents()
        answer = await at.ask(call("moveAgents", ids=[*ids, ABSENT], siteId=at.mine.ids["sites"]))
        assert answer.codes == ["NOT_FOUND"]
        assert await at.contents() == before
