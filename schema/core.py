"""Tenants, users, roles and sites."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.computed import (
    ENABLED_COUNT,
    ENABLED_IDS,
    ENABLED_NAMES,
    IS_AT_SOPHOS,
    MAPPED_COUNT,
    MAPPED_IDS,
    MAPPED_NAMES,
    PSA_NAME,
    TENANT_NAME,
    at_sophos,
    parent,
    role,
)
from schema.enums import DataSourceStatus, SiteStatus, TenantStatus, UserStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(description="A managed service provider: the owner of everything that carries its tenantId.")
class Tenant:
    id: ID = column("The tenant's id.")
    name: str = column("The company's name.", search=True)
    status: TenantStatus = column("Whether its people may work; any but ACTIVE shuts them out at once.")
    metadata: JSON | None = column("Free data of the dashboards about this tenant.")
    enabled_integration_ids: list[str] | None = ENABLED_IDS.column(
        "The integrations that it has a data source of, by their ids; sorted."
    )
    enabled_integrations: list[str] | None = ENABLED_NAMES.column(
        "The names of these integrations, in the order of `enabledIntegrationIds`."
    )
    enabled_integration_count: int | None = ENABLED_COUNT.column("How many these are.")
    created_at: Timestamp = column("When the tenant was created.")
    updated_at: Timestamp = column("When a person or a job last changed the tenant.")
    deleted_at: Timestamp | None = column("When the tenant was deleted; null while it is not.")


TENANTS = Table(
    Tenant, "tenants", one="tenant", many="tenants", module="Tenant", scope=Scope.ITSELF,
)  # fmt: skip


@strawberry.type(description="A person of a tenant, known to the identity provider under the same id.")
class User:
    id: ID = column("The identity provider's subject (for Clerk the user id).")
    tenant_id: ID = column("The tenant that the user works for.")
    role_id: ID = column("The role that says what the user may do.")
    email: str = column("The e-mail address; unique in the tenant, case aside.", search=True)
    name: str = column("The person's name.", search=True)
    status: UserStatus = column("Whether the user may sign in.")
    role_name: str | None = role("name").column("The name of the user's role.")
    role_description: str | None = role("description").column("What the user's role is for.")
    role_rights: JSON | None = role("rights").column(
        'What the user\'s role grants: an object of `"Module.Access": true`.'
    )
    metadata: JSON = column("The user's preferences; `current_site` is the site chosen in the dashboard.")
    last_activity_at: Timestamp | None = column("When the user was last seen; null if never.")
    created_at: Timestamp = column("When the user was created or invited.")
    updated_at: Timestamp = column("When a person or a job last changed the user.")
    deleted_at: Timestamp | None = column("When the user was deleted; null while they are not.")


USERS = Table(
    User, "users", one="user", many="users", module="Users",
    also_many={"usersView": "The `users` by the name of the view that had `roleName` and its like, too."},
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="users",
            about_one="The tenant that the user works for.", about_many="The people of this tenant.",
        ),
        Reference(
            "role_id", "roles", one="role", many="users",
            about_one="The role that says what the user may do.",
            about_many="The users of the viewer's tenant who have this role.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="A set of rights that users are given together.")
class Role:
    id: ID = column("The role's id.")
    tenant_id: ID | None = column(
        "The tenant that made the role; null for one that is offered to every tenant."
    )
    name: str = column("The role's name.", search=True)
    description: str = column("What the role is for.", search=True)
    rights: JSON = column('What it grants: an object of `"Module.Access": true`.')
    created_at: Timestamp = column("When the role was created.")
    updated_at: Timestamp = column("When a person or a job last changed the role.")
    deleted_at: Timestamp | None = column("When the role was deleted; null while it is not.")


ROLES = Table(
    Role, "roles", one="role", many="roles", module="Roles", scope=Scope.TENANT_OR_GLOBAL,
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="roles",
            about_one="The tenant that made the role; null for a global one.",
            about_many="The roles that this tenant made for itself.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="A customer, or a place of a customer, that the tenant looks after.")
class Site:
    id: ID = column("The site's id. Agents' guids are made of it, so it never changes.")
    tenant_id: ID = column("The tenant that looks after the site.")
    name: str = column("The site's name.", search=True)
    slug: str = column("The name in addresses; unique in the tenant.", search=True)
    status: SiteStatus = column("Whether the site is served; agents of an archived one are turned away.")
    psa_integration_id: ID | None = column(
        "The PSA in which the site is a company; null if it is not linked."
    )
    psa_company_id: str | None = column("The company's id in that PSA.")
    psa_parent_company_id: str | None = column("The id of that company's parent in the PSA, if it has one.")
    psa_integration_name: str | None = PSA_NAME.column("The name of that PSA.")
    parent_id: ID | None = parent("id").column(
        "The site that is this one's parent in the PSA: its company is this one's parent company. Of HaloPSA, which "
        "numbers clients and sites apart, only a site that is linked to the client itself."
    )
    parent_name: str | None = parent("name").column("The name of the site that is its parent in the PSA.")
    parent_slug: str | None = parent("slug").column("The slug of the site that is its parent in the PSA.")
    tenant_name: str | None = TENANT_NAME.column("The name of the tenant that looks after the site.")
    mapped_integration_ids: list[str] | None = MAPPED_IDS.column(
        "The integrations that serve the site, by their ids, sorted: by a data source of its own, or by one that is "
        "mapped to it."
    )
    mapped_integrations: list[str] | None = MAPPED_NAMES.column(
        "The names of these integrations, in the order of `mappedIntegrationIds`."
    )
    mapped_integration_count: int | None = MAPPED_COUNT.column("How many these are.")
    is_linked: bool | None = IS_AT_SOPHOS.column(
        "Whether it is linked to a tenant of Sophos Central: has a `sophos-partner` data source of its own."
    )
    linked_tenant_id: str | None = at_sophos("external_id").column("The id of that tenant of Sophos Central.")
    linked_tenant_name: str | None = at_sophos("metadata ->> 'name'").column(
        "The name of that tenant of Sophos Central."
    )
    linked_tenant_api_host: str | None = at_sophos("metadata ->> 'apiHost'").column(
        "Where the API of that tenant of Sophos Central is reached."
    )
    data_source_status: DataSourceStatus | None = at_sophos("status").column(
        "Whether the site's `sophos-partner` data source works."
    )
    mapped_at: Timestamp | None = at_sophos("created_at").column(
        "When the site was linked to that tenant of Sophos Central."
    )
    metadata: JSON | None = column("Free data of the dashboards about this site.")
    created_at: Timestamp = column("When the site was created.")
    updated_at: Timestamp = column("When a person or a job last changed the site.")
    deleted_at: Timestamp | None = column("When the site was deleted; null while it is not.")


SITES = Table(
    Site, "sites", one="site", many="sites", module="Sites", also_by={"siteBySlug": "slug"},
    also_many={
        "sitesView": "The `sites` by the name of the view that had `psaIntegrationName`, `parentName` and their like "
        "beside their columns."
    },
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="sites",
            about_one="The tenant that looks after the site.", about_many="The sites that this tenant looks after.",
        ),
        Reference(
            "psa_integration_id", "integrations", one="psaIntegration", many="psaSites",
            about_one="The PSA in which the site is a company.",
            about_many="The viewer's sites that are companies in this PSA.",
        ),
    ),
)  # fmt: skip
