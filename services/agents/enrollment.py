"""Agents enrol at a site. A device that enrols again is the same agent, at another site once it was moved there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.database import Snapshot
from core.errors import ConflictError, InTheWayError, UnauthenticatedError
from core.ids import new_id
from models.enums import AuditActor
from services.writes.agents import AGENTS
from services.writes.audit import Actor, leave_trail
from services.writes.record import Verb

_SITE: Final = """
SELECT s.status = 'active' AND s.deleted_at IS NULL AS is_active,
       t.status = 'active' AND t.deleted_at IS NULL AS of_active_tenant
FROM public.tenants t LEFT JOIN public.sites s ON s.tenant_id = t.id AND s.id = $2
WHERE t.id = $1
"""

_COLUMNS: Final = ", ".join(AGENTS.types)

_KNOWN: Final = f"""
SELECT {_COLUMNS} FROM public.agents WHERE tenant_id = $1 AND guid = $2 AND deleted_at IS NULL FOR NO KEY UPDATE
"""  # noqa: S608 - declared names

_ENROL: Final = f"""
INSERT INTO public.agents (
    id, tenant_id, site_id, guid, hostname, platform, version, ip_address, mac_address, ext_address, registered_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, app.now_ms())
ON CONFLICT (tenant_id, guid) WHERE deleted_at IS NULL DO NOTHING
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names

_ENROL_AGAIN: Final = f"""
UPDATE public.agents
SET hostname = $2, platform = $3, version = $4, ip_address = coalesce($5, ip_address),
    mac_address = coalesce($6, mac_address), ext_address = coalesce($7, ext_address), registered_at = app.now_ms(),
    updated_at = greatest(app.now_ms(), updated_at + 1)
WHERE id = $1
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names


@dataclass(frozen=True, slots=True)
class Device:
    """What an agent tells of itself when it enrols; addresses that are None stay what they were."""

    guid: str
    hostname: str
    platform: str
    version: str
    ip_address: str | None = None
    mac_address: str | None = None
    ext_address: str | None = None


async def enrol(
    transaction: Snapshot, tenant_id: str, site_id: str, device: Device, actor: AuditActor = AuditActor.AGENT
) -> str:
    """Enrol a device at a site, or note that it has enrolled again: the id of its agent.

    Args:
        transaction: One that writes, past the policies or in this tenant.
        tenant_id: Whose site it is.
        site_id: The site.
        device: The device.
        actor: Who enrols it, for the audit log.

    Raises:
        UnauthenticatedError: The tenant is not active.
        ConflictError: The site is not active, or the device is enrolled at another site of the tenant.
        InTheWayError: Its agent came and went at the same moment.
    """
    await _require_active(transaction, tenant_id, site_id)
    before = await _known(transaction, tenant_id, device)
    if before is None:
        bound = (device.guid, device.hostname, device.platform, device.version)
        addresses = (device.ip_address, device.mac_address, device.ext_address)
        rows = await transaction.fetch(_ENROL, (new_id(), tenant_id, site_id, *bound, *addresses))
        if rows:
            return await _finish(transaction, actor, None, dict(rows[0]))
        before = await _known(transaction, tenant_id, device)  # it has enrolled at the same moment
    if before is None:
        raise InTheWayError("The device's agent was deleted at the same moment; try again")
    if before["site_id"] != site_id:
        raise ConflictError("The device is enrolled at another site. Move its agent first.")
    return await _finish(transaction, actor, before, await _enrol_again(transaction, before["id"], device))


async def _require_active(transaction: Snapshot, tenant_id: str, site_id: str) -> None:
    rows = await transaction.fetch(_SITE, (tenant_id, site_id))
    if not rows or not rows[0]["of_active_tenant"]:
        raise UnauthenticatedError("The tenant is not active.")
    if not rows[0]["is_active"]:
        raise ConflictError("The site is not active.")


async def _known(transaction: Snapshot, tenant_id: str, device: Device) -> dict[str, Any] | None:
    rows = await transaction.fetch(_KNOWN, (tenant_id, device.guid))
    return dict(rows[0]) if rows else None


async def _enrol_again(transaction: Snapshot, agent_id: str, device: Device) -> dict[str, Any]:
    told = (device.hostname, device.platform, device.version)
    addresses = (device.ip_address, device.mac_address, device.ext_address)
    return dict((await transaction.fetch(_ENROL_AGAIN, (agent_id, *told, *addresses)))[0])


async def _finish(
    transaction: Snapshot, actor: AuditActor, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> str:
    agent_id: str = after["id"]
    who = Actor(actor, agent_id if actor is AuditActor.AGENT else None)
    if before is None:
        await leave_trail(transaction, who, AGENTS, Verb.CREATE, [(None, after)])
    elif any(before[name] != after[name] for name in AGENTS.by_name):
        await leave_trail(transaction, who, AGENTS, Verb.UPDATE, [(before, after)])
    return agent_id
