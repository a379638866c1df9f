-- The change log: every write to a table of `public`, by whomever, leaves a row here, from which the live
-- queries learn what may have changed. Statement triggers write it in the writer's own transaction, so that
-- it says exactly what was committed; it is read by snapshots (subscriptions/changes/log.py), never by its numbers.
--
-- Not seen: rows that logical replication applies, as PostgreSQL fires no statement triggers for them.

CREATE SCHEMA live;
COMMENT ON SCHEMA live IS 'The change log of the live queries: written by triggers, read by the server.';

-- What the log's rows mean. A table that is watched anew, having changed, gets another shape, so that what
-- was logged before can still be read.
CREATE TABLE live.shape (
    shape integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    columns text[] NOT NULL,
    watched text[] NOT NULL,
    types text[] NOT NULL
);
COMMENT ON COLUMN live.shape.columns IS 'All columns; the n-th, from 0 on, is the bit 2^n of a set of columns.';
COMMENT ON COLUMN live.shape.watched IS 'The columns whose values are logged, in their order there.';
COMMENT ON COLUMN live.shape.types IS 'The types of the watched columns.';

CREATE SEQUENCE live.change_number;

-- A ring of four parts of three minutes each. A part is emptied by TRUNCATE once all that stands in it has been
-- over for five minutes (live.keep), which leaves it four minutes' time before it is written to again. Where
-- that fails, the new rows stand beside the old: nothing is lost, it is only kept for longer. Few parts, as
-- each is locked by each reading: with their indexes they fit into the sixteen locks that PostgreSQL takes fast.
CREATE TABLE live.change (
    number bigint NOT NULL DEFAULT nextval('live.change_number'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL,
    columns bigint,
    shape integer NOT NULL,
    part smallint NOT NULL,
    kind smallint NOT NULL,
    tenants text[],
    rows text[]
) PARTITION BY LIST (part);
CREATE INDEX change_by_xid ON live.change (xid);
DO $$
BEGIN
    FOR part IN 0..3 LOOP
        -- It is only ever appended to and emptied: there is nothing to vacuum but what was rolled back.
        EXECUTE format(
            'CREATE TABLE live.change_%1$s PARTITION OF live.change FOR VALUES IN (%1$s)
                 WITH (autovacuum_vacuum_insert_threshold = -1, parallel_workers = 0)',
            part
        );
    END LOOP;
END
$$;
COMMENT ON COLUMN live.change.at IS 'When the statement ran.';
COMMENT ON COLUMN live.change.columns IS 'Of a coarse change: which columns changed; absent: any.';
COMMENT ON COLUMN live.change.kind IS '1 INSERT, 2 UPDATE, 3 DELETE, 4 TRUNCATE.';
COMMENT ON COLUMN live.change.tenants IS 'Of a coarse change: whose rows changed; absent: anybody''s.';
COMMENT ON COLUMN live.change.rows IS
    'One line for each row: the watched values; of an UPDATE the bits of those changed columns that are not watched, the
values before and those after. Absent: the change is coarse.';

CREATE FUNCTION live.part_at(at timestamptz) RETURNS smallint
    LANGUAGE sql STABLE -- and with no settings of its own, so that it is written out where it is used
    RETURN (date_part('epoch', at)::bigint / 180 % 4)::smallint;
COMMENT ON FUNCTION live.part_at(timestamptz) IS 'The part of the ring that is written to then.';

-- How far the log goes back: what was over in `moment` may be gone. A snapshot from before a TRUNCATE reads the part as
-- empty, without a word. So each emptying is announced here and committed first, some seconds ahead; the sequence
-- `turn`, which no snapshot hides, says which announcement was carried out. Who reads a turn that its snapshot knows
-- no announcement of has missed something; all others know by `moment` whether they have.
CREATE TABLE live.floor (
    name text PRIMARY KEY,
    moment pg_snapshot,
    turn bigint NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO live.floor (name) VALUES ('kept'), ('tidied');
CREATE SEQUENCE live.turn MINVALUE 0 START 0;

CREATE FUNCTION live.refuse_truncate() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('live.is_emptying', true) IS DISTINCT FROM 'on' THEN
        RAISE 'The change log is emptied by live.keep() alone: readers would not know'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
DO $$
BEGIN
    FOR part IN 0..3 LOOP
        EXECUTE format(
            'CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON live.change_%s
                 FOR EACH STATEMENT EXECUTE FUNCTION live.refuse_truncate()',
            part
        );
    END LOOP;
END
$$;

-- Snapshots of the last minutes, by which is told what was over when.
CREATE TABLE live.mark (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    moment pg_snapshot NOT NULL DEFAULT pg_current_snapshot()
);

-- The era in which transaction ids are meant. After a crash, a failover or a restore ids may be given again
-- that a reader has already seen; an unlogged table is empty after each of these, and a new era begins.
CREATE UNLOGGED TABLE live.era (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    era text NOT NULL DEFAULT translate(gen_random_uuid()::text, '-', ''),
    cluster bigint NOT NULL DEFAULT (pg_control_system()).system_identifier
);
INSERT INTO live.era DEFAULT VALUES;

-- Begins an era if none runs; in a copy of another cluster's database also without what that one logged.
CREATE FUNCTION live.begin_era() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here CONSTANT bigint := (pg_control_system()).system_identifier;
BEGIN
    IF EXISTS (SELECT FROM live.era WHERE cluster = here) THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM live.era) THEN
        PERFORM set_config('live.is_emptying', 'on', true);
        TRUNCATE live.change;
        PERFORM set_config('live.is_emptying', '', true);
        DELETE FROM live.era;
    END IF;
    DELETE FROM live.mark;
    UPDATE live.floor SET moment = NULL, at = '-infinity';
    PERFORM setval('live.turn', turn) FROM live.floor WHERE name = 'kept';
    INSERT INTO live.era DEFAULT VALUES ON CONFLICT DO NOTHING;
END
$$;

-- What the reader's snapshot sees and `known` does not, in no order; behind it one line of its own: the
-- snapshot (`moment`), the era, how far the log goes back (`floors`), and whether something is missing (`is_torn`): a
-- part was emptied, and the snapshot knows nothing of it, or there are more than `most` changes.
-- STABLE, so that all of it is of one snapshot.
CREATE FUNCTION live.since(known pg_snapshot, most integer)
    RETURNS TABLE (
        number bigint, xid bigint, at bigint, shape integer, kind smallint,
        tenants text[], columns bigint, rows text[],
        moment text, era text, floors text[], is_torn boolean
    )
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    -- One plan for all times. Without statistics it would read the whole of each part.
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    platform text := current_setting('app.platform', true);
    running CONSTANT xid8[] := ARRAY(SELECT pg_snapshot_xip(known));
    upto CONSTANT xid8 := pg_snapshot_xmax(known);
    told bigint := 0;
    more bigint;
BEGIN
    -- Where the owner is under policies too (core/request_role.py), this lifts them for the look.
    PERFORM set_config('app.platform', 'on', true);
    IF known::text <> pg_current_snapshot()::text THEN
        RETURN QUERY
            SELECT c.number, c.xid::text::bigint, floor(extract(epoch FROM c.at) * 1000)::bigint, c.shape, c.kind,
                   c.tenants, c.columns, c.rows, NULL::text, NULL::text, NULL::text[], NULL::boolean
            FROM live.change c WHERE c.xid >= upto LIMIT most + 1;
        GET DIAGNOSTICS told = ROW_COUNT;
        IF running <> '{}' THEN
            RETURN QUERY
                SELECT c.number, c.xid::text::bigint, floor(extract(epoch FROM c.at) * 1000)::bigint, c.shape, c.kind,
                       c.tenants, c.columns, c.rows, NULL::text, NULL::text, NULL::text[], NULL::boolean
                FROM live.change c WHERE c.xid = ANY (running) LIMIT most + 1;
            GET DIAGNOSTICS more = ROW_COUNT;
        END IF;
    END IF;
    PERFORM set_config('app.platform', coalesce(platform, ''), true);
    RETURN QUERY
        SELECT NULL::bigint, NULL::bigint, NULL::bigint, NULL::integer, NULL::smallint,
               NULL::text[], NULL::bigint, NULL::text[],
               pg_current_snapshot()::text,
               (SELECT e.era FROM live.era e WHERE e.cluster = (pg_control_system()).system_identifier),
               array_remove(array_agg(f.moment::text), NULL),
               max(f.turn) < (SELECT last_value FROM live.turn) OR told + coalesce(more, 0) > most
        FROM live.floor f;
END
$$;

-- Takes a part's rows away if all that stands in it was over in the floor's moment: false where it was not, where
-- there is nothing, or where somebody holds the part. Whoever reads it meanwhile waits for 20 ms at most, and a
-- writer only if it comes to this very part just then.
CREATE FUNCTION live.clear(part smallint, floor live.floor) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '20ms'
AS $$
DECLARE
    is_over CONSTANT text := format(
        'SELECT NOT EXISTS (SELECT FROM %1$s WHERE xid >= pg_snapshot_xmax($1))
            AND NOT EXISTS (SELECT FROM %1$s WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1))))',
        'live.change_' || part
    );
    answer boolean := floor.moment IS NOT NULL AND pg_relation_size('live.change_' || part) > 0;
