-- Issued credentials: one row for each token or code that the server has issued. Its id is the token's `jti`.

ALTER TABLE issued_credentials
    ALTER id SET DEFAULT app.new_id(),
    ALTER issuer_type SET DEFAULT 'system',
    ALTER binding SET DEFAULT '{}',
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();
ALTER TABLE site_enrollment_rules
    ALTER id SET DEFAULT app.new_id(),
    ALTER approval_required SET DEFAULT false,
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

-- Each kind is bound to one thing. A platform token belongs to no tenant, so no composite key could check its columns.
ALTER TABLE issued_credentials
    ADD CONSTRAINT issued_credentials_kind_check CHECK (kind IN ('enrollment', 'agent', 'invitation', 'platform')),
    ADD CONSTRAINT issued_credentials_issuer_type_check
        CHECK (issuer_type IN ('user', 'agent', 'platform', 'system')),
    ADD CONSTRAINT issued_credentials_binding_check CHECK (jsonb_typeof(binding) = 'object'),
    ADD CONSTRAINT issued_credentials_tenant_check CHECK ((kind = 'platform') = (tenant_id IS NULL)),
    ADD CONSTRAINT issued_credentials_bound_check CHECK (
        (kind = 'enrollment') = (site_id IS NOT NULL)
        AND (kind = 'agent') = (agent_id IS NOT NULL)
        AND (kind = 'invitation') = (user_id IS NOT NULL)
    ),
    ADD CONSTRAINT issued_credentials_person_check CHECK (
        tenant_id IS NOT NULL
        OR (issued_by IS NULL AND revoked_by IS NULL AND replacement_approved_by IS NULL)
    );

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT c.relname AS table_name, a.attname AS column_name
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.oid IN ('public.issued_credentials'::regclass, 'public.site_enrollment_rules'::regclass)
          AND a.attnum > 0 AND (a.attname = 'id' OR a.atttypid = 'bigint'::regtype)
        ORDER BY 1, a.attnum
    LOOP
        EXECUTE format(
            CASE WHEN item.column_name = 'id'
                THEN 'ALTER TABLE %1$I ADD CONSTRAINT %3$I CHECK (%2$I <> '''')'
                ELSE 'ALTER TABLE %1$I ADD CONSTRAINT %3$I
                          CHECK (%2$I BETWEEN -9007199254740991 AND 9007199254740991)' END,
            item.table_name, item.column_name, item.table_name || '_' || item.column_name || '_check'
        );
    END LOOP;
END
$$;

CREATE UNIQUE INDEX issued_credentials_by_tenant ON issued_credentials (tenant_id, id);
CREATE INDEX issued_credentials_by_site ON issued_credentials (site_id, tenant_id, id);
CREATE INDEX issued_credentials_by_agent ON issued_credentials (agent_id, tenant_id, id);
CREATE INDEX issued_credentials_by_user ON issued_credentials (user_id, tenant_id, id);
CREATE INDEX issued_credentials_by_issuer ON issued_credentials (issued_by, tenant_id, id);
CREATE INDEX issued_credentials_by_revoker ON issued_credentials (revoked_by, tenant_id, id);
CREATE INDEX issued_credentials_by_approver ON issued_credentials (replacement_approved_by, tenant_id, id);
CREATE INDEX issued_credentials_by_expiry ON issued_credentials (expires_at);
CREATE UNIQUE INDEX site_enrollment_rules_by_tenant ON site_enrollment_rules (tenant_id, id);
CREATE UNIQUE INDEX site_enrollment_rules_unique_site ON site_enrollment_rules (site_id, tenant_id);

ALTER TABLE issued_credentials
    ADD CONSTRAINT issued_credentials_tenant_id_fkey
        FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON DELETE RESTRICT,
    ADD CONSTRAINT issued_credentials_site_id_fkey
        FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE RESTRICT,
    ADD CONSTRAINT issued_credentials_agent_id_fkey
        FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE RESTRICT,
    ADD CONSTRAINT issued_credentials_user_id_fkey
        FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT issued_credentials_issued_by_fkey
        FOREIGN KEY (tenant_id, issued_by) REFERENCES users (tenant_id, id) ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT issued_credentials_revoked_by_fkey
        FOREIGN KEY (tenant_id, revoked_by) REFERENCES users (tenant_id, id) ON DELETE RESTRICT ON UPDATE CASCADE,
    ADD CONSTRAINT issued_credentials_replacement_approved_by_fkey
        FOREIGN KEY (tenant_id, replacement_approved_by) REFERENCES users (tenant_id, id)
        ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE site_enrollment_rules
    ADD CONSTRAINT site_enrollment_rules_site_id_fkey
        FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE RESTRICT;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['issued_credentials', 'site_enrollment_rules'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I FOR ALL
                 USING (tenant_id = current_setting(''app.tenant_id'', true))
                 WITH CHECK (tenant_id = current_setting(''app.tenant_id'', true))',
            name
        );
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE OF tenant_id ON %I FOR EACH ROW
                 WHEN (OLD.tenant_id IS DISTINCT FROM NEW.tenant_id)
                 EXECUTE FUNCTION app.refuse_tenant_change()',
            name || '_tenant_is_fixed', name
        );
    END LOOP;
END
$$;

SELECT live.watch('issued_credentials');
SELECT live.watch('site_enrollment_rules');
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA live FROM PUBLIC;

-- Check-ins verify the agent's token in the same statement. `token_ids` are the tokens' `jti`, null where the platform
-- checks an agent in. Each token is one look-up by the primary key; only a first use writes to its row. As before but
-- for these, and for one refusal more:
--   revoked   the token is revoked, or it has no row and the agent has been given a token that has one
-- A token without a row is from before these rows were written. It is good until the agent is given another, or until
-- the row that stands for it ('unrecorded' in its binding) is revoked.
-- Whether an agent may use a token that has no row: it was given none that has one.
CREATE FUNCTION app.takes_unrecorded(agent text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT NOT EXISTS (
        SELECT FROM public.issued_credentials c
        WHERE c.agent_id = agent AND NOT (c.binding ? 'unrecorded' AND c.revoked_at IS NULL)
    )
$$;
REVOKE EXECUTE ON FUNCTION app.takes_unrecorded(text) FROM PUBLIC;
COMMENT ON FUNCTION app.takes_unrecorded(text) IS 'Whether an agent may use a token from before issued_credentials.';

DROP FUNCTION app.check_in(text[], text[], text[], text[], text[], text[], text[], boolean);
CREATE FUNCTION app.check_in(
    ids text[], tenants text[], hostnames text[], versions text[], ip_addresses text[], ext_addresses text[],
    mac_addresses text[], token_ids text[], impatient boolean
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
    first_used text[];
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
        FROM unnest(ids, tenants, hostnames, versions, ip_addresses, ext_addresses, mac_addresses, token_ids)
                 AS b (id, tenant_id, hostname, version, ip_address, ext_address, mac_address, token_id)
        -- OFFSET keeps it a look-up for each row in their order: a hash join would lock the agents in another.
        LEFT JOIN LATERAL (
            SELECT k.id, k.agent_id, k.tenant_id, k.revoked_at, k.first_used_at
            FROM public.issued_credentials k WHERE k.id = b.token_id OFFSET 0
        ) c ON true
        WHERE a.id = b.id AND a.tenant_id = b.tenant_id AND a.deleted_at IS NULL
          AND (NOT impatient OR a.id = ANY (free))
          AND CASE
                  WHEN c.id IS NOT NULL
                      THEN c.agent_id = a.id AND c.tenant_id = a.tenant_id AND c.revoked_at IS NULL
                  ELSE b.token_id IS NULL OR app.takes_unrecorded(a.id)
              END
          AND EXISTS (
              SELECT FROM public.sites s
              WHERE s.id = a.site_id AND s.status <> 'archived' AND s.deleted_at IS NULL
          )
          AND EXISTS (
              SELECT FROM public.tenants t
              WHERE t.id = a.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
          )
        RETURNING a.id, a.tenant_id, a.guid, CASE WHEN c.first_used_at IS NULL THEN c.id END AS unused
    )
    SELECT array_agg(d.id), array_agg(d.tenant_id), array_agg(d.guid),
           array_agg(d.unused) FILTER (WHERE d.unused IS NOT NULL)
    INTO written, of_tenants, guids, first_used FROM done d;
    IF first_used IS NOT NULL THEN
        UPDATE public.issued_credentials c SET first_used_at = now
        WHERE c.id = ANY (first_used) AND c.first_used_at IS NULL;
    END IF;

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
                   CASE WHEN a.id IS NULL THEN 'gone'
                        WHEN impatient AND a.id <> ALL (free) THEN 'busy'
                        WHEN b.token_id IS NOT NULL AND NOT coalesce(
                            c.agent_id = a.id AND c.tenant_id = a.tenant_id AND c.revoked_at IS NULL,
                            app.takes_unrecorded(a.id)
                        ) THEN 'revoked'
                        ELSE 'shut' END
            FROM unnest(ids, tenants, token_ids) AS b (id, tenant_id, token_id)
            LEFT JOIN public.agents a ON a.id = b.id AND a.tenant_id = b.tenant_id AND a.deleted_at IS NULL
            LEFT JOIN public.issued_credentials c ON c.id = b.token_id
            WHERE b.id <> ALL (coalesce(written, '{}'));
    END IF;
    PERFORM set_config('app.platform', platform, true);
END
$$;
REVOKE EXECUTE ON FUNCTION
    app.check_in(text[], text[], text[], text[], text[], text[], text[], text[], boolean) FROM PUBLIC;
COMMENT ON FUNCTION app.check_in(text[], text[], text[], text[], text[], text[], text[], text[], boolean) IS
    'Writes the check-ins of many agents whose tokens are in force.';
