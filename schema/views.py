"""The views that show a table's rows in another form. Views that only add columns are the tables' own lists.

A view is not a relation of the database. Its columns are expressions on rows of its table (`computed`), under the
table's policies.
"""

from typing import Final

import strawberry
from strawberry.scalars import ID

from schema.computed_columns import (
    ENABLED_COUNT,
    ENABLED_IDS,
    ENABLED_NAMES,
    IS_AT_SOPHOS,
    IS_COMPANY_LINKED,
    MAPPED_COUNT,
    MAPPED_IDS,
    MAPPED_NAMES,
    TENANT_NAME,
    build_linked_site_column,
    build_normalized_text,
    build_own_column,
    build_sophos_source_column,
)
from schema.enums import DataSourceStatus, SiteStatus, TenantStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(description="A tenant with its enabled integrations.")
class TenantIntegrations:
    id: ID = column("The id of the tenant.")
    tenant_name: str = build_own_column("tenants", "name").column("The name of the tenant.", search=True)
    status: TenantStatus = column("The status of the tenant.")
    enabled_integration_ids: list[str] | None = ENABLED_IDS.column(
        "The ids of the integrations of which the tenant has a data source that is not deleted, sorted."
    )
    enabled_integrations: list[str] | None = ENABLED_NAMES.column(
        "The names of these integrations, in the order of `enabledIntegrationIds`."
    )
    enabled_integration_count: int | None = ENABLED_COUNT.column("The number of these integrations.")
    created_at: Timestamp = column("The time when the tenant was created.")
    updated_at: Timestamp = column("The time of the last change to the tenant by a person or a job.")
    deleted_at: Timestamp | None = column("The time when the tenant was deleted; null if it is not deleted.")


@strawberry.type(description="A site with the integrations that serve it.")
class SiteIntegrations:
    id: ID = column("The id of the site.")
    tenant_id: ID = column("The tenant that manages the site.")
    site_name: str = build_own_column("sites", "name").column("The name of the site.", search=True)
    site_slug: str = build_own_column("sites", "slug").column("The name of the site in URLs.", search=True)
    tenant_name: str | None = TENANT_NAME.column("The name of the tenant that manages the site.")
    status: SiteStatus = column("The status of the site.")
    mapped_integration_ids: list[str] | None = MAPPED_IDS.column(
        "The ids of the integrations that serve the site, sorted. They serve it by a data source of the site "
        "or by one that is mapped to it."
    )
    mapped_integrations: list[str] | None = MAPPED_NAMES.column(
        "The names of these integrations, in the order of `mappedIntegrationIds`."
    )
    mapped_integration_count: int | None = MAPPED_COUNT.column("The number of these integrations.")
    created_at: Timestamp = column("The time when the site was created.")
    updated_at: Timestamp = column("The time of the last change to the site by a person or a job.")
    deleted_at: Timestamp | None = column("The time when the site was deleted; null if it is not deleted.")


@strawberry.type(description="A company of a PSA with the linked site.")
class PsaCompany:
    id: ID = column("The id of the company's entity.")
    tenant_id: ID = column("The tenant that owns the data.")
    integration_id: ID = column("The id of the PSA integration.")
    data_source_id: ID = column("The data source that delivered it.")
    external_id: str = column("The id of the company in the PSA.", search=True)
    name: str | None = build_normalized_text("name").column("The name of the company.", search=True)
    external_parent_id: str | None = build_normalized_text("externalParentId").column(
        "The id of the company's parent in the PSA. In HaloPSA it is the id of the client."
    )
    is_linked: bool | None = IS_COMPANY_LINKED.column(
        "Whether a site is linked to the company, by `psaIntegrationId` and `psaCompanyId`."
    )
    linked_site_id: ID | None = build_linked_site_column("id").column(
        "The id of the linked site; null if there is none."
    )
    linked_site_name: str | None = build_linked_site_column("name").column("The name of the linked site.")
    linked_site_slug: str | None = build_linked_site_column("slug").column(
        "The name of the linked site in URLs."
    )
    linked_site_status: SiteStatus | None = build_linked_site_column("status").column(
        "The status of the linked site."
    )
    created_at: Timestamp = column("The time when it was first delivered.")
    updated_at: Timestamp = column("The time when the data last changed.")
    deleted_at: Timestamp | None = column(
        "The time when it no longer existed in the PSA; null while it exists."
    )


@strawberry.type(description="A site with the linked tenant of Sophos Central.")
class SophosPartnerSite:
    id: ID = column("The id of the site.")
    tenant_id: ID = column("The tenant that manages the site. It is no tenant of Sophos Central.")
    name: str = column("The name of the site.", search=True)
    slug: str = column("The name of the site in URLs.", search=True)
    status: SiteStatus = column("The status of the site.")
    is_linked: bool | None = IS_AT_SOPHOS.column(
        "Whether the site is linked: it has a `sophos-partner` data source of its own. If it has several, "
        "the view shows the newest."
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
        "The status of the data source."
    )
    mapped_at: Timestamp | None = build_sophos_source_column("created_at").column(
        "The time when the site was linked."
    )
    created_at: Timestamp = column("The time when the site was created.")
    updated_at: Timestamp = column("The time of the last change to the site by a person or a job.")
    deleted_at: Timestamp | None = column("The time when the site was deleted; null if it is not deleted.")


_SITE: Final = Reference("id", "sites", one="site", about_one="The site itself.")

VIEWS: Final = (
    Table(
        TenantIntegrations, "enabled_integrations_view", one="", many="enabledIntegrationsView", module="Tenant",
        scope=Scope.ITSELF, source_table="tenants",
        references=(Reference("id", "tenants", one="tenant", about_one="The tenant itself."),),
    ),
    Table(
        SiteIntegrations, "site_integrations_view", one="", many="siteIntegrationsView", module="Sites", source_table="sites",  # noqa: E501
        references=(_SITE,),
    ),
    Table(
        PsaCompany, "psa_companies_view", one="", many="psaCompaniesView", module="Entities",
        source_table="entities", only=(("entity_type", "companies"),),
        references=(
            Reference(
                "id", "entities", one="entity", about_one="The entity of the company, with all data from the PSA.",
            ),
        ),
    ),
    Table(
        SophosPartnerSite, "sophos_partner_sites_view", one="", many="sophosPartnerSitesView", module="Sites",
        source_table="sites", references=(_SITE,),
    ),
)  # fmt: skip
"""The views with types of their own."""
