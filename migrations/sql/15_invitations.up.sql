-- Who gets in: which e-mail addresses are one, and which users nobody has signed in as.

-- Where the owner is under the policies too (core/request_role.py), this lifts them for the reads below.
SELECT set_config('app.platform', 'on', true);

-- Punycode (RFC 3492) of one label, without a mapping of any letter.
CREATE FUNCTION app.punycode(label text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    digits CONSTANT text := 'abcdefghijklmnopqrstuvwxyz0123456789';
    points CONSTANT bigint[] := ARRAY(SELECT ascii(c)::bigint FROM unnest(string_to_array(label, NULL)) c);
    encoded text := coalesce(
        (SELECT string_agg(chr(p::int), '' ORDER BY place) FROM unnest(points) WITH ORDINALITY u (p, place) WHERE p < 128),
        '');
    basic CONSTANT int := length(encoded);
    handled bigint := length(encoded);
    smallest bigint := 128;
    next_smallest bigint;
    delta bigint := 0;
    bias bigint := 72;
    threshold bigint;
    rest bigint;
    position bigint;
    point bigint;
BEGIN
    IF basic > 0 THEN
        encoded := encoded || '-';
    END IF;
    WHILE handled < cardinality(points) LOOP
        SELECT min(p) INTO next_smallest FROM unnest(points) p WHERE p >= smallest;
        delta := delta + (next_smallest - smallest) * (handled + 1);
        smallest := next_smallest;
        FOREACH point IN ARRAY points LOOP
            IF point < smallest THEN
                delta := delta + 1;
            ELSIF point = smallest THEN
                rest := delta;
                position := 36;
                LOOP
                    threshold := least(greatest(position - bias, 1), 26);
                    EXIT WHEN rest < threshold;
                    encoded := encoded
                        || substr(digits, (threshold + (rest - threshold) % (36 - threshold) + 1)::int, 1);
                    rest := (rest - threshold) / (36 - threshold);
                    position := position + 36;
                END LOOP;
                encoded := encoded || substr(digits, (rest + 1)::int, 1);
                delta := delta / CASE WHEN handled = basic THEN 700 ELSE 2 END;
                delta := delta + delta / (handled + 1);
                bias := 0;
                WHILE delta > 455 LOOP
                    delta := delta / 35;
                    bias := bias + 36;
                END LOOP;
                bias := bias + 36 * delta / (delta + 38);
                delta := 0;
                handled := handled + 1;
            END IF;
        END LOOP;
        delta := delta + 1;
        smallest := smallest + 1;
    END LOOP;
    RETURN encoded;
END
$$;
COMMENT ON FUNCTION app.punycode(text) IS 'The Punycode of one label of a domain, as it stands.';

-- Two addresses are one when this is equal. `app.fold` is for search: it makes other letters of them.
CREATE FUNCTION app.email_identity(email text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    lowered CONSTANT text := lower(email COLLATE "C");
    domain CONSTANT text := split_part(lowered, '@', -1);
BEGIN
    IF octet_length(domain) = length(domain) THEN
        RETURN lowered;
    END IF;
    RETURN left(lowered, length(lowered) - length(domain)) || (
        SELECT string_agg(
            CASE WHEN octet_length(label) = length(label) THEN label ELSE 'xn--' || app.punycode(label) END,
            '.' ORDER BY place)
        FROM unnest(string_to_array(domain, '.')) WITH ORDINALITY AS part (label, place)
    );
END
$$;
COMMENT ON FUNCTION app.email_identity(text) IS
    'What an e-mail address is compared by: ASCII in lower case, domains in their IDNA form, all else as it stands.';

DO $$
DECLARE
    standing text;
BEGIN
    SELECT string_agg(format('%s (tenant %s)', ids, tenant_id), '; ') INTO standing
    FROM (
        SELECT tenant_id, string_agg(id, ' and ' ORDER BY id) AS ids
        FROM public.users
        WHERE deleted_at IS NULL
        GROUP BY tenant_id, app.email_identity(email)
        HAVING count(*) > 1
        ORDER BY tenant_id, ids
        LIMIT 20
    ) double;
    IF standing IS NOT NULL THEN
        RAISE 'Users of one tenant have the same e-mail address, its domain written in two ways: %', standing
            USING ERRCODE = 'unique_violation',
                  HINT = 'Change the address of one of them, or delete it (users.deleted_at), and migrate again.';
    END IF;
END
$$;

DROP INDEX users_unique_email;
CREATE UNIQUE INDEX users_unique_email ON users (tenant_id, app.email_identity(email)) WHERE deleted_at IS NULL;
-- By which an invited person finds what waits for them, in whatever tenant.
CREATE INDEX users_pending_by_email ON users (app.email_identity(email))
    WHERE status = 'pending' AND deleted_at IS NULL;

-- Users that nobody has signed in as: their id is a generated one until an invitation is accepted. The mark outlives
-- INACTIVE, so that an invited user who is switched off and on again is invited still. Nobody reads it but the server:
-- requests go through the functions below, as they do for sign-in.
CREATE TABLE app.unclaimed_users (
    id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    CONSTRAINT unclaimed_users_id_fkey FOREIGN KEY (tenant_id, id) REFERENCES public.users (tenant_id, id)
        ON DELETE CASCADE ON UPDATE CASCADE
);
COMMENT ON TABLE app.unclaimed_users IS 'Users that nobody has signed in as.';
CREATE INDEX unclaimed_users_by_tenant ON app.unclaimed_users (tenant_id, id);

CREATE FUNCTION app.is_unclaimed(user_id text) RETURNS boolean
    LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN EXISTS (SELECT FROM app.unclaimed_users u WHERE u.id = is_unclaimed.user_id);
REVOKE EXECUTE ON FUNCTION app.is_unclaimed(text) FROM PUBLIC;
COMMENT ON FUNCTION app.is_unclaimed(text) IS 'Whether nobody has signed in as this user.';

-- Whoever is inserted as inactive under an id of ours (UUIDv7) has never signed in either.
CREATE FUNCTION app.mark_unclaimed_user() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.status = 'active' THEN
        DELETE FROM app.unclaimed_users WHERE id = NEW.id;
    ELSIF NEW.status = 'pending'
       OR (TG_OP = 'INSERT' AND NEW.id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')
    THEN
        INSERT INTO app.unclaimed_users (id, tenant_id) VALUES (NEW.id, NEW.tenant_id) ON CONFLICT (id) DO NOTHING;
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION app.mark_unclaimed_user() FROM PUBLIC;
COMMENT ON FUNCTION app.mark_unclaimed_user() IS 'Keeps app.unclaimed_users.';
CREATE TRIGGER users_mark_unclaimed_insert
    AFTER INSERT ON users FOR EACH ROW WHEN (NEW.status <> 'active')
    EXECUTE FUNCTION app.mark_unclaimed_user();
CREATE TRIGGER users_mark_unclaimed_update
    AFTER UPDATE OF status ON users FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION app.mark_unclaimed_user();

-- Those that are there. Who was created as pending and still has that id was never signed in as: an acceptance would
-- have changed it. Such a user who is ACTIVE is nobody, and becomes PENDING again.
CREATE TEMP TABLE never_signed_in ON COMMIT DROP AS
    SELECT u.id, u.tenant_id, u.status
    FROM public.users u
    WHERE u.status = 'pending' OR EXISTS (
        SELECT FROM public.audit_log a
        WHERE a.table_name = 'users' AND a.tenant_id = u.tenant_id AND a.record_id = u.id
          AND a.action = 'create' AND a.changes -> 'status' ->> 1 = 'pending'
    );
INSERT INTO app.unclaimed_users (id, tenant_id) SELECT id, tenant_id FROM never_signed_in;
UPDATE users u
    SET status = 'pending',
        updated_at = CASE  -- as app.next_updated_at, which comes later, has it
            WHEN u.updated_at <= app.now_ms() + 86400000 THEN greatest(app.now_ms(), u.updated_at + 1)
            ELSE app.now_ms()
        END
    FROM never_signed_in n WHERE n.id = u.id AND n.status = 'active';
INSERT INTO audit_log (id, tenant_id, actor_type, table_name, record_id, action, changes)
    SELECT app.new_id(), tenant_id, 'system', 'users', id, 'update', '{"status": ["active", "pending"]}'
    FROM never_signed_in WHERE status = 'active';
DROP TABLE never_signed_in;

SELECT set_config('app.platform', '', true);
