-- A person who retries a job decides that its calls with unknown outcomes may be made again.
CREATE FUNCTION app.forget_open_calls(jobs text[]) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM app.job_calls c
    WHERE c.job_id = ANY (jobs) AND c.tenant_id = current_setting('app.tenant_id', true) AND c.result IS NULL
$$;
COMMENT ON FUNCTION app.forget_open_calls(text[]) IS 'Lets jobs make their calls again whose outcome is unknown.';
