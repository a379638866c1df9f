DROP TRIGGER users_tenant_is_fixed ON users;
DROP TRIGGER roles_tenant_is_fixed ON roles;
DROP TRIGGER sites_tenant_is_fixed ON sites;
DROP TRIGGER data_sources_tenant_is_fixed ON data_sources;
DROP TRIGGER data_source_to_site_tenant_is_fixed ON data_source_to_site;
DROP TRIGGER agents_tenant_is_fixed ON agents;
DROP TRIGGER agent_api_logs_tenant_is_fixed ON agent_api_logs;
DROP TRIGGER entities_tenant_is_fixed ON entities;
DROP TRIGGER entity_relationships_tenant_is_fixed ON entity_relationships;
DROP TRIGGER scheduled_jobs_tenant_is_fixed ON scheduled_jobs;
DROP TRIGGER events_log_tenant_is_fixed ON events_log;
DROP TRIGGER health_checks_tenant_is_fixed ON health_checks;
DROP TRIGGER audit_log_tenant_is_fixed ON audit_log;
DROP TRIGGER integration_pricing_tiers_tenant_is_fixed ON integration_pricing_tiers;
DROP TRIGGER tenant_bills_tenant_is_fixed ON tenant_bills;
DROP TRIGGER tenant_bill_line_items_tenant_is_fixed ON tenant_bill_line_items;
DROP TRIGGER tenant_billing_adjustments_tenant_is_fixed ON tenant_billing_adjustments;
DROP FUNCTION app.refuse_tenant_change();
DROP TRIGGER users_role_of_tenant ON users;
DROP FUNCTION app.check_users_role();

ALTER TABLE users
    DROP CONSTRAINT users_tenant_id_fkey,
    DROP CONSTRAINT users_role_id_fkey;
ALTER TABLE roles
    DROP CONSTRAINT roles_tenant_id_fkey;
ALTER TABLE sites
    DROP CONSTRAINT sites_tenant_id_fkey,
    DROP CONSTRAINT sites_psa_integration_id_fkey;
ALTER TABLE data_sources
    DROP CONSTRAINT data_sources_tenant_id_fkey,
    DROP CONSTRAINT data_sources_integration_id_fkey,
    DROP CONSTRAINT data_sources_site_id_fkey;
ALTER TABLE agent_api_logs
    DROP CONSTRAINT agent_api_logs_tenant_id_fkey,
    DROP CONSTRAINT agent_api_logs_site_id_fkey,
    DROP CONSTRAINT agent_api_logs_agent_id_fkey;
ALTER TABLE scheduled_jobs
    DROP CONSTRAINT scheduled_jobs_tenant_id_fkey,
    DROP CONSTRAINT scheduled_jobs_integration_id_fkey,
    DROP CONSTRAINT scheduled_jobs_data_source_id_fkey;
ALTER TABLE health_checks
    DROP CONSTRAINT health_checks_tenant_id_fkey,
    DROP CONSTRAINT health_checks_agent_id_fkey,
    DROP CONSTRAINT health_checks_data_source_id_fkey,
    DROP CONSTRAINT health_checks_site_id_fkey,
    DROP CONSTRAINT health_checks_scheduled_job_id_fkey,
    DROP CONSTRAINT health_checks_integration_id_fkey;
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_tenant_id_fkey,
    DROP CONSTRAINT audit_log_user_id_fkey;
ALTER TABLE integration_pricing_tiers
    DROP CONSTRAINT integration_pricing_tiers_tenant_id_fkey,
    DROP CONSTRAINT integration_pricing_tiers_integration_id_fkey;
ALTER TABLE tenant_bills
    DROP CONSTRAINT tenant_bills_tenant_id_fkey;
ALTER TABLE tenant_billing_adjustments
    DROP CONSTRAINT tenant_billing_adjustments_tenant_id_fkey,
    DROP CONSTRAINT tenant_billing_adjustments_integration_id_fkey,
    DROP CONSTRAINT tenant_billing_adjustments_created_by_fkey;
ALTER TABLE entities
    DROP CONSTRAINT entities_integration_id_fkey,
    DROP CONSTRAINT entities_data_source_id_fkey,
    DROP CONSTRAINT entities_site_id_fkey;
ALTER TABLE global_entities
    DROP CONSTRAINT global_entities_integration_id_fkey;
ALTER TABLE tenant_bill_line_items
    DROP CONSTRAINT tenant_bill_line_items_integration_id_fkey,
    DROP CONSTRAINT tenant_bill_line_items_bill_id_fkey,
    DROP CONSTRAINT tenant_bill_line_items_pricing_tier_id_fkey;
ALTER TABLE data_source_to_site
    DROP CONSTRAINT data_source_to_site_data_source_id_fkey,
    DROP CONSTRAINT data_source_to_site_site_id_fkey;
ALTER TABLE agents
    DROP CONSTRAINT agents_site_id_fkey;
ALTER TABLE entity_relationships
    DROP CONSTRAINT entity_relationships_parent_entity_id_fkey,
    DROP CONSTRAINT entity_relationships_child_entity_id_fkey;
ALTER TABLE events_log
    DROP CONSTRAINT events_log_entity_id_fkey;

-- The partial indexes go with their columns.
ALTER TABLE health_checks
    DROP COLUMN agent_id,
    DROP COLUMN data_source_id,
    DROP COLUMN site_id,
    DROP COLUMN scheduled_job_id,
    DROP COLUMN integration_id;
