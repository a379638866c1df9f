DROP FUNCTION app.fold(text);
DROP FUNCTION app.new_id();
DROP FUNCTION app.now_ms();
DROP SCHEMA app;
