from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "api_logs" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "url" TEXT COLLATE "C" NOT NULL,
    "method" TEXT COLLATE "C" NOT NULL,
    "status_code" INT,
    "duration_ms" INT,
    "body" TEXT COLLATE "C",
    "response_body" TEXT COLLATE "C",
    "headers" JSONB,
    "response_headers" JSONB,
    "error_code" TEXT COLLATE "C",
    "expires_at" BIGINT NOT NULL,
    "created_at" BIGINT NOT NULL
);
COMMENT ON COLUMN "api_logs"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "api_logs"."url" IS 'What was called.';
COMMENT ON COLUMN "api_logs"."method" IS 'The HTTP method.';
COMMENT ON COLUMN "api_logs"."status_code" IS 'The HTTP status; absent without an answer.';
COMMENT ON COLUMN "api_logs"."duration_ms" IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN "api_logs"."body" IS 'What was sent; never a secret.';
COMMENT ON COLUMN "api_logs"."response_body" IS 'What came back; never a secret.';
COMMENT ON COLUMN "api_logs"."headers" IS 'The request''s headers; never a token.';
COMMENT ON COLUMN "api_logs"."response_headers" IS 'The answer''s headers; never a token.';
COMMENT ON COLUMN "api_logs"."error_code" IS 'Why there was no answer, or no good one.';
COMMENT ON COLUMN "api_logs"."expires_at" IS 'When the row may be deleted.';
COMMENT ON COLUMN "api_logs"."created_at" IS 'When the row was made.';
COMMENT ON TABLE "api_logs" IS 'One call to another product''s API; for the platform only, deleted once expired.';
CREATE TABLE IF NOT EXISTS "integrations" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE "C" NOT NULL,
    "description" TEXT COLLATE "C" NOT NULL,
    "category" TEXT COLLATE "C" NOT NULL,
    "supported_types" TEXT[] COLLATE "C" NOT NULL,
    "icon_url" TEXT COLLATE "C",
    "color" TEXT COLLATE "C",
    "level" TEXT COLLATE "C",
    "product_url" TEXT COLLATE "C",
    "config_schema" JSONB,
    "is_active" BOOL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL
);
COMMENT ON COLUMN "integrations"."id" IS 'The integration''s slug, such as `halopsa`.';
COMMENT ON COLUMN "integrations"."name" IS 'What the product is called.';
COMMENT ON COLUMN "integrations"."description" IS 'What connecting it gives.';
COMMENT ON COLUMN "integrations"."category" IS 'Its kind: psa, rmm, security, identity, ...';
COMMENT ON COLUMN "integrations"."supported_types" IS 'The types of entity that it delivers: sites, devices, tickets, ...';
COMMENT ON COLUMN "integrations"."icon_url" IS 'Where its icon is.';
COMMENT ON COLUMN "integrations"."color" IS 'Its colour in the catalogue.';
COMMENT ON COLUMN "integrations"."level" IS 'Whether it is configured for the tenant or for each site.';
COMMENT ON COLUMN "integrations"."product_url" IS 'The product''s own page.';
COMMENT ON COLUMN "integrations"."config_schema" IS 'JSON Schema of a data source''s config; a property marked `sensitive` is a secret.';
COMMENT ON COLUMN "integrations"."is_active" IS 'Whether it is offered; never deleted, but switched off.';
COMMENT ON COLUMN "integrations"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "integrations"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON TABLE "integrations" IS 'A product that can be connected; one catalogue for all tenants, written by the platform only.';
CREATE TABLE IF NOT EXISTS "global_entities" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "entity_type" TEXT COLLATE "C" NOT NULL,
    "external_id" TEXT COLLATE "C" NOT NULL,
    "data_hash" TEXT COLLATE "C" NOT NULL,
    "raw_data" JSONB NOT NULL,
    "normalized_data" JSONB NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "integration_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "global_entities"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "global_entities"."entity_type" IS 'What it is: licenses, products, ...';
COMMENT ON COLUMN "global_entities"."external_id" IS 'Its id in the product from which it comes.';
COMMENT ON COLUMN "global_entities"."data_hash" IS 'A hash of the raw data: what has not changed is not written again.';
COMMENT ON COLUMN "global_entities"."raw_data" IS 'What the product delivered.';
COMMENT ON COLUMN "global_entities"."normalized_data" IS 'The same, in the shape of its type.';
COMMENT ON COLUMN "global_entities"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "global_entities"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "global_entities"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "global_entities"."integration_id" IS 'The product from which it comes.';
COMMENT ON TABLE "global_entities" IS 'An entity that is the same for every tenant; written by the platform only.';
CREATE TABLE IF NOT EXISTS "tenants" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE "C" NOT NULL,
    "status" TEXT COLLATE "C" NOT NULL,
    "metadata" JSONB,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT
);
COMMENT ON COLUMN "tenants"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "tenants"."name" IS 'What the organisation is called.';
COMMENT ON COLUMN "tenants"."status" IS 'Whether it is served.';
COMMENT ON COLUMN "tenants"."metadata" IS 'Whatever else is known of it.';
COMMENT ON COLUMN "tenants"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "tenants"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "tenants"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON TABLE "tenants" IS 'An organisation (a managed service provider) that uses the product.';
CREATE TABLE IF NOT EXISTS "health_checks" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "resource_type" TEXT COLLATE "C" NOT NULL,
    "resource_id" TEXT COLLATE "C" NOT NULL,
    "status" TEXT COLLATE "C" NOT NULL,
    "failure_count" INT NOT NULL,
    "last_check_at" BIGINT NOT NULL,
    "last_success_at" BIGINT,
    "last_failure_at" BIGINT,
    "error_message" TEXT COLLATE "C",
    "metadata" JSONB,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "health_checks"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "health_checks"."resource_type" IS 'The kind of the resource.';
COMMENT ON COLUMN "health_checks"."resource_id" IS 'The resource''s id in the table of its kind.';
COMMENT ON COLUMN "health_checks"."status" IS 'How the resource fares.';
COMMENT ON COLUMN "health_checks"."failure_count" IS 'Failures in a row.';
COMMENT ON COLUMN "health_checks"."last_check_at" IS 'When it was last looked at.';
COMMENT ON COLUMN "health_checks"."last_success_at" IS 'When it was last found healthy.';
COMMENT ON COLUMN "health_checks"."last_failure_at" IS 'When it was last found failing.';
COMMENT ON COLUMN "health_checks"."error_message" IS 'What the last failure said.';
COMMENT ON COLUMN "health_checks"."metadata" IS 'What else the check found.';
COMMENT ON COLUMN "health_checks"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "health_checks"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "health_checks"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "health_checks" IS 'How one resource of a tenant fares.';
CREATE TABLE IF NOT EXISTS "integration_pricing_tiers" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE "C" NOT NULL,
    "description" TEXT COLLATE "C" NOT NULL,
    "unit_cost" NUMERIC NOT NULL,
    "effective_from" BIGINT NOT NULL,
    "effective_until" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "integration_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "integration_pricing_tiers"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "integration_pricing_tiers"."name" IS 'What the tier is called.';
