DROP FUNCTION app.is_active();
DROP TABLE app.installation;
DROP FUNCTION app.database_identity();
