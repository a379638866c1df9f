-- The reference's indexes under their own names, prefixed with the table. As in Convex, where every index
-- ends with the creation time, each begins with the reference's columns and goes on with the tenant and
-- the order in which the rows are listed: every request is pinned to a tenant by row-level security, and
-- without the tenant in the index a generic plan ANDs two bitmaps. Lists go by id unless asked otherwise,
-- logs by time. <table>_by_tenant is unique on (tenant_id, id) where a foreign key needs it, and leads
-- with the time where the table is a log and none does.
--
-- Where a tenant's list is long and its rows are wide the index carries deleted_at, so that totals are
-- counted in the index alone. docs/decisions/indexes.md has what each is for, and what was left out.
--
-- Uniqueness "among the undeleted" takes a partial index of its own (<table>_unique_...); where every row
-- counts, an index of the reference is unique itself: the order of its columns does not matter to that.

-- Core
CREATE INDEX tenants_by_status ON tenants (status);

CREATE UNIQUE INDEX users_by_tenant ON users (tenant_id, id);
CREATE INDEX users_by_email ON users (email, tenant_id, id);
CREATE INDEX users_by_status ON users (status, tenant_id, id);
CREATE UNIQUE INDEX users_unique_email ON users (tenant_id, app.fold(email)) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX roles_by_tenant ON roles (tenant_id, id);
CREATE INDEX roles_by_name ON roles (name, tenant_id, id);

CREATE UNIQUE INDEX sites_by_tenant ON sites (tenant_id, id);
CREATE INDEX sites_by_slug ON sites (slug, tenant_id, id);
CREATE INDEX sites_by_status ON sites (status);
CREATE INDEX sites_by_tenant_and_status ON sites (tenant_id, status, name, id);
CREATE INDEX sites_by_tenant_and_name ON sites (tenant_id, name, id);
CREATE UNIQUE INDEX sites_unique_slug ON sites (tenant_id, slug) WHERE deleted_at IS NULL;

-- Integrations
CREATE INDEX integrations_by_category ON integrations (category);
CREATE INDEX integrations_by_is_active ON integrations (is_active);

CREATE UNIQUE INDEX data_sources_by_tenant ON data_sources (tenant_id, id);
CREATE INDEX data_sources_by_integration ON data_sources (integration_id, tenant_id, id);
CREATE INDEX data_sources_by_site ON data_sources (site_id, tenant_id, id);
CREATE INDEX data_sources_by_status ON data_sources (status, tenant_id, id);
CREATE INDEX data_sources_by_external_id ON data_sources (external_id, tenant_id, id);

CREATE UNIQUE INDEX data_source_to_site_by_tenant ON data_source_to_site (tenant_id, id);
CREATE INDEX data_source_to_site_by_data_source ON data_source_to_site (data_source_id, tenant_id, id);
CREATE INDEX data_source_to_site_by_site ON data_source_to_site (site_id, tenant_id, id);
CREATE UNIQUE INDEX data_source_to_site_unique_pair
    ON data_source_to_site (data_source_id, site_id) WHERE deleted_at IS NULL;

-- Agents. A check-in writes last_checkin_at, addresses and version: nothing else may be indexed of these.
CREATE UNIQUE INDEX agents_by_tenant ON agents (tenant_id, id);
CREATE INDEX agents_by_site ON agents (site_id, tenant_id, hostname, id);
CREATE INDEX agents_by_guid ON agents (guid, tenant_id, id);
CREATE INDEX agents_by_last_checkin ON agents (last_checkin_at);
CREATE INDEX agents_by_tenant_and_hostname ON agents (tenant_id, hostname, id);
CREATE UNIQUE INDEX agents_unique_guid ON agents (tenant_id, guid) WHERE deleted_at IS NULL;

CREATE INDEX agent_api_logs_by_tenant ON agent_api_logs (tenant_id, created_at, id);
CREATE INDEX agent_api_logs_by_site ON agent_api_logs (site_id, tenant_id, created_at, id);
CREATE INDEX agent_api_logs_by_agent ON agent_api_logs (agent_id, tenant_id, created_at, id);
CREATE INDEX agent_api_logs_by_created_at ON agent_api_logs (created_at);

-- Entities
CREATE UNIQUE INDEX entities_by_tenant ON entities (tenant_id, id) INCLUDE (deleted_at);
CREATE INDEX entities_by_integration ON entities (integration_id, tenant_id, id) INCLUDE (deleted_at);
CREATE INDEX entities_by_data_source ON entities (data_source_id, tenant_id, id) INCLUDE (deleted_at);
CREATE INDEX entities_by_site ON entities (site_id, tenant_id, id) INCLUDE (deleted_at);
CREATE INDEX entities_by_type ON entities (entity_type, tenant_id, id) INCLUDE (deleted_at);
CREATE INDEX entities_by_external_id ON entities (integration_id, external_id, tenant_id);
-- Unique (tenantId, dataSourceId, entityType, externalId), deleted ones included.
CREATE UNIQUE INDEX entities_by_type_and_external_id
    ON entities (entity_type, external_id, tenant_id, data_source_id);
