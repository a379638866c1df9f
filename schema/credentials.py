"""The credentials that the server issues, and a site's rule for enrolling again: tables in addition to the 21."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.enums import AuditActor, CredentialKind
from schema.scalars import Timestamp
from schema.table import Reference, Table, column


@strawberry.type(description="One token or code that the server has issued. The token itself is not stored.")
class IssuedCredential:
    id: ID = column("The id of the credential, which is the `jti` of the token.")
    tenant_id: ID | None = column("The tenant; null for a platform token.")
    kind: CredentialKind = column("The kind of the credential.")
    site_id: ID | None = column("The site at which agents enroll with it.")
    agent_id: ID | None = column("The agent that the token identifies.")
    user_id: ID | None = column("The pending user whom the code invites.")
    issuer_type: AuditActor = column("The kind of actor who issued it.")
    issued_by: ID | None = column("The user who issued it; null if no user did.")
    binding: JSON = column(
        "Further data to which the credential is bound, without personal data.",
        filter=False,
        sql="({t}.binding - 'email')",
        reads=(("issued_credentials", "binding"),),
    )
    expires_at: Timestamp | None = column(
        "The expiry time; null if the credential never expires, or if the server does not know the time.",
        never=True,
        not_null=True,
    )
    first_used_at: Timestamp | None = column("The time of the first use; null before it.")
    revoked_at: Timestamp | None = column("The time of the revocation; null if it is not revoked.")
    revoked_by: ID | None = column("The user who revoked it; null if no user did.")
    revoke_reason: str | None = column("The reason for the revocation.", search=True)
    replacement_requested_at: Timestamp | None = column(
        "The time when its agent last tried to enroll again and needed `approveReenrollment`."
    )
    replacement_approved_at: Timestamp | None = column(
        "The time when a person allowed its agent to enroll again."
    )
    replacement_approved_by: ID | None = column("The user who allowed it; null if no user did.")
    created_at: Timestamp = column("The time when it was issued.")
    updated_at: Timestamp = column("The time when it was last issued, approved or revoked.")


ISSUED_CREDENTIALS = Table(
    IssuedCredential, "issued_credentials", one="issuedCredential", many="issuedCredentials", module="Agents",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="issuedCredentials",
            about_one="The tenant; null for a platform token.",
            about_many="The credentials that were issued in this tenant.",
        ),
        Reference(
            "site_id", "sites", one="site", many="enrollmentCredentials",
            about_one="The site at which agents enroll with it.",
            about_many="The tokens with which agents enroll at this site.",
        ),
        Reference(
            "agent_id", "agents", one="agent", many="credentials",
            about_one="The agent that the token identifies.", about_many="The tokens that were issued to this agent.",
        ),
        Reference(
            "user_id", "users", one="user", many="invitationCredentials",
            about_one="The pending user whom the code invites.",
            about_many="The invitation codes that were created for this user.",
        ),
        Reference(
            "issued_by", "users", one="issuer", many="issuedCredentials",
            about_one="The user who issued it; null if no user did.",
            about_many="The credentials that this user issued.",
        ),
        Reference(
            "revoked_by", "users", one="revoker", many="revokedCredentials",
            about_one="The user who revoked it; null if no user did.",
            about_many="The credentials that this user revoked.",
        ),
        Reference(
            "replacement_approved_by", "users", one="replacementApprover", many="approvedReplacements",
            about_one="The user who allowed its agent to enroll again; null if no user did.",
            about_many="The credentials whose replacement this user allowed.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="The rule of one site about repeated enrollments of agents.")
class SiteEnrollmentRule:
    id: ID = column("The id of the rule.")
    tenant_id: ID = column("The tenant of the site.")
    site_id: ID = column("The site. It has at most one rule.")
    approval_required: bool = column(
        "Whether each repeated enrollment of an agent requires the approval of a person."
    )
    created_at: Timestamp = column("The time when the rule was created.")
    updated_at: Timestamp = column("The time of the last change.")


SITE_ENROLLMENT_RULES = Table(
    SiteEnrollmentRule, "site_enrollment_rules", one="siteEnrollmentRule", many="siteEnrollmentRules",
    module="Agents",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="siteEnrollmentRules",
            about_one="The tenant of the site.", about_many="The enrollment rules of the sites of this tenant.",
        ),
        Reference(
            "site_id", "sites", one="site", only="enrollmentRule",
            about_one="The site that has the rule.",
            about_many="The rule of this site about repeated enrollments; null if there is none.",
        ),
    ),
)  # fmt: skip
