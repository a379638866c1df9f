-- The runner of background jobs: a queue with leases beside the table of jobs, their attempts and their progress.
-- docs/decisions/jobs.md says why.

ALTER TABLE job_attempts
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms();
ALTER TABLE job_progress
    ALTER id SET DEFAULT app.new_id(),
    ALTER created_at SET DEFAULT app.now_ms(),
    ALTER updated_at SET DEFAULT app.now_ms();

ALTER TABLE job_attempts
    ADD CONSTRAINT job_attempts_id_check CHECK (id <> ''),
    ADD CONSTRAINT job_attempts_number_check CHECK (number >= 0),
    ADD CONSTRAINT job_attempts_outcome_check CHECK (outcome IN (
        'completed', 'credentials', 'rate_limited', 'vendor_down', 'fault', 'outcome_unknown', 'lost', 'released',
        'canceled')),
    ADD CONSTRAINT job_attempts_started_at_check CHECK (started_at BETWEEN -9007199254740991 AND 9007199254740991),
    ADD CONSTRAINT job_attempts_ended_at_check CHECK (ended_at BETWEEN -9007199254740991 AND 9007199254740991),
    ADD CONSTRAINT job_attempts_created_at_check CHECK (created_at BETWEEN -9007199254740991 AND 9007199254740991);
ALTER TABLE job_progress
    ADD CONSTRAINT job_progress_id_check CHECK (id <> ''),
    ADD CONSTRAINT job_progress_done_check CHECK (done >= 0),
    ADD CONSTRAINT job_progress_total_check CHECK (total >= 0),
    ADD CONSTRAINT job_progress_created_at_check CHECK (created_at BETWEEN -9007199254740991 AND 9007199254740991),
    ADD CONSTRAINT job_progress_updated_at_check CHECK (updated_at BETWEEN -9007199254740991 AND 9007199254740991);

CREATE UNIQUE INDEX job_attempts_by_tenant ON job_attempts (tenant_id, id);
CREATE INDEX job_attempts_by_job ON job_attempts (job_id, tenant_id, id);
CREATE UNIQUE INDEX job_progress_by_tenant ON job_progress (tenant_id, id);
CREATE UNIQUE INDEX job_progress_unique_job ON job_progress (job_id, tenant_id);

ALTER TABLE job_attempts
    ADD CONSTRAINT job_attempts_job_id_fkey
        FOREIGN KEY (tenant_id, job_id) REFERENCES scheduled_jobs (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE job_progress
    ADD CONSTRAINT job_progress_job_id_fkey
        FOREIGN KEY (tenant_id, job_id) REFERENCES scheduled_jobs (tenant_id, id) ON DELETE CASCADE;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['job_attempts', 'job_progress'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_tenant ON %I FOR ALL
                 USING (tenant_id = current_setting(''app.tenant_id'', true))
                 WITH CHECK (tenant_id = current_setting(''app.tenant_id'', true))',
            name
        );
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE UPDATE OF tenant_id ON %I FOR EACH ROW
                 WHEN (OLD.tenant_id IS DISTINCT FROM NEW.tenant_id)
                 EXECUTE FUNCTION app.refuse_tenant_change()',
            name || '_tenant_is_fixed', name
        );
    END LOOP;
END
$$;

SELECT live.watch('job_attempts', '{error}');
SELECT live.watch('job_progress');
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA live FROM PUBLIC;

