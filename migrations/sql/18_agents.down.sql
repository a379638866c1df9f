DROP TRIGGER agents_canonical_guid ON agents;
DROP FUNCTION app.set_canonical_guid();
DROP FUNCTION app.canonical_guid(text);
DO $$
DECLARE
    after text := pg_get_functiondef(
        (SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'app'::regnamespace AND p.proname = 'check_in'));
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['a.last_checkin_at', 'h.last_check_at', 'h.last_success_at'] LOOP
        after := replace(after, format('app.latest(%s, now)', part), format('greatest(%s, now)', part));
    END LOOP;
    EXECUTE replace(after, 'app.next_updated_at(h.updated_at)', 'greatest(h.updated_at + 1, now)');
END
$$;
DROP FUNCTION app.online_until();
DROP FUNCTION app.next_updated_at(bigint);
DROP FUNCTION app.latest(bigint, bigint);
