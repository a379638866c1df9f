"""Entities: the normalized data of integrations, and the relationships between entities."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.computed_columns import IS_COMPANY_LINKED, build_linked_site_column, build_normalized_text
from schema.enums import SiteStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(
    description="An object that an integration delivered: a company, an endpoint, a ticket, an identity, ..."
)
class Entity:
    id: ID = column("The id of the entity.")
    tenant_id: ID = column("The tenant that owns the data.")
    integration_id: ID = column("The integration that delivered it.")
    data_source_id: ID = column("The data source that delivered it.")
    site_id: ID | None = column("The site to which it belongs; null if it is unknown.")
    entity_type: str = column(
        "The type of the entity: companies, sites, endpoints, identities, groups, tickets, ..."
    )
    external_id: str = column("The id at the vendor, unique per data source and type.", search=True)
    data_hash: str = column("A hash of the raw data. Unchanged data is not written again.", order=False)
    raw_data: JSON = column("The data as the vendor sent it.")
    normalized_data: JSON = column(
        "The data in our format, which is the same for all vendors of an entity type."
    )
    name: str | None = build_normalized_text("name").column(
        "The `name` in the normalized data; null if there is none."
    )
    external_parent_id: str | None = build_normalized_text("externalParentId").column(
        "The `externalParentId` in the normalized data: the vendor's id of the parent company; null if there "
        "is none."
    )
    is_linked: bool | None = IS_COMPANY_LINKED.column(
        "Whether it is a company of a PSA to which a site is linked, by `psaIntegrationId` and "
        "`psaCompanyId`."
    )
    linked_site_id: ID | None = build_linked_site_column("id").column(
        "The id of the linked site; null if there is none."
    )
    linked_site_name: str | None = build_linked_site_column("name").column("The name of the linked site.")
    linked_site_slug: str | None = build_linked_site_column("slug").column("The slug of the linked site.")
    linked_site_status: SiteStatus | None = build_linked_site_column("status").column(
        "The status of the linked site."
    )
    created_at: Timestamp = column("The time when it was first delivered.")
    updated_at: Timestamp = column("The time when the data last changed.")
    deleted_at: Timestamp | None = column(
        "The time when it no longer existed at the vendor; null while it exists."
    )


ENTITIES = Table(
    Entity, "entities", one="entity", many="entities", module="Entities",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="entities",
            about_one="The tenant that owns the data.", about_many="All entities of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="entities",
            about_one="The integration that delivered it.",
            about_many="The entities of the viewer's tenant that this integration delivered.",
        ),
        Reference(
            "data_source_id", "data_sources", one="dataSource", many="entities",
            about_one="The data source that delivered it.",
            about_many="The entities that this data source delivered.",
        ),
        Reference(
            "site_id", "sites", one="site", many="entities",
            about_one="The site to which it belongs.", about_many="The entities that belong to this site.",
        ),
    ),
)  # fmt: skip


@strawberry.type(
    description="An object that an integration delivered and that is the same for all tenants: a license plan, ..."
)
class GlobalEntity:
    id: ID = column("The id of the entity.")
    integration_id: ID = column("The integration that delivered it.")
    entity_type: str = column("The type of the entity.")
    external_id: str = column("The id at the vendor, unique per integration and type.", search=True)
    data_hash: str = column("A hash of the raw data. Unchanged data is not written again.", order=False)
    raw_data: JSON = column("The data as the vendor sent it.")
    normalized_data: JSON = column(
        "The data in our format, which is the same for all vendors of an entity type."
    )
    created_at: Timestamp = column("The time when it was first delivered.")
    updated_at: Timestamp = column("The time when the data last changed.")
    deleted_at: Timestamp | None = column(
        "The time when it no longer existed at the vendor; null while it exists."
    )


GLOBAL_ENTITIES = Table(
    GlobalEntity, "global_entities", one="globalEntity", many="globalEntities", module="Entities",
    scope=Scope.EVERYONE,
    references=(
        Reference(
            "integration_id", "integrations", one="integration", many="globalEntities",
            about_one="The integration that delivered it.",
            about_many="The objects that this integration delivers for all tenants.",
        ),
    ),
)  # fmt: skip


@strawberry.type(
    description="A relationship between two entities: an identity belongs to a group, an endpoint to a company."
)
class EntityRelationship:
    id: ID = column("The id of the relationship.")
    tenant_id: ID = column("The tenant of both entities.")
    parent_entity_id: ID = column("The parent: the entity to which the child belongs.")
    child_entity_id: ID = column("The child: the entity that belongs to the parent.")
    relationship_type: str = column("The type of the relationship: member, contains, assigned, ...")
    metadata: JSON | None = column("Further data about it.")
    created_at: Timestamp = column("The time when it was first delivered.")
    updated_at: Timestamp = column("The time of the last change.")
    deleted_at: Timestamp | None = column("The time when it ended; null while it exists.")


ENTITY_RELATIONSHIPS = Table(
    EntityRelationship, "entity_relationships", one="entityRelationship", many="entityRelationships",
    module="Entities",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="entityRelationships",
            about_one="The tenant of both entities.",
            about_many="The relationships between the entities of this tenant.",
        ),
        Reference(
            "parent_entity_id", "entities", one="parent", many="children", by=("relationship_type",),
            about_one="The parent: the entity to which the child belongs.",
            about_many="The relationships in which this entity is the parent.",
        ),
        Reference(
            "child_entity_id", "entities", one="child", many="parents", by=("relationship_type",),
            about_one="The child: the entity that belongs to the parent.",
            about_many="The relationships in which this entity is the child.",
        ),
    ),
)  # fmt: skip
