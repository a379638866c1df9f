"""The catalog of integrations, and a tenant's configuration of them."""

from tortoise.models import Model

from core.clock import NEVER
from models import columns
from models.enums import DataSourceStatus


class Integration(Model):
    """A product that can be connected; one catalogue for all tenants, written by the platform only."""

    id = columns.Id(primary_key=True, description="The integration's slug, such as `halopsa`.")
    name = columns.Text(description="What the product is called.")
    description = columns.Text(description="What connecting it gives.")
    category = columns.Text(description="Its kind: psa, rmm, security, identity, ...")
    supported_types = columns.TextArray(
        default=list, description="The types of entity that it delivers: sites, devices, tickets, ..."
    )
    icon_url = columns.Text(null=True, description="Where its icon is.")
    color = columns.Text(null=True, description="Its colour in the catalogue.")
    level = columns.Text(null=True, description="Whether it is configured for the tenant or for each site.")
    product_url = columns.Text(null=True, description="The product's own page.")
    config_schema = columns.Json(
        null=True,
        description="JSON Schema of a data source's config; a property marked `sensitive` is a secret.",
    )
    is_active = columns.Flag(null=True, description="Whether it is offered; never deleted, but switched off.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()

    class Meta:
        table = "integrations"


class DataSource(Model):
    """An integration as one tenant has configured it, for itself or for one site."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    integration_id: str
    integration = columns.reference("Integration", "What is connected.")
    site_id: str | None
    site = columns.reference("Site", "The site that it serves; absent for the whole tenant.", null=True)
    external_id = columns.Text(null=True, description="The account's id in the connected product.")
    status = columns.Enumerated(
        DataSourceStatus, default=DataSourceStatus.ACTIVE, description="Whether it is synchronised."
    )
    config = columns.Json(default=dict, description="Settings; secrets inside are encrypted at rest.")
    metadata = columns.Json(null=True, description="What synchronising has learnt of it.")
    credential_expiration_at = columns.Milliseconds(
        default=NEVER, description="When its credentials expire; 9007199254740991 is never."
    )
    last_sync_at = columns.Milliseconds(null=True, description="When it was last synchronised.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "data_sources"


class DataSourceToSite(Model):
    """That a data source serves a site."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    data_source_id: str
    data_source = columns.reference("DataSource", "What serves the site.")
    site_id: str
    site = columns.reference("Site", "The site that is served.")
    created_at = columns.created_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "data_source_to_site"