COMMENT ON COLUMN "integration_pricing_tiers"."description" IS 'What the tier covers.';
COMMENT ON COLUMN "integration_pricing_tiers"."unit_cost" IS 'The price of one unit.';
COMMENT ON COLUMN "integration_pricing_tiers"."effective_from" IS 'From when on the price holds.';
COMMENT ON COLUMN "integration_pricing_tiers"."effective_until" IS 'Until when; absent while it holds.';
COMMENT ON COLUMN "integration_pricing_tiers"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "integration_pricing_tiers"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "integration_pricing_tiers"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "integration_pricing_tiers"."integration_id" IS 'What is priced.';
COMMENT ON COLUMN "integration_pricing_tiers"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "integration_pricing_tiers" IS 'What one unit of an integration costs a tenant, for a time.';
CREATE TABLE IF NOT EXISTS "roles" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE "C" NOT NULL,
    "description" TEXT COLLATE "C" NOT NULL,
    "rights" JSONB NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "tenant_id" TEXT COLLATE "C"
);
COMMENT ON COLUMN "roles"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "roles"."name" IS 'What the role is called.';
COMMENT ON COLUMN "roles"."description" IS 'What the role is for.';
COMMENT ON COLUMN "roles"."rights" IS 'Flat object of booleans: {\"Sites.Read\": true}.';
COMMENT ON COLUMN "roles"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "roles"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "roles"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "roles"."tenant_id" IS 'The tenant whose role it is; absent for a global one.';
COMMENT ON TABLE "roles" IS 'A named set of rights; without a tenant it is global, offered to every tenant.';
CREATE TABLE IF NOT EXISTS "sites" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "name" TEXT COLLATE "C" NOT NULL,
    "slug" TEXT COLLATE "C" NOT NULL,
    "status" TEXT COLLATE "C" NOT NULL,
    "psa_company_id" TEXT COLLATE "C",
    "psa_parent_company_id" TEXT COLLATE "C",
    "metadata" JSONB,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "psa_integration_id" TEXT COLLATE "C",
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "sites"."id" IS 'Opaque key; part of the agents'' guid hash, so that it never changes.';
COMMENT ON COLUMN "sites"."name" IS 'What the site is called.';
COMMENT ON COLUMN "sites"."slug" IS 'Its name in addresses; unique in the tenant.';
COMMENT ON COLUMN "sites"."status" IS 'Whether the site is looked after.';
COMMENT ON COLUMN "sites"."psa_company_id" IS 'The site''s id in that PSA.';
COMMENT ON COLUMN "sites"."psa_parent_company_id" IS 'Its parent''s id in that PSA.';
COMMENT ON COLUMN "sites"."metadata" IS 'Whatever else is known of it.';
COMMENT ON COLUMN "sites"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "sites"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "sites"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "sites"."psa_integration_id" IS 'The PSA in which the site is a company.';
COMMENT ON COLUMN "sites"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "sites" IS 'A customer, or a customer''s place, that the tenant looks after.';
CREATE TABLE IF NOT EXISTS "agents" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "guid" TEXT COLLATE "C" NOT NULL,
    "hostname" TEXT COLLATE "C" NOT NULL,
    "platform" TEXT COLLATE "C" NOT NULL,
    "version" TEXT COLLATE "C" NOT NULL,
    "ip_address" TEXT COLLATE "C",
    "mac_address" TEXT COLLATE "C",
    "ext_address" TEXT COLLATE "C",
    "registered_at" BIGINT,
    "last_checkin_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "site_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "agents"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "agents"."guid" IS 'The device''s own identity, a hash; unique in the tenant.';