BEGIN
    IF answer THEN
        EXECUTE is_over INTO answer USING floor.moment;
    END IF;
    IF answer THEN
        EXECUTE format('LOCK TABLE live.change_%s IN ACCESS EXCLUSIVE MODE', part);
        EXECUTE is_over INTO answer USING floor.moment;
    END IF;
    IF answer THEN
        PERFORM setval('live.turn', floor.turn), set_config('live.is_emptying', 'on', true);
        EXECUTE format('TRUNCATE live.change_%s', part);
        PERFORM set_config('live.is_emptying', '', true);
    END IF;
    RETURN answer;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;

-- Keeps the log small: to be called every few seconds by whoever serves, in any number of processes. What was over
-- `seconds` ago is no longer kept. Returns the number of parts that were emptied, or null where another is at it.
CREATE FUNCTION live.keep(seconds double precision) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    platform text := coalesce(current_setting('app.platform', true), '');
    pause CONSTANT interval := make_interval(secs => seconds / 60);
    announced live.floor;
    past live.mark;
    emptied integer := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE 'The log is kept in READ COMMITTED: an older snapshot would not see what is still needed';
    END IF;
    IF NOT pg_try_advisory_xact_lock(x'6D73705F6B656570'::bigint) THEN -- "msp_keep" in ASCII
        RETURN NULL;
    END IF;
    PERFORM set_config('app.platform', 'on', true);
    PERFORM live.begin_era();
    DELETE FROM live.mark WHERE at > clock_timestamp(); -- the clock was put back
    IF NOT EXISTS (SELECT FROM live.mark WHERE at > clock_timestamp() - pause) THEN
        INSERT INTO live.mark DEFAULT VALUES;
    END IF;
    SELECT * INTO announced FROM live.floor WHERE name = 'kept';
    IF announced.at NOT BETWEEN clock_timestamp() - pause AND clock_timestamp() THEN
        -- First what was announced the last time, then the next announcement.
        FOR part IN 0..3 LOOP
            emptied := emptied + live.clear(part::smallint, announced)::integer;
        END LOOP;
        SELECT * INTO past FROM live.mark
        WHERE at <= clock_timestamp() - make_interval(secs => seconds) ORDER BY at DESC LIMIT 1;
        IF FOUND THEN
            DELETE FROM live.mark WHERE at < past.at;
            UPDATE live.floor SET moment = past.moment, turn = turn + 1, at = clock_timestamp() WHERE name = 'kept';
        END IF;
    END IF;
    PERFORM set_config('app.platform', platform, true);
    RETURN emptied;
