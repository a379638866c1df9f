"""The views whose rows are a table's in another shape; those that add columns alone are the tables' own lists.

A view is no relation of its own: its columns are expressions on rows of its table (`computed`), under its policies.
"""

from typing import Final

import strawberry
from strawberry.scalars import ID

from schema.computed import (
    ENABLED_COUNT,
    ENABLED_IDS,
    ENABLED_NAMES,
    IS_AT_SOPHOS,
    IS_COMPANY_LINKED,
    MAPPED_COUNT,
    MAPPED_IDS,
    MAPPED_NAMES,
    TENANT_NAME,
    at_sophos,
    linked_site,
    normalized,
    own,
)
from schema.enums import DataSourceStatus, SiteStatus, TenantStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(description="A tenant, and the integrations that it has enabled.")
class TenantIntegrations:
    id: ID = column("The tenant's id.")
    tenant_name: str = own("tenants", "name").column("The tenant's name.", search=True)
    status: TenantStatus = column("Whether the tenant's people may work.")
    enabled_integration_ids: list[str] | None = ENABLED_IDS.column(
        "The integrations of which it has a data source that is not deleted, by their ids; sorted."
    )
    enabled_integrations: list[str] | None = ENABLED_NAMES.column(
        "The names of these integrations, in the order of `enabledIntegrationIds`."
    )
    enabled_integration_count: int | None = ENABLED_COUNT.column("How many these are.")
    created_at: Timestamp = column("When the tenant was created.")
    updated_at: Timestamp = column("When a person or a job last changed the tenant.")
    deleted_at: Timestamp | None = column("When the tenant was deleted; null while it is not.")


@strawberry.type(description="A site, and the integrations that serve it.")
class SiteIntegrations:
    id: ID = column("The site's id.")
    tenant_id: ID = column("The tenant that looks after the site.")
    site_name: str = own("sites", "name").column("The site's name.", search=True)
    site_slug: str = own("sites", "slug").column("The site's name in addresses.", search=True)
    tenant_name: str | None = TENANT_NAME.column("The name of the tenant that looks after the site.")
    status: SiteStatus = column("Whether the site is served.")
    mapped_integration_ids: list[str] | None = MAPPED_IDS.column(
        "The integrations that serve the site, by their ids, sorted: by a data source of its own, or by one that is "
        "mapped to it."
    )
    mapped_integrations: list[str] | None = MAPPED_NAMES.column(
        "The names of these integrations, in the order of `mappedIntegrationIds`."
    )
    mapped_integration_count: int | None = MAPPED_COUNT.column("How many these are.")
    created_at: Timestamp = column("When the site was created.")
    updated_at: Timestamp = column("When a person or a job last changed the site.")
    deleted_at: Timestamp | None = column("When the site was deleted; null while it is not.")


@strawberry.type(description="A company that a PSA told of, and the site that is linked to it.")
class PsaCompany:
    id: ID = column("The id of the company's entity.")
    tenant_id: ID = column("The tenant whose data it is.")
    integration_id: ID = column("The PSA.")
    data_source_id: ID = column("The data source that it came from.")
    external_id: str = column("The company's id in the PSA.", search=True)
    name: str | None = normalized("name").column("The company's name.", search=True)
    external_parent_id: str | None = normalized("externalParentId").column(
        "The PSA's id of the company's parent; of HaloPSA that of its client."
    )
    is_linked: bool | None = IS_COMPANY_LINKED.column(
        "Whether a site is linked to it, by `psaIntegrationId` and `psaCompanyId`."
    )
    linked_site_id: ID | None = linked_site("id").column("The site that is linked to it; null if none is.")
    linked_site_name: str | None = linked_site("name").column("That site's name.")
    linked_site_slug: str | None = linked_site("slug").column("That site's name in addresses.")
    linked_site_status: SiteStatus | None = linked_site("status").column("Whether that site is served.")
    created_at: Timestamp = column("When it was first seen.")
    updated_at: Timestamp = column("When its data last changed.")
    deleted_at: Timestamp | None = column("When it was gone from the PSA; null while it is there.")


@strawberry.type(description="A site, and the tenant of Sophos Central that it is linked to.")
class SophosPartnerSite:
    id: ID = column("The site's id.")
    tenant_id: ID = column("The tenant that looks after the site; not one of Sophos Central.")
    name: str = column("The site's name.", search=True)
    slug: str = column("The site's name in addresses.", search=True)
    status: SiteStatus = column("Whether the site is served.")
    is_linked: bool | None = IS_AT_SOPHOS.column(
        "Whether it is linked: has a `sophos-partner` data source of its own; the newest of them is told of here."
    )
    linked_tenant_id: str | None = at_sophos("external_id").column("The id of the tenant of Sophos Central.")
    linked_tenant_name: str | None = at_sophos("metadata ->> 'name'").column("That tenant's name.")
    linked_tenant_api_host: str | None = at_sophos("metadata ->> 'apiHost'").column(
        "Where that tenant's API is reached."
    )
    data_source_status: DataSourceStatus | None = at_sophos("status").column("Whether the data source works.")
    mapped_at: Timestamp | None = at_sophos("created_at").column("When the site was linked.")
    created_at: Timestamp = column("When the site was created.")
    updated_at: Timestamp = column("When a person or a job last changed the site.")
    deleted_at: Timestamp | None = column("When the site was deleted; null while it is not.")


_SITE: Final = Reference("id", "sites", one="site", about_one="The site itself.")

VIEWS: Final = (
    Table(
        TenantIntegrations, "enabled_integrations_view", one="", many="enabledIntegrationsView", module="Tenant",
        scope=Scope.ITSELF, of="tenants",
        references=(Reference("id", "tenants", one="tenant", about_one="The tenant itself."),),
    ),
    Table(
        SiteIntegrations, "site_integrations_view", one="", many="siteIntegrationsView", module="Sites", of="sites",
        references=(_SITE,),
    ),
    Table(
        PsaCompany, "psa_companies_view", one="", many="psaCompaniesView", module="Entities",
        of="entities", only=(("entity_type", "companies"),),
        references=(
            Reference("id", "entities", one="entity", about_one="The company's entity, with all that the PSA sent."),
        ),
    ),
    Table(
        SophosPartnerSite, "sophos_partner_sites_view", one="", many="sophosPartnerSitesView", module="Sites",
        of="sites", references=(_SITE,),
    ),
)  # fmt: skip
"""The views that have types of their own."""