COMMENT ON COLUMN "agents"."hostname" IS 'What the device calls itself.';
COMMENT ON COLUMN "agents"."platform" IS 'Its operating system.';
COMMENT ON COLUMN "agents"."version" IS 'The agent''s version.';
COMMENT ON COLUMN "agents"."ip_address" IS 'Its address in its own network.';
COMMENT ON COLUMN "agents"."mac_address" IS 'The hardware address of that interface.';
COMMENT ON COLUMN "agents"."ext_address" IS 'The address from which it reaches us.';
COMMENT ON COLUMN "agents"."registered_at" IS 'When it enrolled.';
COMMENT ON COLUMN "agents"."last_checkin_at" IS 'When it last checked in.';
COMMENT ON COLUMN "agents"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "agents"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "agents"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "agents"."site_id" IS 'Where the device stands.';
COMMENT ON COLUMN "agents"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "agents" IS 'Our agent on one device of a site.';
CREATE TABLE IF NOT EXISTS "agent_api_logs" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "endpoint" TEXT COLLATE "C" NOT NULL,
    "method" TEXT COLLATE "C" NOT NULL,
    "status_code" INT NOT NULL,
    "external_id" TEXT COLLATE "C",
    "psa_site_id" TEXT COLLATE "C",
    "rmm_device_id" TEXT COLLATE "C",
    "req_metadata" JSONB NOT NULL,
    "res_metadata" JSONB NOT NULL,
    "time_elapsed_ms" INT,
    "error_message" TEXT COLLATE "C",
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT,
    "agent_id" TEXT COLLATE "C",
    "site_id" TEXT COLLATE "C",
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "agent_api_logs"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "agent_api_logs"."endpoint" IS 'What was called.';
COMMENT ON COLUMN "agent_api_logs"."method" IS 'The HTTP method.';
COMMENT ON COLUMN "agent_api_logs"."status_code" IS 'The HTTP status of the answer.';
COMMENT ON COLUMN "agent_api_logs"."external_id" IS 'The ticket''s or record''s id in the product that was reached.';
COMMENT ON COLUMN "agent_api_logs"."psa_site_id" IS 'The site''s id in the PSA.';
COMMENT ON COLUMN "agent_api_logs"."rmm_device_id" IS 'The device''s id in the RMM.';
COMMENT ON COLUMN "agent_api_logs"."req_metadata" IS 'What is kept of the request; never a token.';
COMMENT ON COLUMN "agent_api_logs"."res_metadata" IS 'What is kept of the answer; never a token.';
COMMENT ON COLUMN "agent_api_logs"."time_elapsed_ms" IS 'How long the answer took, in milliseconds.';
COMMENT ON COLUMN "agent_api_logs"."error_message" IS 'What went wrong, if something did.';
COMMENT ON COLUMN "agent_api_logs"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "agent_api_logs"."updated_at" IS 'When the row was last changed, if it ever was.';
COMMENT ON COLUMN "agent_api_logs"."agent_id" IS 'The caller; absent for a failed registration.';
COMMENT ON COLUMN "agent_api_logs"."site_id" IS 'The caller''s site, where it is known.';
COMMENT ON COLUMN "agent_api_logs"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "agent_api_logs" IS 'One call that an agent made, or tried to.';
CREATE TABLE IF NOT EXISTS "data_sources" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "external_id" TEXT COLLATE "C",
    "status" TEXT COLLATE "C" NOT NULL,
    "config" JSONB NOT NULL,
    "metadata" JSONB,
    "credential_expiration_at" BIGINT NOT NULL,
    "last_sync_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "integration_id" TEXT COLLATE "C" NOT NULL,
    "site_id" TEXT COLLATE "C",
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "data_sources"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "data_sources"."external_id" IS 'The account''s id in the connected product.';
COMMENT ON COLUMN "data_sources"."status" IS 'Whether it is synchronised.';
COMMENT ON COLUMN "data_sources"."config" IS 'Settings; secrets inside are encrypted at rest.';
COMMENT ON COLUMN "data_sources"."metadata" IS 'What synchronising has learnt of it.';
COMMENT ON COLUMN "data_sources"."credential_expiration_at" IS 'When its credentials expire; 9007199254740991 is never.';
COMMENT ON COLUMN "data_sources"."last_sync_at" IS 'When it was last synchronised.';
COMMENT ON COLUMN "data_sources"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "data_sources"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "data_sources"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "data_sources"."integration_id" IS 'What is connected.';
COMMENT ON COLUMN "data_sources"."site_id" IS 'The site that it serves; absent for the whole tenant.';
COMMENT ON COLUMN "data_sources"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "data_sources" IS 'An integration as one tenant has configured it, for itself or for one site.';
CREATE TABLE IF NOT EXISTS "data_source_to_site" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "created_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "data_source_id" TEXT COLLATE "C" NOT NULL,
    "site_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "data_source_to_site"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "data_source_to_site"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "data_source_to_site"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "data_source_to_site"."data_source_id" IS 'What serves the site.';
COMMENT ON COLUMN "data_source_to_site"."site_id" IS 'The site that is served.';
COMMENT ON COLUMN "data_source_to_site"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "data_source_to_site" IS 'That a data source serves a site.';
CREATE TABLE IF NOT EXISTS "entities" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "entity_type" TEXT COLLATE "C" NOT NULL,
    "external_id" TEXT COLLATE "C" NOT NULL,
    "data_hash" TEXT COLLATE "C" NOT NULL,
    "raw_data" JSONB NOT NULL,
    "normalized_data" JSONB NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "data_source_id" TEXT COLLATE "C" NOT NULL,
    "integration_id" TEXT COLLATE "C" NOT NULL,
    "site_id" TEXT COLLATE "C",
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "entities"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "entities"."entity_type" IS 'What it is: companies, devices, tickets, identities, ...';
COMMENT ON COLUMN "entities"."external_id" IS 'Its id in the product from which it comes.';
COMMENT ON COLUMN "entities"."data_hash" IS 'A hash of the raw data: what has not changed is not written again.';
COMMENT ON COLUMN "entities"."raw_data" IS 'What the product delivered.';
COMMENT ON COLUMN "entities"."normalized_data" IS 'The same, in the shape of its type.';
COMMENT ON COLUMN "entities"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "entities"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "entities"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "entities"."data_source_id" IS 'The data source that delivered it.';
COMMENT ON COLUMN "entities"."integration_id" IS 'The product from which it comes.';
COMMENT ON COLUMN "entities"."site_id" IS 'The site to which it belongs, where that is known.';
COMMENT ON COLUMN "entities"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "entities" IS 'A device, ticket, company, identity, ... of a tenant, as a data source delivered it.';
CREATE TABLE IF NOT EXISTS "entity_relationships" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "relationship_type" TEXT COLLATE "C" NOT NULL,
    "metadata" JSONB,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "child_entity_id" TEXT COLLATE "C" NOT NULL,
    "parent_entity_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "entity_relationships"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "entity_relationships"."relationship_type" IS 'How the two hang together: member, license, ...';
COMMENT ON COLUMN "entity_relationships"."metadata" IS 'What is known of the relationship itself.';
COMMENT ON COLUMN "entity_relationships"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "entity_relationships"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "entity_relationships"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "entity_relationships"."child_entity_id" IS 'The one that the other has.';
COMMENT ON COLUMN "entity_relationships"."parent_entity_id" IS 'The one that has the other.';
COMMENT ON COLUMN "entity_relationships"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "entity_relationships" IS 'That one entity of a tenant contains, owns or otherwise has another.';
CREATE TABLE IF NOT EXISTS "events_log" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "event_type" TEXT COLLATE "C" NOT NULL,
    "status" TEXT COLLATE "C" NOT NULL,
    "payload" JSONB NOT NULL,
    "processed_at" BIGINT,
    "retry_count" INT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "entity_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "events_log"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "events_log"."event_type" IS 'What happened: created, updated, deleted, ...';
COMMENT ON COLUMN "events_log"."status" IS 'Where its processing stands.';
COMMENT ON COLUMN "events_log"."payload" IS 'What is to be known of it.';
COMMENT ON COLUMN "events_log"."processed_at" IS 'When it was processed.';
COMMENT ON COLUMN "events_log"."retry_count" IS 'How often processing was tried again.';
COMMENT ON COLUMN "events_log"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "events_log"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "events_log"."entity_id" IS 'What it happened to.';
COMMENT ON COLUMN "events_log"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "events_log" IS 'Something that happened to an entity, and what became of it.';
CREATE TABLE IF NOT EXISTS "scheduled_jobs" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "action" TEXT COLLATE "C" NOT NULL,
    "payload" JSONB NOT NULL,
    "priority" INT,
    "status" TEXT COLLATE "C" NOT NULL,
    "attempts" INT NOT NULL,
    "attempts_max" INT NOT NULL,
    "next_retry_at" BIGINT,
    "scheduled_at" BIGINT NOT NULL,
    "started_at" BIGINT,
    "error" TEXT COLLATE "C",
    "created_by" TEXT COLLATE "C" NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "data_source_id" TEXT COLLATE "C",
    "integration_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "scheduled_jobs"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "scheduled_jobs"."action" IS 'What is to be done: sync.sites, sync.devices, ...';