-- One row for each job that the runner may start or has started. A pending job without a row was imported: it starts
-- when a person says so. A job that has ended has no row, so that finished jobs cost the claim nothing.
CREATE TABLE app.job_queue (
    job_id text COLLATE "C" PRIMARY KEY,
    tenant_id text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    due_at bigint NOT NULL,
    is_ready boolean NOT NULL DEFAULT false,
    is_sync boolean NOT NULL DEFAULT false,
    data_source_id text COLLATE "C",
    account text COLLATE "C",
    account_max integer,
    dedupe_key text COLLATE "C",
    token bigint,
    worker text COLLATE "C",
    lease_until bigint,
    lost integer NOT NULL DEFAULT 0,
    is_canceled boolean NOT NULL DEFAULT false,
    CHECK ((token IS NULL) = (lease_until IS NULL)),
    -- `token` is a key column: a change of it, and a deletion, conflict with FOR KEY SHARE. A renewal does not.
    CONSTRAINT job_queue_token_key UNIQUE (token),
    CONSTRAINT job_queue_job_id_fkey
        FOREIGN KEY (tenant_id, job_id) REFERENCES public.scheduled_jobs (tenant_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);
COMMENT ON TABLE app.job_queue IS 'The jobs that wait for the runner or are running, with the leases of those that run.';
COMMENT ON COLUMN app.job_queue.is_ready IS 'Whether it is due. The claim sets it, so that it never reads jobs of the future.';
COMMENT ON COLUMN app.job_queue.token IS 'The fencing token of the claim; null while it waits. Each claim has a new one.';

CREATE SEQUENCE app.job_token AS bigint CACHE 1;
CREATE INDEX job_queue_ready ON app.job_queue (tenant_id, priority DESC, due_at) WHERE is_ready AND token IS NULL;
CREATE INDEX job_queue_later ON app.job_queue (due_at) WHERE NOT is_ready AND token IS NULL;
CREATE INDEX job_queue_running ON app.job_queue (tenant_id) WHERE token IS NOT NULL;
CREATE UNIQUE INDEX job_queue_one_sync ON app.job_queue (data_source_id, tenant_id) WHERE token IS NOT NULL AND is_sync;
CREATE UNIQUE INDEX job_queue_dedupe ON app.job_queue (tenant_id, dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TABLE app.job_tenants (
    tenant_id text COLLATE "C" PRIMARY KEY REFERENCES public.tenants (id) ON DELETE CASCADE,
    served bigint NOT NULL
) WITH (fillfactor = 70);
COMMENT ON TABLE app.job_tenants IS 'The last token that each tenant was given. Of two tenants that wait, the one served longer ago is next.';

CREATE TABLE app.job_calls (
    job_id text COLLATE "C",
    tenant_id text COLLATE "C" NOT NULL,
    name text COLLATE "C",
    result jsonb,
    PRIMARY KEY (job_id, name),
    FOREIGN KEY (tenant_id, job_id) REFERENCES public.scheduled_jobs (tenant_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE app.job_calls IS 'Calls of jobs that must not be repeated. Without a result, nobody knows whether the call was made.';

ALTER TABLE app.installation ADD COLUMN jobs_per_tenant integer NOT NULL DEFAULT 5 CHECK (jobs_per_tenant > 0);
COMMENT ON COLUMN app.installation.jobs_per_tenant IS 'Jobs of one tenant that run at once, on all servers together.';
CREATE FUNCTION app.job_tenant_max() RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce((SELECT i.jobs_per_tenant FROM app.installation i), 5);
COMMENT ON FUNCTION app.job_tenant_max() IS 'Jobs of one tenant that run at once, on all servers together.';

-- Puts jobs of the present tenant into the queue, or changes when they are due. Running ones stay as they are.
CREATE FUNCTION app.queue_jobs(jobs text[], syncs boolean[], dedupe_keys text[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO app.job_queue AS q (
        job_id, tenant_id, action, priority, due_at, is_ready, is_sync, data_source_id, dedupe_key)
    SELECT j.id, j.tenant_id, j.action, coalesce(j.priority, 0), d.due_at, d.due_at <= app.now_ms(), g.is_sync,
           j.data_source_id, g.dedupe_key
    FROM unnest(jobs, syncs, dedupe_keys) AS g (id, is_sync, dedupe_key)
    JOIN public.scheduled_jobs j ON j.id = g.id AND j.tenant_id = current_setting('app.tenant_id', true)
    CROSS JOIN LATERAL (SELECT coalesce(j.next_retry_at, j.scheduled_at) AS due_at) d
    ORDER BY j.id
    ON CONFLICT (job_id) DO UPDATE
    SET due_at = excluded.due_at, is_ready = excluded.is_ready, priority = excluded.priority
    WHERE q.token IS NULL
$$;

-- Locks the queue's rows of jobs before their own rows, which is the order of the runner.
CREATE FUNCTION app.lock_queued_jobs(jobs text[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT FROM app.job_queue q
    WHERE q.job_id = ANY (jobs) AND q.tenant_id = current_setting('app.tenant_id', true)
    ORDER BY q.job_id FOR NO KEY UPDATE
$$;

-- Takes waiting jobs out of the queue, and lets running ones stop at their next checkpoint. Returns the running ones.
CREATE FUNCTION app.cancel_jobs(jobs text[]) RETURNS SETOF text
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM app.job_queue q
    WHERE q.job_id = ANY (jobs) AND q.tenant_id = current_setting('app.tenant_id', true) AND q.token IS NULL;
    UPDATE app.job_queue q SET is_canceled = true
    WHERE q.job_id = ANY (jobs) AND q.tenant_id = current_setting('app.tenant_id', true) AND q.token IS NOT NULL
    RETURNING q.job_id;
$$;

-- The queued job with this key, pulled forward to `due`; null if there is none. The caller has a lock of the key.
CREATE FUNCTION app.pull_job_forward(key text, due bigint) RETURNS text
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE app.job_queue q
    SET due_at = least(q.due_at, due), is_ready = least(q.due_at, due) <= app.now_ms()
    WHERE q.tenant_id = current_setting('app.tenant_id', true) AND q.dedupe_key = key
    RETURNING q.job_id
$$;

-- Why a pending job does not run now; null if it is next, or not pending.
CREATE FUNCTION app.job_blocked_by(job text, tenant text, status text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN status <> 'pending' THEN NULL
        WHEN q.job_id IS NULL THEN 'imported'
        WHEN NOT app.is_active() THEN 'paused'
        WHEN NOT EXISTS (
            SELECT FROM public.tenants t WHERE t.id = tenant AND t.status = 'active' AND t.deleted_at IS NULL
        ) THEN 'tenant_inactive'
        WHEN q.due_at > app.now_ms() THEN 'due_later'
        WHEN q.is_sync AND EXISTS (
            SELECT FROM app.job_queue r
            WHERE r.data_source_id = q.data_source_id AND r.tenant_id = tenant AND r.token IS NOT NULL AND r.is_sync
        ) THEN 'data_source_busy'
        WHEN q.account IS NOT NULL AND q.account_max <= (
            SELECT count(*) FROM app.job_queue r WHERE r.token IS NOT NULL AND r.account = q.account
        ) THEN 'vendor_budget'
        WHEN app.job_tenant_max() <= (
            SELECT count(*) FROM app.job_queue r WHERE r.tenant_id = tenant AND r.token IS NOT NULL
        ) THEN 'tenant_cap'
    END
    FROM (SELECT 1) one LEFT JOIN app.job_queue q ON q.job_id = job AND q.tenant_id = tenant
$$;

-- The first statement of each transaction of a job: sets its tenant, and locks its lease until the transaction ends.
-- FOR KEY SHARE: transactions of one job do not wait for each other, nor does a renewal for them. A claim, the reaping of
-- lost leases and the completion take a lock that conflicts: they pass the row by, or wait.
CREATE FUNCTION app.lock_lease(
    job text, lease bigint, tenant text, OUT is_valid boolean, OUT is_canceled boolean, OUT may_write boolean
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('app.tenant_id', tenant, true);
    -- services/import_lock.py: no background writer writes while an import runs.
    may_write := pg_try_advisory_xact_lock_shared(7886770927784061300);
    SELECT q.is_canceled INTO is_canceled FROM app.job_queue q
    WHERE q.job_id = job AND q.token = lease AND q.tenant_id = tenant
    FOR KEY SHARE;
    is_valid := FOUND;
END
$$;

-- Records that a job is about to make a call that must not be repeated. Without a row the call is new. A row without a
-- result is a call whose outcome is unknown. The transaction has the job's lease.
CREATE FUNCTION app.begin_job_call(job text, call text, OUT is_new boolean, OUT outcome jsonb)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO app.job_calls (job_id, tenant_id, name)
    SELECT q.job_id, q.tenant_id, call FROM app.job_queue q
    WHERE q.job_id = job AND q.tenant_id = current_setting('app.tenant_id', true)
    ON CONFLICT DO NOTHING;
    is_new := FOUND;
    SELECT c.result INTO outcome FROM app.job_calls c WHERE c.job_id = job AND c.name = call;
END
$$;

-- Records the result of such a call; without a result, that it was not made.
CREATE FUNCTION app.end_job_call(job text, call text, outcome jsonb) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM app.job_calls c
    WHERE outcome IS NULL AND c.job_id = job AND c.name = call
      AND c.tenant_id = current_setting('app.tenant_id', true);
    UPDATE app.job_calls c SET result = outcome
    WHERE outcome IS NOT NULL AND c.job_id = job AND c.name = call
      AND c.tenant_id = current_setting('app.tenant_id', true);
$$;

-- Ends attempts whose leases are still valid: {job, token, outcome, error, delay, counted, lost}. With a `delay` in ms
-- the job waits again, without one it has ended. An attempt that is not `counted` is given back. Returns the jobs.
CREATE FUNCTION app.finish_jobs(results jsonb) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended jsonb;
    present CONSTANT bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
BEGIN
    -- The order of the locks is that of the renewal; the queue's row comes before the job's.
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(results) AS g (
            job text, token bigint, outcome text, error text, delay bigint, counted boolean, lost boolean)
    ), held AS (
        SELECT g.*, q.tenant_id, q.worker FROM app.job_queue q JOIN given g ON g.job = q.job_id AND g.token = q.token
        ORDER BY q.job_id FOR UPDATE OF q
    )
    SELECT jsonb_agg(to_jsonb(h)) INTO ended FROM held h;
    IF ended IS NULL THEN
        RETURN;
    END IF;
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(ended) AS g (
            job text, tenant_id text, worker text, outcome text, error text, delay bigint, counted boolean)
    ), changed AS (
        UPDATE public.scheduled_jobs j
        SET status = CASE
                WHEN g.delay IS NOT NULL THEN 'pending' WHEN g.outcome = 'completed' THEN 'completed' ELSE 'failed' END,
            error = g.error, next_retry_at = present + g.delay,
            attempts = CASE WHEN g.counted THEN j.attempts ELSE greatest(0, j.attempts - 1) END,
            updated_at = app.next_updated_at(j.updated_at)
        FROM given g WHERE j.id = g.job AND j.tenant_id = g.tenant_id AND j.status = 'running'
        RETURNING j.id, j.tenant_id, j.started_at, j.attempts + (NOT g.counted)::integer AS number, g.outcome, g.error,
                  g.worker
    )
    INSERT INTO public.job_attempts (tenant_id, job_id, number, started_at, ended_at, outcome, error, worker)
    SELECT c.tenant_id, c.id, c.number, coalesce(c.started_at, present), present, c.outcome, c.error, c.worker
    FROM changed c;
    DELETE FROM app.job_queue q
    USING jsonb_to_recordset(ended) AS g (job text, delay bigint)
    WHERE q.job_id = g.job AND g.delay IS NULL;
    UPDATE app.job_queue q
    SET token = NULL, worker = NULL, lease_until = NULL, due_at = present + g.delay, is_ready = g.delay <= 0,
        lost = q.lost + coalesce(g.lost, false)::integer
    FROM jsonb_to_recordset(ended) AS g (job text, delay bigint, lost boolean)
    WHERE q.job_id = g.job AND g.delay IS NOT NULL;
    RETURN QUERY SELECT g.job FROM jsonb_to_recordset(ended) AS g (job text);
END
$$;

-- The same for jobs of any tenants, outside their transactions. Null while an import runs.
CREATE FUNCTION app.finish_job_batch(results jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('app.platform', 'on', true);
    IF NOT pg_try_advisory_xact_lock_shared(7886770927784061300) THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(SELECT * FROM app.finish_jobs(results));
END
$$;

-- Ends the attempts whose lease has expired: their worker is dead or stalled. A lease that a transaction of its job
-- holds is passed by. The third loss fails the job, and so does a loss within a call that must not be repeated.
CREATE FUNCTION app.reap_lost_jobs(present bigint, lost_max integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    expired jsonb;
BEGIN
    SELECT jsonb_agg(jsonb_build_object(
        'job', e.job_id, 'token', e.token, 'counted', false, 'lost', true,
        'outcome', CASE WHEN e.is_canceled THEN 'canceled' WHEN e.in_call THEN 'outcome_unknown' ELSE 'lost' END,
        'error', CASE
            WHEN e.is_canceled THEN 'Canceled'
            WHEN e.in_call THEN 'The worker was lost during a call that must not be repeated; its outcome is unknown'
            ELSE 'The worker was lost' END,
        'delay', CASE WHEN NOT (e.is_canceled OR e.in_call OR e.lost + 1 >= lost_max) THEN 0 END
    )) INTO expired
    FROM (
        SELECT q.*, EXISTS (
            SELECT FROM app.job_calls c WHERE c.job_id = q.job_id AND c.result IS NULL
        ) AS in_call
        FROM app.job_queue q WHERE q.token IS NOT NULL AND q.lease_until < present
        ORDER BY q.job_id LIMIT 1000 FOR UPDATE OF q SKIP LOCKED
    ) e;
    RETURN (SELECT count(*) FROM app.finish_jobs(coalesce(expired, '[]')));
END
$$;

-- Claims up to `wanted` jobs of the known actions. Returns {state, jobs, next, waiting, lost}:
--   state    claimed, or why nothing was: another server claims (busy), an import runs (import), a paused copy (paused)
--   next     when the next waiting job is due, in ms since the epoch
--   waiting  whether due jobs are left
CREATE FUNCTION app.claim_jobs(worker_name text, wanted integer, lease_ms bigint, known text[], lost_max integer)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    present CONSTANT bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
    lost integer;
    chosen text[];
    claimed jsonb;
BEGIN
    -- Where the owner is under the policies, too (core/database/request_role.py), this lifts them.
    PERFORM set_config('app.platform', 'on', true);
    IF NOT app.is_active() THEN
        RETURN jsonb_build_object('state', 'paused');
    END IF;
    IF NOT pg_try_advisory_xact_lock_shared(7886770927784061300) THEN
        RETURN jsonb_build_object('state', 'import');
    END IF;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('jobs are claimed', 0)) THEN
        RETURN jsonb_build_object('state', 'busy');
    END IF;
    lost := app.reap_lost_jobs(present, lost_max);
    UPDATE app.job_queue q SET is_ready = true WHERE q.job_id IN (
        SELECT l.job_id FROM app.job_queue l WHERE NOT l.is_ready AND l.token IS NULL AND l.due_at <= present
        ORDER BY l.due_at LIMIT 50000 FOR UPDATE SKIP LOCKED
    );

    -- Tenants with due jobs by a skip scan; a few candidates of each; one after the other of each tenant.
    WITH RECURSIVE waiting AS (
        (SELECT q.tenant_id FROM app.job_queue q WHERE q.is_ready AND q.token IS NULL ORDER BY q.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT q.tenant_id FROM app.job_queue q
                WHERE q.is_ready AND q.token IS NULL AND q.tenant_id > w.tenant_id ORDER BY q.tenant_id LIMIT 1)
        FROM waiting w WHERE w.tenant_id IS NOT NULL
    ), running AS MATERIALIZED (
        SELECT q.tenant_id, q.data_source_id, q.is_sync, q.account FROM app.job_queue q WHERE q.token IS NOT NULL
    ), busy AS (
        SELECT r.tenant_id, count(*) AS jobs FROM running r GROUP BY r.tenant_id
    ), accounts AS (
        SELECT r.account, count(*) AS jobs FROM running r WHERE r.account IS NOT NULL GROUP BY r.account
    ), share AS (
        SELECT w.tenant_id, coalesce(b.jobs, 0) AS jobs, coalesce(s.served, 0) AS served
        FROM waiting w
        JOIN public.tenants t ON t.id = w.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
        LEFT JOIN busy b ON b.tenant_id = w.tenant_id
        LEFT JOIN app.job_tenants s ON s.tenant_id = w.tenant_id
        WHERE coalesce(b.jobs, 0) < app.job_tenant_max()
    ), candidate AS (
        SELECT c.*, s.tenant_id, s.served,
               s.jobs + row_number() OVER (PARTITION BY s.tenant_id ORDER BY c.priority DESC, c.due_at, c.job_id) AS turn,
               row_number() OVER (
                   PARTITION BY s.tenant_id, c.data_source_id, c.is_sync ORDER BY c.priority DESC, c.due_at, c.job_id
               ) AS of_source,
               row_number() OVER (PARTITION BY c.account ORDER BY s.served, c.due_at, c.job_id) AS of_account
        FROM share s CROSS JOIN LATERAL (
            SELECT f.* FROM (
                SELECT q.job_id, q.priority, q.due_at, q.data_source_id, q.is_sync, q.account, q.account_max
                FROM app.job_queue q
                WHERE q.tenant_id = s.tenant_id AND q.is_ready AND q.token IS NULL AND q.action = ANY (known)
                ORDER BY q.priority DESC, q.due_at LIMIT 500
            ) f
            WHERE NOT (f.is_sync AND EXISTS (
                SELECT FROM running r
                WHERE r.is_sync AND r.tenant_id = s.tenant_id AND r.data_source_id = f.data_source_id))
            ORDER BY f.priority DESC, f.due_at LIMIT greatest(0, app.job_tenant_max() - s.jobs)
        ) c
    )
    SELECT array_agg(k.job_id) INTO chosen FROM (
        SELECT c.job_id FROM candidate c LEFT JOIN accounts a ON a.account = c.account
        WHERE (NOT c.is_sync OR c.data_source_id IS NULL OR c.of_source = 1)
          AND (c.account IS NULL OR coalesce(a.jobs, 0) + c.of_account <= c.account_max)
        ORDER BY c.turn, c.served, c.due_at LIMIT wanted
    ) k;

    IF chosen IS NOT NULL THEN
        DELETE FROM app.job_queue q WHERE q.job_id IN (  -- jobs that were ended by hand
            SELECT o.job_id FROM app.job_queue o JOIN public.scheduled_jobs j ON j.id = o.job_id
            WHERE o.job_id = ANY (chosen) AND o.token IS NULL AND j.status <> 'pending' FOR UPDATE OF o SKIP LOCKED
        );
        WITH free AS (
            SELECT q.job_id FROM app.job_queue q JOIN public.scheduled_jobs j ON j.id = q.job_id
            WHERE q.job_id = ANY (chosen) AND q.token IS NULL AND j.status = 'pending'
            ORDER BY q.job_id FOR UPDATE OF q, j SKIP LOCKED
        ), leased AS (
            UPDATE app.job_queue q
            SET token = nextval('app.job_token'), worker = worker_name, lease_until = present + lease_ms,
                dedupe_key = NULL, is_canceled = false
            FROM free f WHERE q.job_id = f.job_id
            RETURNING q.job_id, q.token, q.tenant_id
        ), served AS (
            INSERT INTO app.job_tenants AS s (tenant_id, served)
            SELECT l.tenant_id, max(l.token) FROM leased l GROUP BY l.tenant_id
            ON CONFLICT (tenant_id) DO UPDATE SET served = excluded.served
        ), started AS (
            UPDATE public.scheduled_jobs j
            SET status = 'running', started_at = present, attempts = j.attempts + 1, next_retry_at = NULL,
                updated_at = app.next_updated_at(j.updated_at)
            FROM leased l WHERE j.id = l.job_id
            RETURNING j.id, l.token, j.tenant_id, j.integration_id, j.data_source_id, j.action, j.payload, j.attempts,
                      j.attempts_max, j.scheduled_at, j.created_by
        )
        SELECT jsonb_agg(to_jsonb(s) ORDER BY s.token) INTO claimed FROM started s;
    END IF;
    RETURN jsonb_build_object(
        'state', 'claimed', 'lost', lost, 'jobs', coalesce(claimed, '[]'), 'now', present,
        'next', (SELECT min(q.due_at) FROM app.job_queue q WHERE NOT q.is_ready AND q.token IS NULL),
        'waiting', EXISTS (SELECT FROM app.job_queue q WHERE q.is_ready AND q.token IS NULL)
    );
END
$$;

-- Renews leases. Returns those that are still valid, with whether their job is to stop. A lease that is locked at the
-- moment is valid and stays as it is.
CREATE FUNCTION app.renew_leases(leases bigint[], lease_ms bigint) RETURNS TABLE (lease bigint, is_canceled boolean)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE app.job_queue q SET lease_until = app.now_ms() + lease_ms
    WHERE q.token IN (
        SELECT r.token FROM app.job_queue r WHERE r.token = ANY (leases)
        ORDER BY r.job_id FOR NO KEY UPDATE SKIP LOCKED
    );
    RETURN QUERY SELECT q.token, q.is_canceled FROM app.job_queue q WHERE q.token = ANY (leases);
END
$$;

-- Writes how far jobs are, where their leases are valid.
CREATE FUNCTION app.write_job_progress(leases bigint[], dones integer[], totals integer[], units text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('app.platform', 'on', true);
    INSERT INTO public.job_progress AS p (tenant_id, job_id, done, total, unit)
    SELECT q.tenant_id, q.job_id, g.done, g.total, g.unit
    FROM unnest(leases, dones, totals, units) AS g (lease, done, total, unit)
    JOIN (
        SELECT r.* FROM app.job_queue r WHERE r.token = ANY (leases) ORDER BY r.job_id FOR KEY SHARE SKIP LOCKED
    ) q ON q.token = g.lease
    ON CONFLICT (job_id, tenant_id) DO UPDATE
    SET done = excluded.done, total = excluded.total, unit = excluded.unit,
        updated_at = app.next_updated_at(p.updated_at);
END
$$;

COMMENT ON FUNCTION app.claim_jobs(text, integer, bigint, text[], integer) IS 'Claims due jobs for a worker, fairly among tenants.';
COMMENT ON FUNCTION app.finish_jobs(jsonb) IS 'Ends attempts of jobs whose lease is valid.';
COMMENT ON FUNCTION app.lock_lease(text, bigint, text) IS 'Locks a job''s lease until the end of the transaction.';
COMMENT ON FUNCTION app.job_blocked_by(text, text, text) IS 'Why a pending job does not run now.';
