UPDATE public.integrations SET config_schema = config_schema - '$order' WHERE config_schema ? '$order';
DROP FUNCTION app.in_written_order(jsonb);
DROP FUNCTION app.write_in_order(jsonb, jsonb, text);