COMMENT ON COLUMN "scheduled_jobs"."payload" IS 'What the work needs to know.';
COMMENT ON COLUMN "scheduled_jobs"."priority" IS 'Among the jobs due, the higher goes first.';
COMMENT ON COLUMN "scheduled_jobs"."status" IS 'Where the job stands.';
COMMENT ON COLUMN "scheduled_jobs"."attempts" IS 'How often it was tried.';
COMMENT ON COLUMN "scheduled_jobs"."attempts_max" IS 'How often it is tried at most.';
COMMENT ON COLUMN "scheduled_jobs"."next_retry_at" IS 'When it is tried again.';
COMMENT ON COLUMN "scheduled_jobs"."scheduled_at" IS 'When it is due.';
COMMENT ON COLUMN "scheduled_jobs"."started_at" IS 'When the last attempt began.';
COMMENT ON COLUMN "scheduled_jobs"."error" IS 'Why the last attempt failed.';
COMMENT ON COLUMN "scheduled_jobs"."created_by" IS 'Who wanted it: a user''s id, or the part of the system that did.';
COMMENT ON COLUMN "scheduled_jobs"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "scheduled_jobs"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "scheduled_jobs"."data_source_id" IS 'The data source for which it is done.';
COMMENT ON COLUMN "scheduled_jobs"."integration_id" IS 'The integration that does the work.';
COMMENT ON COLUMN "scheduled_jobs"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "scheduled_jobs" IS 'One piece of background work: when it is due, how often it was tried, how it ended.';
CREATE TABLE IF NOT EXISTS "tenant_bills" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "period_start" BIGINT NOT NULL,
    "period_end" BIGINT NOT NULL,
    "status" TEXT COLLATE "C" NOT NULL,
    "total" NUMERIC NOT NULL,
    "notes" TEXT COLLATE "C",
    "finalized_at" BIGINT,
    "paid_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "tenant_bills"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "tenant_bills"."period_start" IS 'The first moment that is billed.';
COMMENT ON COLUMN "tenant_bills"."period_end" IS 'The moment at which the period is over.';
COMMENT ON COLUMN "tenant_bills"."status" IS 'Where the bill stands.';
COMMENT ON COLUMN "tenant_bills"."total" IS 'What is to be paid.';
COMMENT ON COLUMN "tenant_bills"."notes" IS 'What else is to be said.';
COMMENT ON COLUMN "tenant_bills"."finalized_at" IS 'When it was finalised.';
COMMENT ON COLUMN "tenant_bills"."paid_at" IS 'When it was paid.';
COMMENT ON COLUMN "tenant_bills"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "tenant_bills"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "tenant_bills"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "tenant_bills" IS 'A tenant''s bill for one period.';
CREATE TABLE IF NOT EXISTS "tenant_bill_line_items" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "description" TEXT COLLATE "C" NOT NULL,
    "units" NUMERIC NOT NULL,
    "unit_cost" NUMERIC NOT NULL,
    "total" NUMERIC NOT NULL,
    "metadata" JSONB,
    "created_at" BIGINT NOT NULL,
    "bill_id" TEXT COLLATE "C" NOT NULL,
    "integration_id" TEXT COLLATE "C" NOT NULL,
    "pricing_tier_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "tenant_bill_line_items"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "tenant_bill_line_items"."description" IS 'What the line says.';
COMMENT ON COLUMN "tenant_bill_line_items"."units" IS 'How many units.';
COMMENT ON COLUMN "tenant_bill_line_items"."unit_cost" IS 'The price of one unit when it was billed.';
COMMENT ON COLUMN "tenant_bill_line_items"."total" IS 'The line''s amount.';
COMMENT ON COLUMN "tenant_bill_line_items"."metadata" IS 'What the amount was computed from.';
COMMENT ON COLUMN "tenant_bill_line_items"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "tenant_bill_line_items"."bill_id" IS 'The bill on which it stands.';
COMMENT ON COLUMN "tenant_bill_line_items"."integration_id" IS 'What is billed.';
COMMENT ON COLUMN "tenant_bill_line_items"."pricing_tier_id" IS 'The price list that was applied.';
COMMENT ON COLUMN "tenant_bill_line_items"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "tenant_bill_line_items" IS 'One line of a bill: so many units of an integration at such a price.';
CREATE TABLE IF NOT EXISTS "tenant_billing_adjustments" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "type" TEXT COLLATE "C" NOT NULL,
    "amount" NUMERIC NOT NULL,
    "reason" TEXT COLLATE "C" NOT NULL,
    "effective_from" BIGINT NOT NULL,
    "effective_to" BIGINT NOT NULL,
    "created_by" TEXT COLLATE "C",
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "integration_id" TEXT COLLATE "C",
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "tenant_billing_adjustments"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "tenant_billing_adjustments"."type" IS 'Which way it moves a bill.';
COMMENT ON COLUMN "tenant_billing_adjustments"."amount" IS 'By how much.';
COMMENT ON COLUMN "tenant_billing_adjustments"."reason" IS 'Why.';
COMMENT ON COLUMN "tenant_billing_adjustments"."effective_from" IS 'From when on it counts.';
COMMENT ON COLUMN "tenant_billing_adjustments"."effective_to" IS 'Until when it counts.';
COMMENT ON COLUMN "tenant_billing_adjustments"."created_by" IS 'The person who made it: a user of the same tenant.';
COMMENT ON COLUMN "tenant_billing_adjustments"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "tenant_billing_adjustments"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "tenant_billing_adjustments"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "tenant_billing_adjustments"."integration_id" IS 'What it concerns; absent for the whole bill.';
COMMENT ON COLUMN "tenant_billing_adjustments"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "tenant_billing_adjustments" IS 'A credit, debit or discount that moves a tenant''s bills, for a time.';
CREATE TABLE IF NOT EXISTS "users" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "email" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "status" TEXT COLLATE "C" NOT NULL,
    "metadata" JSONB NOT NULL,
    "last_activity_at" BIGINT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "deleted_at" BIGINT,
    "role_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "users"."id" IS 'The identity provider''s subject; a generated id until an invitation is taken up.';
