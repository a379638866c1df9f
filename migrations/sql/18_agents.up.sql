-- Times that lie in the future, and one canonical form for the GUIDs of agents.

-- Where the owner is under the policies, too (core/request_role.py), this lifts them.
SELECT set_config('app.platform', 'on', true);

-- A recorded time that a clock has put into the future must not win over true ones for ever. Up to 10 s of skew between
-- servers (CLOCK_SKEW_MAX_MS in core/limits.py) a time never goes backwards; beyond that the present replaces it.
CREATE FUNCTION app.latest(stored bigint, now bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN stored <= now + 10000 THEN greatest(stored, now) ELSE now END;
COMMENT ON FUNCTION app.latest(bigint, bigint) IS
    'The later of a stored time and now, in milliseconds since the epoch; now where the stored one is over 10 s ahead.';

-- updated_at grows strictly with each change. A value more than a day ahead (TIME_AHEAD_MAX_MS in core/limits.py) is no
-- time of a change: it is replaced by the present, so that 9007199254740991 + 1 violates no check. The value differs in
-- either case, so that `ifUpdatedAt` with the old one is refused.
CREATE FUNCTION app.next_updated_at(stored bigint) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN stored <= app.now_ms() + 86400000 THEN greatest(app.now_ms(), stored + 1) ELSE app.now_ms() END;
COMMENT ON FUNCTION app.next_updated_at(bigint) IS
    'What updated_at becomes by a change, in milliseconds since the epoch: now, and later than before.';

-- An agent whose last check-in is in the future is not online: nobody knows when it checked in.
CREATE FUNCTION app.online_until() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(
               nullif(current_setting('app.clock_ms', true), '')::bigint,
               floor(extract(epoch FROM transaction_timestamp()) * 1000)::bigint)
         + 10000;
COMMENT ON FUNCTION app.online_until() IS
    'The latest last check-in with which an agent counts as online, in milliseconds since the epoch: 10 s of skew after '
    'the moment of app.online_since().';

-- Check-ins set the true time. The function keeps its text otherwise, whichever earlier migration wrote it.
DO $$
DECLARE
    place CONSTANT oid := (
        SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'app'::regnamespace AND p.proname = 'check_in');
    before CONSTANT text := pg_get_functiondef(place);
    after text := before;
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['a.last_checkin_at', 'h.last_check_at', 'h.last_success_at'] LOOP
        IF strpos(after, format('greatest(%s, now)', part)) = 0 THEN
            RAISE EXCEPTION 'app.check_in does not set % as this migration expects', part;
        END IF;
        after := replace(after, format('greatest(%s, now)', part), format('app.latest(%s, now)', part));
    END LOOP;
    IF strpos(after, 'greatest(h.updated_at + 1, now)') = 0 THEN
        RAISE EXCEPTION 'app.check_in does not set h.updated_at as this migration expects';
    END IF;
    EXECUTE replace(after, 'greatest(h.updated_at + 1, now)', 'app.next_updated_at(h.updated_at)');
END
$$;

-- Rows with such an updated_at, from imports before there was a bound.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'updated_at'
          AND NOT a.attisdropped
        ORDER BY 1
    LOOP
        EXECUTE format(
            'UPDATE public.%I SET updated_at = app.now_ms() WHERE updated_at > app.now_ms() + 86400000', name);
    END LOOP;
END
$$;

-- One device has one GUID, however it is spelled: a UUID with or without braces and dashes in either case, or a SHA-256.
-- `canonical_guid` of services/agents/identity.py is the same in Python.
CREATE FUNCTION app.canonical_guid(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN value ~ '^\{?[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}\}?$'
            THEN regexp_replace(
                lower(translate(value, '{}-', '') COLLATE "C"), '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '\1-\2-\3-\4-\5')
        WHEN value ~ '^[0-9A-Fa-f]{64}$' THEN lower(value COLLATE "C")
        ELSE value
    END;
COMMENT ON FUNCTION app.canonical_guid(text) IS
    'The one spelling of a GUID: a UUID in lower case with dashes and no braces, a SHA-256 in lower case, else as it is.';

-- Agents of one tenant that were one device under several spellings: the one that checked in last stays. The others are
-- deleted, as a person would, with an entry in the audit log; their tokens die, and the devices enroll as the one that stayed.
DO $$
DECLARE
    same text[];
BEGIN
    WITH ranked AS (
        SELECT id, row_number() OVER (
            PARTITION BY tenant_id, app.canonical_guid(guid)
            ORDER BY CASE WHEN last_checkin_at <= app.now_ms() + 10000 THEN last_checkin_at END DESC NULLS LAST, id
        ) AS place
        FROM public.agents WHERE deleted_at IS NULL
    ), gone AS (
        UPDATE public.agents a
        SET deleted_at = app.now_ms(), updated_at = app.next_updated_at(a.updated_at)
        FROM ranked r WHERE r.id = a.id AND r.place > 1
        RETURNING a.id, a.tenant_id, a.deleted_at
    ), noted AS (
        INSERT INTO public.audit_log (tenant_id, actor_type, table_name, record_id, action, changes)
        SELECT tenant_id, 'system', 'agents', id, 'delete', jsonb_build_object('deletedAt', jsonb_build_array(NULL, deleted_at))
        FROM gone
    )
    SELECT array_agg(id ORDER BY id) INTO same FROM gone;
    IF same IS NOT NULL THEN
        RAISE WARNING 'agents: % were deleted as the same device as another, by the GUID: %',
            cardinality(same), array_to_string(same, ', ');
    END IF;
END
$$;
UPDATE public.agents SET guid = app.canonical_guid(guid) WHERE guid <> app.canonical_guid(guid);

CREATE FUNCTION app.set_canonical_guid() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.guid := app.canonical_guid(NEW.guid);
    RETURN NEW;
END
$$;
-- Not with check-ins, which do not name the column.
CREATE TRIGGER agents_canonical_guid BEFORE INSERT OR UPDATE OF guid ON agents
    FOR EACH ROW WHEN (NEW.guid IS DISTINCT FROM app.canonical_guid(NEW.guid))
    EXECUTE FUNCTION app.set_canonical_guid();
