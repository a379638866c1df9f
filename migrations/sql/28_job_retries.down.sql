DROP FUNCTION app.forget_open_calls(text[]);
