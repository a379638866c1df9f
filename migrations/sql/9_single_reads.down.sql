DROP INDEX agents_by_platform;
DROP FUNCTION app.is_still(text, text, text, text);