END
$$;

-- Where nobody keeps the log (no server has run for ten minutes) its writers do, one in a thousand of them: it takes
-- away up to four thousand old rows, so that the log grows no further. No lock is waited for, and nothing that
-- goes wrong here may fail the write. A reader from before knows by the floor that it has missed something.
CREATE FUNCTION live.tidy() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '20ms'
AS $$
DECLARE
    platform text := coalesce(current_setting('app.platform', true), '');
    old CONSTANT timestamptz := clock_timestamp() - interval '10 min';
    oldest smallint;
BEGIN
    IF EXISTS (SELECT FROM live.mark WHERE at > old)
        OR NOT pg_try_advisory_xact_lock(x'6D73705F74696479'::bigint) THEN -- "msp_tidy"
        RETURN;
    END IF;
    PERFORM set_config('app.platform', 'on', true);
    BEGIN
        SELECT part INTO oldest FROM live.change WHERE at < old ORDER BY xid LIMIT 1;
        IF FOUND THEN
            EXECUTE format(
                'DELETE FROM live.change_%1$s WHERE ctid = ANY (ARRAY(
                     SELECT ctid FROM live.change_%1$s WHERE at < $1 ORDER BY xid LIMIT 4096 FOR UPDATE SKIP LOCKED))',
                oldest
            ) USING old;
            UPDATE live.floor SET moment = pg_current_snapshot() WHERE name = 'tidied';
        END IF;
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    PERFORM set_config('app.platform', platform, true);
END
$$;

