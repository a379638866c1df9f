"""Organizations, their users, the users' roles, and the customers' sites."""

from tortoise.models import Model

from models import columns
from models.enums import SiteStatus, TenantStatus, UserStatus


class Tenant(Model):
    """An organisation (a managed service provider) that uses the product."""

    id = columns.primary_key()
    name = columns.Text(description="What the organisation is called.")
    status = columns.Enumerated(
        TenantStatus, default=TenantStatus.ACTIVE, description="Whether it is served."
    )
    metadata = columns.Json(null=True, description="Whatever else is known of it.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "tenants"


class User(Model):
    """A person of a tenant, known to the identity provider."""

    id = columns.primary_key(
        "The identity provider's subject; a generated id until an invitation is taken up."
    )
    tenant_id: str
    tenant = columns.tenant()
    role_id: str
    role = columns.reference("Role", "What the person may do: a role of the same tenant, or a global one.")
    email = columns.Text(
        description="Where mail reaches the person; unique in the tenant, whatever its case."
    )
    name = columns.Text(description="What the person is called.")
    status = columns.Enumerated(
        UserStatus, default=UserStatus.PENDING, description="Whether the person may sign in."
    )
    metadata = columns.Json(default=dict, description="Preferences; `current_site` lives here.")
    last_activity_at = columns.Milliseconds(null=True, description="When the person last did something.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "users"


class Role(Model):
    """A named set of rights; without a tenant it is global, offered to every tenant."""

    id = columns.primary_key()
    tenant_id: str | None
    tenant = columns.reference("Tenant", "The tenant whose role it is; absent for a global one.", null=True)
    name = columns.Text(description="What the role is called.")
    description = columns.Text(description="What the role is for.")
    rights = columns.Json(default=dict, description='Flat object of booleans: {"Sites.Read": true}.')
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "roles"


class Site(Model):
    """A customer, or a customer's place, that the tenant looks after."""

    id = columns.primary_key("Opaque key; part of the agents' guid hash, so that it never changes.")
    tenant_id: str
    tenant = columns.tenant()
    name = columns.Text(description="What the site is called.")
    slug = columns.Text(description="Its name in addresses; unique in the tenant.")
    status = columns.Enumerated(
        SiteStatus, default=SiteStatus.ACTIVE, description="Whether the site is looked after."
    )
    psa_integration_id: str | None
    psa_integration = columns.reference("Integration", "The PSA in which the site is a company.", null=True)
    psa_company_id = columns.Text(null=True, description="The site's id in that PSA.")
    psa_parent_company_id = columns.Text(null=True, description="Its parent's id in that PSA.")
    metadata = columns.Json(null=True, description="Whatever else is known of it.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "sites"
