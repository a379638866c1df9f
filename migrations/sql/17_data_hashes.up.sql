-- Mutations that changed `true` to `1`, or `false` to `0`, in an entity's raw data kept the data and wrote the new
-- data's hash. An upsert with that hash leaves such a row as it is. Their audit rows have a hash and no data. The hash
-- of these entities becomes one that no data has, so that the next upsert writes them.
SELECT set_config('app.platform', 'on', true);

UPDATE public.entities e SET data_hash = 'unknown'
WHERE e.id IN (
    SELECT a.record_id FROM public.audit_log a
    WHERE a.table_name = 'entities' AND a.action = 'update' AND a.changes ? 'dataHash' AND NOT a.changes ? 'rawData'
);

UPDATE public.global_entities e SET data_hash = 'unknown'
WHERE e.id IN (
    SELECT a.record_id FROM public.audit_log a
    WHERE a.table_name = 'global_entities' AND a.action = 'update' AND a.changes ? 'dataHash'
      AND NOT a.changes ? 'rawData'
);
