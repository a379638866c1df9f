DROP FUNCTION app.check_in(text[], text[], text[], text[], text[], text[], text[], text[], boolean);
DROP FUNCTION app.takes_unrecorded(text);
CREATE FUNCTION app.check_in(
    ids text[], tenants text[], hostnames text[], versions text[], ip_addresses text[], ext_addresses text[],
    mac_addresses text[], impatient boolean
)
    RETURNS TABLE (agent_id text, guid text, refusal text)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off
    SET lock_timeout = '50ms'
AS $$
#variable_conflict use_column
DECLARE
    now CONSTANT bigint := app.now_ms();
    platform CONSTANT text := coalesce(current_setting('app.platform', true), '');
    free text[] := ids;
    written text[];
    of_tenants text[];
    guids text[];
    absent text[];
    sick text[];
BEGIN
    -- Where the owner is under the policies too (core/request_role.py), this lifts them.
    PERFORM set_config('app.platform', 'on', true);
    IF impatient THEN
        free := ARRAY(SELECT a.id FROM public.agents a WHERE a.id = ANY (ids) FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
    WITH done AS (
        UPDATE public.agents a
        SET last_checkin_at = greatest(a.last_checkin_at, now),
            hostname = coalesce(b.hostname, a.hostname), version = coalesce(b.version, a.version),
            ip_address = coalesce(b.ip_address, a.ip_address), ext_address = coalesce(b.ext_address, a.ext_address),
            mac_address = coalesce(b.mac_address, a.mac_address)
        FROM unnest(ids, tenants, hostnames, versions, ip_addresses, ext_addresses, mac_addresses)
                 AS b (id, tenant_id, hostname, version, ip_address, ext_address, mac_address)
        WHERE a.id = b.id AND a.tenant_id = b.tenant_id AND a.deleted_at IS NULL
          AND (NOT impatient OR a.id = ANY (free))
          AND EXISTS (
              SELECT FROM public.sites s
              WHERE s.id = a.site_id AND s.status <> 'archived' AND s.deleted_at IS NULL
          )
          AND EXISTS (
              SELECT FROM public.tenants t
              WHERE t.id = a.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
          )
        RETURNING a.id, a.tenant_id, a.guid
    )
    SELECT array_agg(d.id), array_agg(d.tenant_id), array_agg(d.guid) INTO written, of_tenants, guids FROM done d;

    -- A health check that somebody holds, or is just making, is left to them: the next check-in is a minute away.
    SELECT array_agg(w.id) FILTER (WHERE h.id IS NULL), array_agg(h.id) FILTER (WHERE h.status <> 'healthy')
    INTO absent, sick
    FROM unnest(written, of_tenants) AS w (id, tenant_id)
    LEFT JOIN public.health_checks h
        ON h.resource_type = 'agent' AND h.resource_id = w.id AND h.tenant_id = w.tenant_id;
    IF absent IS NOT NULL AND NOT impatient THEN
        INSERT INTO public.health_checks (tenant_id, resource_type, resource_id, status, last_check_at, last_success_at)
        SELECT w.tenant_id, 'agent', w.id, 'healthy', now, now
        FROM unnest(written, of_tenants) AS w (id, tenant_id) WHERE w.id = ANY (absent)
        ON CONFLICT (resource_type, resource_id, tenant_id) DO NOTHING;
    END IF;
    IF sick IS NOT NULL THEN
        UPDATE public.health_checks h
        SET status = 'healthy', failure_count = 0, error_message = NULL, metadata = NULL,
            last_check_at = greatest(h.last_check_at, now), last_success_at = greatest(h.last_success_at, now),
            updated_at = greatest(h.updated_at + 1, now)
        WHERE h.id IN (
            SELECT l.id FROM public.health_checks l
            WHERE l.id = ANY (sick) AND l.status <> 'healthy' FOR NO KEY UPDATE SKIP LOCKED
        );
    END IF;

    RETURN QUERY SELECT w.id, w.guid, NULL::text FROM unnest(written, guids) AS w (id, guid);
    IF cardinality(written) IS DISTINCT FROM cardinality(ids) THEN
        RETURN QUERY
            SELECT b.id, NULL::text,
                   CASE WHEN a.id IS NULL THEN 'gone' WHEN impatient AND a.id <> ALL (free) THEN 'busy' ELSE 'shut' END
            FROM unnest(ids, tenants) AS b (id, tenant_id)
            LEFT JOIN public.agents a ON a.id = b.id AND a.tenant_id = b.tenant_id AND a.deleted_at IS NULL
            WHERE b.id <> ALL (coalesce(written, '{}'));
    END IF;
    PERFORM set_config('app.platform', platform, true);
END
$$;
REVOKE EXECUTE ON FUNCTION app.check_in(text[], text[], text[], text[], text[], text[], text[], boolean) FROM PUBLIC;
COMMENT ON FUNCTION app.check_in(text[], text[], text[], text[], text[], text[], text[], boolean) IS
    'Writes the check-ins of many agents.';
SELECT live.unwatch('issued_credentials');
SELECT live.unwatch('site_enrollment_rules');