CREATE FUNCTION live.truncated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    now CONSTANT timestamptz := clock_timestamp();
BEGIN
    INSERT INTO live.change (part, at, shape, kind)
    VALUES (live.part_at(now), now, TG_ARGV[0]::integer, 4);
    RETURN NULL;
END
$$;

-- Watches a table of `public`: makes its functions and triggers, or makes them anew. To be called by the migration
-- that adds a table, and again by one that changes its columns: the functions name every column, for speed.
--
-- target:    The table; it must have the key `id`.
-- unwatched: Columns of which only is told that they changed, not to what: long texts. JSON is so by itself, and all
--            else whose text might depend on the writer's settings.
-- is_whole:  Every row is told, however many a statement changes (the event streams need each), in several changes.
--            Otherwise a statement that changes more than 300 rows tells whose rows, and which columns; one that
--            changes more than 10,000 whose rows; if they are more than 100 tenants', nothing but itself.
--
-- Values are compared as they are stored: JSON and NUMERIC that are equal may be written differently.
CREATE FUNCTION live.watch(target text, unwatched text[] DEFAULT '{}', is_whole boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $watch$
DECLARE
    made live.shape;
    terms jsonb;
    term record;
    -- One statement of one row, as most are, is one plan without a join, an aggregate or a second statement.
    came_or_went text := $body$
        CREATE OR REPLACE FUNCTION live.{came_or_went}() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
        AS $$
        #variable_conflict use_variable
        DECLARE
            now CONSTANT timestamptz := clock_timestamp();
            part CONSTANT smallint := live.part_at(now);
            kind CONSTANT smallint := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE 3 END;
            total bigint;
        BEGIN
            {tidy}
            INSERT INTO live.change (part, at, shape, kind, rows)
            SELECT part, now, {shape}, kind, ARRAY[ARRAY[{cells}]]
            FROM changed c WHERE (SELECT count(*) FROM (SELECT FROM changed LIMIT 2) few) = 1;
            IF FOUND THEN
                RETURN NULL;
            END IF;
            total := (SELECT count(*) FROM (SELECT FROM changed LIMIT 301) few);
            IF total BETWEEN 2 AND 300 OR total > 0 AND {is_whole} THEN
                INSERT INTO live.change (part, at, shape, kind, rows)
                SELECT part, now, {shape}, kind, array_agg(line.cells)
                FROM (
                    SELECT (row_number() OVER () - 1) / 300 AS chunk, ARRAY[{cells}] AS cells FROM changed c
                ) line GROUP BY line.chunk;
            ELSIF total > 300 THEN
                INSERT INTO live.change (part, at, shape, kind, tenants)
                SELECT part, now, {shape}, kind, CASE WHEN count(*) <= 100 THEN array_agg(whose.tenant) END
                FROM (SELECT DISTINCT {tenant} AS tenant FROM changed c) whose;
            END IF;
            RETURN NULL;
        END
        $$;
        REVOKE ALL ON FUNCTION live.{came_or_went}() FROM PUBLIC
    $body$;
    updated text := $body$
        CREATE OR REPLACE FUNCTION live.{updated}() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
        AS $$
        #variable_conflict use_variable
        DECLARE
            now CONSTANT timestamptz := clock_timestamp();
            part CONSTANT smallint := live.part_at(now);
            total bigint;
        BEGIN
            {tidy}
            -- IS TRUE: so that the plan is no hash join, which takes longer for one row.
            INSERT INTO live.change (part, at, shape, kind, rows)
            SELECT part, now, {shape}, 2, ARRAY[ARRAY[{bits}, {before}, {after}]]
            FROM old_rows o JOIN new_rows n ON (n.id = o.id) IS TRUE
            WHERE (SELECT count(*) FROM (SELECT FROM new_rows LIMIT 2) few) = 1;
            IF FOUND THEN
                RETURN NULL;
            END IF;
            total := (SELECT count(*) FROM (SELECT FROM new_rows LIMIT 10001) few);
            -- FULL: a changed id is a deletion and an insertion. It is never a nested loop, whatever the plan's first
            -- statement was: for twenty thousand rows that would be twelve seconds.
            IF total BETWEEN 1 AND 300 OR total > 0 AND {is_whole} THEN
                INSERT INTO live.change (part, at, shape, kind, rows)
                SELECT part, now, {shape}, 2, array_agg(line.cells)
                FROM (
                    SELECT (row_number() OVER () - 1) / 300 AS chunk, ARRAY[{bits}, {before}, {after}] AS cells
                    FROM old_rows o FULL JOIN new_rows n ON n.id = o.id
                ) line GROUP BY line.chunk;
            ELSIF total > 300 THEN
                INSERT INTO live.change (part, at, shape, kind, tenants, columns)
                SELECT part, now, {shape}, 2, CASE WHEN count(*) <= 100 THEN array_agg(whose.tenant) END, (
                    SELECT bit_or(CASE WHEN o.id IS NULL OR n.id IS NULL THEN {everything} ELSE {differing} END)
                    FROM old_rows o FULL JOIN new_rows n ON n.id = o.id WHERE total <= 10000
                )
                FROM (SELECT {tenant} AS tenant FROM old_rows c UNION SELECT {tenant} FROM new_rows c) whose;
            END IF;
            RETURN NULL;
        END
        $$;
        REVOKE ALL ON FUNCTION live.{updated}() FROM PUBLIC
    $body$;
    triggers text := $body$
        CREATE OR REPLACE TRIGGER live_insert AFTER INSERT ON public.{table} REFERENCING NEW TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION live.{came_or_went}();
        CREATE OR REPLACE TRIGGER live_update AFTER UPDATE ON public.{table}
            REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
            FOR EACH STATEMENT EXECUTE FUNCTION live.{updated}();
        CREATE OR REPLACE TRIGGER live_delete AFTER DELETE ON public.{table} REFERENCING OLD TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION live.{came_or_went}();
        CREATE OR REPLACE TRIGGER live_truncate AFTER TRUNCATE ON public.{table}
            FOR EACH STATEMENT EXECUTE FUNCTION live.truncated('{shape}');
        ALTER TABLE public.{table}
            ENABLE ALWAYS TRIGGER live_insert, ENABLE ALWAYS TRIGGER live_update,
            ENABLE ALWAYS TRIGGER live_delete, ENABLE ALWAYS TRIGGER live_truncate
    $body$;
BEGIN
    INSERT INTO live.shape (table_name, columns, watched, types)
    SELECT target, array_agg(a.attname ORDER BY a.attnum),
           array_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.is_watched),
           array_agg(a.type ORDER BY a.attnum) FILTER (WHERE a.is_watched)
    FROM (
        SELECT attname::text, attnum, format_type(atttypid, NULL) AS type,
               atttypid = ANY ('{text,bigint,integer,boolean,numeric,text[]}'::regtype[])
                   AND attname::text <> ALL (unwatched) AS is_watched
        FROM pg_attribute
        WHERE attrelid = format('public.%I', target)::regclass AND attnum > 0 AND NOT attisdropped
    ) a
    RETURNING * INTO made;
    IF cardinality(made.columns) > 62 OR 'id' <> ALL (made.watched) OR NOT unwatched <@ made.columns THEN
        RAISE 'The table % cannot be watched: it needs an id, 62 columns at most, and those named', target;
    END IF;

    WITH every AS (
        SELECT quote_ident(c.name) AS name, w.place AS watched,
               CASE WHEN w.type LIKE '%[]' THEN 'to_json(%s.%s)::text' ELSE '%s.%s::text' END AS value,
               format(
                   CASE WHEN w.type IN ('text', 'bigint', 'integer', 'boolean')
                        THEN 'CASE WHEN o.%1$I IS DISTINCT FROM n.%1$I THEN %2$s::bigint ELSE 0 END'
                        ELSE 'CASE WHEN record_image_ne(ROW(o.%1$I), ROW(n.%1$I)) THEN %2$s::bigint ELSE 0 END' END,
                   c.name, 1::bigint << (c.place - 1)::integer
               ) AS bit_if_differs
        FROM unnest(made.columns) WITH ORDINALITY c (name, place)
        LEFT JOIN unnest(made.watched, made.types) WITH ORDINALITY w (name, type, place) USING (name)
    )
    SELECT jsonb_build_object(
        'table', quote_ident(target), 'shape', made.shape, 'is_whole', is_whole,
        'came_or_went', quote_ident(target || '_came_or_went'), 'updated', quote_ident(target || '_updated'),
        'everything', (1::bigint << cardinality(made.columns)) - 1,
        'cells', string_agg(format(value, 'c', every.name), ', ' ORDER BY watched) FILTER (WHERE watched > 0),
        'before', string_agg(format(value, 'o', every.name), ', ' ORDER BY watched) FILTER (WHERE watched > 0),
        'after', string_agg(format(value, 'n', every.name), ', ' ORDER BY watched) FILTER (WHERE watched > 0),
        'bits', coalesce('(' || string_agg(bit_if_differs, ' | ') FILTER (WHERE watched IS NULL) || ')::text', '''0'''),
        'differing', string_agg(bit_if_differs, ' | '),
        'tenant', CASE WHEN bool_or(every.name = 'tenant_id') THEN 'c.tenant_id' ELSE 'NULL::text' END,
        'tidy', 'IF (date_part(''microseconds'', now)::bigint & 1023) = 0 THEN PERFORM live.tidy(); END IF;'
    ) INTO terms FROM every;

    FOR term IN SELECT * FROM jsonb_each_text(terms) LOOP
        came_or_went := replace(came_or_went, '{' || term.key || '}', term.value);
        updated := replace(updated, '{' || term.key || '}', term.value);
        triggers := replace(triggers, '{' || term.key || '}', term.value);
    END LOOP;
    EXECUTE came_or_went;
    EXECUTE updated;
    EXECUTE triggers;
