-- A person who retries a job decides that its calls with unknown outcomes may be made again.
CREATE FUNCTION app.forget_open_calls(jobs text[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM app.job_calls c
    WHERE c.job_id = ANY (jobs) AND c.tenant_id = current_setting('app.tenant_id', true) AND c.result IS NULL
$$;
COMMENT ON FUNCTION app.forget_open_calls(text[]) IS 'Lets jobs make their calls again whose outcome is unknown.';

-- As before, but it finds expired leases by the index of running jobs.
CREATE OR REPLACE FUNCTION app.reap_lost_jobs(present bigint, lost_max integer) RETURNS integer
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
        FROM app.job_queue q WHERE q.token IS NOT NULL AND q.lease_until < present AND q.job_id = ANY (ARRAY(
            SELECT r.job_id FROM app.job_queue r WHERE r.token IS NOT NULL AND r.lease_until < present LIMIT 1000
        ))
        ORDER BY q.job_id FOR UPDATE OF q SKIP LOCKED
    ) e;
    RETURN (SELECT count(*) FROM app.finish_jobs(coalesce(expired, '[]')));
END
$$;

-- The queue fills and empties within minutes, so that its statistics are often those of another time. These functions
-- read it by its indexes, whatever they say. With the costs of forbidden scans, every plan would be compiled by JIT.
DO $$
DECLARE
    signature text;
    setting text;
BEGIN
    FOREACH signature IN ARRAY ARRAY[
        'claim_jobs(text, integer, bigint, text[], integer)', 'finish_job_batch(jsonb)', 'renew_leases(bigint[], bigint)',
        'write_job_progress(bigint[], integer[], integer[], text[])'
    ] LOOP
        FOREACH setting IN ARRAY ARRAY['enable_seqscan', 'enable_bitmapscan', 'jit'] LOOP
            EXECUTE format('ALTER FUNCTION app.%s SET %s = off', signature, setting);
        END LOOP;
    END LOOP;
END
$$;
