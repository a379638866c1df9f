"""Special rules of writing: grants of roles, the last administrator, and columns of the platform."""

from typing import Any, Final

import orjson
import pytest

from core.auth.rights import RIGHTS
from schema.mutation import MUTATIONS
from tests.clusters import ThrowawayCluster
from tests.graphql_harness import GraphqlResponse
from tests.mutation_harness import (
    MutationCall,
    MutationHarness,
    build_call,
    list_derived_mutations,
    open_mutation_harness,
)
from tests.role_modes import RESTRICTED_OWNER, create_database_of_restricted_owner
from tests.sample_rows import insert_row

pytestmark = pytest.mark.newest

ALL_BUT_ADMIN: Final = set(RIGHTS) - {"Global.Admin"}
OF_BILLING: Final = [name for name, record, _ in list_derived_mutations() if record.module == "Billing"]
"""The mutations of the billing tables, bulk forms included."""


def make_call(name: str, /, **given: Any) -> MutationCall:
    return MutationCall(MUTATIONS[name], given)


async def assert_refused(
    mutation_harness: MutationHarness, call: MutationCall, code: str, who: str | None = None
) -> GraphqlResponse:
    """The response to a call that must be refused, and change nothing."""
    before = await mutation_harness.hash_tables()
    answer = await mutation_harness.execute(call, who)
    assert (answer.data, answer.codes) == (None, [code]), (answer.errors, answer.traceback)
    assert await mutation_harness.hash_tables() == before
    return answer


async def write_role(mutation_harness: MutationHarness, *rights: str, tenant: str | None = None) -> str:
    """A role of mine, or one without a tenant."""
    row = {"tenant_id": tenant, "name": "A role", "description": ""}
    return await insert_row(
        mutation_harness.connection,
        "roles",
        row | {"rights": orjson.dumps(dict.fromkeys(rights, True)).decode()},
    )


