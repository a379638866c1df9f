"""Replaces an agent's token when it enrolls again. Too many replacements require a person's approval.

first enrollment ── token A ── used ── enrolls again ── token B, A is revoked
  within an hour of that, B used ── enrolls again ── 409 until `approveReenrollment`
  B not used yet ── enrolls again ── token C, B is revoked (a retry after a lost response)
"""

from typing import Any, Final

from core.clock import now_ms
from core.database.database import ReadTransaction
from core.errors import ConflictError
from core.ids import generate_id
from core.limits import AGENT_TOKEN_LIFETIME_S, REPLACEMENT_PAUSE_MS
from models.enums import AuditActor, CredentialKind, HealthResourceType
from services.health_checks import report_health
from services.writes.audit import Actor
from services.writes.issued_credentials import Credential, record_credential, revoke_recorded

REPLACED: Final = "replaced"
"""The revocation reason if the agent enrolled again."""
UNRECORDED: Final = "unrecorded"
"""Marks, in `binding`, a row that stands for an agent's token issued before tokens had rows."""

# The agent's row is locked already, so no other enrollment of it is in progress.
_STATE: Final = f"""
SELECT c.id, c.first_used_at IS NOT NULL AS is_used, c.replacement_approved_at IS NOT NULL AS is_approved,
       coalesce(r.approval_required, false) AS approval_required,
       EXISTS (
           SELECT FROM public.issued_credentials k
           WHERE k.tenant_id = a.tenant_id AND k.agent_id = a.id AND k.revoke_reason = '{REPLACED}'
             AND k.first_used_at IS NOT NULL AND k.revoked_at > app.now_ms() - {REPLACEMENT_PAUSE_MS}
       ) AS is_replaced_lately
FROM public.agents a
LEFT JOIN public.issued_credentials c ON c.tenant_id = a.tenant_id AND c.agent_id = a.id AND c.revoked_at IS NULL
LEFT JOIN public.site_enrollment_rules r ON r.tenant_id = a.tenant_id AND r.site_id = $3
WHERE a.tenant_id = $1 AND a.id = $2
ORDER BY c.id DESC LIMIT 1
"""  # noqa: S608 - our own names

_REQUEST: Final = """
UPDATE public.issued_credentials SET replacement_requested_at = app.now_ms() WHERE id = $1
"""

_IN_FORCE: Final = """
SELECT id FROM public.issued_credentials WHERE tenant_id = $1 AND agent_id = $2 AND revoked_at IS NULL
ORDER BY id DESC
"""


class ApprovalRequiredError(ConflictError):
    """An agent may enroll again only after a person has approved it. The caller commits the request for approval."""


async def require_replaceable(
    transaction: ReadTransaction, tenant_id: str, site_id: str, agent_id: str
) -> None:
    """Require that an existing agent may get another token. Otherwise record its request for approval.

    Raises:
        ApprovalRequiredError: A person must approve it first.
    """
    (state,) = await transaction.fetch(_STATE, (tenant_id, agent_id, site_id))
    if not _needs_approval(state):
        return
    credential_id = await find_current_credential(transaction, tenant_id, agent_id)
    await transaction.fetch(_REQUEST, (credential_id,))
    raise ApprovalRequiredError(
        "The agent is enrolled already. A person must approve its repeated enrollment."
    )


def _needs_approval(state: Any) -> bool:
    is_unused = state["id"] is not None and not state["is_used"]
    if is_unused or state["is_approved"]:
        return False
    return bool(state["approval_required"] or (state["id"] is not None and state["is_replaced_lately"]))


async def find_current_credential(transaction: ReadTransaction, tenant_id: str, agent_id: str) -> str:
    """The id of the agent's current token. If the token has no row, a row that stands for it is recorded."""
    rows = await transaction.fetch(_IN_FORCE, (tenant_id, agent_id))
    if rows:
        return str(rows[0]["id"])
    credential = Credential(
        generate_id(),
        CredentialKind.AGENT,
        _compute_expiry(),
        agent_id=agent_id,
        binding={UNRECORDED: True},
        is_used=True,
    )
    await record_credential(transaction, tenant_id, Actor(AuditActor.SYSTEM), credential)
    return credential.id


async def replace_token(
    transaction: ReadTransaction, actor: Actor, tenant_id: str, agent_id: str, *, is_new: bool
) -> str:
    """Record a token for an agent and revoke its former tokens, with audit rows and a health event.

    Returns:
        The id that the token must have.
    """
    former = [] if is_new else await transaction.fetch(_IN_FORCE, (tenant_id, agent_id))
    await revoke_recorded(transaction, actor, [row["id"] for row in former], REPLACED)
    credential = Credential(generate_id(), CredentialKind.AGENT, _compute_expiry(), agent_id=agent_id)
    await record_credential(transaction, tenant_id, actor, credential)
    if not is_new:
        await _report(transaction, tenant_id, agent_id, credential.id)
    return credential.id


async def _report(transaction: ReadTransaction, tenant_id: str, agent_id: str, credential_id: str) -> None:
    await report_health(
        transaction,
        tenant_id,
        HealthResourceType.AGENT,
        agent_id,
        ok=False,
        error_message="The agent re-enrolled: its former token is revoked",
        metadata={"event": "reenrolled", "credential": credential_id},
    )


def _compute_expiry() -> int:
    return now_ms() // 1000 * 1000 + AGENT_TOKEN_LIFETIME_S * 1000
