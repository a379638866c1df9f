"""The data that integrations deliver, in one normalized form, and its relationships."""

from tortoise.models import Model

from models import columns


class Entity(Model):
    """A device, ticket, company, identity, ... of a tenant, as a data source delivered it."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    integration_id: str
    integration = columns.reference("Integration", "The product from which it comes.")
    data_source_id: str
    data_source = columns.reference("DataSource", "The data source that delivered it.")
    site_id: str | None
    site = columns.reference("Site", "The site to which it belongs, where that is known.", null=True)
    entity_type = columns.Text(description="What it is: companies, devices, tickets, identities, ...")
    external_id = columns.Text(description="Its id in the product from which it comes.")
    data_hash = columns.Text(description="A hash of the raw data: what has not changed is not written again.")
    raw_data = columns.Json(default=dict, description="What the product delivered.")
    normalized_data = columns.Json(default=dict, description="The same, in the shape of its type.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "entities"


class GlobalEntity(Model):
    """An entity that is the same for every tenant; written by the platform only."""

    id = columns.primary_key()
    integration_id: str
    integration = columns.reference("Integration", "The product from which it comes.")
    entity_type = columns.Text(description="What it is: licenses, products, ...")
    external_id = columns.Text(description="Its id in the product from which it comes.")
    data_hash = columns.Text(description="A hash of the raw data: what has not changed is not written again.")
    raw_data = columns.Json(default=dict, description="What the product delivered.")
    normalized_data = columns.Json(default=dict, description="The same, in the shape of its type.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "global_entities"


class EntityRelationship(Model):
    """That one entity of a tenant contains, owns or otherwise has another."""

    id = columns.primary_key()
    tenant_id: str
    tenant = columns.tenant()
    parent_entity_id: str
    parent_entity = columns.reference("Entity", "The one that has the other.")
    child_entity_id: str
    child_entity = columns.reference("Entity", "The one that the other has.")
    relationship_type = columns.Text(description="How the two hang together: member, license, ...")
    metadata = columns.Json(null=True, description="What is known of the relationship itself.")
    created_at = columns.created_at()
    updated_at = columns.updated_at()
    deleted_at = columns.deleted_at()

    class Meta:
        table = "entity_relationships"