COMMENT ON COLUMN "users"."email" IS 'Where mail reaches the person; unique in the tenant, whatever its case.';
COMMENT ON COLUMN "users"."name" IS 'What the person is called.';
COMMENT ON COLUMN "users"."status" IS 'Whether the person may sign in.';
COMMENT ON COLUMN "users"."metadata" IS 'Preferences; `current_site` lives here.';
COMMENT ON COLUMN "users"."last_activity_at" IS 'When the person last did something.';
COMMENT ON COLUMN "users"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "users"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "users"."deleted_at" IS 'When the row was soft-deleted, if it was.';
COMMENT ON COLUMN "users"."role_id" IS 'What the person may do: a role of the same tenant, or a global one.';
COMMENT ON COLUMN "users"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "users" IS 'A person of a tenant, known to the identity provider.';
CREATE TABLE IF NOT EXISTS "audit_log" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "actor_type" TEXT COLLATE "C" NOT NULL,
    "actor_id" TEXT COLLATE "C",
    "table_name" TEXT COLLATE "C" NOT NULL,
    "record_id" TEXT COLLATE "C" NOT NULL,
    "action" TEXT COLLATE "C" NOT NULL,
    "changes" JSONB NOT NULL,
    "created_at" BIGINT NOT NULL,
    "tenant_id" TEXT COLLATE "C",
    "user_id" TEXT COLLATE "C"
);
COMMENT ON COLUMN "audit_log"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "audit_log"."actor_type" IS 'Who made the change.';
COMMENT ON COLUMN "audit_log"."actor_id" IS 'Which one of them.';
COMMENT ON COLUMN "audit_log"."table_name" IS 'The table of the record.';
COMMENT ON COLUMN "audit_log"."record_id" IS 'The record''s id.';
COMMENT ON COLUMN "audit_log"."action" IS 'What was done to the record.';
COMMENT ON COLUMN "audit_log"."changes" IS 'Each changed column, before and after; never a secret.';
COMMENT ON COLUMN "audit_log"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "audit_log"."tenant_id" IS 'The tenant whose record it is; absent for a table without tenant.';
COMMENT ON COLUMN "audit_log"."user_id" IS 'The person who made the change, if it was one.';
COMMENT ON TABLE "audit_log" IS 'One change to one record; rows are only ever added.';
CREATE TABLE IF NOT EXISTS "aerich" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSONB NOT NULL
);"""


# The table "aerich" stays: it is where aerich notes that this step was taken back.
async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE "tenant_billing_adjustments", "tenant_bill_line_items", "tenant_bills", "integration_pricing_tiers",
            "audit_log", "api_logs", "health_checks", "events_log", "scheduled_jobs",
            "entity_relationships", "global_entities", "entities", "agent_api_logs", "agents",
            "data_source_to_site", "data_sources", "integrations", "sites", "roles", "users", "tenants";"""


