-- A row written by hand is whole: ids, times, counters, JSON and first states have defaults here as in
-- the models. An integration's id is its slug and has none.

ALTER TABLE tenants
    ALTER id SET DEFAULT app.new_id(),
    ALTER status SET DEFAULT 'active',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE users
    ALTER id SET DEFAULT app.new_id(),
    ALTER status SET DEFAULT 'pending',
    ALTER metadata SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE roles
    ALTER id SET DEFAULT app.new_id(),
    ALTER rights SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE sites
    ALTER id SET DEFAULT app.new_id(),
    ALTER status SET DEFAULT 'active',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE integrations
    ALTER supported_types SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE data_sources
    ALTER id SET DEFAULT app.new_id(),
    ALTER status SET DEFAULT 'active',
    ALTER config SET DEFAULT '{}',
    ALTER credential_expiration_at SET DEFAULT 9007199254740991,
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE data_source_to_site
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms();

ALTER TABLE agents
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE agent_api_logs
    ALTER id SET DEFAULT app.new_id(),
    ALTER req_metadata SET DEFAULT '{}',
    ALTER res_metadata SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms();

ALTER TABLE entities
    ALTER id SET DEFAULT app.new_id(),
    ALTER raw_data SET DEFAULT '{}',
    ALTER normalized_data SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE global_entities
    ALTER id SET DEFAULT app.new_id(),
    ALTER raw_data SET DEFAULT '{}',
    ALTER normalized_data SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE entity_relationships
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE scheduled_jobs
    ALTER id SET DEFAULT app.new_id(),
    ALTER payload SET DEFAULT '{}',
    ALTER status SET DEFAULT 'pending',
    ALTER attempts SET DEFAULT 0,
    ALTER attempts_max SET DEFAULT 3,
    ALTER scheduled_at SET DEFAULT app.now_ms(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE events_log
    ALTER id SET DEFAULT app.new_id(),
    ALTER status SET DEFAULT 'pending',
    ALTER payload SET DEFAULT '{}',
    ALTER retry_count SET DEFAULT 0,
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE health_checks
    ALTER id SET DEFAULT app.new_id(),
    ALTER status SET DEFAULT 'healthy',
    ALTER failure_count SET DEFAULT 0,
    ALTER last_check_at SET DEFAULT app.now_ms(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE api_logs
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms();

ALTER TABLE audit_log
    ALTER id SET DEFAULT app.new_id(),
    ALTER actor_type SET DEFAULT 'system',
    ALTER changes SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms();

ALTER TABLE integration_pricing_tiers
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE tenant_bills
    ALTER id SET DEFAULT app.new_id(),
    ALTER status SET DEFAULT 'draft',
    ALTER total SET DEFAULT 0,
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE tenant_bill_line_items
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms();

ALTER TABLE tenant_billing_adjustments
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();
