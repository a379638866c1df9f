"""The mutations other than create, update, delete and restore, as dashboards use them."""

from typing import Final

import orjson
import pytest

from schema.custom_mutations import CUSTOM_MUTATIONS
from schema.mutation import MUTATIONS
from tests.custom_mutations import RIGHTS, make_call, make_valid_call, write_company
from tests.mutation_harness import (
    ABSENT_ID,
    MutationCall,
    MutationHarness,
    all_rights_except,
)
from tests.sealed_tokens import open_transaction

_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "url": {"type": "string"},
        "note": {"type": "string", "destination": False},
        "key": {"type": "string", "sensitive": True},
    },
    "required": ["url"],
    "additionalProperties": False,
}


async def call_and_get_ids(
    mutation_harness: MutationHarness, call: MutationCall, who: str | None = None
) -> list[str]:
    """The ids that a successful call returns."""
    answer = await mutation_harness.execute(call, who)
    assert not answer.errors, (answer.errors, answer.traceback)
    found = answer.data["done"]
    return [row["id"] for row in (found if isinstance(found, list) else [found])]


def test_custom_mutations_are_all_covered() -> None:
    assert [verb.name for verb in CUSTOM_MUTATIONS if verb.name in RIGHTS] == list(RIGHTS)


@pytest.mark.parametrize("name", RIGHTS)
class TestEveryMutation:
    @pytest.mark.role_modes
    async def test_mutation_with_right_writes_audit_log(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        await write_company(mutation_harness, "c-7", name="Seven")
        field = MUTATIONS[name]
        assert field.table is not None
        answer = await mutation_harness.execute(make_valid_call(mutation_harness, name))
        assert not answer.errors, (answer.errors, answer.traceback)
        found = answer.data["done"]
        for row in found if isinstance(found, list) else [found]:
            entries = await mutation_harness.read_audit_log(field.table.name, row["id"])
            written = open_transaction(answer.extensions["transaction"])
            assert [e["user_id"] for e in entries if e["xmin"] == written]

    @pytest.mark.newest
    async def test_mutation_without_right_is_forbidden(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        await write_company(mutation_harness, "c-7", name="Seven")
        clerk = await mutation_harness.add_user(
            all_rights_except(RIGHTS[name]) - {RIGHTS[name].replace("Read", "Write")}
        )
        before = await mutation_harness.hash_tables()
        answer = await mutation_harness.execute(make_valid_call(mutation_harness, name), user_id=clerk)
        assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])
        assert await mutation_harness.hash_tables() == before

    @pytest.mark.newest
    async def test_mutation_by_anonymous_is_unauthenticated(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        answer = await mutation_harness.execute_anonymously(make_valid_call(mutation_harness, name))
        assert (answer.data, answer.codes) == (None, ["UNAUTHENTICATED"])

    @pytest.mark.newest
    @pytest.mark.role_modes
    async def test_mutation_of_row_of_other_tenant_fails_as_for_missing_row(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        call = make_valid_call(mutation_harness, name)
        before = await mutation_harness.hash_tables()
        tables = {"siteId": "sites", "dataSourceId": "data_sources", "roleId": "roles"}
        tables |= {"id": MUTATIONS[name].table.name}  # type: ignore[union-attr]
        for argument in call.arguments.keys() & tables.keys():
            refusals = []
            for row_id in (mutation_harness.theirs.ids[tables[argument]], ABSENT_ID):
                answer = await mutation_harness.execute(call.with_value(argument, row_id))
                assert answer.data is None
                assert answer.codes in (["NOT_FOUND"], ["BAD_USER_INPUT"])
                error = answer.errors[0]
                refusals.append((error["message"].replace(row_id, "<id>"), error["extensions"]))
            assert refusals[0] == refusals[1]
        assert await mutation_harness.hash_tables() == before

    async def test_mutation_with_unstorable_text_is_refused(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        call = make_valid_call(mutation_harness, name)
        before = await mutation_harness.hash_tables()
        for argument, value in call.arguments.items():
            for bad in ("nul \0", "half \ud800", "x" * 5_000) if isinstance(value, str) else ():
                answer = await mutation_harness.execute(call.with_value(argument, bad))
                assert answer.codes in (["NOT_FOUND"], ["BAD_USER_INPUT"]), (argument, answer.traceback)
        assert await mutation_harness.hash_tables() == before


class TestCompanies:
    async def test_link_site_to_linked_company_frees_the_other_site(
        self, mutation_harness: MutationHarness
    ) -> None:
        first, second = mutation_harness.mine.ids["sites"], mutation_harness.mine.ids["sites#2"]
        psa = mutation_harness.mine.ids["integrations"]
        await write_company(mutation_harness, "c-1", name="One", externalParentId="p-1")
        await call_and_get_ids(
            mutation_harness, make_call("linkSite", id=first, integrationId=psa, companyId="c-1")
        )
        row = await mutation_harness.read_row("sites", first)
        assert (row["psa_integration_id"], row["psa_company_id"], row["psa_parent_company_id"]) == (
            psa,
            "c-1",
            "p-1",
        )
        await call_and_get_ids(
            mutation_harness, make_call("linkSite", id=second, integrationId=psa, companyId="c-1")
        )
        freed = await mutation_harness.read_row("sites", first)
        assert [
            freed[name] for name in ("psa_integration_id", "psa_company_id", "psa_parent_company_id")
        ] == [None] * 3
        assert (await mutation_harness.read_row("sites", second))["psa_company_id"] == "c-1"
        assert (await mutation_harness.read_audit_log("sites", first))[-1]["changes"]["psaCompanyId"] == [
            "c-1",
            None,
        ]
        await call_and_get_ids(mutation_harness, make_call("unlinkSite", id=second))
        assert (await mutation_harness.read_row("sites", second))["psa_company_id"] is None

    async def test_link_site_keeps_the_link_in_other_tenants(self, mutation_harness: MutationHarness) -> None:
        psa = mutation_harness.mine.ids["integrations"]
        await mutation_harness.update_row(
            "sites", mutation_harness.theirs.ids["sites"], psa_integration_id=psa, psa_company_id="c-1"
        )
        await call_and_get_ids(
            mutation_harness,
            make_call("linkSite", id=mutation_harness.mine.ids["sites"], integrationId=psa, companyId="c-1"),
        )
        assert (await mutation_harness.read_row("sites", mutation_harness.theirs.ids["sites"]))[
            "psa_company_id"
        ] == "c-1"

    async def test_link_site_with_missing_integration_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        answer = await mutation_harness.execute(
            make_call(
                "linkSite", id=mutation_harness.mine.ids["sites"], integrationId="no-psa", companyId="c"
            )
        )
        assert answer.errors[0]["extensions"]["fields"] == {
            "integrationId": "must be the id of an existing row"
        }

    async def test_create_site_from_company_links_it_once(self, mutation_harness: MutationHarness) -> None:
        psa = mutation_harness.mine.ids["integrations"]
        await write_company(mutation_harness, "c-7", name="Main", externalParentId=None)
        call = make_call("createSiteFromCompany", integrationId=psa, companyId="c-7")
        (site,) = await call_and_get_ids(mutation_harness, call)
        row = await mutation_harness.read_row("sites", site)
        assert (row["name"], row["slug"], row["psa_company_id"]) == ("Main", "main-2", "c-7")
        answer = await mutation_harness.execute(call)
        assert answer.codes == ["CONFLICT"]
        answer = await mutation_harness.execute(call.with_value("companyId", "nobody"))
        assert answer.codes == ["BAD_USER_INPUT"]
        assert list(answer.errors[0]["extensions"]["fields"]) == ["companyId"]


class TestIntegrations:
    async def test_enable_integration_again_restores_its_config(
        self, mutation_harness: MutationHarness
    ) -> None:
        psa = mutation_harness.mine.ids["integrations"]
        await mutation_harness.update_row("integrations", psa, config_schema=orjson.dumps(_SCHEMA).decode())
        site = mutation_harness.mine.ids["sites#2"]
        config = {"url": "https://psa.example", "key": "s3cret"}
        (source,) = await call_and_get_ids(
            mutation_harness, make_call("enableIntegration", integrationId=psa, siteId=site, config=config)
        )
        kept = orjson.loads((await mutation_harness.read_row("data_sources", source))["config"])
        assert kept["url"] == config["url"]
        assert kept["key"].startswith("enc:v1:")
        assert await call_and_get_ids(
            mutation_harness, make_call("disableIntegration", integrationId=psa, siteId=site)
        ) == [source]
        row = await mutation_harness.read_row("data_sources", source)
        assert (row["status"], row["deleted_at"] is not None) == ("inactive", True)
        assert await call_and_get_ids(
            mutation_harness, make_call("enableIntegration", integrationId=psa, siteId=site)
        ) == [source]
        row = await mutation_harness.read_row("data_sources", source)
        assert (row["status"], row["deleted_at"], orjson.loads(row["config"])) == ("active", None, kept)
        entries = await mutation_harness.read_audit_log("data_sources", source)
        assert [e["action"] for e in entries] == ["create", "update", "delete", "restore", "update"]
        assert "s3cret" not in str(entries)
        assert kept["key"] not in str(entries)

    async def test_disable_integration_without_site_disables_the_tenant(
        self, mutation_harness: MutationHarness
    ) -> None:
        call = make_call("disableIntegration", integrationId=mutation_harness.mine.ids["integrations"])
        ids = await call_and_get_ids(mutation_harness, call)
        assert ids == sorted(
            [mutation_harness.mine.ids["data_sources"], mutation_harness.mine.ids["data_sources#2"]]
        )
        assert (await mutation_harness.read_row("data_sources", mutation_harness.theirs.ids["data_sources"]))[
            "deleted_at"
        ] is None
        assert (await mutation_harness.execute(call)).codes == ["NOT_FOUND"]

    async def test_enable_integration_inactive_on_platform_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        psa = mutation_harness.mine.ids["integrations"]
        await mutation_harness.update_row("integrations", psa, is_active=False)
        answer = await mutation_harness.execute(make_call("enableIntegration", integrationId=psa))
        assert answer.errors[0]["extensions"]["fields"] == {"integrationId": "must not be disabled"}

    async def test_save_config_not_matching_schema_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        await mutation_harness.update_row(
            "integrations",
            mutation_harness.mine.ids["integrations"],
            config_schema=orjson.dumps(_SCHEMA).decode(),
        )
        before = await mutation_harness.hash_tables()
        call = make_call(
            "saveDataSourceConfig", id=mutation_harness.mine.ids["data_sources"], config={"url": 3, "more": 1}
        )
        answer = await mutation_harness.execute(call)
        assert answer.codes == ["BAD_USER_INPUT"]
        assert {"config.url"} <= set(answer.errors[0]["extensions"]["fields"])
        assert await mutation_harness.hash_tables() == before

    async def test_save_config_with_blank_secret_keeps_the_old_one(
        self, mutation_harness: MutationHarness
    ) -> None:
        source = mutation_harness.mine.ids["data_sources"]
        await mutation_harness.update_row(
            "integrations",
            mutation_harness.mine.ids["integrations"],
            config_schema=orjson.dumps(_SCHEMA).decode(),
        )
        call = make_call("saveDataSourceConfig", id=source, config={"url": "a", "key": "one"})
        await call_and_get_ids(mutation_harness, call)
        first = orjson.loads((await mutation_harness.read_row("data_sources", source))["config"])
        await call_and_get_ids(
            mutation_harness, call.with_value("config", {"url": "a", "key": "", "note": "b"})
        )
        assert orjson.loads((await mutation_harness.read_row("data_sources", source))["config"]) == {
            **first,
            "note": "b",
        }
        stale = await mutation_harness.execute(call.with_value("ifUpdatedAt", 1))
        assert stale.codes == ["CONFLICT"]

    async def test_save_config_with_blank_secret_and_new_url_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        psa, source = mutation_harness.mine.ids["integrations"], mutation_harness.mine.ids["data_sources"]
        await mutation_harness.update_row("integrations", psa, config_schema=orjson.dumps(_SCHEMA).decode())
        await call_and_get_ids(
            mutation_harness, make_call("saveDataSourceConfig", id=source, config={"url": "a", "key": "one"})
        )
        before = await mutation_harness.hash_tables()
        for config in ({"url": "b"}, {"url": "b", "key": ""}, {"url": "b", "key": {"secret": True}}):
            for name in ("saveDataSourceConfig", "updateDataSource"):
                given = {"input": {"config": config}} if name == "updateDataSource" else {"config": config}
                answer = await mutation_harness.execute(make_call(name, id=source, **given))
                assert answer.codes == ["BAD_USER_INPUT"]
                (field,) = answer.errors[0]["extensions"]["fields"]
                assert field.endswith("config.key")
        assert await mutation_harness.hash_tables() == before
        await call_and_get_ids(
            mutation_harness, make_call("saveDataSourceConfig", id=source, config={"url": "b", "key": "two"})
        )

    async def test_enable_integration_again_with_new_url_and_no_secret_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        psa, site = mutation_harness.mine.ids["integrations"], mutation_harness.mine.ids["sites#2"]
        await mutation_harness.update_row("integrations", psa, config_schema=orjson.dumps(_SCHEMA).decode())
        config = {"url": "https://psa.example", "key": "s3cret"}
        await call_and_get_ids(
            mutation_harness, make_call("enableIntegration", integrationId=psa, siteId=site, config=config)
        )
        await call_and_get_ids(
            mutation_harness, make_call("disableIntegration", integrationId=psa, siteId=site)
        )
        before = await mutation_harness.hash_tables()
        evil = make_call(
            "enableIntegration", integrationId=psa, siteId=site, config={"url": "https://evil.example"}
        )
        answer = await mutation_harness.execute(evil)
        assert answer.codes == ["BAD_USER_INPUT"]
        assert list(answer.errors[0]["extensions"]["fields"]) == ["config.key"]
        assert await mutation_harness.hash_tables() == before
        await call_and_get_ids(mutation_harness, evil.with_value("config", {"url": "https://psa.example"}))

    async def test_save_config_with_credentials_in_url_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        psa, source = mutation_harness.mine.ids["integrations"], mutation_harness.mine.ids["data_sources"]
        await mutation_harness.update_row("integrations", psa, config_schema=orjson.dumps(_SCHEMA).decode())
        call = make_call(
            "saveDataSourceConfig", id=source, config={"url": "https://u:s3cret@psa.example", "key": "x"}
        )
        answer = await mutation_harness.execute(call)
        assert answer.codes == ["BAD_USER_INPUT"]
        assert list(answer.errors[0]["extensions"]["fields"]) == ["config.url"]
        assert "s3cret" not in str(answer.errors)

    async def test_map_data_source_twice_is_a_conflict_until_unmapped(
        self, mutation_harness: MutationHarness
    ) -> None:
        call = make_valid_call(mutation_harness, "mapDataSourceToSite")
        (mapping,) = await call_and_get_ids(mutation_harness, call)
        answer = await mutation_harness.execute(call)
        assert answer.codes == ["CONFLICT"]
        assert list(answer.errors[0]["extensions"]["fields"]) == ["siteId"]
        assert await call_and_get_ids(
            mutation_harness, make_call("unmapDataSourceFromSite", **call.arguments)
        ) == [mapping]
        assert await call_and_get_ids(mutation_harness, call) != [mapping]


class TestCurrentSiteAndAgents:
    async def test_set_current_site_with_read_right_only_succeeds(
        self, mutation_harness: MutationHarness
    ) -> None:
        user, site = await mutation_harness.add_user({"Sites.Read"}), mutation_harness.mine.ids["sites"]
        await mutation_harness.update_row("users", user, metadata='{"theme": "dark"}')
        assert await call_and_get_ids(
            mutation_harness, make_call("setCurrentSite", siteId=site), who=user
        ) == [user]
        metadata = orjson.loads((await mutation_harness.read_row("users", user))["metadata"])
        assert metadata == {"theme": "dark", "current_site": site}
        await call_and_get_ids(mutation_harness, make_call("setCurrentSite", siteId=None), who=user)
        assert orjson.loads((await mutation_harness.read_row("users", user))["metadata"]) == {"theme": "dark"}

    async def test_set_current_site_by_platform_is_forbidden(self, mutation_harness: MutationHarness) -> None:
        answer = await mutation_harness.graphql.execute_as_platform(
            mutation_harness.mine.tenant_id, "mutation { setCurrentSite { id } }"
        )
        assert answer.codes == ["FORBIDDEN"]

    async def test_move_agents_moves_all_or_none(self, mutation_harness: MutationHarness) -> None:
        ids = [mutation_harness.mine.ids["agents"], mutation_harness.mine.ids["agents#2"]]
        site = mutation_harness.mine.ids["sites#2"]
        assert await call_and_get_ids(mutation_harness, make_call("moveAgents", ids=ids, siteId=site)) == ids
        assert {(await mutation_harness.read_row("agents", each))["site_id"] for each in ids} == {site}
        before = await mutation_harness.hash_tables()
        answer = await mutation_harness.execute(
            make_call("moveAgents", ids=[*ids, ABSENT_ID], siteId=mutation_harness.mine.ids["sites"])
        )
        assert answer.codes == ["NOT_FOUND"]
        assert await mutation_harness.hash_tables() == before
