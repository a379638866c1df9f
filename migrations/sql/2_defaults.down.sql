ALTER TABLE tenants
    ALTER id DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE users
    ALTER id DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER metadata DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE roles
    ALTER id DROP DEFAULT,
    ALTER rights DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE sites
    ALTER id DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE integrations
    ALTER supported_types DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE data_sources
    ALTER id DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER config DROP DEFAULT,
    ALTER credential_expiration_at DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE data_source_to_site
    ALTER id DROP DEFAULT,
    ALTER created_at DROP DEFAULT;

ALTER TABLE agents
    ALTER id DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE agent_api_logs
    ALTER id DROP DEFAULT,
    ALTER req_metadata DROP DEFAULT,
    ALTER res_metadata DROP DEFAULT,
    ALTER created_at DROP DEFAULT;

ALTER TABLE entities
    ALTER id DROP DEFAULT,
    ALTER raw_data DROP DEFAULT,
    ALTER normalized_data DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE global_entities
    ALTER id DROP DEFAULT,
    ALTER raw_data DROP DEFAULT,
    ALTER normalized_data DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE entity_relationships
    ALTER id DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE scheduled_jobs
    ALTER id DROP DEFAULT,
    ALTER payload DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER attempts DROP DEFAULT,
    ALTER attempts_max DROP DEFAULT,
    ALTER scheduled_at DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE events_log
    ALTER id DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER payload DROP DEFAULT,
    ALTER retry_count DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE health_checks
    ALTER id DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER failure_count DROP DEFAULT,
    ALTER last_check_at DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE api_logs
    ALTER id DROP DEFAULT,
    ALTER created_at DROP DEFAULT;

ALTER TABLE audit_log
    ALTER id DROP DEFAULT,
    ALTER actor_type DROP DEFAULT,
    ALTER changes DROP DEFAULT,
    ALTER created_at DROP DEFAULT;

ALTER TABLE integration_pricing_tiers
    ALTER id DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE tenant_bills
    ALTER id DROP DEFAULT,
    ALTER status DROP DEFAULT,
    ALTER total DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;

ALTER TABLE tenant_bill_line_items
    ALTER id DROP DEFAULT,
    ALTER created_at DROP DEFAULT;

ALTER TABLE tenant_billing_adjustments
    ALTER id DROP DEFAULT,
    ALTER created_at DROP DEFAULT,
    ALTER updated_at DROP DEFAULT;
