"""Enrolls agents at a site.

A device that enrolls again is the same agent. After a move it enrolls at its new site.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from core.database.database import ReadTransaction
from core.errors import ConflictError, UnauthenticatedError, WriteContentionError
from core.ids import generate_id
from models.enums import AuditActor, CredentialKind
from services.agents.legacy_agents import end_legacy
from services.agents.replacement import replace_token, require_replaceable
from services.writes.agents import AGENTS
from services.writes.audit import Actor, write_audit_rows
from services.writes.issued_credentials import mark_used, require_active
from services.writes.record import WriteVerb

_SELECT_SITE: Final = """
SELECT s.status = 'active' AND s.deleted_at IS NULL AS is_active,
       t.status = 'active' AND t.deleted_at IS NULL AS of_active_tenant,
       CASE WHEN $3 <> '' THEN (
           SELECT true FROM pg_advisory_xact_lock(hashtextextended('agent ' || $1 || ' ' || $3, 0))
       ) END AS is_held
FROM public.tenants t LEFT JOIN public.sites s ON s.tenant_id = t.id AND s.id = $2
WHERE t.id = $1
"""

_COLUMNS: Final = ", ".join(AGENTS.column_types)

_SELECT_AGENT: Final = f"""
SELECT {_COLUMNS} FROM public.agents
WHERE tenant_id = $1 AND guid = ANY ($2::text[] || $3::text[]) AND deleted_at IS NULL
  AND (guid = ANY ($2) OR hostname = $4)
ORDER BY array_position($2 || $3, guid) LIMIT 1
FOR NO KEY UPDATE
"""  # noqa: S608 - declared names

_INSERT_AGENT: Final = f"""
INSERT INTO public.agents (
    id, tenant_id, site_id, guid, hostname, platform, version, ip_address, mac_address, ext_address, registered_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, app.now_ms())
ON CONFLICT (tenant_id, guid) WHERE deleted_at IS NULL DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names

_UPDATE_AGENT: Final = f"""
UPDATE public.agents
SET hostname = $2, platform = $3, version = $4, ip_address = coalesce($5, ip_address),
    mac_address = coalesce($6, mac_address), ext_address = coalesce($7, ext_address), registered_at = app.now_ms(),
    updated_at = app.next_updated_at(updated_at)
WHERE id = $1
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names


@dataclass(frozen=True, slots=True)
class EnrollingDevice:
    """The values that an agent reports when it enrolls. An address that is None leaves the stored one as it is.

    Attributes:
        spellings: Further GUIDs that the device's agent may have (`services.device_identity`).
        former: GUIDs that the device's agent may have, valid only if the host name agrees.
        key: The value that all spellings of the device share; "" if it has one spelling only.
    """

    guid: str
    hostname: str
    platform: str
    version: str
    ip_address: str | None = None
    mac_address: str | None = None
    ext_address: str | None = None
    spellings: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    key: str = ""


class Enrolled(NamedTuple):
    """The agent of an enrolled device: its id, its GUID, and the id (`jti`) that its token must have."""

    agent_id: str
    guid: str
    token_id: str


async def enroll_with_token(
    transaction: ReadTransaction, tenant_id: str, site_id: str, device: EnrollingDevice, token_id: str
) -> Enrolled:
    """Enroll a device with an enrollment token of this `jti`. The arguments and errors are those of `enroll_device`.

    Raises:
        UnauthenticatedError: The token is revoked, or its issuer may no longer write agents.
    """
    found = await require_active(transaction, tenant_id, token_id, CredentialKind.ENROLLMENT)
    if "Agents.Write" not in found.issuer_rights or found.row["site_id"] != site_id:
        raise UnauthenticatedError("The creator of the token may no longer enroll agents.")
    await mark_used(transaction, token_id)
    return await enroll_device(
        transaction, tenant_id, site_id, device, Actor(AuditActor.AGENT, credential_id=token_id)
    )


async def enroll_device(
    transaction: ReadTransaction, tenant_id: str, site_id: str, device: EnrollingDevice, actor: Actor
) -> Enrolled:
    """Enroll a device at a site, new or again, and record the token for its agent.

    Args:
        transaction: One that writes and bypasses the policies.
        tenant_id: The site's tenant.
        site_id: The site.
        device: The device.
        actor: Who enrolls it, for the audit log. An agent's id is filled in.

    Raises:
        UnauthenticatedError: The tenant is not active.
        ConflictError: The site is not active, the device is enrolled at another site of the tenant, or a person
            must approve the new enrollment.
        InTheWayError: A concurrent transaction created and deleted the agent.
    """
    await _require_active_site(transaction, tenant_id, site_id, device.key)
    before = await _find_agent(transaction, tenant_id, device)
    if before is None:
        bound = (device.guid, device.hostname, device.platform, device.version)
        addresses = (device.ip_address, device.mac_address, device.ext_address)
        rows = await transaction.fetch(_INSERT_AGENT, (generate_id(), tenant_id, site_id, *bound, *addresses))
        if rows:
            return await _audit_and_return_id(transaction, actor, None, dict(rows[0]))
        before = await _find_agent(transaction, tenant_id, device)  # a concurrent enrollment has created it
    if before is None:
        raise WriteContentionError("The agent of the device was deleted at the same time; try again")
    if before["site_id"] != site_id:
        raise ConflictError("The device is enrolled at another site. Move its agent first.")
    await require_replaceable(transaction, tenant_id, site_id, before["id"])
    return await _audit_and_return_id(
        transaction, actor, before, await _update_agent(transaction, before["id"], device)
    )


async def _require_active_site(transaction: ReadTransaction, tenant_id: str, site_id: str, key: str) -> None:
    """Require an active site, and lock the device's `key`.

    With the lock, concurrent enrollments by two spellings give one agent.
    """
    rows = await transaction.fetch(_SELECT_SITE, (tenant_id, site_id, key))
    if not rows or not rows[0]["of_active_tenant"]:
        raise UnauthenticatedError("The tenant is not active.")
    if not rows[0]["is_active"]:
        raise ConflictError("The site is not active.")


async def _find_agent(
    transaction: ReadTransaction, tenant_id: str, device: EnrollingDevice
) -> dict[str, Any] | None:
    guids = [device.guid, *device.spellings]
    rows = await transaction.fetch(_SELECT_AGENT, (tenant_id, guids, list(device.former), device.hostname))
    return dict(rows[0]) if rows else None


async def _update_agent(
    transaction: ReadTransaction, agent_id: str, device: EnrollingDevice
) -> dict[str, Any]:
    arguments = (device.hostname, device.platform, device.version)
    addresses = (device.ip_address, device.mac_address, device.ext_address)
    return dict((await transaction.fetch(_UPDATE_AGENT, (agent_id, *arguments, *addresses)))[0])


async def _audit_and_return_id(
    transaction: ReadTransaction, actor: Actor, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> Enrolled:
    agent_id: str = after["id"]
    if actor.type is AuditActor.AGENT:
        actor = replace(actor, id=agent_id)
    if before is None:
        await write_audit_rows(transaction, actor, AGENTS, WriteVerb.CREATE, [(None, after)])
    elif any(before[name] != after[name] for name in AGENTS.by_name):
        await write_audit_rows(transaction, actor, AGENTS, WriteVerb.UPDATE, [(before, after)])
    token_id = await replace_token(transaction, actor, after["tenant_id"], agent_id, is_new=before is None)
    if before is not None:
        await end_legacy(transaction, actor, after["tenant_id"], agent_id)
    return Enrolled(agent_id, after["guid"], token_id)
