"""The catalogue of integrations, and how a tenant has set them up."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.computed import IS_ENABLED, SOURCES_COUNT, SOURCES_STATUS
from schema.enums import DataSourceStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(
    description="A product that data can come from (HaloPSA, Sophos, ...), the same for all tenants."
)
class Integration:
    id: ID = column("The integration's slug, such as `halopsa`.")
    name: str = column("The product's name.", search=True)
    description: str = column("What the product is.", search=True)
    category: str = column("The kind of product: psa, rmm, security, identity, ...", search=True)
    supported_types: list[str] = column(
        "The entity types that it brings: sites, companies, devices, tickets, ..."
    )
    icon_url: str | None = column("Where its picture is.", filter=False, order=False)
    color: str | None = column("Its colour in the dashboards, as CSS writes it.", filter=False, order=False)
    level: str | None = column("Where it is set up: once for the tenant, or for each site.")
    product_url: str | None = column("The vendor's page about it.", filter=False, order=False)
    config_schema: JSON | None = column(
        "JSON Schema of a data source's `config`; a property marked `sensitive` is a secret.", filter=False
    )
    is_active: bool | None = column("Whether it is offered; an integration is switched off, never deleted.")
    data_sources_count: int | None = SOURCES_COUNT.column(
        "How many data sources the viewer's tenant has of it."
    )
    is_enabled: bool | None = IS_ENABLED.column("Whether the viewer's tenant has a data source of it.")
    data_source_status: DataSourceStatus | None = SOURCES_STATUS.column(
        "Whether the viewer's tenant's data sources of it work: ERROR if one does not, else ACTIVE if one does, else "
        "INACTIVE; null where there are none."
    )
    created_at: Timestamp = column("When it was added to the catalogue.")
    updated_at: Timestamp = column("When the platform last changed it.")


INTEGRATIONS = Table(
    Integration, "integrations", one="integration", many="integrations", module="Integrations",
    scope=Scope.EVERYONE,
    also_many={
        "integrationsView": "The `integrations` by the name of the view that had `isEnabled` and its like beside "
        "their columns."
    },
)  # fmt: skip


@strawberry.type(description="An integration as one tenant, or one site of it, has set it up.")
class DataSource:
    id: ID = column("The data source's id.")
    tenant_id: ID = column("The tenant whose data source it is.")
    integration_id: ID = column("The integration that it is one of.")
    site_id: ID | None = column("The one site that it serves; null for the whole tenant.")
    external_id: str | None = column("Its id at the vendor.", search=True)
    status: DataSourceStatus = column("Whether it works.")
    config: JSON = column(
        'How to reach the vendor. A secret is never given: it shows as `{"secret": true}`.',
        filter=False,
        sql="app.redact({t}.config, (SELECT i.config_schema FROM integrations i WHERE i.id = {t}.integration_id))",
        reads=(
            ("data_sources", "config"),
            ("data_sources", "integration_id"),
            ("integrations", "config_schema"),
        ),
    )
    metadata: JSON | None = column("What the connector knows of the vendor's side.")
    credential_expiration_at: Timestamp = column("When its credentials end; 9007199254740991 for never.")
    last_sync_at: Timestamp | None = column("When data last came from it; null if none has.")
    created_at: Timestamp = column("When it was set up.")
    updated_at: Timestamp = column("When a person or a job last changed it.")
    deleted_at: Timestamp | None = column("When it was deleted; null while it is not.")


DATA_SOURCES = Table(
    DataSource, "data_sources", one="dataSource", many="dataSources", module="DataSources",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="dataSources",
            about_one="The tenant whose data source it is.", about_many="The data sources of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="dataSources",
            about_one="The integration that it is one of.",
            about_many="The viewer's data sources of this integration.",
        ),
        Reference(
            "site_id", "sites", one="site", many="dataSources",
            about_one="The one site that it serves.", about_many="The data sources that serve this site alone.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="That a data source of the whole tenant serves a site, too.")
class DataSourceToSite:
    id: ID = column("The mapping's id.")
    tenant_id: ID = column("The tenant of both.")
    data_source_id: ID = column("The data source.")
    site_id: ID = column("The site that it serves.")
    created_at: Timestamp = column("When the two were joined.")
    deleted_at: Timestamp | None = column("When they were parted; null while they are not.")


DATA_SOURCE_TO_SITE = Table(
    DataSourceToSite, "data_source_to_site", one="dataSourceToSite", many="dataSourceToSites", module="Sites",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="dataSourceToSites",
            about_one="The tenant of both.", about_many="Which data sources serve which sites in this tenant.",
        ),
        Reference(
            "data_source_id", "data_sources", one="dataSource", many="dataSourceToSites",
            about_one="The data source.", about_many="The sites that it is mapped to.",
        ),
        Reference(
            "site_id", "sites", one="site", many="dataSourceToSites",
            about_one="The site that it serves.", about_many="The tenant's data sources that are mapped to it.",
        ),
    ),
)  # fmt: skip
