DROP TRIGGER audit_log_is_not_changed ON audit_log;
DROP TRIGGER audit_log_is_not_deleted ON audit_log;
DROP TRIGGER audit_log_is_not_emptied ON audit_log;
DROP FUNCTION app.refuse_audit_change();
