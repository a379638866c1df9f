"""A user that no person has signed in as stays invited, whatever happens to the row; and is no administrator."""

from typing import Any, Final

import pytest

from schema.mutation import MUTATIONS
from tests.mutation_harness import MutationCall, MutationHarness

pytestmark = pytest.mark.newest

UPDATE: Final = (
    "mutation($id: ID!, $input: UpdateUserInput!) { updateUser(id: $id, input: $input) { status } }"
)
CREATE: Final = "mutation($input: CreateUserInput!) { createUser(input: $input) { id status } }"


def make_call(name: str, /, **given: Any) -> MutationCall:
    return MutationCall(MUTATIONS[name], given)


async def invite_user(mutation_harness: MutationHarness, email: str, role: str | None = None) -> str:
    """Invite a user as the administrator; returns the user's id."""
    answer = await mutation_harness.execute(
        make_call("inviteUser", email=email, name="I", roleId=role or mutation_harness.mine.ids["roles"])
    )
    assert not answer.errors, answer.errors
    return str(answer.data["done"]["id"])


async def fetch_admin_role(mutation_harness: MutationHarness) -> str:
    return str((await mutation_harness.read_row("users", mutation_harness.mine.administrator_id))["role_id"])


async def set_status(
    mutation_harness: MutationHarness, user: str, status: str, *, platform: bool = False
) -> list[str]:
    """Set the status; returns the codes of the errors."""
    given = {"id": user, "input": {"status": status}}
    answer = (
        await mutation_harness.graphql.execute_as_platform(mutation_harness.mine.tenant_id, UPDATE, **given)
        if platform
        else await mutation_harness.graphql.execute_as_user(
            mutation_harness.mine.administrator_id, UPDATE, **given
        )
    )
    return answer.codes


@pytest.mark.parametrize("platform", [False, True])
async def test_update_user_pending_deactivated_then_activated_is_pending(
    mutation_harness: MutationHarness, *, platform: bool
) -> None:
    user = await invite_user(mutation_harness, f"again{platform}@x.example")
    assert not await set_status(mutation_harness, user, "INACTIVE", platform=platform)
    assert (await mutation_harness.read_row("users", user))["status"] == "inactive"
    assert not await set_status(mutation_harness, user, "ACTIVE", platform=platform)
    assert (await mutation_harness.read_row("users", user))["status"] == "pending"
    assert (await mutation_harness.read_audit_log("users", user))[-1]["changes"] == {
        "status": ["inactive", "pending"]
    }


async def test_update_user_active_deactivated_then_activated_is_active(
    mutation_harness: MutationHarness,
) -> None:
    user = await mutation_harness.add_user({"Sites.Read"})
    assert not await set_status(mutation_harness, user, "INACTIVE")
    assert not await set_status(mutation_harness, user, "ACTIVE")
    assert (await mutation_harness.read_row("users", user))["status"] == "active"


async def test_update_user_platform_activates_pending_is_refused(mutation_harness: MutationHarness) -> None:
    user = await invite_user(mutation_harness, "straight@x.example")
    assert await set_status(mutation_harness, user, "ACTIVE", platform=True) == ["BAD_USER_INPUT"]
    assert (await mutation_harness.read_row("users", user))["status"] == "pending"


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ({"status": "ACTIVE"}, ["BAD_USER_INPUT"]),
        ({"id": "user_2Pending", "status": "PENDING"}, ["BAD_USER_INPUT"]),
        ({"status": "INACTIVE"}, []),
        ({"id": "user_2Inactive", "status": "INACTIVE"}, []),
    ],
)
async def test_create_user_by_platform_without_a_subject_is_never_active(
    mutation_harness: MutationHarness, given: dict[str, str], codes: list[str]
) -> None:
    new = {"email": "p@x.example", "name": "P", "roleId": mutation_harness.mine.ids["roles"], **given}
    answer = await mutation_harness.graphql.execute_as_platform(
        mutation_harness.mine.tenant_id, CREATE, input=new
    )
    assert answer.codes == codes
    if not codes:
        user = answer.data["createUser"]["id"]
        assert not await set_status(mutation_harness, user, "ACTIVE", platform=True)
        expected = "active" if "id" in given else "pending"
        assert (await mutation_harness.read_row("users", user))["status"] == expected


@pytest.mark.parametrize(
    "way", ["deactivateUser", "deleteUser", "deleteUsers", "changeUserRole", "updateRole"]
)
async def test_last_administrator_with_only_unclaimed_others_may_not_leave(
    mutation_harness: MutationHarness, way: str
) -> None:
    user = await invite_user(mutation_harness, f"{way}@x.example", await fetch_admin_role(mutation_harness))
    for status in ("INACTIVE", "ACTIVE"):
        assert not await set_status(mutation_harness, user, status)
    admin, plain = mutation_harness.mine.administrator_id, mutation_harness.mine.ids["roles"]
    given: dict[str, dict[str, Any]] = {
        "deactivateUser": {"id": admin},
        "deleteUser": {"id": admin},
        "deleteUsers": {"ids": [admin]},
        "changeUserRole": {"id": admin, "roleId": plain},
        "updateRole": {"id": await fetch_admin_role(mutation_harness), "input": {"rights": {}}},
    }
    assert (await mutation_harness.execute(make_call(way, **given[way]))).codes == ["CONFLICT"]


async def test_restore_user_unclaimed_is_no_administrator(mutation_harness: MutationHarness) -> None:
    user = await invite_user(mutation_harness, "restored@x.example", await fetch_admin_role(mutation_harness))
    assert not await set_status(mutation_harness, user, "INACTIVE")
    for way in ("deleteUser", "restoreUser"):
        assert not (await mutation_harness.execute(make_call(way, id=user))).errors
    assert not await set_status(mutation_harness, user, "ACTIVE")
    assert (await mutation_harness.read_row("users", user))["status"] == "pending"
    assert (
        await mutation_harness.execute(make_call("deactivateUser", id=mutation_harness.mine.administrator_id))
    ).codes == ["CONFLICT"]
