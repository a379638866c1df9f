"""The credentials that the server issues, and a site's rule for enrolling again. No token is stored."""

from tortoise.models import Model

from models import columns
from models.enums import AuditActor, CredentialKind


class IssuedCredential(Model):
    """One token or code that the server has issued; its id is the token's `jti`."""

    id = columns.primary_key("The token's own id, its `jti`.")
    tenant_id: str | None
    tenant = columns.reference("Tenant", "Whose credential it is; absent for a platform token.", null=True)
    kind = columns.Enumerated(CredentialKind, description="What it is good for.")
    site_id: str | None
    site = columns.reference("Site", "The site at which agents enroll with it.", null=True)
    agent_id: str | None
    agent = columns.reference("Agent", "The agent that it identifies.", null=True)
    user_id: str | None
    user = columns.reference("User", "The pending user that it invites.", null=True)
    issuer_type = columns.Enumerated(
        AuditActor, default=AuditActor.SYSTEM, description="What kind of actor issued it."
    )
    issued_by = columns.Id(null=True, description="The user who issued it, if a user did.")
    binding = columns.Json(default=dict, description="What else it was issued for; never a secret.")
    expires_at = columns.Milliseconds(description="When it expires.")
    first_used_at = columns.Milliseconds(null=True, description="When it was first used.")
    revoked_at = columns.Milliseconds(null=True, description="When it was revoked.")
    revoked_by = columns.Id(null=True, description="The user who revoked it, if a user did.")
    revoke_reason = columns.Text(null=True, description="Why it was revoked.")
    replacement_requested_at = columns.Milliseconds(
        null=True, description="When its agent last asked to enroll again and had to wait for approval."
    )
    replacement_approved_at = columns.Milliseconds(
        null=True, description="When a person allowed its agent to enroll again."
    )
    replacement_approved_by = columns.Id(null=True, description="The user who allowed it, if a user did.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "issued_credentials"


class SiteEnrollmentRule(Model):
    """What one site demands before an agent may enroll again."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    site_id: str
    site = columns.reference("Site", "The site; it has one rule at most.")
    approval_required = columns.Flag(
        default=False, description="Whether each second enrollment of an agent needs a person's approval."
    )
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "site_enrollment_rules"
