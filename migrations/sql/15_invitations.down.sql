SELECT set_config('app.platform', 'on', true);

DROP TRIGGER users_mark_unclaimed_update ON users;
DROP TRIGGER users_mark_unclaimed_insert ON users;
DROP FUNCTION app.mark_unclaimed_user();
DROP FUNCTION app.is_unclaimed(text);
DROP TABLE app.unclaimed_users;

DO $$
DECLARE
    standing text;
BEGIN
    SELECT string_agg(format('%s (tenant %s)', ids, tenant_id), '; ') INTO standing
    FROM (
        SELECT tenant_id, string_agg(id, ' and ' ORDER BY id) AS ids
        FROM public.users
        WHERE deleted_at IS NULL
        GROUP BY tenant_id, app.fold(email)
        HAVING count(*) > 1
        ORDER BY tenant_id, ids
        LIMIT 20
    ) double;
    IF standing IS NOT NULL THEN
        RAISE 'Users of one tenant have e-mail addresses that the former version takes for one: %', standing
            USING ERRCODE = 'unique_violation',
                  HINT = 'Change the address of one of them, or delete it (users.deleted_at), and go back again.';
    END IF;
END
$$;
DROP INDEX users_pending_by_email;
DROP INDEX users_unique_email;
CREATE UNIQUE INDEX users_unique_email ON users (tenant_id, app.fold(email)) WHERE deleted_at IS NULL;
DROP FUNCTION app.email_identity(text);
DROP FUNCTION app.punycode(text);

SELECT set_config('app.platform', '', true);
