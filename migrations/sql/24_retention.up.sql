-- The audit log may lose its oldest rows, if the operator has set a retention, and the values of an erased person.
CREATE TABLE app.audit_retention (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    years integer NOT NULL CHECK (years BETWEEN 1 AND 100)
);
COMMENT ON TABLE app.audit_retention IS 'For how many years the audit log is kept, by the setting audit_log_years. Without a row it is kept for ever.';

CREATE FUNCTION app.audit_kept_from() RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT app.now_ms() - (SELECT years FROM app.audit_retention) * 31557600000 $$;
COMMENT ON FUNCTION app.audit_kept_from() IS 'Rows of the audit log from before this time may be deleted, in ms since the epoch; null if none may.';

CREATE FUNCTION app.is_erasure(before jsonb, after jsonb) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF before = after THEN
        RETURN true;
    ELSIF jsonb_typeof(before) IN ('string', 'number', 'boolean') THEN
        RETURN after = '"erased"';
    ELSIF jsonb_typeof(before) = 'array' AND jsonb_typeof(after) = 'array' THEN
        RETURN jsonb_array_length(before) = jsonb_array_length(after) AND coalesce((
            SELECT bool_and(app.is_erasure(b.value, after -> (b.ordinality - 1)::int))
            FROM jsonb_array_elements(before) WITH ORDINALITY b
        ), true);
    ELSIF jsonb_typeof(before) = 'object' AND jsonb_typeof(after) = 'object' THEN
        RETURN (SELECT count(*) FROM jsonb_object_keys(before)) = (SELECT count(*) FROM jsonb_object_keys(after))
            AND coalesce((
                SELECT bool_and(after ? b.key AND app.is_erasure(b.value, after -> b.key)) FROM jsonb_each(before) b
            ), true);
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION app.is_erasure(jsonb, jsonb) IS 'Whether the second value is the first with some texts, numbers and booleans replaced by "erased".';

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
        IF current_setting('app.erasure', true) = 'on'
           AND to_jsonb(OLD) - 'changes' = to_jsonb(NEW) - 'changes'
           AND app.is_erasure(OLD.changes, NEW.changes)
        THEN
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'DELETE' AND current_setting('app.audit_retention', true) = 'on' THEN
        IF OLD.created_at < app.audit_kept_from() THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE 'The audit log is only ever added to'
        USING ERRCODE = 'insufficient_privilege', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END
$$;
