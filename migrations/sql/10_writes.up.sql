-- The audit log is only ever added to, whoever is connected, its owner and the server included. What remains is a
-- deliberate act: to take the triggers away (ALTER TABLE ... DISABLE TRIGGER), or as a superuser
-- SET session_replication_role = 'replica'.

-- They fire after the row's own constraints, so that these tell what is wrong with it, and not for an update that
-- changes nothing. One change is no falsification: when an invitation is taken up, the person's generated id gives
-- way to the identity provider's, and the foreign key carries it along. Then alone the former person is nobody.
CREATE FUNCTION app.refuse_audit_change() RETURNS trigger
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
COMMENT ON FUNCTION app.refuse_audit_change() IS 'Refuses every change of the past.';

CREATE TRIGGER audit_log_is_not_changed
    AFTER UPDATE ON audit_log FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*)
    EXECUTE FUNCTION app.refuse_audit_change();
CREATE TRIGGER audit_log_is_not_deleted
    AFTER DELETE ON audit_log FOR EACH ROW
    EXECUTE FUNCTION app.refuse_audit_change();
CREATE TRIGGER audit_log_is_not_emptied
    BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT
    EXECUTE FUNCTION app.refuse_audit_change();