class TestGranting:
    async def test_create_role_with_rights_beyond_own_is_forbidden(
        self, mutation_harness: MutationHarness
    ) -> None:
        clerk = await mutation_harness.add_user({"Roles.Write", "Sites.Read"})
        for more in ("Sites.Write", "Global.Admin", "Audit.Read"):
            call = make_call("createRole", input={"name": "More", "rights": {more: True}})
            await assert_refused(mutation_harness, call, "FORBIDDEN", clerk)
        answer = await mutation_harness.execute(
            make_call("createRole", input={"name": "x", "rights": {"Sites.Read": True}}), clerk
        )
        assert not answer.errors

    async def test_update_role_to_rights_beyond_own_is_forbidden(
        self, mutation_harness: MutationHarness
    ) -> None:
        clerk = await mutation_harness.add_user({"Roles.Write", "Sites.Read"})
        own = await write_role(mutation_harness, "Sites.Read", tenant=mutation_harness.mine.tenant_id)
        call = make_call("updateRole", id=own, input={"rights": {"Sites.Write": True}})
        (error,) = (await assert_refused(mutation_harness, call, "FORBIDDEN", clerk)).errors
        assert error["message"] == "Changing this role requires all its rights; the viewer lacks Sites.Write"

    async def test_grant_admin_role_by_user_with_all_other_rights_is_forbidden(
        self, mutation_harness: MutationHarness
    ) -> None:
        clerk = await mutation_harness.add_user(ALL_BUT_ADMIN)
        admins = await write_role(mutation_harness, "Global.Admin", tenant=mutation_harness.mine.tenant_id)
        await assert_refused(
            mutation_harness,
            make_call("createRole", input={"name": "x", "rights": {"Global.Admin": True}}),
            "FORBIDDEN",
            clerk,
        )
        call = make_call("inviteUser", email="a@x.example", name="A", roleId=admins)
        await assert_refused(mutation_harness, call, "FORBIDDEN", clerk)
        await assert_refused(
            mutation_harness, make_call("changeUserRole", id=clerk, roleId=admins), "FORBIDDEN", clerk
        )
        await assert_refused(
            mutation_harness, make_call("updateRole", id=admins, input={"name": "y"}), "FORBIDDEN", clerk
        )
        await assert_refused(mutation_harness, make_call("deleteRole", id=admins), "FORBIDDEN", clerk)

    @pytest.mark.parametrize("name", ["deactivateUser", "deleteUser", "updateUser"])
    async def test_write_user_with_rights_beyond_own_is_forbidden(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        clerk = await mutation_harness.add_user({"Users.Write"})
        given = {"input": {"email": "mine@x.example"}} if name == "updateUser" else {}
        await assert_refused(
            mutation_harness,
            make_call(name, id=mutation_harness.mine.administrator_id, **given),
            "FORBIDDEN",
            clerk,
        )

    async def test_restore_user_with_rights_beyond_own_is_forbidden(
        self, mutation_harness: MutationHarness
    ) -> None:
        clerk, other = (
            await mutation_harness.add_user({"Users.Write"}),
            await mutation_harness.add_user({"Sites.Write"}),
        )
        await mutation_harness.update_row("users", other, deleted_at=1)
        await assert_refused(mutation_harness, make_call("restoreUser", id=other), "FORBIDDEN", clerk)

    async def test_create_role_with_unknown_rights_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        for rights in (
            {"Sites.Delete": True},
            {"sites.read": True},
            {"Sites.Read": 1},
            {"Sites.Read": "true"},
        ):
            call = make_call("createRole", input={"name": "x", "rights": rights})
            answer = await assert_refused(mutation_harness, call, "BAD_USER_INPUT")
            assert list(answer.errors[0]["extensions"]["fields"]) == ["input.rights"]


class TestLastAdministrator:
    async def test_last_administrator_removed_in_any_way_is_a_conflict(
        self, mutation_harness: MutationHarness
    ) -> None:
        admin, plain = mutation_harness.mine.administrator_id, mutation_harness.mine.ids["roles"]
        await assert_refused(mutation_harness, make_call("deactivateUser", id=admin), "CONFLICT")
        await assert_refused(mutation_harness, make_call("deleteUser", id=admin), "CONFLICT")
        await assert_refused(mutation_harness, make_call("deleteUsers", ids=[admin]), "CONFLICT")
        await assert_refused(
            mutation_harness, make_call("changeUserRole", id=admin, roleId=plain), "CONFLICT"
        )
        await assert_refused(
            mutation_harness, make_call("updateUser", id=admin, input={"status": "INACTIVE"}), "CONFLICT"
        )
        await assert_refused(
            mutation_harness, make_call("updateRole", id=admin, input={"rights": {}}), "CONFLICT"
        )

    async def test_last_administrator_with_another_active_one_may_leave(
        self, mutation_harness: MutationHarness
    ) -> None:
        other = await mutation_harness.add_user({"Global.Admin"}, status="pending")
        await assert_refused(
            mutation_harness,
            make_call("deactivateUser", id=mutation_harness.mine.administrator_id),
            "CONFLICT",
        )
        await mutation_harness.update_row("users", other, status="active")
        assert not (
            await mutation_harness.execute(
                make_call("deactivateUser", id=mutation_harness.mine.administrator_id)
            )
        ).errors

    async def test_last_two_administrators_deleted_together_are_a_conflict(
        self, mutation_harness: MutationHarness
    ) -> None:
        other = await mutation_harness.add_user({"Global.Admin"})
        await assert_refused(
            mutation_harness,
            make_call("deleteUsers", ids=[other, mutation_harness.mine.administrator_id]),
            "CONFLICT",
        )

    async def test_last_administrator_by_global_role_is_kept_from_the_platform(
        self, mutation_harness: MutationHarness
    ) -> None:
        shared = await write_role(mutation_harness, "Global.Admin")
        await mutation_harness.update_row("users", mutation_harness.mine.administrator_id, role_id=shared)
        query = "mutation($id: ID!) { updateRole(id: $id, input: {rights: {}}) { id } }"
        answer = await mutation_harness.graphql.execute_as_platform(None, query, id=shared)
        assert answer.codes == ["CONFLICT"]
        await mutation_harness.update_row(
            "users", mutation_harness.mine.administrator_id, role_id=mutation_harness.mine.administrator_id
        )
        assert not (await mutation_harness.graphql.execute_as_platform(None, query, id=shared)).errors


class TestRoles:
    async def test_delete_role_in_use_is_a_conflict(self, mutation_harness: MutationHarness) -> None:
        call = make_call("deleteRole", id=mutation_harness.mine.ids["roles"])
        await assert_refused(mutation_harness, call, "CONFLICT")
        for user in (mutation_harness.mine.ids["users"], mutation_harness.mine.ids["users#2"]):
            await mutation_harness.update_row("users", user, deleted_at=1)
        assert not (await mutation_harness.execute(call)).errors

    @pytest.mark.parametrize("name", ["updateRole", "deleteRole"])
    async def test_write_global_role_by_tenant_is_forbidden(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        shared = await write_role(mutation_harness)
        given = {"input": {"name": "Mine"}} if name == "updateRole" else {}
        await assert_refused(mutation_harness, make_call(name, id=shared, **given), "FORBIDDEN")
        more = ', input: {name: "Ours"}' if given else ""
        query = f"mutation($id: ID!) {{ {name}(id: $id{more}) {{ id tenantId }} }}"
        answer = await mutation_harness.graphql.execute_as_platform(None, query, id=shared)
        assert answer.data == {name: {"id": shared, "tenantId": None}}
        (entry,) = await mutation_harness.read_audit_log("roles", shared)
        assert (entry["tenant_id"], entry["actor_type"]) == (None, "platform")

    async def test_create_role_by_platform_in_a_tenant_or_global_succeeds(
        self, mutation_harness: MutationHarness
    ) -> None:
        for tenant, given in ((None, "true"), (mutation_harness.mine.tenant_id, "false")):
            query = f'mutation {{ createRole(input: {{name: "x"}}, global: {given}) {{ id tenantId }} }}'
            answer = await mutation_harness.graphql.execute_as_platform(tenant, query)
            assert answer.data["createRole"]["tenantId"] == tenant
            (entry,) = await mutation_harness.read_audit_log("roles", answer.data["createRole"]["id"])
            assert (entry["tenant_id"], entry["actor_type"]) == (tenant, "platform")

    @pytest.mark.parametrize("given", ["", ", global: false", ", global: null"])
    async def test_create_role_by_platform_without_tenant_and_global_is_refused(
        self, mutation_harness: MutationHarness, given: str
    ) -> None:
        query = f'mutation {{ createRole(input: {{name: "x"}}{given}) {{ tenantId }} }}'
        answer = await mutation_harness.graphql.execute_as_platform(None, query)
        assert answer.codes == ["BAD_USER_INPUT"]
        assert "X-Tenant-Id" in answer.errors[0]["message"]
        assert "`global: true`" in answer.errors[0]["message"]

    async def test_create_role_by_platform_with_tenant_and_global_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        query = 'mutation { createRole(input: {name: "x"}, global: true) { tenantId } }'
        answer = await mutation_harness.graphql.execute_as_platform(mutation_harness.mine.tenant_id, query)
        assert answer.codes == ["BAD_USER_INPUT"]

    async def test_create_global_role_by_administrator_is_forbidden(
        self, mutation_harness: MutationHarness
    ) -> None:
        call = make_call("createRole", input={"name": "x"}, **{"global": True})
        await assert_refused(mutation_harness, call, "FORBIDDEN")

    async def test_assign_deleted_role_is_refused(self, mutation_harness: MutationHarness) -> None:
        gone = await write_role(mutation_harness, tenant=mutation_harness.mine.tenant_id)
        await mutation_harness.update_row("roles", gone, deleted_at=1)
        await assert_refused(
            mutation_harness,
            make_call("changeUserRole", id=mutation_harness.mine.ids["users"], roleId=gone),
            "BAD_USER_INPUT",
        )
        await mutation_harness.update_row(
            "users", mutation_harness.mine.ids["users#2"], role_id=gone, deleted_at=1
        )
        await assert_refused(
            mutation_harness, make_call("restoreUser", id=mutation_harness.mine.ids["users#2"]), "CONFLICT"
        )


class TestUsers:
    async def test_invite_user_creates_a_pending_user_once(self, mutation_harness: MutationHarness) -> None:
        call = make_call(
            "inviteUser", email=" New@X.example ", name="New", roleId=mutation_harness.mine.ids["roles"]
        )
        answer = await mutation_harness.execute(call)
        row = await mutation_harness.read_row("users", answer.data["done"]["id"])
        assert (row["status"], row["email"], row["tenant_id"]) == (
            "pending",
            "New@X.example",
            mutation_harness.mine.tenant_id,
        )
        answer = await assert_refused(mutation_harness, call.with_value("email", "new@x.EXAMPLE"), "CONFLICT")
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
    async def test_update_user_status_allows_only_these_changes(
        self, mutation_harness: MutationHarness, was: str, becomes: str, *, may: bool
    ) -> None:
        user = mutation_harness.mine.ids["users"]
        await mutation_harness.update_row("users", user, status=was)
        call = make_call("updateUser", id=user, input={"status": becomes})
        if may:
            assert not (await mutation_harness.execute(call)).errors
        else:
            await assert_refused(mutation_harness, call, "BAD_USER_INPUT")

    async def test_create_user_with_subject_is_only_for_the_platform(
        self, mutation_harness: MutationHarness
    ) -> None:
        new = {
            "id": "user_2new",
            "email": "n@x.example",
            "name": "N",
            "roleId": mutation_harness.mine.ids["roles"],
        }
        await assert_refused(mutation_harness, make_call("createUser", input=new), "FORBIDDEN")
        query = "mutation($input: CreateUserInput!) { createUser(input: $input) { id status tenantId } }"
        answer = await mutation_harness.graphql.execute_as_platform(
            mutation_harness.mine.tenant_id, query, input=new
        )
        assert answer.data == {
            "createUser": {"id": "user_2new", "status": "ACTIVE", "tenantId": mutation_harness.mine.tenant_id}
        }
        again = await mutation_harness.graphql.execute_as_platform(
            mutation_harness.mine.tenant_id, query, input=new | {"email": "m@x.example"}
        )
        assert again.codes == ["CONFLICT"]

    @pytest.mark.parametrize(
        "email", ["nobody", "a@b", "a b@x.example", "@x.example", "a@x..example", "a@x.example\n.b"]
    )
    async def test_invite_user_with_invalid_email_is_refused(
        self, mutation_harness: MutationHarness, email: str
    ) -> None:
        call = make_call("inviteUser", email=email, name="New", roleId=mutation_harness.mine.ids["roles"])
        await assert_refused(mutation_harness, call, "BAD_USER_INPUT")


class TestTenants:
    async def test_update_tenant_name_takes_an_administrator(self, mutation_harness: MutationHarness) -> None:
        call = make_call(
            "updateTenant", id=mutation_harness.mine.tenant_id, input={"name": "Ours", "metadata": {"a": 1}}
        )
        assert not (await mutation_harness.execute(call)).errors
        clerk = await mutation_harness.add_user(ALL_BUT_ADMIN)
        await assert_refused(mutation_harness, call, "FORBIDDEN", clerk)

    async def test_update_tenant_status_takes_the_platform(self, mutation_harness: MutationHarness) -> None:
        call = make_call("updateTenant", id=mutation_harness.mine.tenant_id, input={"status": "SUSPENDED"})
        await assert_refused(mutation_harness, call, "FORBIDDEN")
        query = "mutation($id: ID!) { updateTenant(id: $id, input: {status: SUSPENDED}) { status } }"
        answer = await mutation_harness.graphql.execute_as_platform(
            None, query, id=mutation_harness.mine.tenant_id
        )
        assert answer.data == {"updateTenant": {"status": "SUSPENDED"}}

    async def test_create_site_by_platform_without_tenant_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        query = 'mutation { createSite(input: {name: "x"}) { tenantId } }'
        answer = await mutation_harness.graphql.execute_as_platform(None, query)
        assert answer.codes == ["BAD_USER_INPUT"]
        answer = await mutation_harness.graphql.execute_as_platform(mutation_harness.mine.tenant_id, query)
        assert answer.data == {"createSite": {"tenantId": mutation_harness.mine.tenant_id}}


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
    async def test_create_site_derives_slug_from_name(
        self, mutation_harness: MutationHarness, name: str, slug: str
    ) -> None:
        for wanted in (slug, f"{slug}-2", f"{slug}-3"):
            answer = await mutation_harness.execute(make_call("createSite", input={"name": name}))
            assert (await mutation_harness.read_row("sites", answer.data["done"]["id"]))["slug"] == wanted

    async def test_create_site_with_slug_of_deleted_site_succeeds(
        self, mutation_harness: MutationHarness
    ) -> None:
        site = mutation_harness.mine.ids["sites"]
        await mutation_harness.execute(make_call("deleteSite", id=site))
        answer = await mutation_harness.execute(make_call("createSite", input={"name": "Main"}))
        assert (await mutation_harness.read_row("sites", answer.data["done"]["id"]))["slug"] == "main"
        refused = await assert_refused(mutation_harness, make_call("restoreSite", id=site), "CONFLICT")
        assert list(refused.errors[0]["extensions"]["fields"]) == ["slug"]


class TestBilling:
    @pytest.mark.parametrize("name", OF_BILLING)
    async def test_billing_write_by_a_tenant_is_refused(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        """With Billing.Write, and with Global.Admin: a tenant does not set its own prices."""
        call = build_call(name, mutation_harness.mine)
        clerk = await mutation_harness.add_user({"Billing.Write"})
        before = await mutation_harness.hash_tables()
        for who in (clerk, mutation_harness.mine.administrator_id):
            answer = await mutation_harness.execute(call, user_id=who)
            assert (answer.data, answer.codes) == (None, ["FORBIDDEN"])
            assert answer.errors[0]["message"].endswith("is allowed only for the platform")
        assert await mutation_harness.hash_tables() == before

    @pytest.mark.parametrize("name", [name for name in OF_BILLING if not name.startswith("create")])
    async def test_billing_write_in_another_tenant_is_not_found(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        call = build_call(name, mutation_harness.mine)
        answer = await mutation_harness.graphql.execute_as_platform(
            mutation_harness.theirs.tenant_id, mutation_harness.build_document(call), **call.arguments
        )
        assert (answer.data, answer.codes) == (None, ["NOT_FOUND"])

    @pytest.mark.parametrize("name", OF_BILLING)
    async def test_billing_write_by_a_platform_without_a_tenant_is_refused(
        self, mutation_harness: MutationHarness, name: str
    ) -> None:
        call = build_call(name, mutation_harness.mine)
        answer = await mutation_harness.graphql.execute_as_platform(
            None, mutation_harness.build_document(call), **call.arguments
        )
        assert (answer.data, answer.codes) == (None, ["BAD_USER_INPUT"])

    async def test_billing_read_by_a_tenant_is_answered(self, mutation_harness: MutationHarness) -> None:
        reader = await mutation_harness.add_user({"Billing.Read"})
        tables = ("integrationPricingTiers", "tenantBills", "tenantBillLineItems", "tenantBillingAdjustments")
        query = "{ " + " ".join(f"{name} {{ totalCount }}" for name in tables) + " }"
        answer = await mutation_harness.graphql.execute_as_user(reader, query)
        assert (answer.data, answer.errors) == ({name: {"totalCount": 1} for name in tables}, [])

    @pytest.mark.parametrize("amount", ["-0.01", "1000000000001", "0.1234567"])
    async def test_billing_amount_out_of_range_is_refused(
        self, mutation_harness: MutationHarness, amount: str
    ) -> None:
        new = {
            "integrationId": mutation_harness.mine.ids["integrations"],
            "name": "x",
            "unitCost": amount,
            "effectiveFrom": 5,
        }
        await assert_refused(
            mutation_harness, make_call("createIntegrationPricingTier", input=new), "BAD_USER_INPUT"
        )

    async def test_billing_period_ending_before_its_start_is_refused(
        self, mutation_harness: MutationHarness
    ) -> None:
        tier = mutation_harness.mine.ids["integration_pricing_tiers"]
        call = make_call(
            "updateIntegrationPricingTier", id=tier, input={"effectiveFrom": 5, "effectiveUntil": 5}
        )
        answer = await assert_refused(mutation_harness, call, "BAD_USER_INPUT")
        assert list(answer.errors[0]["extensions"]["fields"]) == ["input.effectiveUntil"]

    async def test_billing_adjustment_by_platform_has_no_creator(
        self, mutation_harness: MutationHarness
    ) -> None:
        new = {"type": "CREDIT", "amount": "1.10", "reason": "x", "effectiveFrom": 1, "effectiveTo": 2}
        answer = await mutation_harness.execute(make_call("createTenantBillingAdjustment", input=new))
        adjustment = answer.data["done"]["id"]
        assert (await mutation_harness.read_row("tenant_billing_adjustments", adjustment))[
            "created_by"
        ] is None
        (entry,) = await mutation_harness.read_audit_log("tenant_billing_adjustments", adjustment)
        assert entry["changes"]["amount"] == [None, "1.10"]


async def test_config_schema_with_hidden_secrets_is_refused(mutation_harness: MutationHarness) -> None:
    schema = {"type": "object", "anyOf": [{"properties": {"key": {"sensitive": True}}}]}
    query = "mutation($id: ID!, $s: JSON) { updateIntegration(id: $id, input: {configSchema: $s}) { id } }"
    answer = await mutation_harness.graphql.execute_as_platform(
        None, query, id=mutation_harness.mine.ids["integrations"], s=schema
    )
    assert answer.codes == ["BAD_USER_INPUT"]
    assert all(name.startswith("input.configSchema") for name in answer.errors[0]["extensions"]["fields"])


async def test_mutations_by_owner_under_policies_behave_alike(cluster: ThrowawayCluster) -> None:
    """Without a role for requests the policies apply to the owner itself."""
    dsn = cluster.build_dsn(await create_database_of_restricted_owner(cluster), RESTRICTED_OWNER)
    async with open_mutation_harness(dsn, forced=True) as mutation_harness:
        answer = await mutation_harness.execute(make_call("createSite", input={"name": "Ours"}))
        assert not answer.errors, answer.traceback
        site = answer.data["done"]["id"]
        await assert_refused(
            mutation_harness, make_call("deleteSite", id=mutation_harness.theirs.ids["sites"]), "NOT_FOUND"
        )
        query = "mutation($id: ID!) { updateTenant(id: $id, input: {status: SUSPENDED}) { status } }"
        answer = await mutation_harness.graphql.execute_as_platform(
            None, query, id=mutation_harness.mine.tenant_id
        )
        assert answer.data == {"updateTenant": {"status": "SUSPENDED"}}
        assert [entry["action"] for entry in await mutation_harness.read_audit_log("sites", site)] == [
            "create"
        ]
        assert [
            entry["actor_type"]
            for entry in await mutation_harness.read_audit_log("tenants", mutation_harness.mine.tenant_id)
        ] == ["platform"]


async def test_update_entity_with_new_raw_data_changes_its_hash(mutation_harness: MutationHarness) -> None:
    entity = mutation_harness.mine.ids["entities"]
    before = (await mutation_harness.read_row("entities", entity))["data_hash"]
    await mutation_harness.execute(make_call("updateEntity", id=entity, input={"rawData": {"a": 1}}))
    assert (await mutation_harness.read_row("entities", entity))["data_hash"] != before
