-- Row-level security: the second lock, under a role that does not own the tables. The policies are exactly
-- this simple because it is measured: an OR for the platform or a sub-select costs two to ten times. The
-- platform works as the owner, to whom they do not apply.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'users', 'roles', 'sites', 'data_sources', 'data_source_to_site', 'agents', 'agent_api_logs',
        'entities', 'entity_relationships', 'scheduled_jobs', 'events_log', 'health_checks', 'audit_log',
        'integration_pricing_tiers', 'tenant_bills', 'tenant_bill_line_items', 'tenant_billing_adjustments'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I FOR ALL
                 USING (tenant_id = current_setting(''app.tenant_id'', true))
                 WITH CHECK (tenant_id = current_setting(''app.tenant_id'', true))',
            name
        );
    END LOOP;
END
$$;

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenants FOR ALL
    USING (id = current_setting('app.tenant_id', true))
    WITH CHECK (id = current_setting('app.tenant_id', true));

-- Global roles are offered to every tenant, and changed by none.
CREATE POLICY global_role ON roles FOR SELECT USING (tenant_id IS NULL);

-- For the platform alone: no policy, no row.
ALTER TABLE api_logs ENABLE ROW LEVEL SECURITY;

-- Who is asking? Answered before a tenant is known, hence past the policies, and only by the exact
-- subject. Deleted and inactive ones are answered too: the caller refuses them.
CREATE FUNCTION app.sign_in(subject text)
    RETURNS TABLE (
        user_id text, tenant_id text, role_id text, rights jsonb, user_status text, tenant_status text,
        user_deleted boolean, role_deleted boolean, tenant_deleted boolean
    )
    LANGUAGE plpgsql VOLATILE STRICT ROWS 1 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    platform text := coalesce(current_setting('app.platform', true), '');
BEGIN
    -- Where the owner is under the policies too (core/request_role.py), this lifts them for the look.
    PERFORM set_config('app.platform', 'on', true);
    RETURN QUERY
        SELECT u.id, u.tenant_id, u.role_id, r.rights, u.status, t.status,
               u.deleted_at IS NOT NULL, r.deleted_at IS NOT NULL, t.deleted_at IS NOT NULL
        FROM public.users u
        JOIN public.tenants t ON t.id = u.tenant_id
        JOIN public.roles r ON r.id = u.role_id
        WHERE u.id = subject;
    PERFORM set_config('app.platform', platform, true);
END
$$;
REVOKE EXECUTE ON FUNCTION app.sign_in(text) FROM PUBLIC;
COMMENT ON FUNCTION app.sign_in(text) IS 'The user whose id is the token''s subject, with tenant, role and rights.';

-- A data source's config without its secrets. What the schema marks is hidden while it is set; what looks
-- like our envelope is hidden wherever it stands, so that no schema, however odd, shows one.
CREATE FUNCTION app.redact(config jsonb, schema jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    secret CONSTANT jsonb := '{"secret": true}';
    is_marked CONSTANT boolean := coalesce(schema -> 'sensitive' NOT IN ('false', 'null'), false);
BEGIN
    IF is_marked AND config NOT IN ('null', '""') THEN
        RETURN secret;
    END IF;
    CASE jsonb_typeof(config)
        WHEN 'string' THEN
            RETURN CASE WHEN starts_with(config #>> '{}', 'enc:v1:') THEN secret ELSE config END;
        WHEN 'object' THEN
            RETURN (
                SELECT coalesce(jsonb_object_agg(key, app.redact(value, schema -> 'properties' -> key)), '{}')
                FROM jsonb_each(config)
                WHERE NOT starts_with(key, 'enc:v1:')
            );
        WHEN 'array' THEN
            RETURN (
                SELECT coalesce(jsonb_agg(app.redact(value, schema -> 'items') ORDER BY place), '[]')
                FROM jsonb_array_elements(config) WITH ORDINALITY AS element (value, place)
            );
        ELSE
            RETURN config;
    END CASE;
END
$$;
COMMENT ON FUNCTION app.redact(jsonb, jsonb) IS 'The config with {"secret": true} in the place of each secret that is set.';