MODELS_STATE = (
    "eJztXfGP2zay/leE/SV3gG+R5trXa/bhAds0uW5fmuSym5cDLgeFlmhbXVl0RSqu717/95"
    "shKVmyaK/klbSUl0CBZmWOLH+khjPfDGf+fbZkIY35+eWcJuLsuffvs4QsKfyj+sHEOyOr"
    "1fYyXhBkGsuRBIfIS2TKRUoCvNGMxJzCpZDyII1WImIJjn2bpZ4c77EE/qNeSL9EAfXYzC"
    "MejwQ9x/uELIAbRcm8uUiWRL9m1BdsTsWCpiD4j3/C5SgJ6W+U53+ubv1ZROOw8kujEG8g"
    "r/tis5LXruS1cOoHLM6WyXbYaiMWLCnGwWPiVXg8mhJBw9IvT7I41hDll9RDwgWRZrR4un"
    "B7IaQzksWI39l/z7IkQNi8gKX0PAr5eULXfhT+j36y0ljff/P2xr9+eeP7ZwbMVwS+1bul"
    "mwtADG4iUYw4/PHhw9UPX76tYY6PDpcCluB8Rji7ANjv6nu3QMmrZ/gVNy//fuO9ePv69e"
    "XNS+/T2YtPZ2e/y+FEECUgp2CL+TwzoX5DfxM13POh3SCfX9hCv12pOZ7657fB+GaRr8sn"
    "3GPrxItCWLGR2EwA5QXhiwtPPYIXJR4sUE/QhCSiN+S3SC8YF/LfzdAuD7ca8Y8LIiSSWh"
    "0EJI65FwlO49kAsK5iImYsXTaEtTzcalivBKzfFT4JIOfxDRd0OQCcX2jK8QmaoVkabTWY"
    "qBXk1gVKQT/zAFhGK5+EYUo5bwhnVeAoRPX+NcTq1I+KijQSStkmVKxZejsAtksStAR3R8"
    "JmdHG5LkgarklKC5jBzBKoagE9ms5IULfQukcZcGyJ8o6E7Sjn4M5StvTWiyhYwFr2UkqC"
    "BeVexgfAOKXzCJR7SkOfiDrKP0dxHHEKXxjyGto12R28I+Uy2IH3xwVFTeHRJGVxTMP7Y/"
    "v91V+v3tzs4BkTLnyYvuA2StojapAeA6b42J58bBqChugJ2gBeDHHMOq0KHgXoUabCrvMW"
    "xCy4PU/Y2l/y1u6bxBoN3ZStvTXh3pKEHShhI9LZKjwO6argmJEmHli/HKmGFP79C5vmi5"
    "wkc1jkeiJ6wj+kMT0K/6qg9aqjvJw5m4k/6eefeNEM9Qpc7wlhJIz8hoxPaazVbgZACgZb"
    "yRfmgsAiGcCIUCxGUzwro61G9KZgaDzBtIGWr9kpjVky5xMP/HmPglvXE87IV85ujeyZer"
    "Q65q9ABUbz5H/p5hVev0pwIQQmLkezuzfFjU4f+O3V0sOmZF0wwtX1CWAppYSfvH95ffP+"
    "6gUok11d0sEkXOvbWDIFnWiTu8EuKdc9UOMLMCXBLbijoV95E/AT9oztXCnG1j9aPlvuXi"
    "EJmUvQ8HfgU5cDHper6DWbn+2Lh+iPJ3dGRXyyivyYzZtGRxLFYyqPmyQ67oEG3wTtEYAe"
    "TRBmCJK0kXSxklHFSmgSrlhk0vdmKqQ03OpNVjL4aAHiwu3CL7+bvYP1zprGnbaDrUYRd8"
    "wfb27eeep5B0AR9gORcUAqNOx+V4mgc5rWbemq0HAe4n0gVQ+tKFAKWpWvu7D26k4JLD+a"
    "JiQ2GtL7+M6yhO18p4iCW4pRENiKUnBh0xD+HYV5MHSVsjALhNq8UCMoJnSIxbzixN/rE5"
    "pDeVUJ26HHR62A/e76cgh6ebn0lf3YHNmajO3YFhH/Lbrvf/55EPL+Vx/0PUGboQ7uT1zF"
    "Rnc4+6rIDrZhBO/f/3txxIfg6qZZFIso4ef4tUfwdBiP4mClrUSunOHnZZSLC7DZwDMEc0"
    "2wW9oBIf3T9ds33+Ndlpz/GuOVN/93+f7Fj5fv//Dz5d//KN0XMOqVzf/mxeu339emiref"
    "Kn7KU6X2UftmSkRL6tOYrDgN/aUh8rjPtjEI2szA/sjWHjIppcmAOWC3E9RhyxLL3Iupk6"
    "YshdXNOXioTY2dXRmb9wXl1aDzvU4BZMloc4bGOSbUhNEQRo0LmD2GgNlDBWzK8bA8YCNV"
    "eX9RG0WmNSSfyoNt1hRoQUrqA/ZCMuWoMmYy6DgjUUxDT2VZYCbeIGljQ0bGBkcYbHR85o"
    "m3lux2pIwSUDBDIOuiZC5KNhbgxx4lG61m6SJiVtsyO8C9OABkG/Bdb5p3T0DZsLArZrk/"
    "XNkkUnlkjJKB88gwgJjzt/AqXL67upATImldfejBY0m8mXg6xwf+CqhHf1tFqYHh7eP+Lt"
    "45qnhnlsYNiQE90mojyUU5XZTTRrd+J8hZ7KbrCJ45UzkkvQU8w0zt0K1o1h0hm8EtKNZI"
    "DEetTlm4afjW50Ntdt4LxYnLchstAABTOsTB2ZTyFdyN+i1wrclYD3AAv9ZDK/QBEF5QEt"
    "LUoAGMUbHS6HsFxAbUrzooCXarfnj7gl7Fim03GSaxscyK2tZsnhQV8DKbHgciZHvMDsuU"
    "zgZ9t5RK1Z4wPRsySRX+mjOGDtwwh0zRQ+TtQzdVQasz2SqxmyXZeFOau8nurN4IQ481tv"
    "uB+KYsjMRrNn+ZiHRzZqKdKgMmB9knHIr8Uwv6ScYekSBCskLlE14g5NzDk+vIBqmAJAnD"
    "vRRT+3s4GmlUNBIsI9gTJYo17F8m2VKjuTsHVTEzJ05BXC/ySxzem25S9VfaayEmFY/URG"
    "qhD7CfKuAaJ3uWh9ttsGB0DZezSl8bohqOVI5+i6pNVQHrmTz5uNvMTdS9gzj0+EUt0pHL"
    "463HtJRWP8zLbizXdFixmms2GZWqHmoJwAUXFaIiAKNh0IWrVHhT17w0esSJwy8JaN286I"
    "L6cRPwXmYMSxMloUdmopxD3BVndW/X3fk/Q6VeDp1VNeRxKZXbs14wnqsZlViyk/Og9tE8"
    "YjNYScmMU7OhZ8C9NNZ21HXdl3Xdei6VJemRnLIqle0kV3v3yW24vDuYlg/6NvZMSk8vw9"
    "0zUFIYVuVY/UAEuWZZGtAzA+FV+nRyiO2SbAWXAxvmW10msvTiXMW+PQV6/s4sMK+EJbNo"
    "nqVYgU2otE9VBRcpdfwLx5tLa3d8b0eQjYogO/lT5yQIWCaL727P5wKeCQ0wTVAnFQ6WSt"
    "TKWd6KHHKWt1rnuhjfi4+AvvsXeoQ3INM3VU403yTBImUJeECDOM1SdTX1mYvBI3aZr6nA"
    "ot1gNilvGEsk8wj2bgxo0CRINytc9wQLzXIbfOWWx6I7OxI9ZH7NdtXj8U/cU2NK0kQeho"
    "5smARYKbJVAWh1GdhWKXbH0Bd7bzMcmfHd06fffvXdd8+++frbr59+991X7RWWKiq+/TVc"
    "Z5Jf1O6NOi3p5mTT/oLCuHyOrCZcErU5VTIvJVycLO12n3BJCg9K0rmCwq6g8GkXFC450E"
    "050bqI1dHFvIZL4Tq5w+j3Kcal22nARkfTL7RKcuIyXi9YPGB/KHc43R1OHwvw3fP3JVXc"
    "wVxcVe9myYTcU3/fDXp9P3vMZQH61fHjLay9JStvmJy1g2EUPWbSMJjiC+bnK+rumMqNLJ"
    "Ltobyn5PVE7W1C2kjCxT9GFf9wLMBQLIDzQvv2QsuqsKEuqYtYbc8rNl3pXLHYE9EetyM6"
    "pIVeslK4gnUIt945m87ZHAvw3TubJY3bwVxUU44smY/7a+m7Ya9vXNa5m6PS5ON1KV8mIh"
    "LGA6j6k8kh9xEDvCJqnIenq/1PdDOLCdjgyxVJNmDcyVixgH+dn59jYJ9onTTBlLqq1whP"
    "EX2hKqHOkJDX05c4z3RUnqma6T1nV/c0fapIWG0sfdTcWMSf6+UNL+FEr3yeL31eLHn5KS"
    "z6/s3Th8mIHAr3K2HquVNtQQ7zQYdoHCqX/oLwRUOcK+OtRvkSk7wWxeFWspaa+TlATFRO"
    "dcK2wf9I/blOIyEwVWBOumiiffdJWNjc2/QjKQ0fcX6k1DvlpV9skxak4SUsXZI4+hcN28"
    "yMQWrEEyStWcBjkusoviArqjIlwZ2AX2TBRDnW2OWOudwxx9o71r6pSi97ppKnOOgDd2/t"
    "nH6G3s2D2/Mnna/HtngWnPJad0knrpOM3TS+i5+cTPzkMSTrdarKe0rdewRxrI7tlpMIap"
    "3Gvjv2aNd7GsvXlS+i1dneyFdl1OTOKNjGT0sCDSNiMicSgyXqFuWYFOYaC8AYJgwmSLZ9"
    "l5181uAzShJUd/bZk2jZwU1dxGtUEa/y8msT9zLKWW3qYmsQtLDEmnlI43j5En3uLelyiq"
    "XQ4yigCX7TIEGvx3AKP98qtjVHt8tGV7Rx1LINhKejlh217KjlLkocLCIYqI27hhaNQcbq"
    "rRQ9BVmwLA/sqm6Riy5AvXPbXJEUu4G2Q9gkNB6I0cYuYHZsp42km2M7T4btrOiKDmZjmx"
    "Jr0Wx0oVvuht6kdhvMQHk/PPkJuMf+efcEGCwLu6i1L/BshxoaVQdMDhJqOJQ372h0zbCn"
    "LVaH0y/CagXLI1T9r7086Rtr3ssUwimVLRvN5ePufTNHm42KNpNrrVWeeEXAaivpY3kBP/"
    "c0xzHxtAte9HsfiCbrrYirVC09128FDEMEpvUUYLAFky9XKQsolzUscZvrooFxAw9rEzNi"
    "0CpGXrI0esQpsDlbCfp6SrecpRWVQvUaOIa22RW1nrjRBSmL5+6JpUkpmBO+rFJt2Dz39E"
    "HfERqOhHzaEkkMdbAZHmwoqQ+EFUDEQsTdnHZw5T0dj/5YefR27ON4aMf8iGDJf3F8o420"
    "l+MbT4ZvPF2e697a5G6w7aW2/hqzKYn3V0qofD45RGzN5Ui/ZdmEnHUqcvaEPuVXLPyNfk"
    "cuinOw0406pxkTAYOWshu3sXtRh7d2zNe4mK9HUyJBZ4PBTqHzwl01hC4gdtUQhkDZVUOw"
    "mml01RDsnSBXDWEcBJCj2h4F1eZSVl0nnfsC/DDn9A9Qb+5E7cOdqH0YOuhHSmKxeLGgwe"
    "2ZgQ0qfzw5RAYt5EA/wJENqSAZDkzw8I0+VFs+2zcjqWEumsh8Sj4lV0pvodU3JZx6n+HH"
    "S+7z88T7XD1ai1f0CU/5T/gFYRaDfob9BK/J5KjP1Vn8jC1UPyXFglbrKD/FVTyb0ktYwZ"
    "B5AUlTRTXN1GuE9Am/wCsb2ZAVPZ0VSUXuG0mMHRM1PiYqn/49XNSB/KCa5KE0IfVmvtci"
    "N1rCIh17C/fcnq9TjzmE904PFFDac2Z0XPWT8uet9DGXijh3BhH6MafAqbXdcw6c2rE2bV"
    "VOfl630PLmnap7tGckirOUts0OqonZmx/0Sj0q9ikHBd6J67anjbI0U47so1yWHQ7Leyau"
    "Scc4ZuxWNnzvtUN1FmBq17FNqivS1jvHZXRn8IKFntYqfSKcv9HHIVyVHiHC+AMA074yqN"
    "KUpT74gRxchqZhrl0Zm8vYFTy/glStBo+TaAiL4THUlgAzhkqA5UahFq1j5m3gix0z/yiY"
    "eZe26dI2xwJ8N2mbD0Mdl+l9A3W8w/7vp45L3Grj3ks5gS8z/QKS4Omoop/1hWQBAzAcYj"
    "bPVPYfiWM9h1g0sF1eYd/fdmoE75GvWGkdPOEej7P5xAN/cIH9rD4vAN0VJ58fgNCV/2/m"
    "CeRDrd5Hapk+2AseVuwgHT/Lz9IM0x0J+6HVmgEPt4H3Oo++DEIPggKic5YaEvaNqJaHWw"
    "3pleazn3vw+k+8dLkErUCDLJWVCypd8AZgvLPViqVooytBI9aXaUo2NcANoju4D52Fht93"
    "VBaa/AEYa6ik2xcZg/y5rNdrbOHW1Sz945+HWzzA3fwsjRu+DOXhdnM3+fl7fGLQ20PoFR"
    "aztKlSycfaDCIqFHzQLM1jZ4XtNgCcMfgITZdlMdZmOGFNyipBkbIjWDKL5hnWREc7WGw9"
    "J/hLukgEDLqBerVr+6aFItiRsBn3UhoTWMtYF2IFbtogCgGn2MdEmWVTIrcmMwY2FylX71"
    "o+skozKjUAeJIvdcw7gWlY0RQ2wiVJMcD2mdMEljjshZ9VLgrYKym1oWRHxH1wrOHBDDRN"
    "TOb1jbE8fmfOpozF9kxWVQ2x2QxPLlx4CVIy28pA00x4fB0JTPLCQR0wkG/fvnZMu2PaHw"
    "3TXmOAH5x8fJdGAfyqm0hSZ4d4yPLISUNK0l8pIV+AVEN+8mPetAIWh0zoJEmZ3YK554KX"
    "GrZLyhCcpGX9RbnvvU6NWzzx5NGT5Rrx7XFEY0+4BgxplwFARR3ko8Yx7Lfw8tRZr4rArt"
    "FPg2hJ4vMf1P8tQlf5VpE6XpDr3vvD++bDzy/fX73YzTgCW1Xa2D6eImhpyNSFrU5JfKXO"
    "24DdwvJz9ojygsVdVJA0J3QVCGWJiAxEQEN8C2mbU+Y+4ENKgGFLm4IbKjBcHVNZ7aZHkJ"
    "3L41ye03V53LFfd+y3jxZkcvMbwhZ2GXEuI24swLs20UOrlNGfYX/PJNY15k9enxzi+VIY"
    "0TjnEO8eepxKFi6N5gvBL7x1BIskE9tD6CoAoWojTvJABL4l5fqDpiTDrm/vmD/H/D20Rl"
    "J7Qkwd89cfrrDNDnGsXiqkOp7mknjF4BHXW3sVY+Bl+gsNpEbGcDclCQfEPp1dY37b+XtK"
    "wk9aVf1uQXTfsTCOhXEsjGNhxniIbsCsOW1JrxeM57soGtUFY64i6MrERsPwMRAHJwP/mA"
    "/UXee1x35i0zODP1v5fHLIr61UMWvo4L4FF2gVURX0xB80T2W9hTVLb5+roJ1yPkNcKoui"
    "l5Ou0CB7OKnrcIXCuqnb+n19h3N1R+XqkqCFb7YdbL9bVjTqCwHk5x7fJMG5Pgoj/12chx"
    "nksNKj7ZeIVhNqFFjuNJRTgo0TLXDQVmnEUmNTnX3Vu8oSNlurl0smewxT9AS0+sa/FtEc"
    "s7LnjHJvFqW8gyyauq3aWx062GdtbsSq4R6uAysRgi5XJhpo3/otS9hbeO5Ho6HRx1LN8f"
    "CX5Lf2KOZSwyH55/sgGRWdPYW3ZP28+wnYDL7qgNqaDKjJ2qxhPy52Qe2mHYrR+9/6D61B"
    "3RW1Oh/xY8Xj6AtMQdKjyKqqoPWLsygqp9UVGMJz0tcKlTX3GroQxVibmamPi00dQSzPN0"
    "jMLI8ATBvXj6gIWO6aMdjUE6zTHonn4PhmnKayePLE02eUy4XX+YYD+KqoQThIVUQXt3Fx"
    "m0cSt6m0XmjEvNVFbNbiN7rrhJcXBweUi/4iaGX0F094XDm0OwXDtLpGmiFnf1xerY3pne"
    "MMj50A8C6v1gY102Gu7Z59tYOp+AHudl3c7FQ31runom562BUujuRz1MPEeH1yMDyMMSk5"
    "pEHac5BxwZY0nSiLMf8THKhVTALJ8+dnkZXmwjYT3CMzYVBRXdzPRXsbRXvLPq1sf8afeP"
    "MsCmUH5gm8R0XdPlUkR3kA/YURHmHqM75ng6Y+Y9HchkjmQ61GEmv14W+THYHCMKWcU37h"
    "qa8tWl+Zj1T0gG5fcUbU2D0HGrdlvFoyBrKqVnkx512EjPq9hywGTgDP5Yokm+Yt3epCtp"
    "MGiG6poRsokHfXlwPBCzsFdsc8CmWjrM1go0pRD/0QcD+CBjjSmJBNcEBZYOJNotoSWpB/"
    "44h2R7Q/EqLdHZDo+YAEbn5H0OxmMZs3TLROYHPEjXJLSObGIPH0zu/YdhtJX8e2nwzbvq"
    "M4BmfcR6xt7p4Ms1a2iu3Vb4+B792+V/sZX92MqiHnizbLnCQRV0GPPxBPP5bHaYpHGLDk"
    "+ZcopOkflfOUcR0R0RXpDbxvN/d03O+oTvqcLLNbWcuDMrx9cZBKi1jNQqpIH6qLQaB2XI"
    "3jahxX47gax9WMkaupebQPabZ/D9O433SXnzYw3/0pDGyct6FknnAPpaQbi/YgrPOIGU7m"
    "NxjvbO9R2d5q5nx5iKilYtkVtfoMFzIG8mixt2RLLCAi9FF8XMddGIpm+ldBRBPDym6CrR"
    "a0HlmNKRElOkb9BNlnqxNGct+puX4cHdS2Pbs5YUpmoq0O2Z7plgp4sEPdggliaotg7OdR"
    "DH6YXh5nT9ujWq7LsSJdHOgy9/FImNjXEbhOduRjbQ78SOhy51DhxzvB784lOYsSEkf/Os"
    "Ym3hW13irWFQfUc/P+9iuYufZolqTGAmQ3r7jrcuIoiUdMSbhQuwu1jwX4MVd83PI/r6OE"
    "Xgm6PDvIEhWjJg3ZIj8GCT8CkRZVIFFGdbzGWzzHoyLwCzayCx43tCAFM5FnMKFEtZ8wl3"
    "3s4qaOgRoVA/VICvHLlc3JZqgGnAYn828ZvPC6TGDVHsrHj6b3JlYQ2yqGvpz1x9zItKiz"
    "i0Z8VySpGeYxcUtHwotv/xNQs0uWdXEIzYzjI0hFUOdUJYpyYWKmX4Y1m7CxrctHsMElHc"
    "j5l3ZrQ3utNNZqY+Emp/VZsi1bMBjFf/rlgD52HPO7+9wk7Kpwbx/7rzc++1GXsRrUrfWA"
    "24WKq+K7D55n3El9XHfkw/FQJwN890c+pjovqJNJyJOMLJqITjbEu2Ev2QiuqtW9d8ueKl"
    "iV98ZucX+n7nyjb2zJFHS6tzY44FQ3PSwlwuEpL8NfMi4w7+jsIBteHTppSIkjDKQQa14G"
    "K6VhJCZeSKegqWCHCCMeSG9Vzt2SfaG8aNOrsyj1XgJXo6WBFu/qpo4WHxUtLvGroX4gry"
    "0XOJTVtn0RbvRoSxTdR7m5r8kGN/h8QeM6HqJfiaSTmvKP29GjISC/38hmaMssWPRFPaaU"
    "8Mbxm+1gq92vj4sh6hXQ2YzK824+UpgtWcO6sNWpwq/gIVVcgcnQgtzE+iq9scVGsKNhVa"
    "JWg/ohEVFcRGt6hfRQ/weDPdBB94cB6wnoRKr1gknautQFouj5gDUGB6sj6EIJLo/wceQR"
    "uqONfZeherjQzpCxYbn9JQFNk2qfaFmEfYE9pAfyKFxAwgUkxgL8aXV8GLu66ZA3fxiK9g"
    "OX1GKNj5XXJ4fIV7S0G/OsubUyK3jPia5MIpicgCikMtexqBdlIlaPvItjUg93QtkF7QmY"
    "O9n0F3CpkV4tnh/rKmfSeZVJ3V8iURRKEuQW7KVs9QC8K12SyBBPNbeMzMdavWurI8P4qB"
    "54hsEiL5gmF7+5TP4EFJiu+4N59wHhQ/QjO9k6YFrPnEQFMFTk1rY7L9oQaMSXZONxMDe8"
    "LnogW1sK7L4cwjSLYhEl/By/trXKf5fSGSgYMITADPocZKks9Y/FOD/DD8BIDuofC3Jzkd"
    "HwZW052Jzakw0m8VFQDvpdkIROCHsuZ7DyFjAL7gC0Iy7HjrQjLk+auEzBjW7Ko5XGjsos"
    "RCMlZBhswl9gCDbpHnjzmE0JpkIOYYs7CtNRmGMBvnsKE1/EDibhvb6NJVMwtOK5e15KKt"
    "sqFvOSprA+zww8pv5kcojJJNsxd1GZ+SzWIe2aZEyEXLTNqEaDCaLtjfsxje0X7X6AdtYc"
    "PCz870/Pvvr626//8uf/+vovMEQ+ZnHl2wN6Orc89vOCoJW4MaLxYkFSM7QlEZv3xOYQL8"
    "lvfkyTucBX49k33xwANHfNYdSua64/eqY+28nFhJeqBcJ6+Ami+9XTpw3QhVF70ZWf7Xjm"
    "LBHUZF4gt2JGuCQyPEfVI9p3EE3teCYEh3ExT+VdNFP1wMWlf/8PFB/PwA=="
)
