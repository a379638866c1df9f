DROP FUNCTION app.check_in(text[], text[], text[], text[], text[], text[], text[], boolean);
ALTER TABLE agents RESET (fillfactor);
DROP INDEX agents_by_last_checkin;
CREATE INDEX agents_by_last_checkin ON agents (last_checkin_at);
