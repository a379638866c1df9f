-- Is the viewer still who a sign-in found? Asked inside of the statement that reads for them, hence STABLE: the answer and
-- this are of one snapshot. Past the policies, as the tenant is set only after it. Rights are compared as stored, to the letter.
CREATE FUNCTION app.is_still(subject text, of_tenant text, of_role text, with_rights text) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM public.users u
        JOIN public.tenants t ON t.id = u.tenant_id
        JOIN public.roles r ON r.id = u.role_id
        WHERE u.id = subject AND u.tenant_id = of_tenant AND u.role_id = of_role AND r.rights::text = with_rights
          AND u.status = 'active' AND t.status = 'active'
          AND u.deleted_at IS NULL AND t.deleted_at IS NULL AND r.deleted_at IS NULL
    );
END
$$;
REVOKE EXECUTE ON FUNCTION app.is_still(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION app.is_still(text, text, text, text) IS
    'Whether the user may sign in, and is of this tenant, role and rights.';

-- Totals of a tenant's agents, by platform and altogether: by far the smallest index that has them.
CREATE INDEX agents_by_platform ON agents (tenant_id, platform) WHERE deleted_at IS NULL;