END
$watch$;

-- Takes the triggers away again, for the downgrade of a migration that adds a table.
CREATE FUNCTION live.unwatch(target text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('DROP FUNCTION live.%I() CASCADE', target || '_came_or_went');
    EXECUTE format('DROP FUNCTION live.%I() CASCADE', target || '_updated');
    EXECUTE format('DROP TRIGGER live_truncate ON public.%I', target);
END
$$;

SELECT live.watch('tenants');
SELECT live.watch('users');
SELECT live.watch('roles', '{description}');
SELECT live.watch('sites');
SELECT live.watch('integrations', '{description}');
SELECT live.watch('data_sources');
SELECT live.watch('data_source_to_site');
SELECT live.watch('agents', is_whole => true);
SELECT live.watch('agent_api_logs', '{error_message}');
SELECT live.watch('entities');
SELECT live.watch('entity_relationships');
SELECT live.watch('global_entities');
SELECT live.watch('scheduled_jobs', '{error}');
SELECT live.watch('events_log');
SELECT live.watch('health_checks', '{error_message}', is_whole => true);
SELECT live.watch('api_logs', '{body,response_body}');
SELECT live.watch('audit_log');
SELECT live.watch('integration_pricing_tiers', '{description}');
SELECT live.watch('tenant_bills', '{notes}');
SELECT live.watch('tenant_bill_line_items', '{description}');
SELECT live.watch('tenant_billing_adjustments', '{reason}');

-- Nobody but the owner; writers need no right, as the triggers work by the owner's.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA live FROM PUBLIC;
