DROP TABLE app.shipped_roles;