CREATE INDEX entities_by_tenant_and_external_id ON entities (tenant_id, external_id, id);

CREATE INDEX global_entities_by_integration ON global_entities (integration_id, id);
CREATE INDEX global_entities_by_type ON global_entities (entity_type, id);
-- Unique (integrationId, entityType, externalId), deleted ones included.
CREATE UNIQUE INDEX global_entities_by_external_id ON global_entities (integration_id, external_id, entity_type);

CREATE UNIQUE INDEX entity_relationships_by_tenant ON entity_relationships (tenant_id, id) INCLUDE (deleted_at);
CREATE INDEX entity_relationships_by_parent ON entity_relationships (parent_entity_id, tenant_id, id);
CREATE INDEX entity_relationships_by_child ON entity_relationships (child_entity_id, tenant_id, id);
CREATE INDEX entity_relationships_by_type ON entity_relationships (relationship_type, tenant_id, id);
CREATE UNIQUE INDEX entity_relationships_unique_pair
    ON entity_relationships (parent_entity_id, child_entity_id, relationship_type);

-- Jobs and events
CREATE UNIQUE INDEX scheduled_jobs_by_tenant ON scheduled_jobs (tenant_id, id);
CREATE INDEX scheduled_jobs_by_status ON scheduled_jobs (status, tenant_id, scheduled_at, id);
CREATE INDEX scheduled_jobs_by_scheduled_at ON scheduled_jobs (scheduled_at);
CREATE INDEX scheduled_jobs_by_integration ON scheduled_jobs (integration_id, tenant_id, scheduled_at, id);
CREATE INDEX scheduled_jobs_by_next_retry ON scheduled_jobs (next_retry_at);
CREATE INDEX scheduled_jobs_by_tenant_and_scheduled_at ON scheduled_jobs (tenant_id, scheduled_at, id);
CREATE INDEX scheduled_jobs_by_data_source ON scheduled_jobs (data_source_id, tenant_id, scheduled_at, id);

CREATE INDEX events_log_by_tenant ON events_log (tenant_id, created_at, id);
CREATE INDEX events_log_by_entity ON events_log (entity_id, tenant_id, created_at, id);
CREATE INDEX events_log_by_status ON events_log (status, tenant_id, created_at, id);
CREATE INDEX events_log_by_type ON events_log (event_type, tenant_id, created_at, id);

-- Monitoring
CREATE UNIQUE INDEX health_checks_by_tenant ON health_checks (tenant_id, id);
-- Unique (tenantId, resourceType, resourceId).
CREATE UNIQUE INDEX health_checks_by_resource ON health_checks (resource_type, resource_id, tenant_id);
CREATE INDEX health_checks_by_status ON health_checks (status, tenant_id, id);

CREATE INDEX api_logs_by_created_at ON api_logs (created_at, id);
CREATE INDEX api_logs_by_expires_at ON api_logs (expires_at);

CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, created_at, id);
CREATE INDEX audit_log_by_user ON audit_log (user_id, tenant_id, created_at, id);
CREATE INDEX audit_log_by_table ON audit_log (table_name, tenant_id, record_id, created_at, id);
CREATE INDEX audit_log_by_created_at ON audit_log (created_at);

-- Billing
CREATE UNIQUE INDEX integration_pricing_tiers_by_tenant ON integration_pricing_tiers (tenant_id, id);
CREATE INDEX integration_pricing_tiers_by_integration ON integration_pricing_tiers (integration_id, tenant_id, id);
CREATE INDEX integration_pricing_tiers_by_effective
    ON integration_pricing_tiers (effective_from, effective_until, tenant_id);

CREATE UNIQUE INDEX tenant_bills_by_tenant ON tenant_bills (tenant_id, id);
CREATE INDEX tenant_bills_by_period ON tenant_bills (period_start, period_end, tenant_id);
CREATE INDEX tenant_bills_by_status ON tenant_bills (status, tenant_id, id);
CREATE UNIQUE INDEX tenant_bills_unique_period
    ON tenant_bills (tenant_id, period_start, period_end) WHERE status <> 'cancelled';

CREATE UNIQUE INDEX tenant_bill_line_items_by_tenant ON tenant_bill_line_items (tenant_id, id);
CREATE INDEX tenant_bill_line_items_by_bill ON tenant_bill_line_items (bill_id, tenant_id, id);
CREATE INDEX tenant_bill_line_items_by_integration ON tenant_bill_line_items (integration_id, tenant_id, id);

CREATE UNIQUE INDEX tenant_billing_adjustments_by_tenant ON tenant_billing_adjustments (tenant_id, id);
CREATE INDEX tenant_billing_adjustments_by_integration
    ON tenant_billing_adjustments (integration_id, tenant_id, id);
CREATE INDEX tenant_billing_adjustments_by_effective
    ON tenant_billing_adjustments (effective_from, effective_to, tenant_id);
