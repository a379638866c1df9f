"""Operations on credentials over GraphQL: revoke them, and approve that agents enroll again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.clock import NEVER
from core.errors import ForbiddenError, NotFoundError, require_within_limit
from core.limits import WRITE_ROWS_MAX
from models.enums import CredentialKind
from services.agents.replacement import find_current_credential
from services.writes.agents import AGENTS
from services.writes.audit import get_actor, write_audit_rows
from services.writes.issued_credentials import CREDENTIALS, Credential, record_credential, revoke_recorded
from services.writes.record import WritableTable, WriteVerb
from services.writes.validation_errors import require_storable_texts
from services.writes.write_context import WriteContext
from services.writes.write_sql import lock_rows

_RIGHTS: Final = {
    CredentialKind.ENROLLMENT: "Agents.Write",
    CredentialKind.AGENT: "Agents.Write",
    CredentialKind.INVITATION: "Users.Write",
}
"""The right that revoking takes, by the kind of credential. Only the platform revokes a platform token."""

_RULES: Final = WritableTable(
    "site_enrollment_rules", "rule", "Agents", (),
    verbs=frozenset({WriteVerb.CREATE, WriteVerb.UPDATE}),
    extra={"site_id": "text", "approval_required": "boolean"},
)  # fmt: skip

_GENERATED: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""The ids that we give to tokens: UUIDv7."""

_FOUND: Final = """
SELECT id, kind FROM public.issued_credentials
WHERE id = ANY($1::text[]) AND tenant_id IS NOT DISTINCT FROM $2::text
"""
_STATE: Final = "SELECT id, kind, revoked_at FROM public.issued_credentials WHERE id = ANY($1::text[])"

_RETURNED: Final = ", ".join(f"c.{name}" for name in CREDENTIALS.column_types)
_BEFORE: Final = f"SELECT {_RETURNED} FROM public.issued_credentials c WHERE c.id = $1 FOR NO KEY UPDATE"  # noqa: S608
_APPROVE: Final = f"""
UPDATE public.issued_credentials c
SET replacement_approved_at = app.now_ms(), replacement_approved_by = $2,
    updated_at = app.next_updated_at(c.updated_at)
WHERE c.id = $1 RETURNING {_RETURNED}
"""  # noqa: S608 - declared names

_SITE: Final = (
    "SELECT FROM public.sites WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL FOR KEY SHARE"
)
_COLUMNS: Final = ", ".join(_RULES.column_types)
_RULE: Final = f"""
SELECT {_COLUMNS} FROM public.site_enrollment_rules WHERE tenant_id = $1 AND site_id = $2
"""  # noqa: S608 - declared names
_SET_RULE: Final = f"""
INSERT INTO public.site_enrollment_rules AS r (tenant_id, site_id, approval_required) VALUES ($1, $2, $3)
ON CONFLICT (site_id, tenant_id) DO UPDATE
SET approval_required = excluded.approval_required, updated_at = app.next_updated_at(r.updated_at)
RETURNING {_COLUMNS}
"""  # noqa: S608 - declared names


@dataclass(frozen=True, slots=True)
class RevokedCredential:
    """A revoked credential; `revoked_at` in ms since the epoch."""

    id: str
    kind: CredentialKind
    revoked_at: int


async def revoke_credentials(writing: WriteContext, credential_ids: Sequence[str]) -> list[RevokedCredential]:
    """Revoke credentials: all of them or none. One that is revoked already stays as it is.

    The platform outside a tenant may name a platform token that was never used, by its `jti`.

    Raises:
        ForbiddenError: The viewer lacks the right for one of the kinds.
        NotFoundError: The tenant has no such credential.
        LimitExceededError: There are too many.
    """
    require_within_limit("writtenRows", WRITE_ROWS_MAX, len(credential_ids), "rows to write")
    if not any(writing.viewer.has_right(right) for right in _RIGHTS.values()):
        wanted = sorted({*_RIGHTS.values()})
        raise ForbiddenError(f"Revoking credentials requires the right {' or '.join(wanted)}", any_of=wanted)
    require_storable_texts(**{f"ids[{position}]": each for position, each in enumerate(credential_ids)})
    ids = list(dict.fromkeys(credential_ids))
    kinds = await _require_kinds(writing, ids)
    for kind in {CredentialKind(kind) for kind in kinds.values()}:
        if kind in _RIGHTS:
            writing.require_right(_RIGHTS[kind], f"Revoking a credential of the kind {kind.name}")
    await revoke_recorded(writing.transaction, get_actor(writing), ids)
    now = {row["id"]: row for row in await writing.fetch_rows(_STATE, ids)}
    return [
        RevokedCredential(each, CredentialKind(now[each]["kind"]), now[each]["revoked_at"]) for each in ids
    ]


