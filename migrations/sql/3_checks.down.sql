DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT k.conrelid::regclass AS name, string_agg(format('DROP CONSTRAINT %I', k.conname), ', ') AS drops
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.contype = 'c'
          AND c.relnamespace = 'public'::regnamespace
          AND k.conname LIKE '%\_check'
          AND c.relname IN (
              'tenants', 'users', 'roles', 'sites', 'integrations', 'data_sources', 'data_source_to_site',
              'agents', 'agent_api_logs', 'entities', 'global_entities', 'entity_relationships',
              'scheduled_jobs', 'events_log', 'health_checks', 'api_logs', 'audit_log',
              'integration_pricing_tiers', 'tenant_bills', 'tenant_bill_line_items', 'tenant_billing_adjustments'
          )
        GROUP BY k.conrelid
    LOOP
        EXECUTE format('ALTER TABLE %s %s', item.name, item.drops);
    END LOOP;
END
$$;
