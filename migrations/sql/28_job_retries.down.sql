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
            EXECUTE format('ALTER FUNCTION app.%s RESET %s', signature, setting);
        END LOOP;
    END LOOP;
END
$$;
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
        FROM app.job_queue q WHERE q.token IS NOT NULL AND q.lease_until < present
        ORDER BY q.job_id LIMIT 1000 FOR UPDATE OF q SKIP LOCKED
    ) e;
    RETURN (SELECT count(*) FROM app.finish_jobs(coalesce(expired, '[]')));
END
$$;
DROP FUNCTION app.forget_open_calls(text[]);
