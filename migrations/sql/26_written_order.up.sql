-- jsonb sorts the names of objects. The order in which a configSchema was written stands in its member "$order":
-- a list of names for each object that jsonb has reordered, by its JSON pointer. The server alone writes the member.
CREATE FUNCTION app.write_in_order(value jsonb, orders jsonb, pointer text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    IF jsonb_typeof(value) = 'object' THEN
        RETURN (
            SELECT '{' || coalesce(string_agg(
                to_json(member.key)::text || ':' || app.write_in_order(
                    member.value, orders, pointer || '/' || replace(replace(member.key, '~', '~0'), '/', '~1')),
                ',' ORDER BY written.at, member.at), '') || '}'
            FROM jsonb_each(value) WITH ORDINALITY AS member (key, value, at)
            LEFT JOIN (
                SELECT name, min(at) AS at
                FROM jsonb_array_elements_text(
                    CASE jsonb_typeof(orders -> pointer) WHEN 'array' THEN orders -> pointer ELSE '[]' END
                ) WITH ORDINALITY AS listed (name, at)
                GROUP BY name
            ) AS written ON written.name = member.key);
    ELSIF jsonb_typeof(value) = 'array' THEN
        RETURN (
            SELECT '[' || coalesce(string_agg(
                app.write_in_order(element.value, orders, pointer || '/' || (element.at - 1)),
                ',' ORDER BY element.at), '') || ']'
            FROM jsonb_array_elements(value) WITH ORDINALITY AS element (value, at));
    END IF;
    RETURN value::text;
END
$$;
COMMENT ON FUNCTION app.write_in_order(jsonb, jsonb, text) IS
    'The text of the value at a JSON pointer. Names that the orders do not list come last, in the order of jsonb.';

CREATE FUNCTION app.in_written_order(value jsonb) RETURNS json
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE jsonb_typeof(value -> '$order')
        WHEN 'object' THEN app.write_in_order(value - '$order', value -> '$order', '')::json
        ELSE value::json END
$$;
COMMENT ON FUNCTION app.in_written_order(jsonb) IS 'A configSchema as it was written, without its member "$order".';
