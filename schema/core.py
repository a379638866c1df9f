"""Tenants, users, roles and sites."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.computed_columns import (
    ENABLED_COUNT,
    ENABLED_IDS,
    ENABLED_NAMES,
    IS_AT_SOPHOS,
    MAPPED_COUNT,
    MAPPED_IDS,
    MAPPED_NAMES,
    PSA_NAME,
    TENANT_NAME,
    build_parent_site_column,
    build_role_column,
    build_sophos_source_column,
)
from schema.enums import DataSourceStatus, SiteStatus, TenantStatus, UserStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(description="A managed service provider. It owns all rows with its tenantId.")
class Tenant:
    id: ID = column("The id of the tenant.")
    name: str = column("The name of the company.", search=True)
    status: TenantStatus = column(
        "The status of the tenant. Any status except ACTIVE blocks its users at once."
    )
    metadata: JSON | None = column("Data of the dashboards about this tenant, in any form.")
    enabled_integration_ids: list[str] | None = ENABLED_IDS.column(
        "The ids of the integrations of which the tenant has a data source, sorted."
    )
    enabled_integrations: list[str] | None = ENABLED_NAMES.column(
        "The names of these integrations, in the order of `enabledIntegrationIds`."
    )
    enabled_integration_count: int | None = ENABLED_COUNT.column("The number of these integrations.")
    created_at: Timestamp = column("The time when the tenant was created.")
    updated_at: Timestamp = column("The time of the last change to the tenant by a person or a job.")
    deleted_at: Timestamp | None = column("The time when the tenant was deleted; null if it is not deleted.")


TENANTS = Table(
    Tenant, "tenants", one="tenant", many="tenants", module="Tenant", scope=Scope.ITSELF,
)  # fmt: skip


@strawberry.type(description="A person of a tenant. The identity provider has the person under the same id.")
class User:
    id: ID = column("The subject at the identity provider (the user id of Clerk).")
    tenant_id: ID = column("The tenant of the user.")
    role_id: ID = column("The role, which grants the rights of the user.")
    email: str = column("The e-mail address, unique within the tenant regardless of case.", search=True)
    name: str = column("The name of the person.", search=True)
    status: UserStatus = column("The status of the user: whether the user may sign in.")
    role_name: str | None = build_role_column("name").column("The name of the role.")
    role_description: str | None = build_role_column("description").column("The description of the role.")
    role_rights: JSON | None = build_role_column("rights").column(
        'The rights that the role grants: an object of `"Module.Access": true`.'
    )
    metadata: JSON = column(
        "The preferences of the user. `current_site` is the site selected in the dashboard."
    )
    last_activity_at: Timestamp | None = column("The time of the last activity; null if there was none.")
    created_at: Timestamp = column("The time when the user was created or invited.")
    updated_at: Timestamp = column("The time of the last change to the user by a person or a job.")
    deleted_at: Timestamp | None = column(
        "The time when the user was deleted; null if the user is not deleted."
    )


USERS = Table(
    User, "users", one="user", many="users", module="Users",
    also_many={
        "usersView": (
            "The same list as `users`, under the name of the former view with `roleName` and similar columns."
        )
    },
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="users",
            about_one="The tenant of the user.", about_many="The users of this tenant.",
        ),
        Reference(
            "role_id", "roles", one="role", many="users",
            about_one="The role, which grants the rights of the user.",
            about_many="The users of the viewer's tenant with this role.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="A set of rights that users get together.")
class Role:
    id: ID = column("The id of the role.")
    tenant_id: ID | None = column(
        "The tenant that owns the role; null for a global role, which every tenant may use."
    )
    name: str = column("The name of the role.", search=True)
    description: str = column("The description of the role.", search=True)
    rights: JSON = column('The rights that the role grants: an object of `"Module.Access": true`.')
    created_at: Timestamp = column("The time when the role was created.")
    updated_at: Timestamp = column("The time of the last change to the role by a person or a job.")
    deleted_at: Timestamp | None = column("The time when the role was deleted; null if it is not deleted.")


ROLES = Table(
    Role, "roles", one="role", many="roles", module="Roles", scope=Scope.TENANT_OR_GLOBAL,
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="roles",
            about_one="The tenant that owns the role; null for a global role.",
            about_many="The roles that this tenant owns.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="A customer, or a location of a customer, that the tenant manages.")
class Site:
    id: ID = column("The id of the site. It never changes, because the guids of agents are derived from it.")
    tenant_id: ID = column("The tenant that manages the site.")
    name: str = column("The name of the site.", search=True)
    slug: str = column("The name of the site in URLs, unique within the tenant.", search=True)
    status: SiteStatus = column("The status of the site. Agents of an archived site are rejected.")
    psa_integration_id: ID | None = column(
        "The PSA in which the site is linked to a company; null if it is not linked."
    )
    psa_company_id: str | None = column("The id of the company in that PSA.")
    psa_parent_company_id: str | None = column(
        "The id of the company's parent in that PSA; null if there is none."
    )
    psa_integration_name: str | None = PSA_NAME.column("The name of that PSA.")
    parent_id: ID | None = build_parent_site_column("id").column(
        "The parent site: its company is the parent of this site's company in the PSA. HaloPSA numbers "
        "clients and sites separately. There the parent is a site that is linked to the client itself."
    )
    parent_name: str | None = build_parent_site_column("name").column("The name of the parent site.")
    parent_slug: str | None = build_parent_site_column("slug").column("The slug of the parent site.")
    tenant_name: str | None = TENANT_NAME.column("The name of the tenant that manages the site.")
    mapped_integration_ids: list[str] | None = MAPPED_IDS.column(
        "The ids of the integrations that serve the site, sorted. They serve it by a data source of the site "
        "or by one that is mapped to it."
    )
    mapped_integrations: list[str] | None = MAPPED_NAMES.column(
        "The names of these integrations, in the order of `mappedIntegrationIds`."
    )
    mapped_integration_count: int | None = MAPPED_COUNT.column("The number of these integrations.")
    is_linked: bool | None = IS_AT_SOPHOS.column(
        "Whether the site is linked to a tenant of Sophos Central: it has a `sophos-partner` data source of "
        "its own."
    )
    linked_tenant_id: str | None = build_sophos_source_column("external_id").column(
        "The id of the linked tenant of Sophos Central."
    )
    linked_tenant_name: str | None = build_sophos_source_column("metadata ->> 'name'").column(
        "The name of the linked tenant of Sophos Central."
    )
    linked_tenant_api_host: str | None = build_sophos_source_column("metadata ->> 'apiHost'").column(
        "The API host of the linked tenant of Sophos Central."
    )
    data_source_status: DataSourceStatus | None = build_sophos_source_column("status").column(
        "The status of the site's `sophos-partner` data source."
    )
    mapped_at: Timestamp | None = build_sophos_source_column("created_at").column(
        "The time when the site was linked to the tenant of Sophos Central."
    )
    metadata: JSON | None = column("Data of the dashboards about this site, in any form.")
    created_at: Timestamp = column("The time when the site was created.")
    updated_at: Timestamp = column("The time of the last change to the site by a person or a job.")
    deleted_at: Timestamp | None = column("The time when the site was deleted; null if it is not deleted.")


SITES = Table(
    Site, "sites", one="site", many="sites", module="Sites", also_by={"siteBySlug": "slug"},
    also_many={
        "sitesView": (
            "The same list as `sites`, under the name of the former view with `psaIntegrationName`, "
            "`parentName` and similar columns."
        )
    },
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="sites",
            about_one="The tenant that manages the site.", about_many="The sites that this tenant manages.",
        ),
        Reference(
            "psa_integration_id", "integrations", one="psaIntegration", many="psaSites",
            about_one="The PSA in which the site is linked to a company.",
            about_many="The sites of the viewer's tenant that are linked to a company in this PSA.",
        ),
    ),
)  # fmt: skip
