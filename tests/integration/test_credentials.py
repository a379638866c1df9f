"""Issued credentials as services record, check and revoke them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.auth.rights import RIGHTS
from core.clock import now_ms
from core.database.database import Database
from core.database.transactions import WriteTransaction, run_in_transaction
from core.errors import UnauthenticatedError
from core.settings import Settings
from models.enums import AuditActor, CredentialKind
from services.writes.audit import Actor
from services.writes.issued_credentials import (
    Credential,
    mark_used,
    record_credential,
    require_active,
    revoke_recorded,
)
from tests.sample_rows import insert_tenant_rows

pytestmark = pytest.mark.newest

Work = Callable[[WriteTransaction], Any]


class CredentialHarness:
    """Two tenants with a row in each table, the owner's connection, and the server's database."""

    def __init__(
        self, database: Database, owner: asyncpg.Connection, mine: dict[str, str], theirs: dict[str, str]
    ) -> None:
        self.database, self.owner, self.mine, self.theirs = database, owner, mine, theirs

    async def run_in_transaction(self, work: Work) -> Any:
        """Run a piece of work in a transaction of the platform."""
        return await run_in_transaction(self.database, work, platform=True)

    @property
    def issuer(self) -> Actor:
        """My tenant's user."""
        return Actor(AuditActor.USER, self.mine["users"], self.mine["users"])

    async def issue_enrollment_token(self, **values: Any) -> str:
        """Record an enrollment token of my user for my site; returns its id."""
        given: dict[str, Any] = {
            "expires_at": now_ms() + 60_000,
            "site_id": self.mine["sites"],
            "id": "jti-1",
        } | values
        credential = Credential(kind=CredentialKind.ENROLLMENT, **given)
        await self.run_in_transaction(
            lambda t: record_credential(t, self.mine["tenants"], self.issuer, credential)
        )
        return credential.id

    async def require_in_force(self, credential_id: str, tenant: str | None = None, **values: Any) -> Any:
        """The valid credential."""
        kind = values.pop("kind", CredentialKind.ENROLLMENT)
        return await self.run_in_transaction(
            lambda t: require_active(t, tenant or self.mine["tenants"], credential_id, kind, **values)
        )

    async def read_audit_rows(self, credential_id: str) -> list[dict[str, Any]]:
        """The audit rows of a credential, oldest first."""
        rows = await self.owner.fetch(
            "SELECT * FROM audit_log WHERE table_name = 'issued_credentials' AND record_id = $1 "
            "ORDER BY created_at, action",
            credential_id,
        )
        return [{**row, "changes": orjson.loads(row["changes"])} for row in rows]


@pytest_asyncio.fixture
async def credential_harness(database_url: str) -> AsyncIterator[CredentialHarness]:
    owner = await asyncpg.connect(database_url)
    mine, theirs = await insert_tenant_rows(owner, "mine"), await insert_tenant_rows(owner, "theirs")
    await owner.execute("UPDATE users SET status = 'active'")
    await owner.execute("UPDATE roles SET rights = '{\"Agents.Write\": true}'")
    database = await Database.connect(database_url, Settings())
    yield CredentialHarness(database, owner, mine, theirs)
    await database.close()
    await owner.close()


async def test_require_in_force_of_recorded_credential_has_rights_of_issuer(
    credential_harness: CredentialHarness,
) -> None:
    found = await credential_harness.require_in_force(
        await credential_harness.issue_enrollment_token(binding={"role": "r"})
    )
    assert found.issuer_rights == {"Agents.Write", "Agents.Read"}
    assert found.binding == {"role": "r"}
    assert found.row["issued_by"] == credential_harness.mine["users"]


async def test_record_credential_writes_audit_row_without_token(
    credential_harness: CredentialHarness,
) -> None:
    await credential_harness.issue_enrollment_token()
    (row,) = await credential_harness.read_audit_rows("jti-1")
    assert (row["action"], row["actor_type"], row["user_id"]) == (
        "create",
        "user",
        credential_harness.mine["users"],
    )
    assert row["changes"]["kind"] == [None, "enrollment"]
    assert row["changes"]["siteId"] == [None, credential_harness.mine["sites"]]


async def test_record_credential_with_same_id_changes_nothing(credential_harness: CredentialHarness) -> None:
    await credential_harness.issue_enrollment_token()
    await credential_harness.issue_enrollment_token(expires_at=now_ms() + 999_000)
    assert len(await credential_harness.read_audit_rows("jti-1")) == 1


@pytest.mark.parametrize(
    "why",
    [
        "UPDATE issued_credentials SET revoked_at = 1 WHERE id = 'jti-1'",
        "UPDATE issued_credentials SET expires_at = app.now_ms() WHERE id = 'jti-1'",
        "DELETE FROM issued_credentials WHERE id = 'jti-1'",
    ],
)
async def test_require_in_force_of_revoked_expired_or_deleted_is_refused(
    credential_harness: CredentialHarness, why: str
) -> None:
    await credential_harness.issue_enrollment_token()
    await credential_harness.owner.execute(why)
    with pytest.raises(UnauthenticatedError):
        await credential_harness.require_in_force("jti-1")


