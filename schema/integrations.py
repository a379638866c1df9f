"""The catalog of integrations, and tenants' configurations of them."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.computed_columns import IS_ENABLED, SOURCES_COUNT, SOURCES_STATUS
from schema.enums import DataSourceStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(
    description="A product that delivers data (HaloPSA, Sophos, ...). It is the same for all tenants."
)
class Integration:
    id: ID = column("The slug of the integration, such as `halopsa`.")
    name: str = column("The name of the product.", search=True)
    description: str = column("The description of the product.", search=True)
    category: str = column("The kind of product: psa, rmm, security, identity, ...", search=True)
    supported_types: list[str] = column(
        "The entity types that it delivers: sites, companies, devices, tickets, ..."
    )
    icon_url: str | None = column("The URL of its icon.", filter=False, order=False)
    color: str | None = column("Its color in the dashboards, in CSS notation.", filter=False, order=False)
    level: str | None = column("Where it is configured: once for the tenant, or for each site.")
    product_url: str | None = column("The URL of the vendor's product page.", filter=False, order=False)
    config_schema: JSON | None = column(
        "The JSON Schema of a data source's `config`. The mark `sensitive` makes a property a secret. The "
        "mark `destination` states whether a value decides where secrets are sent. Its properties have the order "
        "in which they were written.",
        filter=False,
        sql="app.in_written_order({t}.config_schema)",
        reads=(("integrations", "config_schema"),),
    )
    is_active: bool | None = column(
        "Whether the integration is offered. Integrations are disabled, never deleted."
    )
    data_sources_count: int | None = SOURCES_COUNT.column(
        "The number of its data sources in the viewer's tenant."
    )
    is_enabled: bool | None = IS_ENABLED.column("Whether the viewer's tenant has a data source of it.")
    data_source_status: DataSourceStatus | None = SOURCES_STATUS.column(
        "The status of its data sources in the viewer's tenant: ERROR if one failed, else ACTIVE if one is "
        "active, else INACTIVE. Null if there are none."
    )
    created_at: Timestamp = column("The time when it was added to the catalog.")
    updated_at: Timestamp = column("The time of the last change by the platform.")


INTEGRATIONS = Table(
    Integration, "integrations", one="integration", many="integrations", module="Integrations",
    scope=Scope.EVERYONE,
    also_many={
        "integrationsView": (
            "The same list as `integrations`, under the name of the former view with `isEnabled` and similar "
            "columns."
        )
    },
)  # fmt: skip


@strawberry.type(description="An integration as configured by one tenant, or for one site of the tenant.")
class DataSource:
    id: ID = column("The id of the data source.")
    tenant_id: ID = column("The tenant that owns the data source.")
    integration_id: ID = column("The integration of the data source.")
    site_id: ID | None = column("The only site that it serves; null for the whole tenant.")
    external_id: str | None = column("The id at the vendor.", search=True)
    status: DataSourceStatus = column("The status of the data source.")
    config: JSON = column(
        "The configuration of the connection to the vendor. Secrets are never returned: each one is "
        '`{"secret": true}`.',
        filter=False,
        sql="app.redact({t}.config, (SELECT i.config_schema FROM integrations i WHERE i.id = {t}.integration_id))",
        reads=(
            ("data_sources", "config"),
            ("data_sources", "integration_id"),
            ("integrations", "config_schema"),
        ),
    )
    metadata: JSON | None = column("Data of the connector about the vendor's side.")
    credential_expiration_at: Timestamp | None = column(
        "The expiry time of the credentials; null if they never expire.", never=True, not_null=True
    )
    last_sync_at: Timestamp | None = column("The time of the last synchronization; null if there was none.")
    created_at: Timestamp = column("The time of the creation.")
    updated_at: Timestamp = column("The time of the last change by a person or a job.")
    deleted_at: Timestamp | None = column("The time of the deletion; null if the row is not deleted.")


DATA_SOURCES = Table(
    DataSource, "data_sources", one="dataSource", many="dataSources", module="DataSources",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="dataSources",
            about_one="The tenant that owns the data source.", about_many="The data sources of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="dataSources",
            about_one="The integration of the data source.",
            about_many="The data sources of this integration in the viewer's tenant.",
        ),
        Reference(
            "site_id", "sites", one="site", many="dataSources",
            about_one="The only site that it serves; null for the whole tenant.",
            about_many="The data sources that serve only this site.",
        ),
    ),
)  # fmt: skip


@strawberry.type(description="The mapping of a data source to a site that it serves.")
class DataSourceToSite:
    id: ID = column("The id of the mapping.")
    tenant_id: ID = column("The tenant of the data source and the site.")
    data_source_id: ID = column("The data source.")
    site_id: ID = column("The site that the data source serves.")
    created_at: Timestamp = column("The time when the mapping was created.")
    deleted_at: Timestamp | None = column("The time when the mapping was removed; null while it exists.")


DATA_SOURCE_TO_SITE = Table(
    DataSourceToSite, "data_source_to_site", one="dataSourceToSite", many="dataSourceToSites", module="Sites",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="dataSourceToSites",
            about_one="The tenant of the data source and the site.",
            about_many="The mappings of data sources to sites in this tenant.",
        ),
        Reference(
            "data_source_id", "data_sources", one="dataSource", many="dataSourceToSites",
            about_one="The data source.", about_many="The mappings of this data source to sites.",
        ),
        Reference(
            "site_id", "sites", one="site", many="dataSourceToSites",
            about_one="The site that the data source serves.",
            about_many="The mappings of data sources to this site.",
        ),
    ),
)  # fmt: skip
