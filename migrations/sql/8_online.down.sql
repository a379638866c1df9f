DROP FUNCTION app.online_since();