async def _require_kinds(writing: WriteContext, ids: list[str]) -> dict[str, str]:
    kinds = await _load_kinds(writing, ids)
    if kinds.keys() < set(ids) and writing.is_platform and writing.viewer.tenant_id is None:
        await _record_unused(writing, [each for each in ids if each not in kinds])
        kinds = await _load_kinds(writing, ids)
    missing = [each for each in ids if each not in kinds]
    if missing:
        raise NotFoundError(f"No such credential: {', '.join(map(repr, missing[:10]))}")
    return kinds


async def _load_kinds(writing: WriteContext, ids: list[str]) -> dict[str, str]:
    return {row["id"]: row["kind"] for row in await writing.fetch_rows(_FOUND, ids, writing.viewer.tenant_id)}


async def _record_unused(writing: WriteContext, ids: list[str]) -> None:
    """Record platform tokens that nobody has used, to be revoked; what cannot be a token's id is left out."""
    for token_id in filter(_GENERATED.fullmatch, ids):
        # The expiry of the token is unknown, so its row is never deleted.
        await record_credential(
            writing.transaction,
            None,
            get_actor(writing),
            Credential(token_id, CredentialKind.PLATFORM, NEVER),
        )


async def approve_reenrollment(writing: WriteContext, agent_id: str) -> str:
    """Allow an agent to enroll again once, even if its token was replaced recently; returns the agent's id.

    Raises:
        ForbiddenError: The viewer may not write agents.
        NotFoundError: The tenant has no such agent.
    """
    writing.require_right("Agents.Write", "Approving the repeated enrollment of an agent")
    require_storable_texts(agent_id=agent_id)
    await lock_rows(writing, AGENTS, [agent_id], WriteVerb.UPDATE)
    credential_id = await find_current_credential(writing.transaction, writing.require_tenant(), agent_id)
    (before,) = await writing.fetch_rows(_BEFORE, credential_id)
    if before["replacement_approved_at"] is None:
        (after,) = await writing.fetch_rows(_APPROVE, credential_id, writing.viewer.user_id)
        await write_audit_rows(
            writing.transaction,
            get_actor(writing),
            CREDENTIALS,
            WriteVerb.UPDATE,
            [(dict(before), dict(after))],
        )
    return agent_id


async def set_enrollment_rule(writing: WriteContext, site_id: str, *, approval_required: bool) -> str:
    """Set whether a site requires a person's approval each time an agent enrolls again; returns the rule's id.

    Raises:
        ForbiddenError: The viewer may not write agents.
        NotFoundError: The tenant has no such site.
    """
    writing.require_right("Agents.Write", "Setting a site's enrollment rule")
    require_storable_texts(site_id=site_id)
    if await writing.fetch_row(_SITE, writing.require_tenant(), site_id) is None:
        raise NotFoundError(f"No such site: {site_id!r}")
    await writing.lock("enrollment rule", site_id)
    before = await writing.fetch_row(_RULE, writing.require_tenant(), site_id)
    if before is not None and before["approval_required"] == approval_required:
        return str(before["id"])
    (after,) = await writing.fetch_rows(_SET_RULE, writing.require_tenant(), site_id, approval_required)
    verb = WriteVerb.UPDATE if before else WriteVerb.CREATE
    pair = (dict(before) if before else None, dict(after))
    await write_audit_rows(writing.transaction, get_actor(writing), _RULES, verb, [pair])
    return str(after["id"])
