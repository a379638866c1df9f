"""Entities: what integrations bring, normalised, and how one belongs to another."""

import strawberry
from strawberry.scalars import ID, JSON

from schema.computed import IS_COMPANY_LINKED, linked_site, normalized
from schema.enums import SiteStatus
from schema.scalars import Timestamp
from schema.table import Reference, Scope, Table, column


@strawberry.type(
    description="A thing that an integration told of: a company, an endpoint, a ticket, an identity, ..."
)
class Entity:
    id: ID = column("The entity's id.")
    tenant_id: ID = column("The tenant whose data it is.")
    integration_id: ID = column("The integration that it came through.")
    data_source_id: ID = column("The data source that it came from.")
    site_id: ID | None = column("The site that it belongs to, where that is known.")
    entity_type: str = column("What it is: companies, sites, endpoints, identities, groups, tickets, ...")
    external_id: str = column("Its id at the vendor; unique with data source and type.", search=True)
    data_hash: str = column("A hash of the raw data; unchanged data is not written again.", order=False)
    raw_data: JSON = column("What the vendor sent.")
    normalized_data: JSON = column("The same in our words, alike for all vendors of an entity type.")
    name: str | None = normalized("name").column("The `name` in its normalized data; null if that has none.")
    external_parent_id: str | None = normalized("externalParentId").column(
        "The `externalParentId` in its normalized data: the vendor's id of a company's parent; null if that has none."
    )
    is_linked: bool | None = IS_COMPANY_LINKED.column(
        "Whether it is a company of a PSA that a site is linked to, by `psaIntegrationId` and `psaCompanyId`."
    )
    linked_site_id: ID | None = linked_site("id").column("The site that is linked to it; null if none is.")
    linked_site_name: str | None = linked_site("name").column("The name of the site that is linked to it.")
    linked_site_slug: str | None = linked_site("slug").column("The slug of the site that is linked to it.")
    linked_site_status: SiteStatus | None = linked_site("status").column(
        "Whether the site that is linked to it is served."
    )
    created_at: Timestamp = column("When it was first seen.")
    updated_at: Timestamp = column("When its data last changed.")
    deleted_at: Timestamp | None = column("When it was gone from the vendor; null while it is there.")


ENTITIES = Table(
    Entity, "entities", one="entity", many="entities", module="Entities",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="entities",
            about_one="The tenant whose data it is.", about_many="All entities of this tenant.",
        ),
        Reference(
            "integration_id", "integrations", one="integration", many="entities",
            about_one="The integration that it came through.",
            about_many="The viewer's entities that came through this integration.",
        ),
        Reference(
            "data_source_id", "data_sources", one="dataSource", many="entities",
            about_one="The data source that it came from.", about_many="The entities that came from it.",
        ),
        Reference(
            "site_id", "sites", one="site", many="entities",
            about_one="The site that it belongs to.", about_many="The entities that belong to this site.",
        ),
    ),
)  # fmt: skip


@strawberry.type(
    description="A thing that an integration told of and that is the same for all tenants: a licence plan, ..."
)
class GlobalEntity:
    id: ID = column("The entity's id.")
    integration_id: ID = column("The integration that it came through.")
    entity_type: str = column("What it is.")
    external_id: str = column("Its id at the vendor; unique with integration and type.", search=True)
    data_hash: str = column("A hash of the raw data; unchanged data is not written again.", order=False)
    raw_data: JSON = column("What the vendor sent.")
    normalized_data: JSON = column("The same in our words, alike for all vendors of an entity type.")
    created_at: Timestamp = column("When it was first seen.")
    updated_at: Timestamp = column("When its data last changed.")
    deleted_at: Timestamp | None = column("When it was gone from the vendor; null while it is there.")


GLOBAL_ENTITIES = Table(
    GlobalEntity, "global_entities", one="globalEntity", many="globalEntities", module="Entities",
    scope=Scope.EVERYONE,
    references=(
        Reference(
            "integration_id", "integrations", one="integration", many="globalEntities",
            about_one="The integration that it came through.",
            about_many="The things that this integration tells all tenants alike.",
        ),
    ),
)  # fmt: skip


@strawberry.type(
    description="That one entity belongs to another: an identity to a group, an endpoint to a company."
)
class EntityRelationship:
    id: ID = column("The relationship's id.")
    tenant_id: ID = column("The tenant of both entities.")
    parent_entity_id: ID = column("The entity that the other belongs to.")
    child_entity_id: ID = column("The entity that belongs to the other.")
    relationship_type: str = column("How they belong together: member, contains, assigned, ...")
    metadata: JSON | None = column("What more is known of it.")
    created_at: Timestamp = column("When it was first seen.")
    updated_at: Timestamp = column("When it last changed.")
    deleted_at: Timestamp | None = column("When it ended; null while it holds.")


ENTITY_RELATIONSHIPS = Table(
    EntityRelationship, "entity_relationships", one="entityRelationship", many="entityRelationships",
    module="Entities",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="entityRelationships",
            about_one="The tenant of both entities.", about_many="How this tenant's entities belong together.",
        ),
        Reference(
            "parent_entity_id", "entities", one="parent", many="children", by=("relationship_type",),
            about_one="The entity that the other belongs to.",
            about_many="What belongs to this entity; each relationship leads to its `child`.",
        ),
        Reference(
            "child_entity_id", "entities", one="child", many="parents", by=("relationship_type",),
            about_one="The entity that belongs to the other.",
            about_many="What this entity belongs to; each relationship leads to its `parent`.",
        ),
    ),
)  # fmt: skip
