-- Imports beside running servers, and configs that carry secrets where their schema does not mark one.

-- Where the owner is under the policies, too (core/request_role.py), this lifts them.
SELECT set_config('app.platform', 'on', true);

-- When an import last deleted a data source. The clean-up counts the days of grace from then, not from the time of
-- deletion that the file has. The row goes with its data source. The role of requests has no right here.
CREATE TABLE app.imported_deletions (
    data_source_id text COLLATE "C" PRIMARY KEY
        REFERENCES public.data_sources (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    imported_at bigint NOT NULL
);
COMMENT ON TABLE app.imported_deletions IS
    'Data sources that an import has deleted, and when; times are ms since the epoch.';

-- While an import runs, check-ins make no health checks: the file may have one for the same agent. The number is the
-- lock of background writers (services/import_lock.py). The function keeps its text otherwise.
DO $$
DECLARE
    place CONSTANT oid := (
        SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'app'::regnamespace AND p.proname = 'check_in');
    before CONSTANT text := pg_get_functiondef(place);
    old CONSTANT text := 'IF absent IS NOT NULL AND NOT impatient THEN';
    new CONSTANT text := 'IF (CASE WHEN absent IS NULL OR impatient THEN false'
        ' ELSE pg_try_advisory_xact_lock_shared(7886770927784061300) END) THEN';
BEGIN
    IF strpos(before, old) = 0 THEN
        RAISE EXCEPTION 'app.check_in does not make health checks as this migration expects';
    END IF;
    EXECUTE replace(before, old, new);
END
$$;

-- Whether a text carries credentials: user:password@ in an address, or a parameter whose name says that it is secret.
-- `carries_credentials` of services/configs/credentials.py is the same in Python.
CREATE FUNCTION app.carries_credentials(value text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (strpos(value, '@') > 0 OR strpos(value, '=') > 0)
       AND translate(value, E'\t\n\r', '') COLLATE "C" ~* (
           '((^|\s)[/\\]|:)[/\\]+[^/\\?#\s@]*@'
           '|[/\\]{2}[^/\\?#\s@:]*:(?![0-9]*([/?#\s]|$))[^\s@]{0,200}@'
           '|(^|\s)(?!(mailto|sips?|acct|xmpp|urn):)[^@:/\\\s]+:[^/\\?#\s@]+@'
           '|(^|[?&;#\s])[a-z0-9_.-]{0,64}'
           '(authorization|cookie|token|secret|passw|passphrase|(api|access|account|signing|private)[-_]?key|dsn)'
           '[a-z0-9_.-]{0,64}=[^&;#\s]'
           '|(^|[?&;#\s])(sig|signature|key|auth|pwd|pass)=[^&;#\s]');
COMMENT ON FUNCTION app.carries_credentials(text) IS
    'Whether a text carries credentials: a user or password in an address, or a parameter with a secret''s name.';

-- Whether a configSchema may mark secrets where app.redact does not look: outside `properties` and `items`, or behind a
-- reference. `conceals_secrets` of services/configs/schemas.py is the same in Python.
CREATE FUNCTION app.conceals_secrets(schema jsonb, followed boolean DEFAULT true) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    IF jsonb_typeof(schema) = 'array' THEN
        RETURN EXISTS (
            SELECT FROM jsonb_array_elements(schema) AS part (value) WHERE app.conceals_secrets(part.value, false));
    ELSIF jsonb_typeof(schema) IS DISTINCT FROM 'object' THEN
        RETURN false;
    END IF;
    IF schema ?| ARRAY['$ref', '$dynamicRef', '$recursiveRef'] THEN
        RETURN true;
    END IF;
    IF schema -> 'sensitive' NOT IN ('false', 'null') AND (NOT followed OR schema -> 'sensitive' <> 'true') THEN
        RETURN true;
    END IF;
    RETURN EXISTS (
        SELECT FROM jsonb_each(schema) AS part (key, value)
        WHERE CASE
            WHEN part.key IN ('default', 'const', 'enum', 'examples', 'sensitive', 'destination') THEN false
            WHEN jsonb_typeof(part.value) = 'object' AND part.key IN (
                'properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions')
                THEN EXISTS (
                    SELECT FROM jsonb_each(part.value) AS named (key, value)
                    WHERE app.conceals_secrets(named.value, followed AND part.key = 'properties'))
            ELSE app.conceals_secrets(
                part.value, followed AND part.key = 'items' AND jsonb_typeof(part.value) = 'object')
        END);
END
$$;
COMMENT ON FUNCTION app.conceals_secrets(jsonb, boolean) IS
    'Whether a configSchema may mark secrets where app.redact does not look.';

-- Such a schema is kept, and marked as a whole: then nothing of a config shows, until the platform writes a better one.
CREATE FUNCTION app.mark_concealing_schema() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.config_schema := CASE jsonb_typeof(NEW.config_schema)
        WHEN 'object' THEN NEW.config_schema || '{"sensitive": true}' ELSE '{"sensitive": true}' END;
    RETURN NEW;
END
$$;
CREATE TRIGGER integrations_mark_concealing_schema BEFORE INSERT OR UPDATE OF config_schema ON integrations
    FOR EACH ROW WHEN (
        jsonb_typeof(NEW.config_schema) NOT IN ('object', 'null')
        OR (coalesce(NEW.config_schema -> 'sensitive', 'false') <> 'true' AND app.conceals_secrets(NEW.config_schema))
    ) EXECUTE FUNCTION app.mark_concealing_schema();
UPDATE integrations SET config_schema = config_schema
WHERE jsonb_typeof(config_schema) NOT IN ('object', 'null')
   OR (coalesce(config_schema -> 'sensitive', 'false') <> 'true' AND app.conceals_secrets(config_schema));

-- As before; besides, texts that carry credentials are hidden wherever they stand.
CREATE OR REPLACE FUNCTION app.redact(config jsonb, schema jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    secret CONSTANT jsonb := '{"secret": true}';
    is_marked CONSTANT boolean := coalesce(schema -> 'sensitive' NOT IN ('false', 'null'), false);
BEGIN
    IF is_marked AND config NOT IN ('null', '""') THEN
        RETURN secret;
    END IF;
    CASE jsonb_typeof(config)
        WHEN 'string' THEN
            RETURN CASE
                WHEN starts_with(config #>> '{}', 'enc:v1:') OR app.carries_credentials(config #>> '{}') THEN secret
                ELSE config
            END;
        WHEN 'object' THEN
            RETURN (
                SELECT coalesce(jsonb_object_agg(key, app.redact(value, schema -> 'properties' -> key)), '{}')
                FROM jsonb_each(config)
                WHERE NOT starts_with(key, 'enc:v1:') AND NOT app.carries_credentials(key)
            );
        WHEN 'array' THEN
            RETURN (
                SELECT coalesce(jsonb_agg(app.redact(value, schema -> 'items') ORDER BY place), '[]')
                FROM jsonb_array_elements(config) WITH ORDINALITY AS element (value, place)
            );
        ELSE
            RETURN config;
    END CASE;
END
$$;