@pytest.mark.parametrize("kind", [CredentialKind.AGENT, CredentialKind.INVITATION, CredentialKind.PLATFORM])
async def test_require_in_force_of_another_kind_is_refused(
    credential_harness: CredentialHarness, kind: CredentialKind
) -> None:
    await credential_harness.issue_enrollment_token()
    with pytest.raises(UnauthenticatedError):
        await credential_harness.require_in_force("jti-1", kind=kind)


async def test_require_in_force_of_another_tenant_is_refused(credential_harness: CredentialHarness) -> None:
    await credential_harness.issue_enrollment_token()
    with pytest.raises(UnauthenticatedError):
        await credential_harness.require_in_force("jti-1", credential_harness.theirs["tenants"])


@pytest.mark.parametrize(
    ("why", "left"),
    [
        ("UPDATE users SET deleted_at = 1", set()),
        ("UPDATE users SET status = 'inactive'", set()),
        ("UPDATE users SET status = 'pending'", set()),
        ("UPDATE roles SET deleted_at = 1", set()),
        ("UPDATE tenants SET status = 'suspended'", set()),
        ("UPDATE tenants SET deleted_at = 1", set()),
        ("""UPDATE roles SET rights = '{"Agents.Read": true}'""", {"Agents.Read"}),
        ("UPDATE roles SET rights = '{}'", set()),
    ],
)
async def test_require_in_force_after_issuer_changed_has_current_rights(
    credential_harness: CredentialHarness, why: str, left: set[str]
) -> None:
    await credential_harness.issue_enrollment_token()
    await credential_harness.owner.execute(why)
    assert (await credential_harness.require_in_force("jti-1")).issuer_rights == left


async def test_require_in_force_of_platform_as_issuer_has_every_right(
    credential_harness: CredentialHarness,
) -> None:
    credential = Credential(
        "jti-2", CredentialKind.ENROLLMENT, now_ms() + 60_000, site_id=credential_harness.mine["sites"]
    )
    actor = Actor(AuditActor.PLATFORM)
    await credential_harness.run_in_transaction(
        lambda t: record_credential(t, credential_harness.mine["tenants"], actor, credential)
    )
    assert (await credential_harness.require_in_force("jti-2")).issuer_rights == RIGHTS


@pytest.mark.parametrize("kind", [CredentialKind.ENROLLMENT, CredentialKind.INVITATION])
async def test_require_in_force_after_its_platform_token_was_revoked_has_no_rights(
    credential_harness: CredentialHarness, kind: CredentialKind
) -> None:
    actor = Actor(AuditActor.PLATFORM, "platform-jti")
    platform = Credential("platform-jti", CredentialKind.PLATFORM, now_ms() + 60_000)
    made = Credential("jti-3", kind, now_ms() + 60_000, binding={"digest": "d"})
    if kind is CredentialKind.ENROLLMENT:
        made = replace(made, site_id=credential_harness.mine["sites"])
    else:
        made = replace(made, user_id=credential_harness.mine["users"])
    await credential_harness.run_in_transaction(lambda t: record_credential(t, None, actor, platform))
    await credential_harness.run_in_transaction(
        lambda t: record_credential(t, credential_harness.mine["tenants"], actor, made)
    )
    found = await credential_harness.require_in_force("jti-3", kind=kind)
    assert (found.issuer_rights, found.binding["digest"]) == (RIGHTS, "d")
    await credential_harness.run_in_transaction(lambda t: revoke_recorded(t, actor, ["platform-jti"]))
    assert (await credential_harness.require_in_force("jti-3", kind=kind)).issuer_rights == set()


async def test_revoke_twice_writes_one_audit_row(credential_harness: CredentialHarness) -> None:
    await credential_harness.issue_enrollment_token()
    first = await credential_harness.run_in_transaction(
        lambda t: revoke_recorded(t, credential_harness.issuer, ["jti-1", "absent"])
    )
    assert [row["id"] for row in first] == ["jti-1"]
    assert (
        await credential_harness.run_in_transaction(
            lambda t: revoke_recorded(t, credential_harness.issuer, ["jti-1"])
        )
        == []
    )
    _, row = await credential_harness.read_audit_rows("jti-1")
    assert row["action"] == "update"
    assert set(row["changes"]) == {"revokedAt", "revokedBy", "revokeReason"}
    assert row["changes"]["revokedBy"] == [None, credential_harness.mine["users"]]


async def test_mark_used_twice_writes_first_use_only(credential_harness: CredentialHarness) -> None:
    await credential_harness.issue_enrollment_token()
    await credential_harness.run_in_transaction(lambda t: mark_used(t, "jti-1"))
    first = await credential_harness.owner.fetchrow(
        "SELECT first_used_at, xmin FROM issued_credentials WHERE id = 'jti-1'"
    )
    await credential_harness.run_in_transaction(lambda t: mark_used(t, "jti-1"))
    again = await credential_harness.owner.fetchrow(
        "SELECT first_used_at, xmin FROM issued_credentials WHERE id = 'jti-1'"
    )
    assert first is not None
    assert first["first_used_at"] is not None
    assert first == again
