"""Special rules of writing: who may give what to whom, what must remain, what stays the platform's."""

from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
import pytest
import pytest_asyncio

from core.rights import RIGHTS
from schema.mutation import MUTATIONS
from tests.clusters import ThrowawayCluster
from tests.desk import Call, Desk, NewDesk, desk, desks
from tests.graph import Answer
from tests.integration.test_policies import LONELY, _owned_by_lonely
from tests.rows import write

ALL_BUT_ADMIN: Final = set(RIGHTS) - {"Global.Admin"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_desk(shared_database_url: str) -> AsyncIterator[NewDesk]:
    async with desks(shared_database_url) as new:
        yield new


@pytest_asyncio.fixture
async def at(new_desk: NewDesk) -> Desk:
    return await new_desk()


def call(name: str, /, **given: Any) -> Call:
    return Call(MUTATIONS[name], given)


async def refused(at: Desk, asked: Call, code: str, who: str | None = None) -> Answer:
    """The answer to a call that must be refused, and change nothing."""
    before = await at.contents()
    answer = await at.ask(asked, who)
    assert (answer.data, answer.codes) == (None, [code]), (answer.errors, answer.fault)
    assert await at.contents() == before
    return answer


async def role(at: Desk, *rights: str, tenant: str | None = None) -> str:
    """A role of mine, or without a tenant."""
    row = {"tenant_id": tenant, "name": "A role", "description": ""}
    return await write(
        at.connection, "roles", row | {"rights": orjson.dumps(dict.fromkeys(rights, True)).decode()}
    )


class TestGranting:
    async def test_nobody_makes_a_role_that_may_more_than_they(self, at: Desk) -> None:
        clerk = await at.hire({"Roles.Write", "Sites.Read"})
        for more in ("Sites.Write", "Global.Admin", "Audit.Read"):
            asked = call("createRole", input={"name": "More", "rights": {more: True}})
            await refused(at, asked, "FORBIDDEN", clerk)
        answer = await at.ask(call("createRole", input={"name": "x", "rights": {"Sites.Read": True}}), clerk)
        assert not answer.errors

    async def test_who_holds_each_right_singly_makes_no_administrators(self, at: Desk) -> None:
        clerk = await at.hire(ALL_BUT_ADMIN)
        admins = await role(at, "Global.Admin", tenant=at.mine.tenant)
        await refused(
            at, call("createRole", input={"name": "x", "rights": {"Global.Admin": True}}), "FORBIDDEN", clerk
        )
        asked = call("inviteUser", email="a@x.example", name="A", roleId=admins)
        await refused(at, asked, "FORBIDDEN", clerk)
        await refused(at, call("changeUserRole", id=clerk, roleId=admins), "FORBIDDEN", clerk)
        await refused(at, call("updateRole", id=admins, input={"name": "y"}), "FORBIDDEN", clerk)
        await refused(at, call("deleteRole", id=admins), "FORBIDDEN", clerk)

    @pytest.mark.parametrize("name", ["deactivateUser", "deleteUser", "updateUser"])
    async def test_nobody_handles_a_user_who_may_more_than_they(self, at: Desk, name: str) -> None:
        clerk = await at.hire({"Users.Write"})
        given = {"input": {"email": "mine@x.example"}} if name == "updateUser" else {}
        await refused(at, call(name, id=at.mine.admin, **given), "FORBIDDEN", clerk)

    async def test_nobody_brings_back_a_user_who_may_more_than_they(self, at: Desk) -> None:
        clerk, other = await at.hire({"Users.Write"}), await at.hire({"Sites.Write"})
        await at.set("users", other, deleted_at=1)
        await refused(at, call("restoreUser", id=other), "FORBIDDEN", clerk)

    async def test_rights_that_there_are_not(self, at: Desk) -> None:
        for rights in (
            {"Sites.Delete": True},
            {"sites.read": True},
            {"Sites.Read": 1},
            {"Sites.Read": "true"},
        ):
            asked = call("createRole", input={"name": "x", "rights": rights})
            answer = await refused(at, asked, "BAD_USER_INPUT")
            assert list(answer.errors[0]["extensions"]["fields"]) == ["input.rights"]


class TestTheLastAdministrator:
    async def test_stays_whatever_the_way(self, at: Desk) -> None:
        admin, plain = at.mine.admin, at.mine.ids["roles"]
        await refused(at, call("deactivateUser", id=admin), "CONFLICT")
        await refused(at, call("deleteUser", id=admin), "CONFLICT")
        await refused(at, call("deleteUsers", ids=[admin]), "CONFLICT")
        await refused(at, call("changeUserRole", id=admin, roleId=plain), "CONFLICT")
        await refused(at, call("updateUser", id=admin, input={"status": "INACTIVE"}), "CONFLICT")
        await refused(at, call("updateRole", id=admin, input={"rights": {}}), "CONFLICT")

    async def test_may_go_once_there_is_another(self, at: Desk) -> None:
        other = await at.hire({"Global.Admin"}, status="pending")
        await refused(at, call("deactivateUser", id=at.mine.admin), "CONFLICT")
        await at.set("users", other, status="active")
        assert not (await at.ask(call("deactivateUser", id=at.mine.admin))).errors

    async def test_two_go_together_no_more_than_one_after_the_other(self, at: Desk) -> None:
        other = await at.hire({"Global.Admin"})
        await refused(at, call("deleteUsers", ids=[other, at.mine.admin]), "CONFLICT")

    async def test_a_global_role_is_kept_by_the_platform_too(self, at: Desk) -> None:
        shared = await role(at, "Global.Admin")
        await at.set("users", at.mine.admin, role_id=shared)
        query = "mutation($id: ID!) { updateRole(id: $id, input: {rights: {}}) { id } }"
        answer = await at.graph.as_platform(None, query, id=shared)
        assert answer.codes == ["CONFLICT"]
        await at.set("users", at.mine.admin, role_id=at.mine.admin)
        assert not (await at.graph.as_platform(None, query, id=shared)).errors


class TestRoles:
    async def test_a_role_in_use_stays(self, at: Desk) -> None:
        asked = call("deleteRole", id=at.mine.ids["roles"])
        await refused(at, asked, "CONFLICT")
        for user in (at.mine.ids["users"], at.mine.ids["users#2"]):
            await at.set("users", user, deleted_at=1)
        assert not (await at.ask(asked)).errors

    @pytest.mark.parametrize("name", ["updateRole", "deleteRole"])
    async def test_a_global_role_is_the_platforms(self, at: Desk, name: str) -> None:
        shared = await role(at)
        given = {"input": {"name": "Mine"}} if name == "updateRole" else {}
        await refused(at, call(name, id=shared, **given), "FORBIDDEN")
        more = ', input: {name: "Ours"}' if given else ""
        query = f"mutation($id: ID!) {{ {name}(id: $id{more}) {{ id tenantId }} }}"
        answer = await at.graph.as_platform(None, query, id=shared)
        assert answer.data == {name: {"id": shared, "tenantId": None}}
        (entry,) = await at.trail("roles", shared)
        assert (entry["tenant_id"], entry["actor_type"]) == (None, "platform")

    async def test_the_platform_makes_roles_of_a_tenant_or_of_none(self, at: Desk) -> None:
        query = 'mutation { createRole(input: {name: "x"}) { tenantId } }'
        for tenant in (None, at.mine.tenant):
            answer = await at.graph.as_platform(tenant, query)
            assert answer.data == {"createRole": {"tenantId": tenant}}

    async def test_a_deleted_role_is_given_to_nobody(self, at: Desk) -> None:
        gone = await role(at, tenant=at.mine.tenant)
        await at.set("roles", gone, deleted_at=1)
        await refused(at, call("changeUserRole", id=at.mine.ids["users"], roleId=gone), "BAD_USER_INPUT")
        await at.set("users", at.mine.ids["users#2"], role_id=gone, deleted_at=1)
        await refused(at, call("restoreUser", id=at.mine.ids["users#2"]), "CONFLICT")


class TestUsers:
    async def test_who_is_invited_waits(self, at: Desk) -> None:
        asked = call("inviteUser", email=" New@X.example ", name="New", roleId=at.mine.ids["roles"])
        answer = await at.ask(asked)
        row = await at.row("users", answer.data["done"]["id"])
        assert (row["status"], row["email"], row["tenant_id"]) == ("pending", "New@X.example", at.mine.tenant)
        answer = await refused(at, asked.with_("email", "new@x.EXAMPLE"), "CONFLICT")
        assert list(answer.errors[0]["extensions"]["fields"]) == ["email"]

    @pytest.mark.parametrize(
        ("was", "becomes", "may"),
        [
            ("active", "INACTIVE", True),
            ("inactive", "ACTIVE", True),
            ("pending", "INACTIVE", True),
            ("pending", "ACTIVE", False),
            ("active", "PENDING", False),
            ("inactive", "PENDING", False),
        ],
    )
    async def test_how_a_status_goes(self, at: Desk, was: str, becomes: str, *, may: bool) -> None:
        user = at.mine.ids["users"]
        await at.set("users", user, status=was)
        asked = call("updateUser", id=user, input={"status": becomes})
        if may:
            assert not (await at.ask(asked)).errors
        else:
            await refused(at, asked, "BAD_USER_INPUT")

    async def test_only_the_platform_names_a_subject(self, at: Desk) -> None:
        new = {"id": "user_2new", "email": "n@x.example", "name": "N", "roleId": at.mine.ids["roles"]}
        await refused(at, call("createUser", input=new), "FORBIDDEN")
        query = "mutation($input: CreateUserInput!) { createUser(input: $input) { id status tenantId } }"
        answer = await at.graph.as_platform(at.mine.tenant, query, input=new)
        assert answer.data == {
            "createUser": {"id": "user_2new", "status": "ACTIVE", "tenantId": at.mine.tenant}
        }
        again = await at.graph.as_platform(at.mine.tenant, query, input=new | {"email": "m@x.example"})
        assert again.codes == ["CONFLICT"]

    @pytest.mark.parametrize(
        "email", ["nobody", "a@b", "a b@x.example", "@x.example", "a@x..example", "a@x.example\n.b"]
    )
    async def test_what_is_no_address(self, at: Desk, email: str) -> None:
        asked = call("inviteUser", email=email, name="New", roleId=at.mine.ids["roles"])
        await refused(at, asked, "BAD_USER_INPUT")


class TestTenants:
    async def test_their_name_is_their_administrators(self, at: Desk) -> None:
        asked = call("updateTenant", id=at.mine.tenant, input={"name": "Ours", "metadata": {"a": 1}})
        assert not (await at.ask(asked)).errors
        clerk = await at.hire(ALL_BUT_ADMIN)
        await refused(at, asked, "FORBIDDEN", clerk)

    async def test_their_status_is_the_platforms(self, at: Desk) -> None:
        asked = call("updateTenant", id=at.mine.tenant, input={"status": "SUSPENDED"})
        await refused(at, asked, "FORBIDDEN")
        query = "mutation($id: ID!) { updateTenant(id: $id, input: {status: SUSPENDED}) { status } }"
        answer = await at.graph.as_platform(None, query, id=at.mine.tenant)
        assert answer.data == {"updateTenant": {"status": "SUSPENDED"}}

    async def test_the_platform_names_the_tenant_that_it_writes_in(self, at: Desk) -> None:
        query = 'mutation { createSite(input: {name: "x"}) { tenantId } }'
        answer = await at.graph.as_platform(None, query)
        assert answer.codes == ["BAD_USER_INPUT"]
        answer = await at.graph.as_platform(at.mine.tenant, query)
        assert answer.data == {"createSite": {"tenantId": at.mine.tenant}}


class TestSlugs:
    @pytest.mark.parametrize(
        ("name", "slug"),
        [
            ("Zoë & Söhne GmbH", "zoe-and-sohne-gmbh"),
            ("  A--B  ", "a-b"),
            ("日本", "x"),
            ("Straße", "strasse"),
        ],
    )
    async def test_are_made_of_names(self, at: Desk, name: str, slug: str) -> None:
        for wanted in (slug, f"{slug}-2", f"{slug}-3"):
            answer = await at.ask(call("createSite", input={"name": name}))
            assert (await at.row("sites", answer.data["done"]["id"]))["slug"] == wanted

    async def test_are_free_again_when_a_site_is_gone(self, at: Desk) -> None:
        site = at.mine.ids["sites"]
        await at.ask(call("deleteSite", id=site))
        answer = await at.ask(call("createSite", input={"name": "Main"}))
        assert (await at.row("sites", answer.data["done"]["id"]))["slug"] == "main"
        told = await refused(at, call("restoreSite", id=site), "CONFLICT")
        assert list(told.errors[0]["extensions"]["fields"]) == ["slug"]


class TestMoney:
    @pytest.mark.parametrize("amount", ["-0.01", "1000000000001", "0.1234567"])
    async def test_amounts_out_of_range(self, at: Desk, amount: str) -> None:
        new = {
            "integrationId": at.mine.ids["integrations"],
            "name": "x",
            "unitCost": amount,
            "effectiveFrom": 5,
        }
        await refused(at, call("createIntegrationPricingTier", input=new), "BAD_USER_INPUT")

    async def test_a_time_that_ends_before_it_begins(self, at: Desk) -> None:
        tier = at.mine.ids["integration_pricing_tiers"]
        asked = call("updateIntegrationPricingTier", id=tier, input={"effectiveFrom": 5, "effectiveUntil": 5})
        answer = await refused(at, asked, "BAD_USER_INPUT")
        assert list(answer.errors[0]["extensions"]["fields"]) == ["input.effectiveUntil"]

    async def test_an_adjustment_says_who_gave_it(self, at: Desk) -> None:
        new = {"type": "CREDIT", "amount": "1.10", "reason": "x", "effectiveFrom": 1, "effectiveTo": 2}
        answer = await at.ask(call("createTenantBillingAdjustment", input=new))
        adjustment = answer.data["done"]["id"]
        assert (await at.row("tenant_billing_adjustments", adjustment))["created_by"] == at.mine.admin
        (entry,) = await at.trail("tenant_billing_adjustments", adjustment)
        assert entry["changes"]["amount"] == [None, "1.10"]


async def test_a_schema_that_hides_its_secrets_is_refused(at: Desk) -> None:
    schema = {"type": "object", "anyOf": [{"properties": {"key": {"sensitive": True}}}]}
    query = "mutation($id: ID!, $s: JSON) { updateIntegration(id: $id, input: {configSchema: $s}) { id } }"
    answer = await at.graph.as_platform(None, query, id=at.mine.ids["integrations"], s=schema)
    assert answer.codes == ["BAD_USER_INPUT"]
    assert all(name.startswith("input.configSchema") for name in answer.errors[0]["extensions"]["fields"])


async def test_an_owner_under_the_policies_writes_alike(cluster: ThrowawayCluster) -> None:
    """Where no role may be made for requests the policies hold for the owner itself."""
    dsn = cluster.dsn(await _owned_by_lonely(cluster), LONELY)
    async with desk(dsn, forced=True) as at:
        answer = await at.ask(call("createSite", input={"name": "Ours"}))
        assert not answer.errors, answer.fault
        site = answer.data["done"]["id"]
        await refused(at, call("deleteSite", id=at.theirs.ids["sites"]), "NOT_FOUND")
        query = "mutation($id: ID!) { updateTenant(id: $id, input: {status: SUSPENDED}) { status } }"
        answer = await at.graph.as_platform(None, query, id=at.mine.tenant)
        assert answer.data == {"updateTenant": {"status": "SUSPENDED"}}
        assert [entry["action"] for entry in await at.trail("sites", site)] == ["create"]
        assert [entry["actor_type"] for entry in await at.trail("tenants", at.mine.tenant)] == ["platform"]


async def test_data_that_was_changed_by_hand_has_another_hash(at: Desk) -> None:
    entity = at.mine.ids["entities"]
    before = (await at.row("entities", entity))["data_hash"]
    await at.ask(call("updateEntity", id=entity, input={"rawData": {"a": 1}}))
    assert (await at.row("entities", entity))["data_hash"] != before
