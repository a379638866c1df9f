-- Which agents are online: those whose last check-in is not older than this. Asked for as `(SELECT app.online_since())`,
-- it is worked out once for a statement and compared with each row: `schema/agents.py`.

CREATE FUNCTION app.online_since() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(
               nullif(current_setting('app.clock_ms', true), '')::bigint,
               floor(extract(epoch FROM transaction_timestamp()) * 1000)::bigint)
         - coalesce(nullif(current_setting('app.agent_offline_after_ms', true), '')::bigint, 180000);
COMMENT ON FUNCTION app.online_since() IS
    'The oldest last check-in with which an agent counts as online, in milliseconds since the epoch: one moment for a whole '
    'transaction, the one that app.clock_ms names where it is set, less app.agent_offline_after_ms (3 minutes unless set).';
