DROP FUNCTION app.redact(jsonb, jsonb);
DROP FUNCTION app.sign_in(text);
DROP POLICY global_role ON roles;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'tenants', 'users', 'roles', 'sites', 'data_sources', 'data_source_to_site', 'agents', 'agent_api_logs',
        'entities', 'entity_relationships', 'scheduled_jobs', 'events_log', 'health_checks', 'audit_log',
        'integration_pricing_tiers', 'tenant_bills', 'tenant_bill_line_items', 'tenant_billing_adjustments'
    ] LOOP
        EXECUTE format('DROP POLICY own_tenant ON %I', name);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', name);
    END LOOP;
END
$$;
ALTER TABLE api_logs DISABLE ROW LEVEL SECURITY;
