CREATE OR REPLACE FUNCTION app.refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(OLD) - 'user_id' = to_jsonb(NEW) - 'user_id'
           AND OLD.user_id IS NOT NULL AND NEW.user_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM public.users u WHERE u.tenant_id = OLD.tenant_id AND u.id = OLD.user_id)
        THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE 'The audit log is only ever added to'
        USING ERRCODE = 'insufficient_privilege', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END
$$;
DROP FUNCTION app.is_erasure(jsonb, jsonb);
DROP FUNCTION app.audit_kept_from();
DROP TABLE app.audit_retention;
