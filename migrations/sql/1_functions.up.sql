-- Functions that defaults, indexes and queries stand on.

CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'The product''s own functions.';

CREATE FUNCTION app.now_ms() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint;
COMMENT ON FUNCTION app.now_ms() IS 'When the statement began, in milliseconds since the epoch.';

-- UUIDv7 (RFC 9562): a random version 4 whose first 48 bits are the milliseconds, and whose version
-- nibble goes from 0100 to 0111. uuidv7() itself is there from PostgreSQL 18 on only.
CREATE FUNCTION app.new_id() RETURNS text
    LANGUAGE sql VOLATILE PARALLEL SAFE
    RETURN encode(
        set_bit(set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6
            ),
            52, 1), 53, 1),
        'hex'
    )::uuid::text;
COMMENT ON FUNCTION app.new_id() IS 'A UUIDv7: ordered by time, so that a key''s index grows at its end.';

-- Lower case must not depend on the database's locale (under "C", lower() knows ASCII only).
DO $$
DECLARE
    unicode text := (
        SELECT quote_ident(collname)
        FROM pg_collation
        WHERE collnamespace = 'pg_catalog'::regnamespace
          AND collencoding IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database()))
          AND collname IN ('pg_c_utf8', 'und-x-icu', 'C.utf8', 'C.UTF-8')
        ORDER BY array_position(ARRAY['pg_c_utf8', 'und-x-icu', 'C.utf8', 'C.UTF-8'], collname::text)
        LIMIT 1
    );
BEGIN
    IF unicode IS NULL THEN
        RAISE 'This PostgreSQL has no collation that knows the lower case of all of Unicode'
            USING HINT = 'Use PostgreSQL 17 or later, or one built with ICU, and a database in UTF8.';
    END IF;
    -- Two letters come out differently by provider: the final sigma, and the dotted capital I of Turkish.
    EXECUTE format(
        'CREATE FUNCTION app.fold(value text) RETURNS text
             LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
             RETURN replace(translate(lower(value COLLATE pg_catalog.%s), U&''\03C2'', U&''\03C3''),
                            U&''i\0307'', ''i'') COLLATE "C"',
        unicode
    );
END
$$;
COMMENT ON FUNCTION app.fold(text) IS 'Lower case in all of Unicode, whatever the database''s locale: for comparing case aside.';
