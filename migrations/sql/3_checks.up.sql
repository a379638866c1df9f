-- What no row may say, whoever writes it.

-- Closed sets of values (models/enums.py).
ALTER TABLE tenants
    ADD CONSTRAINT tenants_status_check CHECK (status IN ('active', 'inactive', 'suspended'));
ALTER TABLE users
    ADD CONSTRAINT users_status_check CHECK (status IN ('active', 'inactive', 'pending'));
ALTER TABLE sites
    ADD CONSTRAINT sites_status_check CHECK (status IN ('active', 'inactive', 'archived'));
ALTER TABLE data_sources
    ADD CONSTRAINT data_sources_status_check CHECK (status IN ('active', 'inactive', 'error'));
ALTER TABLE scheduled_jobs
    ADD CONSTRAINT scheduled_jobs_status_check CHECK (status IN ('pending', 'running', 'completed', 'failed'));
ALTER TABLE events_log
    ADD CONSTRAINT events_log_status_check CHECK (status IN ('pending', 'processing', 'completed', 'failed'));
ALTER TABLE health_checks
    ADD CONSTRAINT health_checks_status_check CHECK (status IN ('healthy', 'degraded', 'down')),
    ADD CONSTRAINT health_checks_resource_type_check
        CHECK (resource_type IN ('agent', 'data_source', 'site', 'scheduled_job', 'integration'));
ALTER TABLE audit_log
    ADD CONSTRAINT audit_log_actor_type_check CHECK (actor_type IN ('user', 'agent', 'platform', 'system')),
    ADD CONSTRAINT audit_log_action_check CHECK (action IN ('create', 'update', 'delete', 'restore'));
ALTER TABLE tenant_bills
    ADD CONSTRAINT tenant_bills_status_check CHECK (status IN ('draft', 'finalized', 'paid', 'cancelled'));
ALTER TABLE tenant_billing_adjustments
    ADD CONSTRAINT tenant_billing_adjustments_type_check CHECK (type IN ('credit', 'debit', 'discount'));

-- Counters.
ALTER TABLE scheduled_jobs
    ADD CONSTRAINT scheduled_jobs_attempts_check CHECK (attempts >= 0),
    ADD CONSTRAINT scheduled_jobs_attempts_max_check CHECK (attempts_max >= 0);
ALTER TABLE events_log
    ADD CONSTRAINT events_log_retry_count_check CHECK (retry_count >= 0);
ALTER TABLE health_checks
    ADD CONSTRAINT health_checks_failure_count_check CHECK (failure_count >= 0);

-- JSON that is read by its keys is an object. What integrations and devices send (raw data, log
-- metadata, changes) is kept whatever it is.
ALTER TABLE users
    ADD CONSTRAINT users_metadata_check CHECK (jsonb_typeof(metadata) = 'object');
ALTER TABLE roles
    ADD CONSTRAINT roles_rights_check CHECK (jsonb_typeof(rights) = 'object');
ALTER TABLE data_sources
    ADD CONSTRAINT data_sources_config_check CHECK (jsonb_typeof(config) = 'object');
ALTER TABLE scheduled_jobs
    ADD CONSTRAINT scheduled_jobs_payload_check CHECK (jsonb_typeof(payload) = 'object');

-- A list of types has no holes: its elements are non-null in the API.
ALTER TABLE integrations
    ADD CONSTRAINT integrations_supported_types_check CHECK (array_position(supported_types, NULL) IS NULL);

-- A person who made a change belongs to a tenant, and so does the change. (Without this the composite
-- foreign key would not look at the person of a row without tenant.)
ALTER TABLE audit_log
    ADD CONSTRAINT audit_log_user_check CHECK (user_id IS NULL OR tenant_id IS NOT NULL);

-- By type, for each column of the 21 tables, in one scan a table:
-- an id is not empty; a moment is a whole number that JSON holds exactly (2^53 - 1); an amount is finite.
DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT a.attrelid::regclass AS name,
               string_agg(format(
                   'ADD CONSTRAINT %I CHECK (%s)',
                   c.relname || '_' || a.attname || '_check',
                   format(CASE
                       WHEN a.attname = 'id' THEN '%1$I <> '''''
                       WHEN a.atttypid = 'bigint'::regtype
                           THEN '%1$I BETWEEN -9007199254740991 AND 9007199254740991'
                       ELSE '%1$I > ''-Infinity'' AND %1$I < ''Infinity'''
                   END, a.attname)
               ), ', ' ORDER BY a.attnum) AS checks
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace
          AND c.relname IN (
              'tenants', 'users', 'roles', 'sites', 'integrations', 'data_sources', 'data_source_to_site',
              'agents', 'agent_api_logs', 'entities', 'global_entities', 'entity_relationships',
              'scheduled_jobs', 'events_log', 'health_checks', 'api_logs', 'audit_log',
              'integration_pricing_tiers', 'tenant_bills', 'tenant_bill_line_items', 'tenant_billing_adjustments'
          )
          AND a.attnum > 0
          AND NOT a.attisdropped
          AND (a.attname = 'id' OR a.atttypid IN ('bigint'::regtype, 'numeric'::regtype))
        GROUP BY a.attrelid
    LOOP
        EXECUTE format('ALTER TABLE %s %s', item.name, item.checks);
    END LOOP;
END
$$;
