-- A row of one tenant cannot refer to a row of another: row-level security does not look at foreign keys,
-- so they carry the tenant with them. Where a composite key that is never null leads to a row that has
-- its tenant's key itself, a key to tenants as well would only be paid for at every write.
--
-- Parents are soft-deleted; what is deleted for good has to be taken from the leaves up (RESTRICT), but
-- for health checks, which are worth nothing without what they watch.

-- To the tenant itself
ALTER TABLE users ADD CONSTRAINT users_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE roles ADD CONSTRAINT roles_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE sites ADD CONSTRAINT sites_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE data_sources ADD CONSTRAINT data_sources_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE agent_api_logs ADD CONSTRAINT agent_api_logs_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE scheduled_jobs ADD CONSTRAINT scheduled_jobs_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE health_checks ADD CONSTRAINT health_checks_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE integration_pricing_tiers ADD CONSTRAINT integration_pricing_tiers_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE tenant_bills ADD CONSTRAINT tenant_bills_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;
ALTER TABLE tenant_billing_adjustments ADD CONSTRAINT tenant_billing_adjustments_tenant_id_fkey
    FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT;

-- To the catalogue, which is one for all
ALTER TABLE sites ADD CONSTRAINT sites_psa_integration_id_fkey
    FOREIGN KEY (psa_integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;
ALTER TABLE data_sources ADD CONSTRAINT data_sources_integration_id_fkey
    FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;
ALTER TABLE entities ADD CONSTRAINT entities_integration_id_fkey
    FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;
ALTER TABLE global_entities ADD CONSTRAINT global_entities_integration_id_fkey
    FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;
ALTER TABLE scheduled_jobs ADD CONSTRAINT scheduled_jobs_integration_id_fkey
    FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;
ALTER TABLE integration_pricing_tiers ADD CONSTRAINT integration_pricing_tiers_integration_id_fkey
    FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;
ALTER TABLE tenant_bill_line_items ADD CONSTRAINT tenant_bill_line_items_integration_id_fkey
    FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;
ALTER TABLE tenant_billing_adjustments ADD CONSTRAINT tenant_billing_adjustments_integration_id_fkey
    FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE RESTRICT;

-- Within the tenant
ALTER TABLE data_sources ADD CONSTRAINT data_sources_site_id_fkey
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE data_source_to_site ADD CONSTRAINT data_source_to_site_data_source_id_fkey
    FOREIGN KEY (tenant_id, data_source_id) REFERENCES data_sources (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE data_source_to_site ADD CONSTRAINT data_source_to_site_site_id_fkey
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE agents ADD CONSTRAINT agents_site_id_fkey
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE agent_api_logs ADD CONSTRAINT agent_api_logs_site_id_fkey
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE agent_api_logs ADD CONSTRAINT agent_api_logs_agent_id_fkey
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE entities ADD CONSTRAINT entities_data_source_id_fkey
    FOREIGN KEY (tenant_id, data_source_id) REFERENCES data_sources (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE entities ADD CONSTRAINT entities_site_id_fkey
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE entity_relationships ADD CONSTRAINT entity_relationships_parent_entity_id_fkey
    FOREIGN KEY (tenant_id, parent_entity_id) REFERENCES entities (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE entity_relationships ADD CONSTRAINT entity_relationships_child_entity_id_fkey
    FOREIGN KEY (tenant_id, child_entity_id) REFERENCES entities (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE scheduled_jobs ADD CONSTRAINT scheduled_jobs_data_source_id_fkey
    FOREIGN KEY (tenant_id, data_source_id) REFERENCES data_sources (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE events_log ADD CONSTRAINT events_log_entity_id_fkey
    FOREIGN KEY (tenant_id, entity_id) REFERENCES entities (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE tenant_bill_line_items ADD CONSTRAINT tenant_bill_line_items_bill_id_fkey
    FOREIGN KEY (tenant_id, bill_id) REFERENCES tenant_bills (tenant_id, id) ON DELETE RESTRICT;
ALTER TABLE tenant_bill_line_items ADD CONSTRAINT tenant_bill_line_items_pricing_tier_id_fkey
    FOREIGN KEY (tenant_id, pricing_tier_id) REFERENCES integration_pricing_tiers (tenant_id, id) ON DELETE RESTRICT;

-- To a person, whose generated id gives way to the identity provider's when an invitation is taken up
ALTER TABLE audit_log ADD CONSTRAINT audit_log_user_id_fkey
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE tenant_billing_adjustments ADD CONSTRAINT tenant_billing_adjustments_created_by_fkey
    FOREIGN KEY (tenant_id, created_by) REFERENCES users (tenant_id, id) ON DELETE RESTRICT ON UPDATE CASCADE;

-- To what a health check watches: one generated column for each kind carries the key. Each row is in
-- exactly one of the five partial indexes, by which its parent's deletion finds it.
ALTER TABLE health_checks
    ADD COLUMN agent_id text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN resource_type = 'agent' THEN resource_id END) STORED,
    ADD COLUMN data_source_id text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN resource_type = 'data_source' THEN resource_id END) STORED,
    ADD COLUMN site_id text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN resource_type = 'site' THEN resource_id END) STORED,
    ADD COLUMN scheduled_job_id text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN resource_type = 'scheduled_job' THEN resource_id END) STORED,
    ADD COLUMN integration_id text COLLATE "C"
        GENERATED ALWAYS AS (CASE WHEN resource_type = 'integration' THEN resource_id END) STORED;
ALTER TABLE health_checks
    ADD CONSTRAINT health_checks_agent_id_fkey
        FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
    ADD CONSTRAINT health_checks_data_source_id_fkey
        FOREIGN KEY (tenant_id, data_source_id) REFERENCES data_sources (tenant_id, id) ON DELETE CASCADE,
    ADD CONSTRAINT health_checks_site_id_fkey
        FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
    ADD CONSTRAINT health_checks_scheduled_job_id_fkey
        FOREIGN KEY (tenant_id, scheduled_job_id) REFERENCES scheduled_jobs (tenant_id, id) ON DELETE CASCADE,
    ADD CONSTRAINT health_checks_integration_id_fkey
        FOREIGN KEY (integration_id) REFERENCES integrations (id) ON DELETE CASCADE;
CREATE INDEX health_checks_by_agent ON health_checks (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX health_checks_by_data_source ON health_checks (data_source_id) WHERE data_source_id IS NOT NULL;
CREATE INDEX health_checks_by_site ON health_checks (site_id) WHERE site_id IS NOT NULL;
CREATE INDEX health_checks_by_scheduled_job ON health_checks (scheduled_job_id) WHERE scheduled_job_id IS NOT NULL;
-- An integration is every tenant's.
CREATE INDEX health_checks_by_integration ON health_checks (integration_id, tenant_id) WHERE integration_id IS NOT NULL;

-- To a role, which is the tenant's own or a global one: a plain key, and a trigger for the tenant. It
-- looks as the owner does, so that no policy hides the role from it, and locks the role as a key would.
ALTER TABLE users ADD CONSTRAINT users_role_id_fkey
    FOREIGN KEY (role_id) REFERENCES roles (id) ON DELETE RESTRICT;

CREATE FUNCTION app.check_users_role() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    platform text := coalesce(current_setting('app.platform', true), '');
    found_role boolean;
BEGIN
    -- Where the owner is under the policies too (core/request_role.py), this lifts them for the look.
    PERFORM set_config('app.platform', 'on', true);
    PERFORM FROM public.roles
    WHERE id = NEW.role_id AND (tenant_id IS NULL OR tenant_id = NEW.tenant_id)
    FOR KEY SHARE;
    found_role := FOUND;
    PERFORM set_config('app.platform', platform, true);
    IF NOT found_role THEN
        RAISE 'The role is neither global nor one of the user''s tenant'
            USING ERRCODE = 'foreign_key_violation', SCHEMA = 'public', TABLE = 'users',
                  COLUMN = 'role_id', CONSTRAINT = 'users_role_of_tenant';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER users_role_of_tenant
    BEFORE INSERT OR UPDATE OF role_id ON users
    FOR EACH ROW EXECUTE FUNCTION app.check_users_role();

-- No row ever changes its tenant. The trigger is looked at only by an UPDATE that names the column.
CREATE FUNCTION app.refuse_tenant_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE 'A row of % cannot change its tenant', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
              COLUMN = 'tenant_id', CONSTRAINT = TG_NAME;
END
$$;
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'users', 'roles', 'sites', 'data_sources', 'data_source_to_site', 'agents', 'agent_api_logs',
        'entities', 'entity_relationships', 'scheduled_jobs', 'events_log', 'health_checks', 'audit_log',
        'integration_pricing_tiers', 'tenant_bills', 'tenant_bill_line_items', 'tenant_billing_adjustments'
    ] LOOP
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE OF tenant_id ON %I FOR EACH ROW
                 WHEN (OLD.tenant_id IS DISTINCT FROM NEW.tenant_id)
                 EXECUTE FUNCTION app.refuse_tenant_change()',
            name || '_tenant_is_fixed', name
        );
    END LOOP;
END
$$;
